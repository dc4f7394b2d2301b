//! OffsetFetch: what groups have committed.

use std::collections::BTreeSet;

use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{ApiKey, OffsetFetchRequest, OffsetFetchResponse, TopicName};

use super::each_group::{EachGroup, Row, Told};
use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, default_deadline, respond, text};
use crate::group::ask::Ask;
use crate::group::error::GroupError;
use crate::group::id::GroupId;
use crate::group::state::{Committed, State};
use crate::kafka::header::RequestHeader;

/// The first version whose response has an error code of its own; before, each partition bears it.
const TOP_LEVEL_ERROR_SINCE: i16 = 2;

/// The first version that asks for several groups (KIP-709).
const BATCHED_SINCE: i16 = 8;

/// What was not committed (`OffsetFetchResponse.INVALID_OFFSET`).
const NOTHING: i64 = -1;
const NO_EPOCH: i32 = -1;

/// Begins to ask the groups.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: OffsetFetchRequest = request.decode()?;
    let require_stable = body.require_stable;
    let wanted = wanted(request.header.api_version, body);
    let groups = EachGroup::new(|| Ask::Confirm, wanted.iter().map(|wanted| GroupId::new(&wanted.group_id)));
    let deadline = default_deadline(context);
    let exchange = OffsetFetch { header: request.header, wanted, require_stable, groups };
    Ok(Started { exchange: Box::new(exchange), deadline })
}

/// The older requests, for one group, in the form of the newer.
fn wanted(version: i16, body: OffsetFetchRequest) -> Vec<OffsetFetchRequestGroup> {
    if version >= BATCHED_SINCE {
        return body.groups;
    }
    let topic = |topic: OffsetFetchRequestTopic| {
        OffsetFetchRequestTopics::default().with_name(topic.name).with_partition_indexes(topic.partition_indexes)
    };
    let topics = body.topics.map(|topics| topics.into_iter().map(topic).collect());
    vec![OffsetFetchRequestGroup::default().with_group_id(body.group_id).with_topics(topics)]
}

struct OffsetFetch {
    header: RequestHeader,
    wanted: Vec<OffsetFetchRequestGroup>,
    require_stable: bool,
    groups: EachGroup<OffsetFetchResponseGroup>,
}

impl Row for OffsetFetchResponseGroup {
    fn bytes(&self) -> usize {
        let topics = self.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let metadata = partition.metadata.as_ref().map_or(0, |metadata| metadata.len());
                size_of::<OffsetFetchResponsePartitions>().saturating_add(metadata)
            });
            partitions
                .fold(size_of::<OffsetFetchResponseTopics>().saturating_add(topic.name.len()), usize::saturating_add)
        });
        topics.fold(size_of::<Self>(), usize::saturating_add)
    }
}

/// `None`: there is no such group, thus nothing is committed.
fn row(
    wanted: &OffsetFetchRequestGroup,
    require_stable: bool,
    state: Result<Option<&State>, GroupError>,
) -> OffsetFetchResponseGroup {
    let group = OffsetFetchResponseGroup::default().with_group_id(wanted.group_id.clone());
    let state = match state {
        Ok(state) => state,
        Err(error) => return group.with_error_code(error.kafka_code(ApiKey::OffsetFetch).code()),
    };
    let unstable = if require_stable { pending(state) } else { BTreeSet::new() };
    let committed = |topic: &str, partition| state?.offsets.get(topic)?.get(&partition);
    let partition = |topic: &str, index: i32| match unstable.contains(&(topic, index)) {
        true => nothing(index).with_error_code(GroupError::UnstableOffsets.kafka_code(ApiKey::OffsetFetch).code()),
        false => committed(topic, index).map_or_else(|| nothing(index), |committed| told(index, committed)),
    };
    let topic = |name: TopicName, indexes: &mut dyn Iterator<Item = i32>| {
        let partitions = indexes.map(|index| partition(&name, index)).collect();
        OffsetFetchResponseTopics::default().with_partitions(partitions).with_name(name)
    };
    group.with_topics(match &wanted.topics {
        Some(topics) => {
            topics.iter().map(|asked| topic(asked.name.clone(), &mut asked.partition_indexes.iter().copied())).collect()
        }
        None => state
            .into_iter()
            .flat_map(|state| state.offsets.iter())
            .map(|(name, partitions)| topic(TopicName(text(name.clone())), &mut partitions.keys().copied()))
            .collect(),
    })
}

/// Partitions with offsets of transactions that are not decided.
fn pending(state: Option<&State>) -> BTreeSet<(&str, i32)> {
    let transactions = state.into_iter().flat_map(|state| state.pending.values());
    let topics = transactions.flat_map(|transaction| transaction.offsets.iter());
    topics.flat_map(|(topic, partitions)| partitions.keys().map(|index| (topic.as_str(), *index))).collect()
}

fn nothing(index: i32) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(NOTHING)
        .with_committed_leader_epoch(NO_EPOCH)
        .with_metadata(Some(text("")))
}

fn told(index: i32, committed: &Committed) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(committed.offset)
        .with_committed_leader_epoch(committed.leader_epoch)
        .with_metadata(Some(text(committed.metadata.clone())))
}

fn response(
    version: i16,
    wanted: &[OffsetFetchRequestGroup],
    groups: Vec<OffsetFetchResponseGroup>,
) -> OffsetFetchResponse {
    if version >= BATCHED_SINCE {
        return OffsetFetchResponse::default().with_groups(groups);
    }
    // One group was asked for.
    let group = groups.into_iter().next().unwrap_or_default();
    if group.error_code != 0 && version < TOP_LEVEL_ERROR_SINCE {
        let asked = wanted.iter().flat_map(|group| group.topics.iter().flatten());
        return OffsetFetchResponse::default()
            .with_topics(asked.map(|topic| refused(topic, group.error_code)).collect());
    }
    OffsetFetchResponse::default()
        .with_error_code(group.error_code)
        .with_topics(group.topics.into_iter().map(unbatched).collect())
}

fn refused(topic: &OffsetFetchRequestTopics, code: i16) -> OffsetFetchResponseTopic {
    let partitions = topic.partition_indexes.iter().map(|index| nothing(*index).with_error_code(code)).collect();
    unbatched(OffsetFetchResponseTopics::default().with_name(topic.name.clone()).with_partitions(partitions))
}

/// The same in the form of the older versions.
fn unbatched(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partition = |partition: OffsetFetchResponsePartitions| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_metadata(partition.metadata)
            .with_error_code(partition.error_code)
    };
    OffsetFetchResponseTopic::default()
        .with_name(topic.name)
        .with_partitions(topic.partitions.into_iter().map(partition).collect())
}

fn told_of(wanted: &[OffsetFetchRequestGroup], require_stable: bool, told: Told<'_>) -> OffsetFetchResponseGroup {
    match wanted.get(told.index) {
        Some(wanted) => row(wanted, require_stable, told.result.map(|_| told.state)),
        None => OffsetFetchResponseGroup::default(),
    }
}

impl OffsetFetch {
    fn answer(&mut self) -> Answer {
        let groups = self.groups.take().collect();
        respond(&self.header, &response(self.header.api_version, &self.wanted, groups))
    }
}

impl Exchange for OffsetFetch {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let (wanted, require_stable) = (&self.wanted, self.require_stable);
        self.groups.poll(&mut context.io, |group| told_of(wanted, require_stable, group)).then(|| self.answer())
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        let (wanted, require_stable) = (&self.wanted, self.require_stable);
        let groups = &mut context.io.shared.groups;
        self.groups.give_up(GroupError::NotCoordinator, groups, |group| told_of(wanted, require_stable, group));
        self.answer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::log::entry::EventPosition;
    use crate::group::state::Pending;
    use crate::group::state::offsets::Offsets;
    use crate::kafka::response::encode;
    use kafka_protocol::messages::GroupId as Name;
    use std::collections::BTreeMap;

    fn committed(offset: i64) -> Committed {
        Committed { offset, leader_epoch: 0, metadata: "mine".into(), time_ms: 0, at: EventPosition::default() }
    }

    /// A group that has committed 7 for partition 0 of `a`, and 8 for partition 1 in a transaction that is open.
    fn state() -> State {
        let offsets = |index, offset| {
            let mut offsets = Offsets::default();
            offsets.insert("a", index, committed(offset));
            offsets
        };
        let pending = Pending { producer_epoch: 0, transactional_id: "t".into(), offsets: offsets(1, 8) };
        State { exists: true, offsets: offsets(0, 7), pending: BTreeMap::from([(1, pending)]), ..State::default() }
    }

    fn of_topics(topics: Option<&[(&'static str, &[i32])]>) -> OffsetFetchRequestGroup {
        let topic = |(name, partitions): &(&'static str, &[i32])| {
            OffsetFetchRequestTopics::default()
                .with_name(TopicName((*name).into()))
                .with_partition_indexes(partitions.to_vec())
        };
        let topics = topics.map(|topics| topics.iter().map(topic).collect());
        OffsetFetchRequestGroup::default().with_group_id(Name("g".into())).with_topics(topics)
    }

    fn offsets(group: &OffsetFetchResponseGroup) -> Vec<(&str, i32, i64, i16)> {
        let of_topic = |topic: &'_ OffsetFetchResponseTopics| {
            let told =
                topic.partitions.iter().map(|told| (told.partition_index, told.committed_offset, told.error_code));
            told.collect::<Vec<_>>()
        };
        let topics = group.topics.iter().map(|topic| (topic.name.as_str(), of_topic(topic)));
        topics
            .flat_map(|(name, told)| told.into_iter().map(move |(index, offset, code)| (name, index, offset, code)))
            .collect()
    }

    #[test]
    fn what_was_committed_is_told_and_the_rest_is_not_there() {
        let group = row(&of_topics(Some(&[("a", &[0, 1]), ("b", &[0])])), false, Ok(Some(&state())));
        assert_eq!(offsets(&group), [("a", 0, 7, 0), ("a", 1, -1, 0), ("b", 0, -1, 0)]);
        let [first, second] = group.topics[0].partitions.as_slice() else { panic!("{group:?}") };
        assert_eq!((first.committed_leader_epoch, first.metadata.as_deref()), (0, Some("mine")));
        assert_eq!((second.committed_leader_epoch, second.metadata.as_deref()), (-1, Some("")));
    }

    #[test]
    fn whoever_names_no_topics_is_told_all() {
        assert_eq!(offsets(&row(&of_topics(None), false, Ok(Some(&state())))), [("a", 0, 7, 0)]);
    }

    #[test]
    fn a_group_that_does_not_exist_has_committed_nothing() {
        assert_eq!(offsets(&row(&of_topics(Some(&[("a", &[0])])), false, Ok(None))), [("a", 0, -1, 0)]);
        assert_eq!(offsets(&row(&of_topics(None), false, Ok(None))), []);
    }

    #[test]
    fn offsets_of_an_open_transaction_are_unstable_to_those_that_care() {
        let group = row(&of_topics(Some(&[("a", &[0, 1])])), true, Ok(Some(&state())));
        assert_eq!(offsets(&group), [("a", 0, 7, 0), ("a", 1, -1, 88)]);
    }

    #[test]
    fn a_group_that_is_not_available_is_looked_for_anew() {
        assert_eq!(row(&of_topics(None), false, Err(GroupError::NotAvailable)).error_code, 16);
        assert_eq!(row(&of_topics(None), false, Err(GroupError::Loading)).error_code, 14);
    }

    #[test]
    fn version_1_tells_an_error_at_each_partition() {
        let wanted = of_topics(Some(&[("a", &[0, 1])]));
        let failed = row(&wanted, false, Err(GroupError::NotCoordinator));
        let response = response(1, &[wanted], vec![failed]);
        assert_eq!(response.error_code, 0);
        let codes = response.topics[0].partitions.iter().map(|told| (told.committed_offset, told.error_code));
        assert_eq!(codes.collect::<Vec<_>>(), [(-1, 16), (-1, 16)]);
    }

    #[test]
    fn versions_2_to_7_tell_an_error_at_the_top() {
        let wanted = of_topics(Some(&[("a", &[0, 1])]));
        let failed = row(&wanted, false, Err(GroupError::NotCoordinator));
        let response = response(2, &[wanted], vec![failed]);
        assert_eq!((response.error_code, response.topics.len()), (16, 0));
    }

    #[test]
    fn since_version_8_each_group_has_an_error_of_its_own() {
        let wanted = of_topics(None);
        let rows = [Ok(Some(&state())), Err(GroupError::NotCoordinator)].map(|state| row(&wanted, false, state));
        let response = response(8, &[wanted.clone(), wanted], rows.to_vec());
        let codes: Vec<_> = response.groups.iter().map(|group| group.error_code).collect();
        assert_eq!((response.error_code, codes), (0, vec![0, 16]));
    }

    #[test]
    fn a_request_for_one_group_reads_like_one_for_several() {
        let topic = OffsetFetchRequestTopic::default().with_name(TopicName("a".into())).with_partition_indexes(vec![3]);
        let body = OffsetFetchRequest::default().with_group_id(Name("g".into())).with_topics(Some(vec![topic]));
        assert_eq!(wanted(7, body), [of_topics(Some(&[("a", &[3])]))]);
        let all = OffsetFetchRequest::default().with_group_id(Name("g".into())).with_topics(None);
        assert_eq!(wanted(2, all), [of_topics(None)]);
    }

    #[test]
    fn every_version_can_carry_every_answer() {
        let wanted = of_topics(Some(&[("a", &[0, 1])]));
        let state = state();
        for version in 1..=8 {
            for told in [Ok(Some(&state)), Ok(None), Err(GroupError::NotCoordinator)] {
                let groups = vec![row(&wanted, true, told)];
                let response = response(version, std::slice::from_ref(&wanted), groups);
                encode(ApiKey::OffsetFetch, version, 0, &response).unwrap();
            }
        }
    }
}
