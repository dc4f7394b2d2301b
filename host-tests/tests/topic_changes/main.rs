//! CreateTopics, CreatePartitions and DeleteTopics: what clients are told, and what is there afterwards.

mod creating;
mod deleting;
mod growing;

use std::time::Duration;

use isthmus::config::Config;
use isthmus::pulsar::proto::ServerError;
use isthmus::pulsar::proto::base_command::Type;
use isthmus_host_tests::codes::{
    INVALID_CONFIG, INVALID_PARTITIONS, INVALID_REPLICA_ASSIGNMENT, INVALID_REPLICATION_FACTOR, INVALID_REQUEST,
    INVALID_TOPIC_EXCEPTION, NONE, POLICY_VIOLATION, REQUEST_TIMED_OUT, TOPIC_ALREADY_EXISTS,
    TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION,
};
use isthmus_host_tests::http::HttpAnswer;
use isthmus_host_tests::pair::records::{batch, fetch, metadata, produce, produced};
use isthmus_host_tests::pair::{ClientId, NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, Effect, Fault, HttpFault, ScriptedBroker};
use kafka_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

const SOON: Duration = Duration::from_secs(5);
const PATIENCE_MS: i32 = 20_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client is told of one topic: code and words.
type Told = (i16, Option<String>);

fn pair() -> (Pair<NativeFilter>, ClientId) {
    pair_with(Config { default_partitions: 4, ..Config::default() })
}

fn pair_with(config: Config) -> (Pair<NativeFilter>, ClientId) {
    let filter = NativeFilter::new(config, 7);
    let mut pair = Pair::new(filter, ScriptedBroker::new(BrokerConfig::default()));
    let client = pair.connect();
    (pair, client)
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

fn topic(name: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = assignments.iter().map(|(partition, brokers)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*partition)
            .with_broker_ids(brokers.iter().map(|id| BrokerId(*id)).collect())
    });
    topic(name, -1).with_replication_factor(-1).with_assignments(assignments.collect())
}

fn configured(name: &str, config: &str, value: Option<&str>) -> CreatableTopic {
    let config = CreatableTopicConfig::default().with_name(text(config)).with_value(value.map(text));
    topic(name, 1).with_configs(vec![config])
}

fn creation(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(PATIENCE_MS)
}

/// Creates, and returns what is told of each topic, by name.
fn create(pair: &mut Pair<NativeFilter>, client: ClientId, topics: Vec<CreatableTopic>) -> Vec<(String, Told)> {
    told_of(pair, client, &creation(topics))
}

fn told_of(pair: &mut Pair<NativeFilter>, client: ClientId, request: &CreateTopicsRequest) -> Vec<(String, Told)> {
    let response = pair.ask(client, request, 7, PATIENCE).unwrap();
    let rows = response.topics.into_iter();
    rows.map(|row| (row.name.to_string(), (row.error_code, row.error_message.map(|words| words.to_string())))).collect()
}

/// Creates one topic, which must be the only one told of.
fn create_one(pair: &mut Pair<NativeFilter>, client: ClientId, topic: CreatableTopic) -> Told {
    let [(_, told)] = create(pair, client, vec![topic]).try_into().unwrap();
    told
}

fn growth(name: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic::default().with_name(TopicName(text(name))).with_count(count).with_assignments(None)
}

fn grow_one(pair: &mut Pair<NativeFilter>, client: ClientId, topic: CreatePartitionsTopic) -> Told {
    let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(PATIENCE_MS);
    let response = pair.ask(client, &request, 3, PATIENCE).unwrap();
    let [row] = response.results.try_into().unwrap();
    (row.error_code, row.error_message.map(|words| words.to_string()))
}

fn deletion(names: &[&str]) -> DeleteTopicsRequest {
    let topics = names.iter().map(|name| DeleteTopicState::default().with_name(Some(TopicName(text(name)))));
    DeleteTopicsRequest::default().with_topics(topics.collect()).with_timeout_ms(PATIENCE_MS)
}

fn delete(pair: &mut Pair<NativeFilter>, client: ClientId, names: &[&str]) -> Vec<(String, Told)> {
    let response = pair.ask(client, &deletion(names), 6, PATIENCE).unwrap();
    let rows = response.responses.into_iter();
    rows.map(|row| {
        let words = row.error_message.map(|words| words.to_string());
        (row.name.map(|name| name.to_string()).unwrap_or_default(), (row.error_code, words))
    })
    .collect()
}

fn delete_one(pair: &mut Pair<NativeFilter>, client: ClientId, name: &str) -> Told {
    let [(_, told)] = delete(pair, client, &[name]).try_into().unwrap();
    told
}

/// Partitions as Metadata tells them; an error code where there is one. Nothing is created by asking.
fn partitions(pair: &mut Pair<NativeFilter>, client: ClientId, name: &str) -> Result<usize, i16> {
    let request = metadata(&[name]).with_allow_auto_topic_creation(false);
    let topic = pair.ask(client, &request, 9, SOON).unwrap().topics.remove(0);
    assert!(topic.partitions.iter().all(|partition| partition.error_code == NONE && partition.leader_id.0 >= 0));
    if topic.error_code == NONE { Ok(topic.partitions.len()) } else { Err(topic.error_code) }
}

/// `words`, as Kafka has them.
fn with(code: i16, words: &str) -> Told {
    (code, Some(words.to_string()))
}

fn http_fault(contains: &str, times: u32, answer: Option<HttpAnswer>) -> HttpFault {
    HttpFault { contains: contains.to_string(), times, answer }
}

fn is_at_rest(pair: &mut Pair<NativeFilter>) {
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.awaited(), 0, "requests without an answer");
    assert!(pair.broker.faults_are_spent(), "a fault that never happened");
}
