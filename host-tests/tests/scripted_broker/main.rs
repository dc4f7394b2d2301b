//! The scripted broker does what Pulsar 4.2.4 was seen, or read, to do: each test is one of its behaviours.

mod admin;
mod compacting;
mod connection;
mod consuming;
mod faults;
mod groups;
mod producing;
mod topics;

use std::time::Duration;

use bytes::Bytes;
use isthmus::frame::Splitter;
use isthmus::pulsar::command;
use isthmus::pulsar::frame::{Frame, parse_frame, write_command, write_command_with_section};
use isthmus::pulsar::proto::base_command::Type;
use isthmus::pulsar::proto::*;
use isthmus::time::{Instant, Now, UnixMillis};
use isthmus_host_tests::http::{HttpAnswer, HttpRequest};
use isthmus_host_tests::scripted::{
    AutoCreate, BrokerConfig, Conn, Effect, Fault, HttpFault, Noise, Position, ScriptedBroker, build_section,
};
use serde_json::{Value, json};

const TOPIC: &str = "persistent://public/default/t-partition-0";
const SECOND: Duration = Duration::from_secs(1);

/// A reader from `start` on.
fn subscribe(consumer_id: u64, request_id: u64, start: MessageIdData) -> BaseCommand {
    CommandSubscribe {
        topic: TOPIC.into(),
        subscription: "r".into(),
        sub_type: command_subscribe::SubType::Exclusive.into(),
        consumer_id,
        request_id,
        durable: Some(false),
        start_message_id: Some(start),
        initial_position: Some(command_subscribe::InitialPosition::Earliest.into()),
        ..CommandSubscribe::default()
    }
    .into()
}

/// A broker, one client, and the clock they share.
struct World {
    broker: ScriptedBroker,
    now: Now,
    client: Conn,
}

fn at(millis: u64) -> Now {
    Now { instant: Instant::from_millis(millis), unix: UnixMillis(i64::try_from(millis).unwrap()) }
}

impl World {
    fn new() -> Self {
        Self::with(BrokerConfig::default())
    }

    fn with(config: BrokerConfig) -> Self {
        let mut broker = ScriptedBroker::new(config);
        broker.create_topic("t", 1);
        let client = broker.connect(at(0));
        let mut world = Self { broker, now: at(0), client };
        world.handshake(client);
        world
    }

    fn handshake(&mut self, conn: Conn) {
        self.say(conn, &command::connect(None));
        assert_eq!(kinds(&self.hear(conn)), [Type::Connected]);
    }

    fn second_client(&mut self) -> Conn {
        let conn = self.broker.connect(self.now);
        self.handshake(conn);
        conn
    }

    fn wait(&mut self, time: Duration) {
        let millis = u64::try_from((self.now.instant + time).since(Instant::default()).as_millis()).unwrap();
        self.now = at(millis);
        self.broker.handle_timeout(self.now);
    }

    fn say(&mut self, conn: Conn, command: &BaseCommand) {
        let mut bytes = Vec::new();
        write_command(command, &mut bytes);
        self.broker.on_bytes(conn, &bytes, self.now);
    }

    fn hear(&mut self, conn: Conn) -> Vec<Frame> {
        let mut splitter = Splitter::new(64 << 20);
        while let Some(bytes) = self.broker.poll_output(conn, self.now) {
            splitter.push(bytes.into());
        }
        std::iter::from_fn(|| splitter.next_frame().unwrap()).map(|frame| parse_frame(frame).unwrap()).collect()
    }

    /// Says `command` as the client, and hears what comes.
    fn ask(&mut self, command: BaseCommand) -> Vec<Frame> {
        self.say(self.client, &command);
        self.hear(self.client)
    }

    fn produce_as(&mut self, conn: Conn, name: &str) -> Vec<Frame> {
        self.say(conn, &command::producer(TOPIC.into(), 1, 7, Some(name.into()), vec![]));
        self.hear(conn)
    }

    /// Sends a batch of `count` messages with sequence ids from `sequence_id` on.
    fn send(&mut self, sequence_id: u64, count: u64) {
        let (command, section) = send(sequence_id, count);
        let mut bytes = Vec::new();
        write_command_with_section(&command, &section, &mut bytes);
        self.broker.on_bytes(self.client, &bytes, self.now);
    }

    fn subscribe(&mut self, start: Position, permits: u32) -> Vec<Position> {
        let id = start.to_wire(None, None);
        let subscribe = subscribe(5, 8, id);
        assert_eq!(kinds(&self.ask(subscribe)), [Type::Success]);
        self.flow(permits)
    }

    fn flow(&mut self, permits: u32) -> Vec<Position> {
        received(&self.ask(command::flow(5, permits).unwrap()))
    }

    fn http(&mut self, method: &str, path: &str, body: &str) -> HttpAnswer {
        let request =
            HttpRequest { method: method.into(), path: path.into(), headers: vec![], body: body.as_bytes().to_vec() };
        self.broker.http(&request, self.now).unwrap()
    }

    fn get(&mut self, path: &str) -> (u16, Value) {
        let answer = self.http("GET", &format!("/admin/v2/persistent/public/default/{path}"), "");
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    fn positions(&self) -> Vec<Position> {
        self.broker.log(TOPIC).unwrap().entries().map(|(position, _)| position).collect()
    }
}

/// Three entries of 3, 1 and 2 messages in ledger 10.
fn filled() -> World {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    for (sequence_id, count) in [(0, 3), (3, 1), (4, 2)] {
        world.send(sequence_id, count);
    }
    world.hear(world.client);
    world
}

fn send(sequence_id: u64, count: u64) -> (BaseCommand, Bytes) {
    let highest = sequence_id + count - 1;
    let metadata = MessageMetadata {
        producer_name: Bytes::from_static(b"p"),
        sequence_id,
        highest_sequence_id: Some(highest),
        num_messages_in_batch: Some(i32::try_from(count).unwrap()),
        publish_time: sequence_id,
        ..MessageMetadata::default()
    };
    let mut payload = Vec::new();
    for at in 0..count {
        use prost::Message;
        let value = (sequence_id + at).to_string();
        let single = SingleMessageMetadata {
            payload_size: i32::try_from(value.len()).unwrap(),
            ..SingleMessageMetadata::default()
        };
        payload.extend_from_slice(&u32::try_from(single.encoded_len()).unwrap().to_be_bytes());
        payload.extend_from_slice(&single.encode_to_vec());
        payload.extend_from_slice(value.as_bytes());
    }
    let command = CommandSend {
        producer_id: 1,
        sequence_id,
        highest_sequence_id: Some(highest),
        num_messages: Some(i32::try_from(count).unwrap()),
        ..CommandSend::default()
    };
    (command.into(), build_section(&metadata, &payload))
}

fn kinds(frames: &[Frame]) -> Vec<Type> {
    frames.iter().map(|frame| frame.command.r#type()).collect()
}

fn received(frames: &[Frame]) -> Vec<Position> {
    let id = |frame: &Frame| frame.command.message.as_ref().map(|message| Position::from_wire(&message.message_id));
    frames.iter().filter_map(id).collect()
}

fn receipts(frames: &[Frame]) -> Vec<(u64, Position)> {
    let receipt = |frame: &Frame| {
        let receipt = frame.command.send_receipt.as_ref()?;
        Some((receipt.sequence_id, Position::from_wire(receipt.message_id.as_ref()?)))
    };
    frames.iter().filter_map(receipt).collect()
}

fn errors(frames: &[Frame]) -> Vec<ServerError> {
    let error = |frame: &Frame| {
        let command = &frame.command;
        None.or(command.error.as_ref().map(CommandError::error))
            .or(command.send_error.as_ref().map(CommandSendError::error))
            .or(command.lookup_topic_response.as_ref().and_then(|r| r.error.map(|_| r.error())))
            .or(command.partition_metadata_response.as_ref().and_then(|r| r.error.map(|_| r.error())))
    };
    frames.iter().filter_map(error).collect()
}

fn at_entry(ledger: i64, entry: i64) -> Position {
    Position { ledger, entry }
}

fn index_of(frame: &Frame) -> Option<u64> {
    use prost::Message;
    let section = &frame.section;
    (section[..2] == [0x0e, 0x02]).then(|| {
        let size = u32::from_be_bytes(section[2..6].try_into().unwrap()) as usize;
        BrokerEntryMetadata::decode(&section[6..6 + size]).unwrap().index.unwrap()
    })
}
