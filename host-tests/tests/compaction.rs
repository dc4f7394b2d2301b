//! Compacted topics: who reads from the start sees the last value of each key, at its own offset, and comes to the end.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus::config::{Config, OffsetMode};
use isthmus::pulsar::proto::base_command::Type;
use isthmus_host_tests::codes::OFFSET_OUT_OF_RANGE;
use isthmus_host_tests::pair::records::{fetch, fetched, keyed, list_offsets, next_offset, produce, produced};
use isthmus_host_tests::pair::{ClientId, Filter, LeftOver, NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, Effect, Fault, Noise, ScriptedBroker};
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, incremental_alter_configs_request as incremental};
use kafka_protocol::protocol::StrBytes;
use proptest::prelude::*;

const SOON: Duration = Duration::from_secs(5);
/// Longer than a question may take, and than a reader waits before it makes sure.
const IN_TIME: Duration = Duration::from_secs(45);
const PARTITION: &str = "t-partition-0";

/// Key and value of a record; no value is a tombstone.
type Pairs<'a> = &'a [(&'a str, Option<&'a str>)];

/// What a table of the topic would show.
type Table = BTreeMap<String, String>;

fn pair_of(offsets: OffsetMode, broker: BrokerConfig) -> Pair<NativeFilter> {
    let mut broker = ScriptedBroker::new(BrokerConfig { index: offsets == OffsetMode::Index, ..broker });
    broker.create_topic("t", 1);
    Pair::new(NativeFilter::new(Config { offsets, ..Config::default() }, 7), broker)
}

fn pair() -> Pair<NativeFilter> {
    pair_of(OffsetMode::Index, BrokerConfig::default())
}

/// Stores one batch; its base offset.
fn write(pair: &mut Pair<NativeFilter>, client: ClientId, records: Pairs<'_>) -> i64 {
    let response = pair.ask(client, &produce("t", 0, keyed(records)), 9, SOON).unwrap();
    let (error, base) = produced(&response);
    assert_eq!(error, 0);
    base
}

fn alter_cleanup_policy(pair: &mut Pair<NativeFilter>, client: ClientId, value: &str) {
    let text = |text: &str| StrBytes::from_string(text.to_string());
    let value = incremental::AlterableConfig::default().with_name(text("cleanup.policy")).with_value(Some(text(value)));
    let resource = incremental::AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configs(vec![value]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    assert_eq!(pair.ask(client, &request, 1, IN_TIME).unwrap().responses[0].error_code, 0);
}

fn offset_at(pair: &mut Pair<NativeFilter>, client: ClientId, timestamp: i64) -> i64 {
    let response = pair.ask(client, &list_offsets("t", 0, timestamp), 5, IN_TIME).unwrap();
    assert_eq!(response.topics[0].partitions[0].error_code, 0);
    response.topics[0].partitions[0].offset
}

fn end(pair: &mut Pair<NativeFilter>, client: ClientId) -> i64 {
    offset_at(pair, client, -1)
}

fn beginning(pair: &mut Pair<NativeFilter>, client: ClientId) -> i64 {
    offset_at(pair, client, -2)
}

/// A record as these tests name it: offset, key, value.
type Row = (i64, String, Option<String>);

/// One fetch from `from`: the records, and where to go on.
fn fetch_once(pair: &mut Pair<NativeFilter>, client: ClientId, from: i64) -> (Vec<Row>, i64) {
    let response = pair.ask(client, &fetch("t", 0, from, 500), 11, IN_TIME).unwrap();
    let (error, high_watermark, records) = fetched(&response, from);
    assert_eq!(error, 0, "fetch from {from}; log: {:?}", pair.filter.log());
    let next = next_offset(&response).unwrap_or(from);
    assert!(next >= from, "a batch that ends at {next} answers a fetch from {from}");
    assert!(next <= high_watermark, "position {next} is beyond the high watermark {high_watermark}");
    let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let rows = records.into_iter().map(|read| (read.offset, text(read.key.unwrap()), read.value.map(text)));
    (rows.collect(), next)
}

/// Reads from `from` until the position is the end there was at the start, as Kafka Connect does.
fn read_to_end(pair: &mut Pair<NativeFilter>, client: ClientId, from: i64) -> Vec<Row> {
    const FETCHES: usize = 100;
    let end = end(pair, client);
    let (mut rows, mut at) = (Vec::new(), from);
    for _ in 0..FETCHES {
        if at >= end {
            return rows;
        }
        let (more, next) = fetch_once(pair, client, at);
        rows.extend(more);
        at = next;
    }
    panic!("{FETCHES} fetches came only to {at} of {end}: {rows:?}");
}

fn row(offset: i64, key: &str, value: &str) -> Row {
    (offset, key.to_string(), Some(value.to_string()))
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    for (_, key, value) in rows {
        match value {
            Some(value) => drop(table.insert(key.clone(), value.clone())),
            None => drop(table.remove(key)),
        }
    }
    table
}

/// Two batches and a single record, of which compaction leaves a part.
fn filled(pair: &mut Pair<NativeFilter>, client: ClientId) {
    write(pair, client, &[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))]);
    write(pair, client, &[("a", Some("2"))]);
    write(pair, client, &[("d", Some("1")), ("a", Some("3")), ("b", Some("2"))]);
}

#[test]
fn the_last_value_of_each_key_is_read_at_its_own_offset_and_nothing_else() {
    for compaction_keeps_index in [true, false] {
        let mut pair = pair_of(OffsetMode::Index, BrokerConfig { compaction_keeps_index, ..BrokerConfig::default() });
        let client = pair.connect();
        filled(&mut pair, client);
        pair.broker.compact(PARTITION);
        write(&mut pair, client, &[("c", Some("2"))]);

        let reader = pair.connect();
        let rows = read_to_end(&mut pair, reader, 0);

        let expected = [row(2, "c", "1"), row(4, "d", "1"), row(5, "a", "3"), row(6, "b", "2"), row(7, "c", "2")];
        assert_eq!(rows, expected, "index kept: {compaction_keeps_index}");
        assert_eq!((beginning(&mut pair, reader), end(&mut pair, reader)), (0, 8), "compaction moves no border");
    }
}

#[test]
fn an_index_that_compaction_lost_is_found_again_over_gaps_and_after_each_compaction() {
    let config = BrokerConfig { compaction_keeps_index: false, ..BrokerConfig::default() };
    let mut pair = pair_of(OffsetMode::Index, config);
    let client = pair.connect();
    for round in 0..3 {
        for key in ["a", "b", "a", "a", "c"] {
            write(&mut pair, client, &[(key, Some("old")), (key, Some(&format!("{round}")))]);
        }
        pair.broker.compact(PARTITION);
    }

    // A worker that has seen nothing.
    pair.filter.reload_at(pair.now().instant + Duration::from_secs(1), Config::default());
    pair.run_for(Duration::from_secs(2));
    let reader = pair.connect();
    let rows = read_to_end(&mut pair, reader, 0);

    assert_eq!(rows, [row(23, "b", "2"), row(27, "a", "2"), row(29, "c", "2")]);
}

#[test]
fn offsets_of_message_ids_stay_as_they_were() {
    let mut pair = pair_of(OffsetMode::MessageId, BrokerConfig::default());
    let client = pair.connect();
    filled(&mut pair, client);
    let start = beginning(&mut pair, client);
    let before = read_to_end(&mut pair, client, start);
    pair.broker.compact(PARTITION);

    let reader = pair.connect();
    let after = read_to_end(&mut pair, reader, start);

    let kept: Vec<Row> = [2, 4, 5, 6].map(|at| before[at].clone()).to_vec();
    assert_eq!(after, kept);
}

#[test]
fn a_reader_comes_to_the_end_where_the_last_records_are_compacted_away() {
    for offsets in [OffsetMode::Index, OffsetMode::MessageId] {
        let mut pair = pair_of(offsets, BrokerConfig::default());
        let client = pair.connect();
        write(&mut pair, client, &[("a", Some("1")), ("b", Some("1"))]);
        pair.broker.roll_ledger(PARTITION);
        write(&mut pair, client, &[("c", Some("1")), ("b", None)]);
        write(&mut pair, client, &[("c", None)]);
        pair.broker.compact(PARTITION);

        let reader = pair.connect();
        let start = beginning(&mut pair, reader);
        let rows = read_to_end(&mut pair, reader, start);

        assert_eq!(rows, [row(start, "a", "1")], "{offsets:?}");
    }
}

#[test]
fn a_reader_comes_to_the_end_where_everything_is_compacted_away() {
    for offsets in [OffsetMode::Index, OffsetMode::MessageId] {
        let mut pair = pair_of(offsets, BrokerConfig::default());
        let client = pair.connect();
        write(&mut pair, client, &[("a", Some("1")), ("a", None)]);
        pair.broker.compact(PARTITION);

        let reader = pair.connect();
        let start = beginning(&mut pair, reader);

        assert_eq!(read_to_end(&mut pair, reader, start), [], "{offsets:?}");
        let next = write(&mut pair, client, &[("b", Some("1"))]);
        assert_eq!(read_to_end(&mut pair, reader, start), [row(next, "b", "1")]);
    }
}

#[test]
fn the_end_of_a_batch_that_is_compacted_away_is_passed_with_it() {
    let mut pair = pair();
    let client = pair.connect();
    write(&mut pair, client, &[("a", Some("1")), ("b", Some("1")), ("b", None)]);
    pair.broker.compact(PARTITION);

    let reader = pair.connect();

    assert_eq!(fetch_once(&mut pair, reader, 0), (vec![row(0, "a", "1")], 3));
}

#[test]
fn every_offset_between_the_borders_can_be_fetched_from() {
    for offsets in [OffsetMode::Index, OffsetMode::MessageId] {
        for message_id_by_index in [true, false] {
            let mut pair = pair_of(offsets, BrokerConfig { message_id_by_index, ..BrokerConfig::default() });
            let client = pair.connect();
            filled(&mut pair, client);
            write(&mut pair, client, &[("d", None)]);
            let start = beginning(&mut pair, client);
            let all = read_to_end(&mut pair, client, start);
            pair.broker.compact(PARTITION);

            let left: Vec<Row> = [2, 5, 6].map(|at| all[at].clone()).to_vec();
            for (from, _, _) in all {
                let reader = pair.connect();
                let expected: Vec<Row> = left.iter().filter(|(offset, ..)| *offset >= from).cloned().collect();
                assert_eq!(read_to_end(&mut pair, reader, from), expected, "{offsets:?}, from {from}");
            }
        }
    }
}

#[test]
fn nothing_is_lost_when_the_topic_is_compacted_in_the_middle_of_a_read() {
    let mut pair = pair();
    let client = pair.connect();
    // More than a reader is sent at once.
    let value_of = |number: usize| format!("{number}{}", ".".repeat(10_000));
    for number in 0..200 {
        write(&mut pair, client, &[(&format!("k{}", number % 20), Some(&value_of(number)))]);
    }
    let reader = pair.connect();
    let (mut rows, at) = fetch_once(&mut pair, reader, 0);
    assert!(at < 150, "the rest is still to be read");

    for round in 0..3 {
        write(&mut pair, client, &[("k0", Some(&format!("new{round}")))]);
        write(&mut pair, client, &[("k1", None)]);
        pair.broker.compact(PARTITION);
    }
    write(&mut pair, client, &[("k2", Some("tail"))]);
    rows.extend(read_to_end(&mut pair, reader, at));

    let mut expected: Table = (180..200).map(|number| (format!("k{}", number % 20), value_of(number))).collect();
    expected.insert("k0".into(), "new2".into());
    expected.insert("k2".into(), "tail".into());
    let read = table(&rows);
    // A key that was seen before its tombstone went stays with a reader that comes too late, as in Kafka.
    let read: Table = read.into_iter().filter(|(key, _)| key != "k1").collect();
    expected.remove("k1");
    assert_eq!(read, expected);
    assert!(rows.is_sorted_by(|one, other| one.0 < other.0));
}

#[test]
fn what_retention_dropped_and_compaction_kept_is_read_from_the_beginning() {
    for offsets in [OffsetMode::Index, OffsetMode::MessageId] {
        let mut pair = pair_of(offsets, BrokerConfig::default());
        let client = pair.connect();
        filled(&mut pair, client);
        let first = beginning(&mut pair, client);
        let all = read_to_end(&mut pair, client, first);
        pair.broker.compact(PARTITION);
        pair.broker.roll_ledger(PARTITION);
        pair.broker.trim_ledgers(PARTITION, 1);

        let reader = pair.connect();
        let kept: Vec<Row> = [2, 4, 5, 6].map(|at| all[at].clone()).to_vec();
        let start = beginning(&mut pair, reader);
        assert_eq!(start, if offsets == OffsetMode::Index { 0 } else { all[0].0 }, "of the first entry that is left");
        assert_eq!(read_to_end(&mut pair, reader, start), kept, "{offsets:?}");

        let next = write(&mut pair, client, &[("a", Some("4"))]);
        let reader = pair.connect();
        let expected = [kept[3].clone(), row(next, "a", "4")];
        assert_eq!(read_to_end(&mut pair, reader, kept[3].0), expected, "{offsets:?}");
    }
}

#[test]
fn a_topic_that_is_compacted_no_longer_is_read_whole_again() {
    for offsets in [OffsetMode::Index, OffsetMode::MessageId] {
        let mut pair = pair_of(offsets, BrokerConfig::default());
        let client = pair.connect();
        filled(&mut pair, client);
        let start = beginning(&mut pair, client);
        let all = read_to_end(&mut pair, client, start);
        pair.broker.compact(PARTITION);
        let old = pair.connect();
        let (rows, at) = fetch_once(&mut pair, old, start);

        alter_cleanup_policy(&mut pair, client, "delete");

        let next = write(&mut pair, client, &[("a", Some("4"))]);
        assert_eq!(read_to_end(&mut pair, old, at).last(), Some(&row(next, "a", "4")), "{offsets:?}, after {rows:?}");
        let new = pair.connect();
        let expected: Vec<Row> = all.into_iter().chain([row(next, "a", "4")]).collect();
        assert_eq!(read_to_end(&mut pair, new, start), expected, "{offsets:?}");
    }
}

#[test]
fn dropped_batches_whose_index_compaction_lost_are_left_out() {
    let config = BrokerConfig { compaction_keeps_index: false, ..BrokerConfig::default() };
    let mut pair = pair_of(OffsetMode::Index, config);
    let client = pair.connect();
    filled(&mut pair, client);
    pair.broker.compact(PARTITION);
    pair.broker.roll_ledger(PARTITION);
    let next = write(&mut pair, client, &[("e", Some("1"))]);
    pair.broker.trim_ledgers(PARTITION, 1);

    let reader = pair.connect();

    assert_eq!(beginning(&mut pair, reader), next);
    assert_eq!(read_to_end(&mut pair, reader, next), [row(next, "e", "1")]);
    let response = pair.ask(reader, &fetch("t", 0, 0, 500), 11, IN_TIME).unwrap();
    assert_eq!(fetched(&response, 0).0, OFFSET_OUT_OF_RANGE);
}

#[test]
fn a_reader_that_was_sent_nothing_for_a_while_makes_sure_that_nothing_was_compacted_away() {
    let mut pair = pair();
    let client = pair.connect();
    write(&mut pair, client, &[("a", Some("1"))]);
    let reader = pair.connect();
    assert_eq!(read_to_end(&mut pair, reader, 0), [row(0, "a", "1")]);
    // The reader's permits run out, unseen.
    pair.broker.fault(Fault::on(Type::Flow, Effect::Ignore).times(u32::MAX));
    write(&mut pair, client, &[("b", Some("1")); 1200]);
    pair.run_for(SOON);
    let (_, at) = fetch_once(&mut pair, reader, 1);
    assert_eq!(at, 1201);
    write(&mut pair, client, &[("b", None)]);
    pair.broker.compact(PARTITION);
    pair.run_for(SOON * 2);

    assert_eq!(read_to_end(&mut pair, reader, at), []);
}

#[test]
fn a_topic_that_was_never_compacted_is_asked_about_no_more_than_before() {
    let mut pair = pair();
    let client = pair.connect();
    for number in 0..10 {
        write(&mut pair, client, &[("a", Some(&number.to_string()))]);
    }
    let reader = pair.connect();
    read_to_end(&mut pair, reader, 0);
    // One question for the end is left to be answered at each arrival; this one gets none.
    pair.broker.fault(Fault::on(Type::GetLastMessageId, Effect::Close).after(1));

    write(&mut pair, client, &[("a", Some("last"))]);
    let (rows, at) = fetch_once(&mut pair, reader, 10);
    assert_eq!((rows, at), (vec![row(10, "a", "last")], 11));
    assert_eq!(fetch_once(&mut pair, reader, 11), (vec![], 11));

    assert!(!pair.is_closed(reader));
}

/// What happens to the topic between two fetches of a reader.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<(u8, Option<u8>)>),
    Compact,
    Roll,
    Fetch,
}

fn step() -> impl Strategy<Value = Step> {
    let record = (0_u8..4, proptest::option::weighted(0.7, any::<u8>()));
    prop_oneof![
        4 => proptest::collection::vec(record, 1..4).prop_map(Step::Write),
        2 => Just(Step::Compact),
        1 => Just(Step::Roll),
        3 => Just(Step::Fetch),
    ]
}

proptest! {
    #![proptest_config(support::cases(64))]

    #[test]
    fn readers_old_and_new_come_to_the_end_and_know_every_key_that_is_left(
        steps in proptest::collection::vec(step(), 1..30),
        compaction_keeps_index in any::<bool>(),
        by_message_id in any::<bool>(),
        noise in proptest::option::of((any::<u64>(), 1_u64..300)),
        lost in proptest::option::of(0_u32..8),
        splits in support::splits(),
    ) {
        let offsets = if by_message_id { OffsetMode::MessageId } else { OffsetMode::Index };
        let config = BrokerConfig { compaction_keeps_index, ..BrokerConfig::default() };
        let mut pair = pair_of(offsets, config).with_splits(splits);
        let client = pair.connect();
        let reader = pair.connect();
        write(&mut pair, client, &[("first", Some("1"))]);
        let start = beginning(&mut pair, client);
        let noise = noise.map(|(seed, millis)| Noise {
            seed,
            max_delay: Duration::from_millis(millis),
            of: [].into(),
            break_order: false,
        });
        pair.broker.set_noise(noise);
        if let Some(skip) = lost {
            pair.broker.fault(Fault::on(Type::GetLastMessageId, Effect::Ignore).after(skip));
        }

        let (mut known, mut rows, mut at) = (Table::from([("first".into(), "1".into())]), Vec::new(), start);
        for step in steps {
            match step {
                Step::Write(records) => {
                    let records: Vec<(String, Option<String>)> =
                        records.into_iter().map(|(key, value)| (key.to_string(), value.map(|v| v.to_string()))).collect();
                    let borrowed: Vec<_> = records.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
                    write(&mut pair, client, &borrowed);
                    for (key, value) in records {
                        match value {
                            Some(value) => drop(known.insert(key, value)),
                            None => drop(known.remove(&key)),
                        }
                    }
                }
                Step::Compact => pair.broker.compact(PARTITION),
                Step::Roll => pair.broker.roll_ledger(PARTITION),
                Step::Fetch => {
                    // A lost answer is an error in time, and the client asks again.
                    let response = pair.ask(reader, &fetch("t", 0, at, 100), 11, IN_TIME).unwrap();
                    let (error, _, records) = fetched(&response, at);
                    if error == 0 {
                        rows.extend(records);
                        at = next_offset(&response).unwrap_or(at);
                    }
                }
            }
        }
        pair.broker.set_noise(None);
        pair.broker.clear_faults();
        pair.run_for(IN_TIME);
        // One that asked nothing for so long was sent away.
        let reader = if pair.is_closed(reader) { pair.connect() } else { reader };

        let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let mut old: Vec<Row> =
            rows.into_iter().map(|read| (read.offset, text(read.key.unwrap()), read.value.map(text))).collect();
        old.extend(read_to_end(&mut pair, reader, at));
        let newcomer = pair.connect();
        let new = read_to_end(&mut pair, newcomer, start);

        prop_assert!(old.is_sorted_by(|one, other| one.0 < other.0), "{:?}", old);
        prop_assert_eq!(table(&new), known.clone());
        let old = table(&old);
        for (key, value) in known {
            prop_assert_eq!(old.get(&key), Some(&value));
        }
        pair.run_for(Duration::from_secs(200));
        prop_assert_eq!(pair.filter.left_over(), Some(LeftOver::default()));
    }
}
