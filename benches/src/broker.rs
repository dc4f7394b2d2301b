//! A broker that answers one connection as the filter expects, and as fast as can be: one topic whose entries are all alike.
//!
//! The log has no end: entry `k` of ledger 1 holds the same messages as every other, and its index follows from `k`.

use std::collections::BTreeMap;

use bytes::Bytes;
use isthmus::frame::Splitter;
use isthmus::pulsar::command::pong;
use isthmus::pulsar::frame::{DEFAULT_MAX_FRAME_BYTES, parse_frame, write_command, write_command_with_section};
use isthmus::pulsar::proto::{
    BaseCommand, CommandConnected, CommandFlow, CommandGetLastMessageIdResponse, CommandLookupTopicResponse,
    CommandMessage, CommandPartitionedTopicMetadataResponse, CommandProducerSuccess, CommandSend, CommandSendReceipt,
    CommandSubscribe, CommandSuccess, MessageIdData, command_lookup_topic_response,
    command_partitioned_topic_metadata_response,
};

const LEDGER: u64 = 1;
const LAST_ENTRY: u64 = 1 << 40;

/// See the module.
pub struct Broker {
    splitter: Splitter,
    section: Bytes,
    records: u64,
    partitions: u32,
    next_entry: u64,
    /// Where each subscription starts.
    starts: BTreeMap<u64, u64>,
    reader: Option<Reader>,
    out: Vec<u8>,
}

/// The subscription that was allowed more than the one message of a peek.
struct Reader {
    consumer_id: u64,
    next_entry: u64,
    /// In messages. While it is above zero a whole entry is sent.
    permits: i64,
}

impl Broker {
    /// Every entry is `section`, as it stands behind SEND, with `records` messages.
    pub fn new(section: &[u8], records: usize) -> Self {
        Self {
            splitter: Splitter::new(DEFAULT_MAX_FRAME_BYTES),
            section: Bytes::copy_from_slice(section),
            records: records as u64,
            partitions: 1,
            next_entry: 0,
            starts: BTreeMap::new(),
            reader: None,
            out: Vec::new(),
        }
    }

    /// Every topic has so many partitions.
    pub fn with_partitions(self, partitions: u32) -> Self {
        Self { partitions, ..self }
    }

    /// Takes what the filter sent; what there is to say to that.
    pub fn on_bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.splitter.push(Bytes::copy_from_slice(bytes));
        while let Some(frame) = self.splitter.next_frame().expect("the filter writes frames") {
            let frame = parse_frame(frame).expect("the filter writes commands");
            self.on_command(frame.command);
        }
        std::mem::take(&mut self.out)
    }

    fn on_command(&mut self, command: BaseCommand) {
        if command.connect.is_some() {
            self.say(CommandConnected {
                server_version: "bench".into(),
                protocol_version: Some(21),
                max_message_size: Some(5 << 20),
                ..CommandConnected::default()
            });
        } else if let Some(asked) = command.partition_metadata {
            self.say(CommandPartitionedTopicMetadataResponse {
                partitions: Some(self.partitions),
                request_id: asked.request_id,
                response: Some(command_partitioned_topic_metadata_response::LookupType::Success.into()),
                ..CommandPartitionedTopicMetadataResponse::default()
            });
        } else if let Some(lookup) = command.lookup_topic {
            self.say(CommandLookupTopicResponse {
                broker_service_url: Some("pulsar://127.0.0.1:9092".into()),
                response: Some(command_lookup_topic_response::LookupType::Connect.into()),
                request_id: lookup.request_id,
                authoritative: Some(true),
                ..CommandLookupTopicResponse::default()
            });
        } else if let Some(producer) = command.producer {
            self.say(CommandProducerSuccess {
                request_id: producer.request_id,
                producer_name: producer.producer_name.unwrap_or_else(|| "bench".into()),
                last_sequence_id: Some(-1),
                schema_version: Some(Bytes::new()),
                topic_epoch: None,
                producer_ready: Some(true),
            });
        } else if let Some(send) = command.send {
            self.on_send(&send);
        } else if let Some(subscribe) = command.subscribe {
            self.on_subscribe(&subscribe);
        } else if let Some(asked) = command.get_last_message_id {
            self.say(CommandGetLastMessageIdResponse {
                last_message_id: position(LAST_ENTRY),
                request_id: asked.request_id,
                consumer_mark_delete_position: None,
            });
        } else if let Some(flow) = command.flow {
            self.on_flow(flow);
        } else if let Some(close) = command.close_consumer {
            self.say(CommandSuccess { request_id: close.request_id, schema: None });
        } else if command.ping.is_some() {
            write_command(&pong(), &mut self.out);
        }
    }

    fn on_send(&mut self, send: &CommandSend) {
        let entry = self.next_entry;
        self.next_entry += 1;
        self.say(CommandSendReceipt {
            producer_id: send.producer_id,
            sequence_id: send.sequence_id,
            message_id: Some(position(entry)),
            highest_sequence_id: send.highest_sequence_id,
        });
    }

    fn on_subscribe(&mut self, subscribe: &CommandSubscribe) {
        let start = subscribe.start_message_id.as_ref().filter(|start| start.ledger_id == LEDGER);
        self.starts.insert(subscribe.consumer_id, start.map_or(0, |start| start.entry_id));
        self.say(CommandSuccess { request_id: subscribe.request_id, schema: None });
    }

    fn on_flow(&mut self, flow: CommandFlow) {
        let CommandFlow { consumer_id, message_permits } = flow;
        let permits = i64::from(message_permits);
        match (self.starts.remove(&consumer_id), &mut self.reader) {
            (Some(entry), _) if permits == 1 => self.message(consumer_id, entry),
            (Some(next_entry), _) => self.reader = Some(Reader { consumer_id, next_entry, permits }),
            (None, Some(reader)) if reader.consumer_id == consumer_id => reader.permits += permits,
            (None, _) => {}
        }
    }

    /// The next entry for the reader, if it is allowed.
    pub fn next_message(&mut self) -> Vec<u8> {
        if let Some(reader) = self.reader.as_mut().filter(|reader| reader.permits > 0) {
            let (consumer_id, entry) = (reader.consumer_id, reader.next_entry);
            reader.next_entry += 1;
            reader.permits -= self.records as i64;
            self.message(consumer_id, entry);
        }
        std::mem::take(&mut self.out)
    }

    fn message(&mut self, consumer_id: u64, entry: u64) {
        let command = CommandMessage { consumer_id, message_id: position(entry), ..CommandMessage::default() };
        let mut section = Vec::with_capacity(self.section.len() + 32);
        put_index((entry + 1) * self.records - 1, &mut section);
        section.extend_from_slice(&self.section);
        write_command_with_section(&command.into(), &section, &mut self.out);
    }

    fn say(&mut self, command: impl Into<BaseCommand>) {
        write_command(&command.into(), &mut self.out);
    }
}

fn position(entry: u64) -> MessageIdData {
    MessageIdData { ledger_id: LEDGER, entry_id: entry, ..MessageIdData::default() }
}

/// `BrokerEntryMetadata` with its index alone: magic, size, field 2 as a varint.
fn put_index(index: u64, out: &mut Vec<u8>) {
    let mut metadata = vec![2 << 3];
    let mut rest = index;
    while rest >= 0x80 {
        metadata.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    metadata.push(rest as u8);
    out.extend(0x0e02_u16.to_be_bytes());
    out.extend((metadata.len() as u32).to_be_bytes());
    out.extend(metadata);
}
