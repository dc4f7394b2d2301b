//! Events in few words.

use bytes::Bytes;
use isthmus::group::log::entry::*;

/// A dynamic member joins with an id it was given, as Kafka's consumers do.
pub(crate) fn join(member: &str) -> Join {
    Join {
        member: member.into(),
        issued: true,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_ms: 10_000,
        rebalance_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: protocols(&["range"]),
        max_size: u32::MAX,
        ..Join::default()
    }
}

/// A static member is started: it has no id of its own yet.
pub(crate) fn fresh_static(member: &str, instance: &str) -> Join {
    Join { fresh: true, issued: false, instance: Some(instance.into()), ..join(member) }
}

/// A static member joins again.
pub(crate) fn static_again(member: &str, instance: &str) -> Join {
    Join { issued: false, instance: Some(instance.into()), ..join(member) }
}

/// Protocols with these names, each member subscribed to `t`.
pub(crate) fn protocols(names: &[&str]) -> Vec<Protocol> {
    names.iter().map(|name| Protocol { name: (*name).into(), metadata: subscription(&["t"]) }).collect()
}

/// A `ConsumerProtocolSubscription` of version 1.
pub(crate) fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 1];
    bytes.extend_from_slice(&(topics.len() as i32).to_be_bytes());
    for topic in topics {
        bytes.extend_from_slice(&(topic.len() as i16).to_be_bytes());
        bytes.extend_from_slice(topic.as_bytes());
    }
    bytes.extend_from_slice(&[0xff; 4]); // no user data
    bytes.extend_from_slice(&[0; 4]); // owns nothing
    bytes.into()
}

pub(crate) fn sync(member: &str, generation: i32) -> Sync {
    Sync { member: member.into(), generation, ..Sync::default() }
}

/// The leader's.
pub(crate) fn assign(leader: &str, generation: i32, assignments: &[(&str, &str)]) -> Sync {
    let assignments = assignments
        .iter()
        .map(|(member, bytes)| Assignment { member: (*member).into(), bytes: Bytes::copy_from_slice(bytes.as_bytes()) })
        .collect();
    Sync { assignments, ..sync(leader, generation) }
}

pub(crate) fn beat(members: &[&str]) -> Beat {
    Beat { members: members.iter().map(|id| (*id).into()).collect() }
}

pub(crate) fn leave(members: &[(&str, Option<&str>)]) -> Leave {
    let members = members
        .iter()
        .map(|(member, instance)| Leaver { member: (*member).into(), instance: instance.map(Into::into) })
        .collect();
    Leave { members }
}

/// `offsets` of topic and partition, by whoever `member` and `generation` say.
pub(crate) fn commit(member: &str, generation: i32, offsets: &[(&str, i32, i64)]) -> Commit {
    let topics = offsets
        .iter()
        .map(|(topic, partition, offset)| TopicOffsets {
            name: (*topic).into(),
            partitions: vec![PartitionOffset {
                partition: *partition,
                offset: *offset,
                leader_epoch: -1,
                metadata: String::new(),
            }],
        })
        .collect();
    Commit { member: member.into(), instance: None, generation, topics }
}

/// A commit without membership.
pub(crate) fn simple_commit(offsets: &[(&str, i32, i64)]) -> Commit {
    commit("", -1, offsets)
}

pub(crate) fn txn_commit(commit: Commit, producer_id: i64, producer_epoch: i32) -> TxnCommit {
    TxnCommit { commit, transactional_id: "tx".into(), producer_id, producer_epoch }
}

pub(crate) fn delete_offsets(offsets: &[(&str, i32)]) -> OffsetDelete {
    let topics = offsets
        .iter()
        .map(|(topic, partition)| TopicPartitions { name: (*topic).into(), partitions: vec![*partition] })
        .collect();
    OffsetDelete { topics }
}

macro_rules! events {
    ($($kind:ident)*) => {
        $(impl IntoEvent for $kind {
            fn event(self) -> Event {
                Kind::$kind(self).into()
            }
        })*
    };
}

/// Any event's content as an event.
pub(crate) trait IntoEvent {
    fn event(self) -> Event;
}

events! { Join Sync Beat Leave Expire Timeout Commit OffsetDelete Delete ExpireOffsets TxnCommit TxnEnd Snapshot Upgrade Nop }
