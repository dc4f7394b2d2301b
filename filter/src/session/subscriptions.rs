//! SUBSCRIBE as readers and groups send it.

use bytes::Bytes;

use crate::ids::{ConsumerId, Position};
use crate::pulsar::proto::{BaseCommand, CommandSubscribe, KeyValue, MessageIdData, command_subscribe};

/// Name of the durable subscription on a group's log.
const GUARD: &str = "kafka-group";

/// What a reader reads, and from where (inclusive, by entry).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    position: Position,
    compacted: bool,
}

impl Start {
    /// A reader that is not shown what compaction took out of the topic. Where nothing was compacted it reads the log as it is.
    pub fn compacted(position: Position) -> Self {
        Self { position, compacted: true }
    }
}

/// The log as it is, whatever was compacted.
impl From<Position> for Start {
    fn from(position: Position) -> Self {
        Self { position, compacted: false }
    }
}

/// A reader on a subscription of its own.
pub(super) fn reader(
    topic: &str,
    start: Start,
    client_id: &str,
    unique: u64,
    consumer: ConsumerId,
    request_id: u64,
) -> BaseCommand {
    CommandSubscribe {
        topic: topic.to_owned(),
        subscription: format!("isthmus-{unique:016x}"),
        sub_type: command_subscribe::SubType::Exclusive.into(),
        consumer_id: consumer.0,
        request_id,
        consumer_name: Some(client_id.to_owned()),
        durable: Some(false),
        start_message_id: Some(message_id(start.position)),
        metadata: client_metadata(client_id),
        read_compacted: start.compacted.then_some(true),
        initial_position: Some(command_subscribe::InitialPosition::Latest.into()),
        force_topic_creation: Some(false),
        ..CommandSubscribe::default()
    }
    .into()
}

/// A consumer of the durable subscription on a group's log.
pub(super) fn guard(topic: &str, client_id: &str, consumer: ConsumerId, request_id: u64) -> BaseCommand {
    CommandSubscribe {
        topic: topic.to_owned(),
        subscription: GUARD.to_owned(),
        sub_type: command_subscribe::SubType::Failover.into(),
        consumer_id: consumer.0,
        request_id,
        durable: Some(true),
        metadata: client_metadata(client_id),
        initial_position: Some(command_subscribe::InitialPosition::Earliest.into()),
        force_topic_creation: Some(false),
        ..CommandSubscribe::default()
    }
    .into()
}

/// What Pulsar's stats show of a producer or consumer.
pub(super) fn client_metadata(client_id: &str) -> Vec<KeyValue> {
    vec![KeyValue { key: Bytes::from_static(b"kafka.client.id"), value: Bytes::copy_from_slice(client_id.as_bytes()) }]
}

/// The position as commands name it.
pub(super) fn message_id(position: Position) -> MessageIdData {
    MessageIdData { ledger_id: position.ledger, entry_id: position.entry, ..MessageIdData::default() }
}
