//! OffsetDelete: an administrator removes committed offsets of topics that nobody in the group consumes (KIP-496).

use std::iter;

use kafka_protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::{ApiKey, OffsetDeleteRequest, OffsetDeleteResponse};

use super::exchange::{Context, Refusal, Request, Started, answered, default_deadline, respond};
use super::one_group;
use crate::group::ask::{Ask, Reply};
use crate::group::error::GroupError;
use crate::group::id::GroupId;
use crate::group::log::entry::TopicPartitions;

/// Asks the group.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: OffsetDeleteRequest = request.decode()?;
    let topics = body.topics;
    if topics.is_empty() && GroupId::new(&body.group_id).is_some() {
        return Ok(answered(respond(&request.header, &OffsetDeleteResponse::default()), context));
    }
    let asked = topics.iter().map(|topic| TopicPartitions {
        name: topic.name.to_string(),
        partitions: topic.partitions.iter().map(|partition| partition.partition_index).collect(),
    });
    let ask = Ask::OffsetDelete(asked.collect());
    let deadline = default_deadline(context);
    let response = move |result| response(topics, result);
    Ok(one_group::ask(request.header, &body.group_id, ask, deadline, context, response))
}

/// What is wrong with the group stands at the top, with no topics.
fn response(topics: Vec<OffsetDeleteRequestTopic>, result: Result<Reply, GroupError>) -> OffsetDeleteResponse {
    let code = |error: GroupError| error.kafka_code(ApiKey::OffsetDelete).code();
    let response = OffsetDeleteResponse::default();
    let results = match result {
        Ok(Reply::OffsetsDeleted(results)) => results,
        Ok(_) => return response.with_error_code(code(GroupError::NotAvailable)),
        Err(error) => return response.with_error_code(code(error)),
    };
    let codes = results.into_iter().map(|result| result.map_or_else(code, |()| 0));
    let codes = codes.chain(iter::repeat(code(GroupError::NotAvailable)));
    let row = |(topic, code): (OffsetDeleteRequestTopic, i16)| {
        let partition =
            |index| OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(code);
        let indexes = topic.partitions.into_iter().map(|partition| partition.partition_index);
        OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(indexes.map(partition).collect())
    };
    response.with_topics(topics.into_iter().zip(codes).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::response::encode;
    use kafka_protocol::messages::TopicName;
    use kafka_protocol::messages::offset_delete_request::OffsetDeleteRequestPartition;

    fn topic(name: &'static str, partitions: i32) -> OffsetDeleteRequestTopic {
        let partitions =
            (0..partitions).map(|index| OffsetDeleteRequestPartition::default().with_partition_index(index));
        OffsetDeleteRequestTopic::default().with_name(TopicName(name.into())).with_partitions(partitions.collect())
    }

    #[test]
    fn a_topic_that_a_member_consumes_keeps_its_offsets() {
        let deleted = Ok(Reply::OffsetsDeleted(vec![Ok(()), Err(GroupError::SubscribedToTopic)]));
        let response = response(vec![topic("a", 1), topic("b", 2)], deleted);
        let codes = response.topics.iter().flat_map(|topic| {
            topic
                .partitions
                .iter()
                .map(|partition| (topic.name.as_str(), partition.partition_index, partition.error_code))
        });
        assert_eq!(codes.collect::<Vec<_>>(), [("a", 0, 0), ("b", 0, 86), ("b", 1, 86)]);
        assert_eq!(response.error_code, 0);
        encode(ApiKey::OffsetDelete, 0, 0, &response).unwrap();
    }

    #[test]
    fn what_is_wrong_with_the_group_stands_at_the_top() {
        for (error, code) in [(GroupError::GroupIdNotFound, 69), (GroupError::NonEmptyGroup, 68)] {
            let response = response(vec![topic("a", 1)], Err(error));
            assert_eq!((response.error_code, response.topics.len()), (code, 0));
        }
    }
}
