//! OffsetCommit: a group's place in the partitions it consumes. The topics need not exist, and any number is an offset: Kafka
//! does not look at it either.

use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::{ApiKey, OffsetCommitRequest, OffsetCommitResponse, TopicName};

use super::exchange::{Context, Refusal, Request, Started, answered, default_deadline, respond};
use super::{member, one_group};
use crate::group::ask::{Ask, Reply};
use crate::group::error::GroupError;
use crate::group::log::entry::{PartitionOffset, TopicOffsets};

/// Asks the group to keep what may be kept.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: OffsetCommitRequest = request.decode()?;
    let by = member::membership(&body.member_id, body.group_instance_id.as_ref(), body.generation_id_or_member_epoch);
    let max_metadata = usize::try_from(context.io.shared.config.offset_metadata_max_bytes).unwrap_or(usize::MAX);
    let fits = |partition: &OffsetCommitRequestPartition| {
        partition.committed_metadata.as_ref().is_none_or(|metadata| metadata.len() <= max_metadata)
    };
    let rows = body.topics.iter().map(|topic| Row::of(topic, fits)).collect();
    let topics: Vec<_> = body.topics.into_iter().filter_map(|topic| kept(topic, fits)).collect();
    if topics.is_empty() {
        return Ok(answered(respond(&request.header, &response(rows, Ok(Reply::Done))), context));
    }
    let deadline = default_deadline(context);
    let ask = Ask::Commit { by, topics };
    Ok(one_group::ask(request.header, &body.group_id, ask, deadline, context, move |result| response(rows, result)))
}

/// What is left of a topic, if anything is.
fn kept(topic: OffsetCommitRequestTopic, fits: impl Fn(&OffsetCommitRequestPartition) -> bool) -> Option<TopicOffsets> {
    let partitions: Vec<_> = topic
        .partitions
        .into_iter()
        .filter(fits)
        .map(|partition| PartitionOffset {
            partition: partition.partition_index,
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: partition.committed_metadata.map(|metadata| metadata.to_string()).unwrap_or_default(),
        })
        .collect();
    (!partitions.is_empty()).then(|| TopicOffsets { name: topic.name.to_string(), partitions })
}

/// A topic, and its partitions with whether they were sent on.
#[derive(Debug)]
struct Row(TopicName, Vec<(i32, bool)>);

impl Row {
    fn of(topic: &OffsetCommitRequestTopic, fits: impl Fn(&OffsetCommitRequestPartition) -> bool) -> Self {
        let partitions = topic.partitions.iter().map(|partition| (partition.partition_index, fits(partition)));
        Self(topic.name.clone(), partitions.collect())
    }
}

/// What is wrong with the group or the member is wrong with every partition.
fn response(rows: Vec<Row>, result: Result<Reply, GroupError>) -> OffsetCommitResponse {
    let code = |error: GroupError| error.kafka_code(ApiKey::OffsetCommit).code();
    let of_all = result.err().map(code);
    let partition = |(index, fits): (i32, bool)| {
        let own = if fits { 0 } else { code(GroupError::OffsetMetadataTooLarge) };
        OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(of_all.unwrap_or(own))
    };
    let topic = |Row(name, partitions): Row| {
        OffsetCommitResponseTopic::default()
            .with_name(name)
            .with_partitions(partitions.into_iter().map(partition).collect())
    };
    OffsetCommitResponse::default().with_topics(rows.into_iter().map(topic).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::response::encode;

    fn topic(name: &'static str, metadata: &[Option<&'static str>]) -> OffsetCommitRequestTopic {
        let partitions = (0..).zip(metadata).map(|(index, metadata)| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(index)
                .with_committed_offset(10)
                .with_committed_metadata(metadata.map(Into::into))
        });
        OffsetCommitRequestTopic::default().with_name(TopicName(name.into())).with_partitions(partitions.collect())
    }

    fn fits(partition: &OffsetCommitRequestPartition) -> bool {
        partition.committed_metadata.as_deref().unwrap_or_default().len() <= 4
    }

    fn codes(response: &OffsetCommitResponse) -> Vec<i16> {
        response.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code).collect()
    }

    #[test]
    fn what_has_too_much_metadata_is_left_out() {
        let kept = kept(topic("a", &[Some("fits"), Some("too much"), None]), fits).unwrap();
        let left: Vec<_> = kept.partitions.iter().map(|offset| (offset.partition, offset.metadata.as_str())).collect();
        assert_eq!((kept.name.as_str(), left), ("a", vec![(0, "fits"), (2, "")]));
    }

    #[test]
    fn a_topic_of_which_nothing_is_left_is_not_sent() {
        assert_eq!(kept(topic("a", &[Some("too much")]), fits), None);
    }

    #[test]
    fn what_was_left_out_is_refused_and_the_rest_committed() {
        let rows = vec![Row::of(&topic("a", &[Some("fits"), Some("too much")]), fits)];
        assert_eq!(codes(&response(rows, Ok(Reply::Done))), [0, 12]);
    }

    #[test]
    fn what_is_wrong_with_the_member_is_wrong_with_every_partition() {
        let rows = || vec![Row::of(&topic("a", &[None, Some("too much")]), fits), Row::of(&topic("b", &[None]), fits)];
        assert_eq!(codes(&response(rows(), Err(GroupError::RebalanceInProgress))), [27, 27, 27]);
        assert_eq!(codes(&response(rows(), Err(GroupError::NoGroup))), [22, 22, 22]);
        assert_eq!(codes(&response(rows(), Err(GroupError::TooManyOffsets))), [28, 28, 28]);
        assert_eq!(codes(&response(rows(), Err(GroupError::TooLarge))), [28, 28, 28]);
    }

    #[test]
    fn every_version_can_carry_it() {
        for version in 2..=8 {
            let rows = vec![Row::of(&topic("a", &[None]), fits)];
            encode(ApiKey::OffsetCommit, version, 0, &response(rows, Err(GroupError::NotAvailable))).unwrap();
        }
    }
}
