//! Whatever order, delay or loss Pulsar's answers have: Kafka's leave in the order of the requests, each in time, and nothing is left.

mod support;

use std::time::Duration;

use isthmus::config::Config;
use isthmus::pulsar::proto::ServerError;
use isthmus::pulsar::proto::base_command::Type;
use isthmus_host_tests::pair::records::{
    api_versions, batch, fetch, fetched, list_offsets, metadata, produce, produced,
};
use isthmus_host_tests::pair::{ClientId, Filter, LeftOver, NativeFilter, NoAnswer, Pair, Splits};
use isthmus_host_tests::scripted::{BrokerConfig, Effect, Fault, Noise, ScriptedBroker};
use proptest::prelude::*;

/// Longer than the filter's own `request_timeout_ms`.
const IN_TIME: Duration = Duration::from_secs(45);

/// One request of a client.
#[derive(Clone, Debug)]
enum Ask {
    ApiVersions,
    Metadata(&'static str),
    Produce(&'static str),
    ProduceUnanswered(&'static str),
    Fetch { topic: &'static str, offset: i64, max_wait_ms: i32 },
    ListOffsets { topic: &'static str, timestamp: i64 },
}

fn ask() -> impl Strategy<Value = Ask> {
    let topic = || prop_oneof![Just("t"), Just("u"), Just("missing")];
    prop_oneof![
        Just(Ask::ApiVersions),
        topic().prop_map(Ask::Metadata),
        topic().prop_map(Ask::Produce),
        topic().prop_map(Ask::ProduceUnanswered),
        (topic(), -1_i64..30, 0_i32..2_000).prop_map(|(topic, offset, max_wait_ms)| Ask::Fetch {
            topic,
            offset,
            max_wait_ms
        }),
        (topic(), prop_oneof![Just(-1_i64), Just(-2), Just(1_700_000_000_000)])
            .prop_map(|(topic, timestamp)| Ask::ListOffsets { topic, timestamp }),
    ]
}

/// Something that does not end the connection.
fn fault() -> impl Strategy<Value = Fault> {
    let command = prop_oneof![
        Just(Type::Lookup),
        Just(Type::PartitionedMetadata),
        Just(Type::Producer),
        Just(Type::Subscribe),
        Just(Type::GetLastMessageId),
        Just(Type::Send),
        Just(Type::CloseConsumer),
    ];
    let effect = prop_oneof![
        Just(Effect::Refuse(ServerError::ServiceNotReady, "not now".into())),
        Just(Effect::Refuse(ServerError::MetadataError, "not at all".into())),
        Just(Effect::Ignore),
        Just(Effect::LoseAnswer),
        (1_u64..40_000).prop_map(|millis| Effect::DelayAnswer(Duration::from_millis(millis))),
        Just(Effect::Unload),
    ];
    (command, effect, 0_u32..4).prop_map(|(command, effect, skip)| Fault::on(command, effect).after(skip))
}

fn noise(break_order: bool) -> impl Strategy<Value = Option<Noise>> {
    let noise = (any::<u64>(), 1_u64..500).prop_map(move |(seed, millis)| Noise {
        seed,
        max_delay: Duration::from_millis(millis),
        of: [].into(),
        break_order,
    });
    proptest::option::of(noise)
}

fn pair(splits: Splits, faults: Vec<Fault>) -> Pair<NativeFilter> {
    let mut broker = ScriptedBroker::new(BrokerConfig::default());
    broker.create_topic("t", 1);
    broker.create_topic("u", 1);
    for fault in faults {
        broker.fault(fault);
    }
    Pair::new(NativeFilter::new(Config::default(), 7), broker).with_splits(splits)
}

fn rests(pair: &mut Pair<NativeFilter>) -> Result<(), TestCaseError> {
    pair.run_for(Duration::from_secs(100));
    prop_assert_eq!(pair.awaited(), 0);
    prop_assert_eq!(pair.filter.left_over(), Some(LeftOver::default()));
    prop_assert_eq!(pair.broker.attached().writes, 0);
    Ok(())
}

/// Waits for one answer, whatever its type.
type Wait = Box<dyn FnOnce(&mut Pair<NativeFilter>) -> Result<(), NoAnswer>>;

/// Sends all, then waits for all: the driver fails an answer out of its turn.
fn ask_all(pair: &mut Pair<NativeFilter>, client: ClientId, asks: &[Ask]) -> Result<(), NoAnswer> {
    let mut waits: Vec<Wait> = Vec::new();
    macro_rules! send {
        ($request:expr, $version:expr) => {{
            let ticket = pair.send(client, &$request, $version);
            waits.push(Box::new(move |pair| pair.wait(ticket, IN_TIME).map(drop)));
        }};
    }
    for ask in asks {
        match ask {
            Ask::ApiVersions => send!(api_versions(), 3),
            Ask::Metadata(topic) => send!(metadata(&[topic]), 9),
            Ask::Produce(topic) => send!(produce(topic, 0, batch(&["x"], None)), 9),
            Ask::ProduceUnanswered(topic) => {
                let request = produce(topic, 0, batch(&["x"], None)).with_acks(0);
                pair.send_unanswered(client, &request, 9);
            }
            Ask::Fetch { topic, offset, max_wait_ms } => send!(fetch(topic, 0, *offset, *max_wait_ms), 11),
            Ask::ListOffsets { topic, timestamp } => send!(list_offsets(topic, 0, *timestamp), 5),
        }
    }
    waits.into_iter().try_for_each(|wait| wait(pair))
}

proptest! {
    #![proptest_config(support::cases(48))]

    #[test]
    fn every_request_is_answered_in_its_turn_and_in_time(
        asks in proptest::collection::vec(ask(), 1..16),
        faults in proptest::collection::vec(fault(), 0..4),
        noise in noise(false),
        splits in support::splits(),
    ) {
        let mut pair = pair(splits, faults);
        pair.broker.set_noise(noise);
        let client = pair.connect();

        let answered = ask_all(&mut pair, client, &asks);

        // A batch sent with acks 0 that fails has no other way to say so, with Kafka neither.
        let may_close = asks.iter().any(|ask| matches!(ask, Ask::ProduceUnanswered(_)));
        let fine = answered == Ok(()) || may_close && answered == Err(NoAnswer::Closed);
        prop_assert!(fine, "{:?}; log: {:?}", answered, pair.filter.log());
        rests(&mut pair)?;
    }

    #[test]
    fn a_consumer_reads_every_record_once_and_in_order(
        sizes in proptest::collection::vec(1_usize..6, 1..10),
        faults in proptest::collection::vec(fault(), 0..3),
        noise in noise(false),
        splits in support::splits(),
        rolls in any::<bool>(),
    ) {
        let mut pair = pair(splits, vec![]);
        let writer = pair.connect();
        let mut written = Vec::new();
        for (number, size) in sizes.into_iter().enumerate() {
            let values: Vec<String> = (0..size).map(|at| format!("{number}.{at}")).collect();
            let batch = batch(&values.iter().map(String::as_str).collect::<Vec<_>>(), None);
            let response = pair.ask(writer, &produce("t", 0, batch), 9, IN_TIME).unwrap();
            prop_assert_eq!(produced(&response), (0, i64::try_from(written.len()).unwrap()));
            written.extend(values);
            if rolls && number % 3 == 1 {
                pair.broker.roll_ledger("t-partition-0");
            }
        }
        for fault in faults {
            pair.broker.fault(fault);
        }
        pair.broker.set_noise(noise);

        let mut client = pair.connect();
        let mut read = Vec::new();
        for _ in 0..60 {
            let from = i64::try_from(read.len()).unwrap();
            match pair.ask(client, &fetch("t", 0, from, 500), 11, IN_TIME) {
                Ok(response) => {
                    let (error, _, records) = fetched(&response, from);
                    prop_assert_ne!(error, 1, "offset {} is in range", from);
                    for record in records {
                        prop_assert_eq!(record.offset, i64::try_from(read.len()).unwrap());
                        read.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
                    }
                }
                Err(NoAnswer::Closed) => client = pair.connect(),
                Err(error) => prop_assert!(false, "{error:?}"),
            }
            if read.len() >= written.len() {
                break;
            }
            pair.run_for(Duration::from_millis(100));
        }
        prop_assert_eq!(read, written);
        rests(&mut pair)?;
    }
}
