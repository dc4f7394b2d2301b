//! A Pulsar broker's half: what the filter asks is kept until the fuzzer has it answered, well or badly, early, late or never.

use bytes::Bytes;
use isthmus::frame::Splitter;
use isthmus::pulsar::frame::{Frame, parse_frame, write_command, write_command_with_section};
use isthmus::pulsar::proto::base_command::Type;
use isthmus::pulsar::proto::command_lookup_topic_response::LookupType;
use isthmus::pulsar::proto::*;
use prost::Message;

use super::source::Source;

/// Commands and entries that are kept.
const KEPT_MAX: usize = 64;

const LEDGER: u64 = 7;

const ERRORS: [ServerError; 6] = [
    ServerError::ServiceNotReady,
    ServerError::ProducerBusy,
    ServerError::TopicNotFound,
    ServerError::PersistenceError,
    ServerError::AuthorizationError,
    ServerError::UnknownError,
];

/// One log for all topics.
#[derive(Default)]
pub struct Log {
    entries: Vec<(Bytes, u64)>,
    messages: u64,
}

/// The broker's end of one connection.
pub struct Broker {
    frames: Splitter,
    asked: Vec<Frame>,
    pings: usize,
    /// Where each consumer reads next, in order of their ids.
    read: std::collections::BTreeMap<u64, usize>,
    producers: u64,
}

impl Broker {
    pub fn new() -> Self {
        Self { frames: Splitter::new(usize::MAX), asked: Vec::new(), pings: 0, read: Default::default(), producers: 0 }
    }

    /// What the filter sends is always in order.
    pub fn on_bytes(&mut self, bytes: Bytes) {
        self.frames.push(bytes);
        while let Some(frame) = self.frames.next_frame().expect("the filter sends frames") {
            let frame = parse_frame(frame).expect("the filter sends commands");
            if frame.command.ping.is_some() {
                self.pings += 1;
                continue;
            }
            if let Some(producer) = &frame.command.producer {
                self.producers = self.producers.max(producer.producer_id);
            }
            if let Some(subscribe) = &frame.command.subscribe {
                self.read.insert(subscribe.consumer_id, 0);
            }
            if self.asked.len() < KEPT_MAX {
                self.asked.push(frame);
            }
        }
    }

    /// PONG to every PING.
    pub fn pongs(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..std::mem::take(&mut self.pings) {
            write_command(&CommandPong::default().into(), &mut out);
        }
        out
    }

    /// Answers one of the commands, the oldest as a rule; none if there are none.
    pub fn answer(&mut self, log: &mut Log, source: &mut Source<'_>) -> Vec<u8> {
        let mut out = self.pongs();
        if self.asked.is_empty() {
            return out;
        }
        let at = if source.below(4) < 3 { 0 } else { source.below(self.asked.len()) };
        let Frame { command, section } = self.asked.remove(at);
        match source.byte() {
            0..200 => self.answer_well(command, section, log, source, &mut out),
            200..240 => answer_badly(&command, source, &mut out),
            // It is lost.
            _ => {}
        }
        out
    }

    fn answer_well(
        &mut self,
        command: BaseCommand,
        section: Bytes,
        log: &mut Log,
        source: &mut Source<'_>,
        out: &mut Vec<u8>,
    ) {
        let mut say = |command: BaseCommand| write_command(&command, out);
        if command.connect.is_some() {
            let max_message_size = Some(*source.pick(&[5 << 20, 300, 5 << 20, -1]));
            say(CommandConnected { server_version: "fuzz".into(), max_message_size, ..Default::default() }.into());
        } else if let Some(asked) = command.partition_metadata {
            let partitions = Some(*source.pick(&[1, 0, 2, 20_000]));
            say(CommandPartitionedTopicMetadataResponse {
                partitions,
                request_id: asked.request_id,
                response: Some(0),
                ..Default::default()
            }
            .into());
        } else if let Some(asked) = command.lookup_topic {
            let connect = source.below(4) < 3;
            say(CommandLookupTopicResponse {
                broker_service_url: (source.below(8) < 7).then(|| "pulsar://127.0.0.1:6650".into()),
                response: Some(if connect { LookupType::Connect } else { LookupType::Redirect }.into()),
                request_id: asked.request_id,
                authoritative: Some(!connect),
                ..Default::default()
            }
            .into());
        } else if let Some(asked) = command.producer {
            say(CommandProducerSuccess {
                request_id: asked.request_id,
                producer_name: asked.producer_name.unwrap_or_else(|| "made-up".into()),
                last_sequence_id: Some(*source.pick(&[-1, -1, 0, 3, 5, i64::MAX])),
                ..Default::default()
            }
            .into());
        } else if let Some(send) = command.send {
            let stored = source.below(4) < 3;
            let message_id = if stored { log.append(section, &send) } else { id(u64::MAX, u64::MAX) };
            say(CommandSendReceipt {
                producer_id: send.producer_id,
                sequence_id: send.sequence_id,
                message_id: Some(message_id),
                highest_sequence_id: send.highest_sequence_id,
            }
            .into());
        } else if let Some(asked) = command.subscribe {
            let start = asked.start_message_id.map_or(0, |start| start.entry_id);
            self.read.insert(asked.consumer_id, usize::try_from(start).unwrap_or(usize::MAX) % KEPT_MAX);
            say(CommandSuccess { request_id: asked.request_id, schema: None }.into());
        } else if let Some(flow) = command.flow {
            self.deliver(flow.consumer_id, 1 + source.below(3), log, out);
        } else if let Some(asked) = command.get_last_message_id {
            let last_message_id = log.last();
            say(CommandGetLastMessageIdResponse {
                last_message_id,
                request_id: asked.request_id,
                consumer_mark_delete_position: Some(id(LEDGER, u64::MAX)),
            }
            .into());
        } else if let Some(asked) = command.get_topics_of_namespace {
            let topics = ["t-partition-0", "t-partition-1", "u", "x-partition-"];
            let topics = topics.iter().take(source.below(5)).map(|name| format!("persistent://public/default/{name}"));
            let topics = topics.collect();
            say(CommandGetTopicsOfNamespaceResponse { request_id: asked.request_id, topics, ..Default::default() }
                .into());
        } else if let Some(request_id) = request_id(&command) {
            say(CommandSuccess { request_id, schema: None }.into());
        }
    }

    fn deliver(&mut self, consumer_id: u64, entries: usize, log: &Log, out: &mut Vec<u8>) {
        let Some(next) = self.read.get_mut(&consumer_id) else { return };
        for _ in 0..entries {
            let Some((section, _)) = log.entries.get(*next) else { return };
            let message_id = id(LEDGER, *next as u64);
            let message = CommandMessage { consumer_id, message_id, ..Default::default() };
            write_command_with_section(&message.into(), section, out);
            *next += 1;
        }
    }

    /// What nobody asked for.
    pub fn unasked(&mut self, log: &Log, source: &mut Source<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let producer_id = 1 + source.below(usize::try_from(self.producers).unwrap_or(0) + 1) as u64;
        let consumers: Vec<u64> = self.read.keys().copied().chain([1]).collect();
        let consumer_id = *source.pick(&consumers);
        let request_id = source.below(32) as u64;
        let command: BaseCommand = match source.below(9) {
            0 => CommandPing::default().into(),
            1 => CommandCloseProducer { producer_id, request_id, ..Default::default() }.into(),
            2 => CommandCloseConsumer { consumer_id, request_id, ..Default::default() }.into(),
            3 => {
                self.deliver(consumer_id, 1 + source.below(8), log, &mut out);
                return out;
            }
            4 => CommandSendReceipt {
                producer_id,
                sequence_id: source.int().cast_unsigned(),
                message_id: Some(id(LEDGER, source.int().cast_unsigned())),
                highest_sequence_id: None,
            }
            .into(),
            5 => CommandSendError {
                producer_id,
                sequence_id: source.int().cast_unsigned(),
                error: (*source.pick(&ERRORS)).into(),
                message: "Cannot determine".into(),
            }
            .into(),
            6 => CommandSuccess { request_id, schema: None }.into(),
            7 => CommandError {
                request_id: source.int().cast_unsigned(),
                error: (*source.pick(&ERRORS)).into(),
                message: "no".into(),
            }
            .into(),
            _ => {
                let message = CommandMessage { consumer_id, message_id: id(LEDGER, request_id), ..Default::default() };
                let count = source.below(48);
                write_command_with_section(&message.into(), &source.bytes(count), &mut out);
                return out;
            }
        };
        write_command(&command, &mut out);
        out
    }
}

fn answer_badly(command: &BaseCommand, source: &mut Source<'_>, out: &mut Vec<u8>) {
    let error: i32 = (*source.pick(&ERRORS)).into();
    let messages = ["no".to_string(), "Cannot determine whether the message is a duplicate at this time".to_string()];
    let message = source.pick(&messages).clone();
    let answer: BaseCommand = if let Some(send) = &command.send {
        let sequence_id = send.highest_sequence_id.unwrap_or(send.sequence_id);
        CommandSendError { producer_id: send.producer_id, sequence_id, error, message }.into()
    } else if let Some(asked) = &command.lookup_topic {
        CommandLookupTopicResponse {
            response: Some(LookupType::Failed.into()),
            request_id: asked.request_id,
            error: Some(error),
            ..Default::default()
        }
        .into()
    } else if let Some(asked) = &command.partition_metadata {
        let (request_id, error) = (asked.request_id, Some(error));
        CommandPartitionedTopicMetadataResponse { request_id, response: Some(1), error, ..Default::default() }.into()
    } else {
        CommandError { request_id: request_id(command).unwrap_or(u64::MAX), error, message }.into()
    };
    write_command(&answer, out);
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the others have none, or are answered elsewhere")]
fn request_id(command: &BaseCommand) -> Option<u64> {
    match command.r#type() {
        Type::Producer => command.producer.as_ref().map(|asked| asked.request_id),
        Type::Subscribe => command.subscribe.as_ref().map(|asked| asked.request_id),
        Type::CloseProducer => command.close_producer.as_ref().map(|asked| asked.request_id),
        Type::CloseConsumer => command.close_consumer.as_ref().map(|asked| asked.request_id),
        Type::GetLastMessageId => command.get_last_message_id.as_ref().map(|asked| asked.request_id),
        Type::GetTopicsOfNamespace => command.get_topics_of_namespace.as_ref().map(|asked| asked.request_id),
        Type::Seek => command.seek.as_ref().map(|asked| asked.request_id),
        _ => None,
    }
}

impl Log {
    fn append(&mut self, section: Bytes, send: &CommandSend) -> MessageIdData {
        let messages = u64::try_from(send.num_messages()).unwrap_or(1);
        let entry = self.entries.len() as u64;
        self.messages += messages;
        if self.entries.len() < KEPT_MAX {
            let index = BrokerEntryMetadata { broker_timestamp: None, index: Some(self.messages - 1) }.encode_to_vec();
            let size = u32::try_from(index.len()).unwrap_or(0);
            let section = [&[0x0e, 0x02], size.to_be_bytes().as_slice(), &index, &section].concat();
            self.entries.push((section.into(), messages));
        }
        id(LEDGER, entry)
    }

    fn last(&self) -> MessageIdData {
        match self.entries.last() {
            Some((_, messages)) => MessageIdData {
                batch_index: i32::try_from(messages - 1).ok(),
                ..id(LEDGER, self.entries.len() as u64 - 1)
            },
            None => id(u64::MAX, u64::MAX),
        }
    }
}

fn id(ledger_id: u64, entry_id: u64) -> MessageIdData {
    MessageIdData { ledger_id, entry_id, ..Default::default() }
}
