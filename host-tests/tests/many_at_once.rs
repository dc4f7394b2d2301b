//! Requests about many things at once, whose answers come in small pieces: the work is counted by how often the filter looks whether
//! a question is answered. It must be a few times for each question, however many there are.

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus::config::Config;
use isthmus_host_tests::codes::{NONE, UNKNOWN_TOPIC_OR_PARTITION};
use isthmus_host_tests::pair::records::{batch, fetch, list_offsets, metadata, next_offset, produce, topic_name};
use isthmus_host_tests::pair::{ClientId, NativeFilter, Pair, Splits};
use isthmus_host_tests::scripted::{BrokerConfig, ScriptedBroker};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{
    ElectLeadersRequest, FetchRequest, FetchResponse, FindCoordinatorRequest, MetadataRequest, ProduceRequest,
};
use kafka_protocol::protocol::StrBytes;

const PATIENCE: Duration = Duration::from_secs(60);
const TOPICS: usize = 150;
const PARTITIONS: u32 = 4;

/// A piece has a few answers of the broker, so they come with hundreds of events.
const PIECES: Splits = Splits::Random { seed: 7, max: 400 };

/// Once when it is asked, once when its answer has come, and something to spare.
const LOOKS_PER_QUESTION: u64 = 4;

fn pair() -> (Pair<NativeFilter>, ClientId) {
    pair_with(Config::default())
}

fn pair_with(config: Config) -> (Pair<NativeFilter>, ClientId) {
    let filter = NativeFilter::new(config, 7);
    let mut pair = Pair::new(filter, ScriptedBroker::new(BrokerConfig::default())).with_splits(PIECES);
    for name in names() {
        pair.broker.create_topic(&name, PARTITIONS);
    }
    let client = pair.connect();
    (pair, client)
}

fn names() -> impl Iterator<Item = String> {
    (0..TOPICS).map(|number| format!("t{number}"))
}

/// The questions of the one connection; looks at them are few.
fn questions(pair: &mut Pair<NativeFilter>) -> u64 {
    let worker = pair.filter.worker();
    let connection = worker.connections().next().unwrap();
    let (asked, looked) = worker.session(connection).unwrap().asked_and_looked();
    assert!(looked <= LOOKS_PER_QUESTION * asked, "{asked} questions were looked at {looked} times");
    asked
}

#[test]
fn metadata_by_name_looks_at_each_question_a_few_times() {
    let (mut pair, client) = pair();
    let names: Vec<String> = names().collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let told = pair.ask(client, &metadata(&names), 9, PATIENCE).unwrap();
    let partitions = told.topics.iter().flat_map(|topic| &topic.partitions);
    assert_eq!(partitions.filter(|partition| partition.error_code == 0).count(), TOPICS * PARTITIONS as usize);
    let each = 1 + u64::from(PARTITIONS);
    assert!(questions(&mut pair) >= TOPICS as u64 * each);
}

#[test]
fn metadata_of_all_topics_looks_at_each_question_a_few_times() {
    let (mut pair, client) = pair();
    let told = pair.ask(client, &MetadataRequest::default().with_topics(None), 9, PATIENCE).unwrap();
    assert_eq!(told.topics.len(), TOPICS);
    assert!(questions(&mut pair) >= TOPICS as u64);
}

#[test]
fn leaders_that_are_known_are_not_asked_for_again() {
    let (mut pair, client) = pair();
    let names: Vec<String> = names().collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    pair.ask(client, &metadata(&names), 9, PATIENCE).unwrap();
    let before = questions(&mut pair);
    pair.ask(client, &metadata(&names), 9, PATIENCE).unwrap();
    assert_eq!(questions(&mut pair) - before, TOPICS as u64, "only how many partitions each has");
}

#[test]
fn offsets_of_many_partitions_look_at_each_question_a_few_times() {
    let (mut pair, client) = pair();
    let topics = names().flat_map(|name| list_offsets(&name, 0, -1).topics).collect();
    let request = list_offsets("t0", 0, -1).with_topics(topics);
    let told = pair.ask(client, &request, 7, PATIENCE).unwrap();
    assert!(told.topics.iter().all(|topic| topic.partitions[0].error_code == 0));
    questions(&mut pair);
}

#[test]
fn coordinators_of_many_groups_look_at_each_question_a_few_times() {
    let (mut pair, client) = pair();
    let keys = names().map(StrBytes::from_string).collect();
    let told = pair.ask(client, &FindCoordinatorRequest::default().with_coordinator_keys(keys), 4, PATIENCE).unwrap();
    assert_eq!(told.coordinators.iter().filter(|told| told.error_code == 0).count(), TOPICS);
    questions(&mut pair);
}

#[test]
fn elections_in_many_topics_look_at_each_question_a_few_times() {
    let (mut pair, client) = pair();
    let topics =
        names().map(|name| TopicPartitions::default().with_topic(topic_name(&name)).with_partitions(vec![0])).collect();
    let request = ElectLeadersRequest::default().with_topic_partitions(Some(topics)).with_timeout_ms(30_000);
    let told = pair.ask(client, &request, 2, PATIENCE).unwrap();
    assert_eq!(told.replica_election_results.len(), TOPICS);
    questions(&mut pair);
}

/// A batch for a partition of every topic, in one request.
fn produce_to_all(text: &str) -> ProduceRequest {
    let mut requests = names().map(|name| produce(&name, 0, batch(&[text], None)));
    let first = requests.next().unwrap();
    let topics = first.topic_data.iter().cloned().chain(requests.flat_map(|request| request.topic_data)).collect();
    first.with_topic_data(topics)
}

/// From the beginning of a partition of every topic.
fn fetch_from_all() -> FetchRequest {
    let topics = names().flat_map(|name| fetch(&name, 0, 0, 0).topics).collect();
    fetch("t0", 0, 0, 10_000).with_topics(topics)
}

#[test]
fn batches_for_many_partitions_look_at_each_question_a_few_times() {
    let (mut pair, client) = pair();
    for text in ["a", "b"] {
        let told = pair.ask(client, &produce_to_all(text), 9, PATIENCE).unwrap();
        let rows = told.responses.iter().flat_map(|topic| &topic.partition_responses);
        assert_eq!(rows.filter(|row| row.error_code == NONE).count(), TOPICS);
    }
    assert!(questions(&mut pair) >= 2 * TOPICS as u64, "how many partitions there are, and a producer for each");
}

#[test]
fn fetches_from_many_partitions_look_at_each_question_a_few_times() {
    let (mut pair, client) = pair();
    pair.ask(client, &produce_to_all("a"), 9, PATIENCE).unwrap();
    let told = pair.ask(client, &fetch_from_all(), 11, PATIENCE).unwrap();
    let rows = told.responses.iter().flat_map(|topic| &topic.partitions);
    assert_eq!(rows.filter(|row| !row.records.as_ref().unwrap().is_empty()).count(), TOPICS);
    questions(&mut pair);
}

#[test]
fn more_batches_than_the_broker_takes_at_once_are_all_stored() {
    let (mut pair, client) = pair();
    let all = (0..PARTITIONS as i32)
        .flat_map(|partition| names().flat_map(move |name| produce(&name, partition, batch(&["a"], None)).topic_data));
    let request = produce("t0", 0, batch(&["a"], None)).with_topic_data(all.collect());
    let first = pair.send(client, &request, 9);
    let second = pair.send(client, &request, 9);
    for (ticket, offset) in [(first, 0), (second, 1)] {
        let told = pair.wait(ticket, PATIENCE).unwrap();
        let rows = told.responses.iter().flat_map(|topic| &topic.partition_responses);
        let stored = rows.filter(|row| (row.error_code, row.base_offset) == (NONE, offset)).count();
        assert_eq!(stored, TOPICS * PARTITIONS as usize);
    }
    questions(&mut pair);
}

#[test]
fn a_fetch_that_waits_for_many_partitions_is_answered_by_the_one_that_gets_something() {
    let (mut pair, client) = pair();
    let writer = pair.connect();
    pair.ask(client, &fetch_from_all().with_max_wait_ms(0), 11, PATIENCE).unwrap();
    let waiting = pair.send(client, &fetch_from_all(), 11);
    pair.ask(writer, &produce("t77", 0, batch(&["late"], None)), 9, PATIENCE).unwrap();
    let told = pair.wait(waiting, Duration::from_secs(1)).unwrap();
    let rows =
        told.responses.iter().filter(|topic| topic.partitions[0].records.as_ref().is_some_and(|r| !r.is_empty()));
    assert_eq!(rows.map(|topic| topic.topic.as_str()).collect::<Vec<_>>(), ["t77"]);
}

#[test]
fn many_partitions_are_read_to_their_ends_also_where_memory_holds_a_part_of_them() {
    const BATCHES: usize = 3;
    let text = "v".repeat(60_000);
    let (pair, client) = pair_with(Config { prefetch_bytes_per_worker: 6 << 20, ..Config::default() });
    let mut pair = pair.with_splits(Splits::Random { seed: 7, max: 40_000 });
    for _ in 0..BATCHES {
        pair.ask(client, &produce_to_all(&text), 9, PATIENCE).unwrap();
    }
    let mut offsets: BTreeMap<String, i64> = names().map(|name| (name, 0)).collect();
    let all_read = |offsets: &BTreeMap<String, i64>| offsets.values().all(|offset| *offset == BATCHES as i64);
    for _ in 0..TOPICS * BATCHES {
        let topics = offsets.iter().flat_map(|(name, offset)| fetch(name, 0, *offset, 0).topics).collect();
        let told = pair.ask(client, &fetch("t0", 0, 0, 500).with_topics(topics), 11, PATIENCE).unwrap();
        for topic in &told.responses {
            let one = FetchResponse::default().with_responses(vec![topic.clone()]);
            if let Some(next) = next_offset(&one) {
                offsets.insert(topic.topic.to_string(), next);
            }
        }
        if all_read(&offsets) {
            return;
        }
    }
    panic!("not all is read: {offsets:?}");
}

#[test]
fn every_partition_of_a_topic_that_is_not_there_is_unknown() {
    let (mut pair, client) = pair();
    let mut request = list_offsets("none", 0, -1);
    let second = list_offsets("none", 1, -1).topics.remove(0).partitions;
    request.topics[0].partitions.extend(second);
    let told = pair.ask(client, &request, 7, PATIENCE).unwrap();
    let codes: Vec<i16> = told.topics[0].partitions.iter().map(|partition| partition.error_code).collect();
    assert_eq!(codes, [UNKNOWN_TOPIC_OR_PARTITION; 2]);
}
