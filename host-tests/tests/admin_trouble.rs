//! Pulsar's admin REST does not answer, refuses, or says what cannot be: every request that needs it ends in an error of Kafka's, in time,
//! and records go on.

use std::time::Duration;

use isthmus::config::Config;
use isthmus_host_tests::codes::{
    KAFKA_STORAGE_ERROR, LEADER_NOT_AVAILABLE, NONE, REQUEST_TIMED_OUT, TOPIC_AUTHORIZATION_FAILED,
    UNKNOWN_SERVER_ERROR,
};
use isthmus_host_tests::http::HttpAnswer;
use isthmus_host_tests::pair::records::{batch, fetch, fetched, list_offsets, metadata, produce, produced};
use isthmus_host_tests::pair::{ClientId, NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, HttpFault, ScriptedBroker};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    AlterConfigsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    DescribeLogDirsRequest, IncrementalAlterConfigsRequest, TopicName, alter_configs_request,
    incremental_alter_configs_request as incremental,
};
use kafka_protocol::protocol::StrBytes;

const TOPIC: i8 = 2;
const TIMEOUT_MS: i32 = 15_000;
/// The longest that a client waits for anything (`request_timeout_ms`), and a little.
const PATIENCE: Duration = Duration::from_secs(31);

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

/// A client, and an admin REST that gives `answer` from now on.
fn trouble(answer: Option<HttpAnswer>) -> (Pair<NativeFilter>, ClientId) {
    let mut broker = ScriptedBroker::new(BrokerConfig::default());
    broker.create_topic("t", 1);
    broker.http_fault(HttpFault { contains: "/admin/v2/persistent/".into(), times: 1000, answer });
    let mut pair = Pair::new(NativeFilter::new(Config::default(), 7), broker);
    let client = pair.connect();
    (pair, client)
}

/// The codes of all that changes topics: created, grown, deleted.
fn changes(pair: &mut Pair<NativeFilter>, client: ClientId) -> [i16; 3] {
    let topic =
        CreatableTopic::default().with_name(TopicName(text("new"))).with_num_partitions(1).with_replication_factor(1);
    let create = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
    let topic = CreatePartitionsTopic::default().with_name(TopicName(text("t"))).with_count(2).with_assignments(None);
    let grow = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
    let topic = DeleteTopicState::default().with_name(Some(TopicName(text("t"))));
    let delete = DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
    [
        pair.ask(client, &create, 7, PATIENCE).unwrap().topics[0].error_code,
        pair.ask(client, &grow, 3, PATIENCE).unwrap().results[0].error_code,
        pair.ask(client, &delete, 6, PATIENCE).unwrap().responses[0].error_code,
    ]
}

/// The codes of all about configurations: described, altered, replaced, and altered for a try.
fn configurations(pair: &mut Pair<NativeFilter>, client: ClientId) -> [i16; 4] {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("t"))
        .with_configuration_keys(None);
    let describe = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let value = incremental::AlterableConfig::default().with_name(text("retention.ms")).with_value(Some(text("60000")));
    let resource = incremental::AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("t"))
        .with_configs(vec![value]);
    let alter = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let value = alter_configs_request::AlterableConfig::default()
        .with_name(text("retention.ms"))
        .with_value(Some(text("60000")));
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("t"))
        .with_configs(vec![value]);
    let replace = AlterConfigsRequest::default().with_resources(vec![resource]);
    [
        pair.ask(client, &describe, 4, PATIENCE).unwrap().results[0].error_code,
        pair.ask(client, &alter, 1, PATIENCE).unwrap().responses[0].error_code,
        pair.ask(client, &replace, 2, PATIENCE).unwrap().responses[0].error_code,
        pair.ask(client, &alter.with_validate_only(true), 1, PATIENCE).unwrap().responses[0].error_code,
    ]
}

/// The code of the only log directory.
fn sizes(pair: &mut Pair<NativeFilter>, client: ClientId) -> i16 {
    let request = DescribeLogDirsRequest::default().with_topics(None);
    pair.ask(client, &request, 4, PATIENCE).unwrap().results[0].error_code
}

fn records_go_on(pair: &mut Pair<NativeFilter>) {
    let client = pair.connect();
    let response = pair.ask(client, &produce("t", 0, batch(&["a"], None)), 9, PATIENCE).unwrap();
    assert_eq!(produced(&response).0, NONE);
    let response = pair.ask(client, &fetch("t", 0, 0, 100), 11, PATIENCE).unwrap();
    assert_eq!((fetched(&response, 0).0, fetched(&response, 0).2.len()), (NONE, 1));
}

/// `change` for what changes topics, `config` for their configurations.
fn every_request_gets(answer: Option<HttpAnswer>, change: i16, config: i16) {
    let (mut pair, client) = trouble(answer.clone());
    records_go_on(&mut pair);
    assert_eq!(changes(&mut pair, client), [change; 3], "{answer:?}");
    assert_eq!(configurations(&mut pair, client), [config; 4], "{answer:?}");
    assert_eq!(sizes(&mut pair, client), KAFKA_STORAGE_ERROR, "{answer:?}");
    records_go_on_from(&mut pair, 1);
}

/// Nothing waits any more, and the partition takes further records.
fn records_go_on_from(pair: &mut Pair<NativeFilter>, offset: i64) {
    let client = pair.connect();
    let response = pair.ask(client, &produce("t", 0, batch(&["b"], None)), 9, PATIENCE).unwrap();
    assert_eq!(produced(&response), (NONE, offset));
    assert_eq!(pair.awaited(), 0);
}

fn saying(body: &str) -> Option<HttpAnswer> {
    Some(HttpAnswer { body: body.as_bytes().to_vec(), ..HttpAnswer::empty(200) })
}

#[test]
fn an_admin_rest_that_is_not_there_is_a_timeout() {
    for answer in [None, Some(HttpAnswer::empty(503)), Some(HttpAnswer::empty(504))] {
        every_request_gets(answer, REQUEST_TIMED_OUT, REQUEST_TIMED_OUT);
    }
}

#[test]
fn a_topic_that_cannot_be_made_by_asking_has_no_leader_and_one_that_may_not_be_made_is_refused() {
    for (answer, code) in [
        (None, LEADER_NOT_AVAILABLE),
        (Some(HttpAnswer::empty(503)), LEADER_NOT_AVAILABLE),
        (Some(HttpAnswer::empty(401)), TOPIC_AUTHORIZATION_FAILED),
        (Some(HttpAnswer::empty(403)), TOPIC_AUTHORIZATION_FAILED),
    ] {
        let (mut pair, client) = trouble(answer.clone());
        let told = pair.ask(client, &metadata(&["new"]), 9, PATIENCE).unwrap();
        assert_eq!(told.topics[0].error_code, code, "{answer:?}");
    }
}

#[test]
fn a_token_that_may_not_is_told_as_such() {
    for status in [401, 403] {
        every_request_gets(Some(HttpAnswer::empty(status)), TOPIC_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED);
    }
}

#[test]
fn a_pulsar_in_trouble_and_redirects_in_a_circle_are_timeouts() {
    for status in [307, 429, 500, 502] {
        every_request_gets(Some(HttpAnswer::empty(status)), REQUEST_TIMED_OUT, REQUEST_TIMED_OUT);
    }
}

#[test]
fn an_answer_that_is_none_of_pulsars_is_never_taken_for_one() {
    // Nothing changed, although somebody says 200: the broker does not see it.
    for body in ["<html>Welcome!</html>", "{\"retentionTimeInMinutes\": ", "[]", "null"] {
        every_request_gets(saying(body), REQUEST_TIMED_OUT, UNKNOWN_SERVER_ERROR);
    }
}

#[test]
fn a_question_whose_answer_did_not_come_in_time_is_not_asked_again() {
    let (mut pair, client) = trouble(None);
    let (mut patient, waiting) = trouble(Some(HttpAnswer::empty(504)));
    for (pair, client) in [(&mut pair, client), (&mut patient, waiting)] {
        let begun = pair.now().instant;
        assert_eq!(configurations(pair, client), [REQUEST_TIMED_OUT; 4]);
        assert!(pair.now().instant.since(begun) < Duration::from_secs(1));
    }
}

/// What is told where another broker is asked first so many times: the offset at a time, the end of a partition that is empty by now, the
/// size of a partition, and a topic's message limit.
fn told_after(redirects: u32) -> [(i16, i64); 4] {
    let mut broker = ScriptedBroker::new(BrokerConfig::default());
    broker.create_topic("t", 1);
    broker.create_topic("empty", 1);
    broker.set_topic_policy("t", "maxMessageSize", Some(serde_json::json!(1000)));
    let mut pair = Pair::new(NativeFilter::new(Config::default(), 7), broker);
    let client = pair.connect();
    for topic in ["t", "empty"] {
        let response = pair.ask(client, &produce(topic, 0, batch(&["a", "b"], None)), 9, PATIENCE).unwrap();
        assert_eq!(produced(&response), (NONE, 0));
    }
    let now = pair.now();
    pair.broker.unload("empty-partition-0", now);
    pair.broker.trim_ledgers("empty-partition-0", 1);
    pair.broker.unload("empty-partition-0", now);
    pair.run_for(Duration::from_secs(5));
    pair.broker.redirect_admin(redirects);

    let client = pair.connect();
    let offset = |pair: &mut Pair<NativeFilter>, topic: &str, timestamp: i64| {
        let told = pair.ask(client, &list_offsets(topic, 0, timestamp), 7, PATIENCE).unwrap();
        let partition = &told.topics[0].partitions[0];
        (partition.error_code, partition.offset)
    };
    let (by_time, end) = (offset(&mut pair, "t", 0), offset(&mut pair, "empty", -1));
    let sizes = pair.ask(client, &DescribeLogDirsRequest::default().with_topics(None), 4, PATIENCE).unwrap();
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("t"))
        .with_configuration_keys(Some(vec![text("max.message.bytes")]));
    let describe = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let configs = pair.ask(client, &describe, 4, PATIENCE).unwrap();
    let stored = sizes.results[0].topics.iter().filter(|topic| topic.name.as_str() == "t");
    let limit = configs.results[0].configs.first().and_then(|config| config.value.as_ref()?.parse().ok());
    records_go_on_from(&mut pair, 2);
    [
        by_time,
        end,
        (sizes.results[0].error_code, stored.map(|topic| topic.partitions[0].partition_size).sum()),
        (configs.results[0].error_code, limit.unwrap_or(-1)),
    ]
}

#[test]
fn whatever_is_asked_of_the_admin_rest_is_answered_when_the_fifth_broker_is_the_one_that_knows() {
    let told = told_after(0);
    assert!(told[2].1 > 0, "{told:?}");
    assert_eq!(told, [(NONE, 0), (NONE, 2), (NONE, told[2].1), (NONE, 1000)]);
    assert_eq!(told_after(4), told);
}

#[test]
fn redirects_without_an_end_are_an_error() {
    let none = -1;
    let expected =
        [(KAFKA_STORAGE_ERROR, none), (KAFKA_STORAGE_ERROR, none), (KAFKA_STORAGE_ERROR, 0), (REQUEST_TIMED_OUT, none)];
    assert_eq!(told_after(u32::MAX), expected);
}
