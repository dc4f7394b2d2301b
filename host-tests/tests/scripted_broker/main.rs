//! The scripted broker does what Pulsar 4.2.4 was seen, or read, to do: each test is one of its behaviours.

mod groups;

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

// The connection.

#[test]
fn a_ping_is_answered_before_connect_and_anything_else_closes() {
    let mut broker = ScriptedBroker::new(BrokerConfig::default());
    let conn = broker.connect(at(0));
    let mut world = World { broker, now: at(0), client: conn };
    assert_eq!(kinds(&world.ask(command::ping())), [Type::Pong]);
    assert_eq!(kinds(&world.ask(command::lookup(TOPIC.into(), 1, false, None))), []);
    assert!(world.broker.is_closed(conn));
}

#[test]
fn anything_between_connect_and_connected_closes() {
    let mut broker = ScriptedBroker::new(BrokerConfig::default());
    let conn = broker.connect(at(0));
    let mut bytes = Vec::new();
    write_command(&command::connect(None), &mut bytes);
    write_command(&command::ping(), &mut bytes);
    broker.on_bytes(conn, &bytes, at(0));
    assert!(broker.is_closed(conn));
    assert_eq!(broker.poll_output(conn, at(0)), None);
}

#[test]
fn a_second_connect_closes() {
    let mut world = World::new();
    world.ask(command::connect(None));
    assert!(world.broker.is_closed(world.client));
}

#[test]
fn a_wrong_credential_is_refused_with_request_id_minus_one_and_the_connection_closed() {
    let credentials = vec![("token".to_string(), Bytes::from_static(b"good"))];
    let mut broker = ScriptedBroker::new(BrokerConfig { credentials, ..BrokerConfig::default() });
    let conn = broker.connect(at(0));
    let mut world = World { broker, now: at(0), client: conn };
    let wrong = command::Credentials { method: "token".into(), data: Bytes::from_static(b"bad") };
    let heard = world.ask(command::connect(Some(wrong)));
    assert_eq!(heard[0].command.error.as_ref().unwrap().request_id, u64::MAX);
    assert_eq!(errors(&heard), [ServerError::AuthenticationError]);
    assert!(world.broker.is_closed(conn));
}

#[test]
fn a_silent_client_is_pinged_once_and_closed_at_the_next() {
    let mut world = World::new();
    world.wait(30 * SECOND);
    assert_eq!(kinds(&world.hear(world.client)), [Type::Ping]);
    world.wait(30 * SECOND);
    assert!(world.broker.is_closed(world.client));
}

#[test]
fn a_client_that_answers_is_pinged_again() {
    let mut world = World::new();
    for _ in 0..3 {
        world.wait(30 * SECOND);
        assert_eq!(kinds(&world.hear(world.client)), [Type::Ping]);
        world.ask(command::pong());
    }
}

#[test]
fn a_handshake_that_never_comes_is_closed() {
    let mut world = World::new();
    let idle = world.broker.connect(world.now);
    world.wait(30 * SECOND);
    assert!(world.broker.is_closed(idle));
}

#[test]
fn a_frame_over_the_limit_closes_without_an_answer() {
    let mut world = World::with(BrokerConfig { max_message_bytes: 1000, ..BrokerConfig::default() });
    let bytes = (1000_u32 + 10 * 1024 + 1).to_be_bytes();
    world.broker.on_bytes(world.client, &bytes, world.now);
    assert!(world.broker.is_closed(world.client));
}

#[test]
fn bytes_may_come_one_by_one() {
    let mut world = World::new();
    let mut bytes = Vec::new();
    write_command(&command::ping(), &mut bytes);
    for byte in bytes {
        world.broker.on_bytes(world.client, &[byte], world.now);
    }
    assert_eq!(kinds(&world.hear(world.client)), [Type::Pong]);
}

// Topics.

fn partitions(world: &mut World, topic: &str, auto_create: bool) -> Result<u32, ServerError> {
    let heard = world.ask(command::partitioned_metadata(topic.into(), 1, auto_create));
    let response = heard[0].command.partition_metadata_response.as_ref().unwrap();
    response.partitions.ok_or_else(|| response.error())
}

#[test]
fn partitioned_metadata_tells_partitioned_plain_and_missing_topics_apart() {
    let mut world = World::new();
    world.broker.create_topic("many", 3);
    world.broker.create_topic("plain", 0);
    assert_eq!(partitions(&mut world, "persistent://public/default/many", false), Ok(3));
    assert_eq!(partitions(&mut world, "persistent://public/default/plain", false), Ok(0));
    assert_eq!(partitions(&mut world, "persistent://public/default/none", false), Err(ServerError::TopicNotFound));
}

#[test]
fn partitioned_metadata_creates_by_the_brokers_policy_and_only_where_it_is_asked_to() {
    let mut world = World::with(BrokerConfig { auto_create: AutoCreate::Partitioned(4), ..BrokerConfig::default() });
    let topic = "persistent://public/default/new";
    assert_eq!(partitions(&mut world, topic, true), Ok(4));
    assert_eq!(partitions(&mut world, topic, false), Ok(4));
    assert!(!world.broker.topics().iter().any(|t| t.contains("new")), "a partition comes with its first user");

    let mut world = World::with(BrokerConfig { auto_create: AutoCreate::Off, ..BrokerConfig::default() });
    assert_eq!(partitions(&mut world, topic, true), Err(ServerError::TopicNotFound));
}

#[test]
fn a_lookup_answers_under_the_listener_it_names() {
    let mut world = World::new();
    let heard = world.ask(command::lookup(TOPIC.into(), 1, false, Some("kafka".into())));
    let response = heard[0].command.lookup_topic_response.as_ref().unwrap();
    assert_eq!(response.broker_service_url.as_deref(), Some("pulsar://127.0.0.1:9092"));
    let heard = world.ask(command::lookup(TOPIC.into(), 1, false, Some("nosuch".into())));
    assert_eq!(errors(&heard), [ServerError::ServiceNotReady]);
}

#[test]
fn a_topic_of_another_broker_is_looked_up_there_and_refused_here() {
    let mut world = World::new();
    let listeners = [("kafka".to_string(), "pulsar://kafka-b.test:19091".to_string())].into();
    world.broker.set_owner(TOPIC, Some(listeners), world.now);
    let heard = world.ask(command::lookup(TOPIC.into(), 1, false, Some("kafka".into())));
    let response = heard[0].command.lookup_topic_response.as_ref().unwrap();
    assert_eq!(response.broker_service_url.as_deref(), Some("pulsar://kafka-b.test:19091"));
    assert_eq!(errors(&world.produce_as(world.client, "p")), [ServerError::ServiceNotReady]);
    assert!(!world.broker.is_closed(world.client));
}

#[test]
fn the_namespaces_topics_are_listed_partition_by_partition_without_system_topics() {
    let mut world = World::new();
    world.broker.create_topic("__change_events", 0);
    let heard = world.ask(command::get_topics_of_namespace("public/default".into(), 1));
    let topics = &heard[0].command.get_topics_of_namespace_response.as_ref().unwrap().topics;
    assert_eq!(topics, &[TOPIC.to_string()]);
}

// Producing.

#[test]
fn a_send_is_stored_byte_for_byte_and_its_receipt_names_the_entry() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.send(0, 3);
    assert_eq!(receipts(&world.hear(world.client)), [(0, at_entry(10, 0))]);
    let (_, entry) = world.broker.log(TOPIC).unwrap().entries().next().unwrap();
    assert_eq!(entry.section, send(0, 3).1);
    assert_eq!(entry.index, Some(2), "that of its last message");

    let messages = world.broker.messages("t-partition-0").unwrap();
    let read: Vec<_> = messages.iter().map(|m| (m.batch_index, m.index, m.value.clone().unwrap())).collect();
    let expected = [(0, "0"), (1, "1"), (2, "2")];
    assert_eq!(read, expected.map(|(at, value)| (at, Some(u64::from(at)), Bytes::from(value))));
}

#[test]
fn a_duplicate_is_answered_at_once_with_minus_one_and_a_gap_is_never_looked_for() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.send(0, 5);
    world.send(10, 5);
    world.hear(world.client);
    world.send(0, 5);
    world.send(5, 5);
    assert_eq!(receipts(&world.hear(world.client)), [(0, Position::EARLIEST), (5, Position::EARLIEST)]);
    assert_eq!(world.positions().len(), 2);
}

#[test]
fn what_is_still_being_written_cannot_be_judged() {
    let mut world = World::with(BrokerConfig { write_delay: SECOND, ..BrokerConfig::default() });
    world.produce_as(world.client, "p");
    world.send(0, 5);
    world.send(0, 5);
    assert_eq!(errors(&world.hear(world.client)), [ServerError::PersistenceError]);
    world.wait(SECOND);
    assert_eq!(receipts(&world.hear(world.client)), [(0, at_entry(10, 0))]);
}

#[test]
fn last_sequence_id_is_what_was_pushed_and_minus_one_without_deduplication() {
    let last = |frames: &[Frame]| frames[0].command.producer_success.as_ref().unwrap().last_sequence_id();
    for (deduplication, expected) in [(true, 4), (false, -1)] {
        let mut world = World::with(BrokerConfig { deduplication, ..BrokerConfig::default() });
        assert_eq!(last(&world.produce_as(world.client, "p")), -1);
        world.send(0, 5);
        world.ask(command::close_producer(1, 9));
        assert_eq!(last(&world.produce_as(world.client, "p")), expected);
    }
}

#[test]
fn a_name_in_use_is_busy_and_free_once_its_connection_is_gone_for_long_enough() {
    let mut world = World::with(BrokerConfig { producer_linger: SECOND, ..BrokerConfig::default() });
    let other = world.second_client();
    world.produce_as(other, "p");
    assert_eq!(errors(&world.produce_as(world.client, "p")), [ServerError::ProducerBusy]);
    world.broker.disconnect(other, world.now);
    assert_eq!(errors(&world.produce_as(world.client, "p")), [ServerError::ProducerBusy]);
    world.wait(SECOND);
    assert_eq!(kinds(&world.produce_as(world.client, "p")), [Type::ProducerSuccess]);
}

#[test]
fn a_send_to_an_unknown_producer_closes() {
    let mut world = World::new();
    world.send(0, 1);
    assert!(world.broker.is_closed(world.client));
}

#[test]
fn a_wrong_checksum_is_an_error_of_that_send_alone() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    let (command, section) = send(0, 1);
    let mut section = section.to_vec();
    *section.last_mut().unwrap() ^= 1;
    let mut bytes = Vec::new();
    write_command_with_section(&command, &section, &mut bytes);
    world.broker.on_bytes(world.client, &bytes, world.now);
    assert_eq!(errors(&world.hear(world.client)), [ServerError::ChecksumError]);
    world.send(0, 1);
    assert_eq!(receipts(&world.hear(world.client)).len(), 1);
}

#[test]
fn closing_a_producer_waits_for_its_writes() {
    let mut world = World::with(BrokerConfig { write_delay: SECOND, ..BrokerConfig::default() });
    world.produce_as(world.client, "p");
    world.send(0, 1);
    assert_eq!(kinds(&world.ask(command::close_producer(1, 9))), []);
    world.wait(SECOND);
    assert_eq!(kinds(&world.hear(world.client)), [Type::SendReceipt, Type::Success]);
    assert_eq!(world.broker.attached().producers, 0);
}

#[test]
fn an_unload_closes_producers_and_consumers_and_later_sends_vanish() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.subscribe(Position::EARLIEST, 1);
    world.send(0, 5);
    world.hear(world.client);
    world.broker.unload(TOPIC, world.now);
    let heard = world.hear(world.client);
    assert_eq!(kinds(&heard), [Type::CloseProducer, Type::CloseConsumer]);
    assert_eq!(heard[0].command.close_producer.as_ref().unwrap().request_id, u64::MAX);
    world.send(5, 5);
    assert_eq!(kinds(&world.hear(world.client)), []);
    assert!(!world.broker.is_closed(world.client));

    // A new ledger, the index goes on, and deduplication knows what is stored.
    world.produce_as(world.client, "p");
    world.send(0, 5);
    world.send(5, 5);
    assert_eq!(receipts(&world.hear(world.client)), [(0, Position::EARLIEST), (5, at_entry(11, 0))]);
    assert_eq!(world.broker.log(TOPIC).unwrap().last_index(), Some(9));

    world.broker.unload(TOPIC, world.now);
    world.hear(world.client);
    world.wait(31 * SECOND);
    world.send(10, 1);
    assert!(world.broker.is_closed(world.client), "30 s later the producer is unknown");
}

// Consuming.

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

#[test]
fn permits_are_messages_but_reads_are_entries() {
    let mut world = filled();
    assert_eq!(world.subscribe(Position::EARLIEST, 1), [at_entry(10, 0)]);
    // 1 - 3 leaves -2: two more take it to 0, and one more to 1.
    assert_eq!(world.flow(2), []);
    assert_eq!(world.flow(1), [at_entry(10, 1)]);
    assert_eq!(world.flow(100), [at_entry(10, 2)]);
}

#[test]
fn two_permits_read_two_entries_whatever_is_in_them() {
    let mut world = filled();
    assert_eq!(world.subscribe(Position::EARLIEST, 2), [at_entry(10, 0), at_entry(10, 1)]);
}

#[test]
fn a_message_carries_the_index_of_its_entry_and_its_partition() {
    let mut world = filled();
    let subscribe = subscribe(5, 8, Position::EARLIEST.to_wire(None, None));
    world.ask(subscribe);
    let heard = world.ask(command::flow(5, 100).unwrap());
    assert_eq!(heard.iter().map(index_of).collect::<Vec<_>>(), [Some(2), Some(3), Some(5)]);
    assert_eq!(heard[0].command.message.as_ref().unwrap().message_id.partition, Some(0));
    assert!(heard[0].section.ends_with(&send(0, 3).1));
}

#[test]
fn without_the_interceptor_there_is_no_index() {
    let mut world = World::with(BrokerConfig { index: false, ..BrokerConfig::default() });
    world.produce_as(world.client, "p");
    world.send(0, 3);
    world.hear(world.client);
    world.ask(subscribe(5, 8, Position::EARLIEST.to_wire(None, None)));
    let heard = world.ask(command::flow(5, 1).unwrap());
    assert_eq!(heard[0].section, send(0, 3).1);
}

#[test]
fn a_start_id_is_inclusive_and_one_in_a_trimmed_ledger_leads_to_the_next_entry() {
    let mut world = filled();
    assert_eq!(world.subscribe(at_entry(10, 1), 1), [at_entry(10, 1)]);
    world.ask(command::close_consumer(5, 1));

    world.broker.roll_ledger(TOPIC);
    world.send(6, 1);
    world.hear(world.client);
    world.broker.trim_ledgers(TOPIC, 1);
    assert_eq!(world.subscribe(at_entry(10, 1), 1), [at_entry(11, 0)]);
}

#[test]
fn a_start_id_right_behind_the_end_waits_and_one_beyond_falls_to_the_initial_position() {
    let mut world = filled();
    assert_eq!(world.subscribe(at_entry(10, 3), 10), []);
    world.send(6, 1);
    assert_eq!(received(&world.hear(world.client)), [at_entry(10, 3)]);
    world.ask(command::close_consumer(5, 1));

    for (position, expected) in [
        (command_subscribe::InitialPosition::Latest, vec![]),
        (command_subscribe::InitialPosition::Earliest, vec![at_entry(10, 0)]),
    ] {
        let subscribe = CommandSubscribe {
            topic: TOPIC.into(),
            subscription: "r".into(),
            consumer_id: 5,
            durable: Some(false),
            start_message_id: Some(at_entry(10, 99).to_wire(None, None)),
            initial_position: Some(position.into()),
            ..CommandSubscribe::default()
        };
        world.ask(subscribe.into());
        assert_eq!(world.flow(1), expected);
        world.ask(command::close_consumer(5, 1));
    }
}

#[test]
fn a_waiting_reader_gets_what_another_client_sends() {
    let mut world = filled();
    assert_eq!(world.subscribe(at_entry(10, 3), 5), []);
    let position = world.broker.append(TOPIC, send(9, 2).1, 2, world.now);
    assert_eq!(received(&world.hear(world.client)), [position]);
}

#[test]
fn a_reader_that_does_not_take_its_bytes_is_not_sent_more() {
    let mut world = World::new();
    world.subscribe(Position::EARLIEST, 100_000);
    let metadata = MessageMetadata::default();
    for _ in 0..500 {
        world.broker.append(TOPIC, build_section(&metadata, &[0; 10_000]), 1, world.now);
    }
    let first = world.broker.poll_output(world.client, world.now).unwrap().len();
    assert!(first < 2_000_000, "{first}");
    assert!(world.broker.poll_output(world.client, world.now).is_some(), "the rest follows");
}

#[test]
fn zero_permits_close_the_connection_and_permits_for_nobody_do_nothing() {
    let mut world = World::new();
    world.ask(command::flow(99, 1).unwrap());
    assert!(!world.broker.is_closed(world.client));
    world.ask(CommandFlow { consumer_id: 99, message_permits: 0 }.into());
    assert!(world.broker.is_closed(world.client));
}

#[test]
fn an_exclusive_subscription_takes_one_consumer() {
    let mut world = World::new();
    world.subscribe(Position::EARLIEST, 1);
    let again = subscribe(6, 8, Position::EARLIEST.to_wire(None, None));
    assert_eq!(errors(&world.ask(again)), [ServerError::ConsumerBusy]);
}

#[test]
fn the_last_message_id_names_the_last_of_the_batch_and_the_cursors_mark() {
    let mut world = filled();
    world.subscribe(at_entry(10, 1), 1);
    let heard = world.ask(command::get_last_message_id(5, 3));
    let response = heard[0].command.get_last_message_id_response.as_ref().unwrap();
    assert_eq!(Position::from_wire(&response.last_message_id), at_entry(10, 2));
    assert_eq!(response.last_message_id.batch_index, Some(1));
    let mark = response.consumer_mark_delete_position.as_ref().unwrap();
    assert_eq!(Position::from_wire(mark), at_entry(10, 0));
}

#[test]
fn the_last_message_id_of_an_empty_topic_is_minus_one() {
    let mut world = World::new();
    world.subscribe(Position::EARLIEST, 1);
    let heard = world.ask(command::get_last_message_id(5, 3));
    let response = heard[0].command.get_last_message_id_response.as_ref().unwrap();
    assert_eq!(Position::from_wire(&response.last_message_id), Position::EARLIEST);
    assert_eq!(errors(&world.ask(command::get_last_message_id(77, 3))), [ServerError::MetadataError]);
}

#[test]
fn a_seek_closes_the_consumer_and_its_name_finds_the_new_place() {
    let mut world = filled();
    world.subscribe(Position::EARLIEST, 1);
    let heard = world.ask(command::seek(5, 4, at_entry(10, 2).to_wire(None, None)));
    assert_eq!(kinds(&heard), [Type::CloseConsumer, Type::Success]);
    assert_eq!(world.subscribe(Position::EARLIEST, 1), [at_entry(10, 2)]);
}

#[test]
fn a_marker_is_not_sent_but_takes_an_index() {
    let mut world = filled();
    let marker = MessageMetadata { marker_type: Some(21), ..MessageMetadata::default() };
    world.broker.append(TOPIC, build_section(&marker, b""), 1, world.now);
    let behind = world.broker.append(TOPIC, send(9, 1).1, 1, world.now);
    assert_eq!(world.subscribe(at_entry(10, 3), 1), [behind]);
    assert_eq!(world.broker.log(TOPIC).unwrap().at(behind).unwrap().index, Some(7));
}

#[test]
fn a_ledger_is_rolled_when_it_is_full() {
    let mut world = World::with(BrokerConfig { max_entries_per_ledger: Some(2), ..BrokerConfig::default() });
    world.produce_as(world.client, "p");
    for sequence_id in 0..5 {
        world.send(sequence_id, 1);
    }
    let expected = [(10, 0), (10, 1), (11, 0), (11, 1), (12, 0)].map(|(ledger, entry)| at_entry(ledger, entry));
    assert_eq!(world.positions(), expected);
}

// The admin REST.

#[test]
fn an_index_is_found_by_rest_with_the_quirks_of_its_first_entry_and_its_end() {
    let mut world = filled();
    let found = |world: &mut World, index: u64| {
        let (status, body) = world.get(&format!("t-partition-0/getMessageIdByIndex?index={index}"));
        (status, body["ledgerId"].as_i64(), body["entryId"].as_i64())
    };
    assert_eq!(found(&mut world, 0), (200, Some(-1), Some(-1)));
    assert_eq!(found(&mut world, 1), (200, Some(-1), Some(-1)));
    assert_eq!(found(&mut world, 2), (200, Some(10), Some(0)));
    assert_eq!(found(&mut world, 3), (200, Some(10), Some(1)));
    assert_eq!(found(&mut world, 4), (200, Some(10), Some(2)));
    assert_eq!(found(&mut world, 6).0, 404);
    assert_eq!(world.get("t/getMessageIdByIndex?index=0").0, 405);
    assert_eq!(world.get("none/getMessageIdByIndex?index=0").0, 404);
}

#[test]
fn while_the_first_entry_has_no_index_rest_finds_none() {
    let mut world = World::new();
    world.broker.append_without_index(TOPIC, send(0, 1).1, world.now);
    world.broker.append(TOPIC, send(1, 1).1, 1, world.now);
    assert_eq!(world.get("t-partition-0/getMessageIdByIndex?index=0").0, 412);
}

#[test]
fn internal_stats_tell_the_index_as_of_the_last_change_of_ledgers() {
    let mut world = filled();
    let stats = world.get("t-partition-0/internalStats").1;
    assert_eq!(stats["properties"]["index"], json!("-1"));
    assert_eq!(stats["lastConfirmedEntry"], json!("10:2"));
    assert_eq!(stats["ledgers"][0]["entries"], json!(0), "the open ledger counts none yet");
    world.broker.unload(TOPIC, world.now);
    let stats = world.get("t-partition-0/internalStats").1;
    assert_eq!(stats["properties"]["index"], json!("5"));
    assert_eq!(stats["ledgers"][0]["entries"], json!(3));
}

#[test]
fn a_partition_whose_data_was_all_trimmed_keeps_its_last_index() {
    let mut world = filled();
    world.broker.unload(TOPIC, world.now);
    world.broker.trim_ledgers(TOPIC, 1);
    world.broker.unload(TOPIC, world.now);
    let stats = world.get("t-partition-0/internalStats").1;
    assert_eq!(stats["properties"]["index"], json!("5"));
    assert_eq!(stats["lastConfirmedEntry"], json!("12:-1"));
}

#[test]
fn topics_are_created_grown_and_deleted_by_rest() {
    let mut world = World::new();
    let path = "/admin/v2/persistent/public/default/new/partitions";
    assert_eq!(world.http("PUT", path, "2").status, 204);
    assert_eq!(world.http("PUT", path, "2").status, 409);
    assert_eq!(world.http("PUT", "/admin/v2/persistent/public/default/zero/partitions", "0").status, 406);
    assert_eq!(world.http("PUT", "/admin/v2/persistent/public/default/x-partition-1/partitions", "1").status, 412);
    assert_eq!(world.http("PUT", "/admin/v2/persistent/public/none/x/partitions", "1").status, 404);
    assert_eq!(world.http("POST", path, "1").status, 422);
    assert_eq!(world.http("POST", path, "3").status, 204);
    assert_eq!(world.get("new/partitions").1["partitions"], json!(3));
    assert_eq!(world.http("DELETE", path, "").status, 204);
    assert_eq!(world.http("DELETE", path, "").status, 404);
}

#[test]
fn a_topic_in_use_is_deleted_by_force_alone_and_its_clients_are_told() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    let path = "/admin/v2/persistent/public/default/t/partitions";
    assert_eq!(world.http("DELETE", path, "").status, 412);
    assert_eq!(world.http("DELETE", &format!("{path}?force=true"), "").status, 204);
    assert_eq!(kinds(&world.hear(world.client)), [Type::CloseProducer]);
}

#[test]
fn namespace_policies_are_shown_and_deduplication_obeys_them() {
    let mut world = World::new();
    let path = "/admin/v2/namespaces/public/default";
    assert_eq!(world.http("POST", &format!("{path}/deduplication"), "false").status, 204);
    let policies: Value = serde_json::from_slice(&world.http("GET", path, "").body).unwrap();
    assert_eq!(policies["deduplicationEnabled"], json!(false));
    assert_eq!(policies["retention_policies"]["retentionTimeInMinutes"], json!(-1));
    world.produce_as(world.client, "p");
    world.send(0, 1);
    world.send(0, 1);
    assert_eq!(world.positions().len(), 2);
}

#[test]
fn a_rule_of_the_script_fails_a_rest_call() {
    let mut world = World::new();
    let contains = "GET /admin/v2/namespaces".to_string();
    world.broker.http_fault(HttpFault { contains, times: 1, answer: Some(HttpAnswer::empty(503)) });
    assert_eq!(world.http("GET", "/admin/v2/namespaces/public/default", "").status, 503);
    assert_eq!(world.http("GET", "/admin/v2/namespaces/public/default", "").status, 200);
    assert!(world.broker.faults_are_spent());
}

// Faults.

#[test]
fn a_refused_send_is_not_stored_and_its_retry_behind_a_later_one_is_taken_for_a_duplicate() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    let refuse = Effect::Refuse(ServerError::NotAllowedError, "no".into());
    world.broker.fault(Fault::on(Type::Send, refuse).of_sequence(0));
    world.send(0, 5);
    world.send(5, 5);
    world.send(0, 5);
    let heard = world.hear(world.client);
    assert_eq!(errors(&heard), [ServerError::NotAllowedError]);
    assert_eq!(receipts(&heard), [(5, at_entry(10, 0)), (0, Position::EARLIEST)]);
    assert_eq!(world.positions().len(), 1, "acknowledged and lost: what the filter has to prevent");
}

#[test]
fn a_send_can_vanish_or_be_stored_without_an_answer() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.broker.fault(Fault::on(Type::Send, Effect::Ignore));
    world.broker.fault(Fault::on(Type::Send, Effect::LoseAnswer));
    world.send(0, 1);
    world.send(1, 1);
    assert_eq!(kinds(&world.hear(world.client)), []);
    assert_eq!(world.broker.messages(TOPIC).unwrap().len(), 1);
    assert!(world.broker.faults_are_spent());
}

#[test]
fn a_failed_write_fails_what_waits_behind_it_and_closes_the_topics_producers() {
    let mut world = World::with(BrokerConfig { write_delay: SECOND, ..BrokerConfig::default() });
    world.produce_as(world.client, "p");
    world.broker.fault(Fault::on(Type::Send, Effect::FailWrite));
    world.send(0, 1);
    world.send(1, 1);
    world.wait(SECOND);
    let heard = world.hear(world.client);
    assert_eq!(kinds(&heard), [Type::SendError, Type::SendError, Type::CloseProducer]);
    assert_eq!(world.positions(), []);
    world.produce_as(world.client, "p");
    world.send(0, 1);
    world.wait(SECOND);
    assert_eq!(receipts(&world.hear(world.client)).len(), 1, "nothing pushed was kept");
}

#[test]
fn a_delayed_receipt_is_behind_what_can_already_be_read() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.subscribe(Position::EARLIEST, 5);
    world.broker.fault(Fault::on(Type::Send, Effect::DelayAnswer(SECOND)));
    world.send(0, 1);
    assert_eq!(kinds(&world.hear(world.client)), [Type::Message]);
    assert_eq!(world.broker.poll_timeout(), Some(Instant::from_millis(1000)));
    world.wait(SECOND);
    assert_eq!(kinds(&world.hear(world.client)), [Type::SendReceipt]);
}

#[test]
fn a_topic_can_be_unloaded_under_a_send_and_a_connection_closed_after_one() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.broker.fault(Fault::on(Type::Send, Effect::Unload));
    world.send(0, 1);
    assert_eq!(kinds(&world.hear(world.client)), [Type::CloseProducer]);
    assert_eq!(world.positions(), []);

    world.produce_as(world.client, "p");
    world.broker.fault(Fault::on(Type::Send, Effect::CloseAfter));
    world.send(0, 1);
    assert!(world.broker.is_closed(world.client));
    assert_eq!(world.positions().len(), 1);
}

#[test]
fn a_producer_is_refused_as_often_as_the_rule_says() {
    let mut world = World::new();
    let refuse = Effect::Refuse(ServerError::ServiceNotReady, "loading".into());
    world.broker.fault(Fault::on(Type::Producer, refuse).of_topic(TOPIC).times(2));
    for _ in 0..2 {
        assert_eq!(errors(&world.produce_as(world.client, "p")), [ServerError::ServiceNotReady]);
    }
    assert_eq!(kinds(&world.produce_as(world.client, "p")), [Type::ProducerSuccess]);
}

#[test]
fn noise_reorders_answers_but_not_those_of_one_producer() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    let noise = |break_order| Noise { seed: 3, max_delay: SECOND, of: [].into(), break_order };
    let mut run = |break_order, first: u64| {
        world.broker.set_noise(Some(noise(break_order)));
        let lookup = |id| command::lookup(TOPIC.into(), id, false, None);
        for id in 0..20 {
            world.say(world.client, &lookup(id));
            world.send(first + id, 1);
        }
        let mut heard = Vec::new();
        while let Some(due) = world.broker.poll_timeout().filter(|due| *due < Instant::from_millis(29_000)) {
            let wait = due.since(world.now.instant) + Duration::from_millis(1);
            world.wait(wait);
            heard.extend(world.hear(world.client));
        }
        let lookups: Vec<_> =
            heard.iter().filter_map(|f| Some(f.command.lookup_topic_response.as_ref()?.request_id)).collect();
        let sends: Vec<_> = receipts(&heard).into_iter().map(|(sequence, _)| sequence).collect();
        (lookups.len(), lookups.is_sorted(), sends.len(), sends.is_sorted())
    };
    assert_eq!(run(false, 0), (20, false, 20, true));
    assert_eq!(run(true, 100), (20, false, 20, false));
}
