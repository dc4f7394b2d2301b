//! CreateTopics, CreatePartitions and DeleteTopics: what clients are told, and what is there afterwards.

use std::time::Duration;

use isthmus::config::Config;
use isthmus::pulsar::proto::ServerError;
use isthmus::pulsar::proto::base_command::Type;
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

const NONE: i16 = 0;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const REQUEST_TIMED_OUT: i16 = 7;
const INVALID_TOPIC: i16 = 17;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const TOPIC_ALREADY_EXISTS: i16 = 36;
const INVALID_PARTITIONS: i16 = 37;
const INVALID_REPLICATION_FACTOR: i16 = 38;
const INVALID_REPLICA_ASSIGNMENT: i16 = 39;
const INVALID_CONFIG: i16 = 40;
const INVALID_REQUEST: i16 = 42;
const POLICY_VIOLATION: i16 = 44;
const UNKNOWN_TOPIC_ID: i16 = 100;

/// What a client is told of one topic: code and words.
type Told = (i16, Option<String>);

fn pair() -> (Pair<NativeFilter>, ClientId) {
    let filter = NativeFilter::new(Config { default_partitions: 4, ..Config::default() }, 7);
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

mod creating {
    use super::*;

    #[test]
    fn a_created_topic_can_be_used_at_once() {
        let (mut pair, client) = pair();
        let response = pair.ask(client, &creation(vec![topic("t", 3)]), 7, SOON).unwrap();
        let row = &response.topics[0];
        assert_eq!((row.error_code, row.num_partitions, row.replication_factor), (NONE, 3, 1));
        assert!(row.error_message.is_none() && row.topic_id.is_nil());
        assert_eq!(partitions(&mut pair, client, "t"), Ok(3));
        let response = pair.ask(client, &produce("t", 2, batch(&["a"], None)), 9, SOON).unwrap();
        assert_eq!(produced(&response), (NONE, 0));
        is_at_rest(&mut pair);
    }

    #[test]
    fn every_served_version_creates() {
        let (mut pair, client) = pair();
        for version in 2..=7 {
            let request = creation(vec![topic(&format!("t{version}"), 1)]);
            let response = pair.ask(client, &request, version, SOON).unwrap();
            assert_eq!(response.topics[0].error_code, NONE, "version {version}");
        }
    }

    #[test]
    fn a_topic_without_numbers_gets_the_defaults() {
        let (mut pair, client) = pair();
        let request = creation(vec![topic("t", -1).with_replication_factor(-1)]);
        let row = pair.ask(client, &request, 7, SOON).unwrap().topics.remove(0);
        assert_eq!((row.error_code, row.num_partitions, row.replication_factor), (NONE, 4, 1));
        assert_eq!(partitions(&mut pair, client, "t"), Ok(4));
    }

    #[test]
    fn several_topics_are_answered_in_the_order_of_the_request() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("t1", 1);
        let topics: Vec<_> = (0..100).rev().map(|number| topic(&format!("t{number}"), 1)).collect();
        let told = create(&mut pair, client, topics);
        let expected: Vec<_> = (0..100).rev().map(|number| format!("t{number}")).collect();
        assert_eq!(told.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), expected);
        let failed: Vec<_> = told.into_iter().filter(|(_, (code, _))| *code != NONE).collect();
        assert_eq!(failed, [("t1".into(), with(TOPIC_ALREADY_EXISTS, "Topic 't1' already exists."))]);
        is_at_rest(&mut pair);
    }

    #[test]
    fn a_topic_that_exists_is_not_created_again_with_or_without_partitions() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("partitioned", 2);
        pair.broker.create_topic("plain", 0);
        for name in ["partitioned", "plain"] {
            let exists = with(TOPIC_ALREADY_EXISTS, &format!("Topic '{name}' already exists."));
            assert_eq!(create_one(&mut pair, client, topic(name, 1)), exists);
            // That goes before whatever else is wrong.
            assert_eq!(create_one(&mut pair, client, topic(name, 0)), exists);
            assert_eq!(create_one(&mut pair, client, configured(name, "nope", Some("1"))), exists);
        }
    }

    #[test]
    fn validation_creates_nothing_and_refuses_what_would_be_refused() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("there", 1);
        let asked = ["there", "new", "a/b"].map(|name| topic(name, 2));
        let request = creation(asked.into()).with_validate_only(true);
        let told: Vec<_> = told_of(&mut pair, client, &request).into_iter().map(|(_, (code, _))| code).collect();
        assert_eq!(told, [TOPIC_ALREADY_EXISTS, NONE, INVALID_TOPIC]);
        assert_eq!(partitions(&mut pair, client, "new"), Err(UNKNOWN_TOPIC_OR_PARTITION));
    }

    #[test]
    fn a_name_that_stands_there_twice_is_refused_once() {
        let (mut pair, client) = pair();
        let told = create(&mut pair, client, vec![topic("a", 1), topic("b", 1), topic("a", 1)]);
        assert_eq!(told, [("a".into(), with(INVALID_REQUEST, "Duplicate topic name.")), ("b".into(), (NONE, None))]);
        assert_eq!(partitions(&mut pair, client, "a"), Err(UNKNOWN_TOPIC_OR_PARTITION));
    }

    #[test]
    fn names_that_cannot_be_are_refused_with_words() {
        let (mut pair, client) = pair();
        for name in ["", ".", "..", "a b", "a/b", "x-partition-3", "__change_events", &"n".repeat(250)] {
            let (code, words) = create_one(&mut pair, client, topic(name, 1));
            assert_eq!(code, INVALID_TOPIC, "{name}");
            assert!(words.unwrap().starts_with("Topic name is invalid: "), "{name}");
        }
    }

    #[test]
    fn a_name_that_pulsar_would_not_give_partitions_is_refused_unless_it_exists() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("x-partition-a", 0);
        assert_eq!(create_one(&mut pair, client, topic("x-partition-a", 1)).0, TOPIC_ALREADY_EXISTS);
        assert_eq!(create_one(&mut pair, client, topic("x-partition-b", 1)).0, INVALID_TOPIC);
        assert_eq!(partitions(&mut pair, client, "x-partition-a"), Ok(1));
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused_in_kafkas_words() {
        let (mut pair, client) = pair();
        for partitions in [0, -2] {
            assert_eq!(
                create_one(&mut pair, client, topic("t", partitions)),
                with(INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value.")
            );
        }
        for factor in [0, -2] {
            assert_eq!(
                create_one(&mut pair, client, topic("t", 1).with_replication_factor(factor)),
                with(
                    INVALID_REPLICATION_FACTOR,
                    "Replication factor must be larger than 0, or -1 to use the default value."
                )
            );
        }
        let (code, words) = create_one(&mut pair, client, topic("t", 1).with_replication_factor(3));
        assert_eq!(code, INVALID_REPLICATION_FACTOR);
        assert!(words.unwrap().starts_with("Unable to replicate the partition 3 time(s): "));
    }

    #[test]
    fn more_partitions_than_kafka_takes_in_one_request_are_refused_for_all_topics() {
        let (mut pair, client) = pair();
        let told = create(&mut pair, client, vec![topic("a", 9_999), topic("b", 2)]);
        let refused = with(POLICY_VIOLATION, "Excessively large number of partitions per request.");
        assert_eq!(told, [("a".into(), refused.clone()), ("b".into(), refused)]);
    }

    #[test]
    fn a_topic_whose_configurations_cannot_be_is_not_made() {
        let (mut pair, client) = pair();
        for (config, value) in [("retention.ms", Some("x")), ("min.insync.replicas", Some("2")), ("nope", None)] {
            let (code, words) = create_one(&mut pair, client, configured("u", config, value));
            assert_eq!(code, INVALID_CONFIG);
            assert!(words.unwrap().contains(config));
        }
        assert_eq!(partitions(&mut pair, client, "u"), Err(UNKNOWN_TOPIC_OR_PARTITION));
    }

    #[test]
    fn an_assignment_to_the_one_broker_makes_as_many_partitions() {
        let (mut pair, client) = pair();
        let node = pair.ask(client, &metadata(&[]), 9, SOON).unwrap().controller_id.0;
        assert_eq!(create_one(&mut pair, client, assigned("t", &[(0, &[node]), (1, &[node])])), (NONE, None));
        assert_eq!(partitions(&mut pair, client, "t"), Ok(2));

        let (code, _) = create_one(&mut pair, client, assigned("u", &[(0, &[node, 987])]));
        assert_eq!(code, INVALID_REPLICA_ASSIGNMENT);
        let beside = assigned("u", &[(0, &[node])]).with_num_partitions(1);
        assert_eq!(
            create_one(&mut pair, client, beside),
            with(INVALID_REQUEST, "A manual partition assignment was specified, but numPartitions was not set to -1.")
        );
        is_at_rest(&mut pair);
    }

    #[test]
    fn a_topic_is_answered_when_this_broker_sees_it() {
        let (mut pair, client) = pair();
        let missing = Effect::Refuse(ServerError::TopicNotFound, "not here yet".into());
        pair.broker.fault(Fault::on(Type::PartitionedMetadata, missing).times(3));
        assert_eq!(create_one(&mut pair, client, topic("t", 2)), (NONE, None));
        assert_eq!(partitions(&mut pair, client, "t"), Ok(2));
        is_at_rest(&mut pair);
    }

    #[test]
    fn what_the_admin_rest_refuses_is_told_with_its_reason() {
        let (mut pair, client) = pair();
        let cases = [
            (401, TOPIC_AUTHORIZATION_FAILED),
            (403, TOPIC_AUTHORIZATION_FAILED),
            (404, POLICY_VIOLATION),
            (406, INVALID_PARTITIONS),
            (412, POLICY_VIOLATION),
            (500, REQUEST_TIMED_OUT),
        ];
        for (status, code) in cases {
            let answer = HttpAnswer::json(status, &serde_json::json!({ "reason": "because" }));
            pair.broker.http_fault(http_fault("PUT", 1, Some(answer)));
            let words = format!("Pulsar's admin REST answered {status}: because");
            assert_eq!(create_one(&mut pair, client, topic("t", 1)), with(code, &words));
        }
        is_at_rest(&mut pair);
    }

    #[test]
    fn an_admin_rest_that_cannot_be_reached_is_an_error_that_passes() {
        let (mut pair, client) = pair();
        // No answer at all, and Envoy's own.
        for answer in [None, Some(HttpAnswer::empty(503))] {
            pair.broker.http_fault(http_fault("PUT", 1, answer));
            let (code, words) = create_one(&mut pair, client, topic("t", 1));
            assert_eq!(code, REQUEST_TIMED_OUT);
            assert!(words.unwrap().contains("check the admin_cluster"));
        }
        assert_eq!(create_one(&mut pair, client, topic("t", 1)), (NONE, None));
    }

    #[test]
    fn a_redirect_is_tried_again_and_given_up_with_advice() {
        let (mut pair, client) = pair();
        pair.broker.http_fault(http_fault("PUT", 2, Some(HttpAnswer::empty(307))));
        assert_eq!(create_one(&mut pair, client, topic("t", 1)), (NONE, None));

        pair.broker.http_fault(http_fault("PUT", 8, Some(HttpAnswer::empty(307))));
        let (code, words) = create_one(&mut pair, client, topic("u", 1));
        assert_eq!(code, REQUEST_TIMED_OUT);
        assert!(words.unwrap().contains("admin_cluster must reach every broker"));
        is_at_rest(&mut pair);
    }

    #[test]
    fn a_request_is_answered_at_its_own_timeout() {
        let (mut pair, client) = pair();
        let silence = Effect::Refuse(ServerError::MetadataError, "busy".into());
        pair.broker.fault(Fault::on(Type::PartitionedMetadata, silence).times(1000));
        let asked = pair.now().instant;
        let request = creation(vec![topic("t", 1)]).with_timeout_ms(1500);
        assert_eq!(told_of(&mut pair, client, &request)[0].1.0, REQUEST_TIMED_OUT);
        let waited = pair.now().instant.since(asked).as_millis();
        assert!((1500..1700).contains(&waited), "{waited}");
    }
}

mod growing {
    use super::*;

    #[test]
    fn a_topic_grows_and_its_new_partitions_can_be_used_at_once() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("t", 1);
        assert_eq!(partitions(&mut pair, client, "t"), Ok(1));
        assert_eq!(grow_one(&mut pair, client, growth("t", 3)), (NONE, None));
        assert_eq!(partitions(&mut pair, client, "t"), Ok(3));
        let response = pair.ask(client, &produce("t", 2, batch(&["a"], None)), 9, SOON).unwrap();
        assert_eq!(produced(&response), (NONE, 0));
        is_at_rest(&mut pair);
    }

    #[test]
    fn every_served_version_grows() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("t", 1);
        for (version, count) in (0..=3).zip(2..) {
            let request =
                CreatePartitionsRequest::default().with_topics(vec![growth("t", count)]).with_timeout_ms(PATIENCE_MS);
            let response = pair.ask(client, &request, version, SOON).unwrap();
            assert_eq!(response.results[0].error_code, NONE, "version {version}");
        }
    }

    #[test]
    fn what_is_no_increase_is_refused_in_kafkas_words() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("t", 5);
        assert_eq!(
            grow_one(&mut pair, client, growth("t", 5)),
            with(INVALID_PARTITIONS, "Topic already has 5 partition(s).")
        );
        for count in [4, 0, -1] {
            let words = format!("The topic t currently has 5 partition(s); {count} would not be an increase.");
            assert_eq!(grow_one(&mut pair, client, growth("t", count)), with(INVALID_PARTITIONS, &words));
        }
    }

    #[test]
    fn more_partitions_than_fit_one_request_are_refused() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("t", 1);
        assert_eq!(grow_one(&mut pair, client, growth("t", i32::MAX)).0, POLICY_VIOLATION);
    }

    #[test]
    fn a_topic_that_does_not_exist_does_not_grow() {
        let (mut pair, client) = pair();
        for name in ["t", "a b", "x-partition-3"] {
            assert_eq!(grow_one(&mut pair, client, growth(name, 2)), (UNKNOWN_TOPIC_OR_PARTITION, None));
        }
    }

    #[test]
    fn a_topic_without_partitions_gets_none() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("plain", 0);
        let (code, words) = grow_one(&mut pair, client, growth("plain", 2));
        assert_eq!(code, INVALID_PARTITIONS);
        assert!(words.unwrap().contains("without partitions"));
    }

    #[test]
    fn growth_that_is_only_validated_does_not_happen() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("t", 1);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![growth("t", 3), growth("t2", 3)])
            .with_timeout_ms(PATIENCE_MS)
            .with_validate_only(true);
        let response = pair.ask(client, &request, 3, SOON).unwrap();
        let codes: Vec<_> = response.results.iter().map(|row| row.error_code).collect();
        assert_eq!(codes, [NONE, UNKNOWN_TOPIC_OR_PARTITION]);
        assert_eq!(partitions(&mut pair, client, "t"), Ok(1));
    }

    #[test]
    fn as_many_assignments_as_new_partitions_are_taken() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("t", 1);
        let node = pair.ask(client, &metadata(&[]), 9, SOON).unwrap().controller_id.0;
        let mut to = |count, lists: &[&[i32]]| {
            let assignments = lists.iter().map(|list| {
                CreatePartitionsAssignment::default().with_broker_ids(list.iter().map(|id| BrokerId(*id)).collect())
            });
            let topic = growth("t", count).with_assignments(Some(assignments.collect()));
            grow_one(&mut pair, client, topic)
        };
        assert_eq!(
            to(3, &[&[node]]),
            with(
                INVALID_REPLICA_ASSIGNMENT,
                "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."
            )
        );
        assert_eq!(to(2, &[&[987]]).0, INVALID_REPLICA_ASSIGNMENT);
        assert_eq!(to(3, &[&[node], &[node]]), (NONE, None));
    }
}

mod deleting {
    use super::*;

    #[test]
    fn a_deleted_topic_is_gone_when_the_client_is_told() {
        let (mut pair, client) = pair();
        for (name, count) in [("partitioned", 3), ("plain", 0)] {
            pair.broker.create_topic(name, count);
            assert_eq!(partitions(&mut pair, client, name), Ok(usize::try_from(count.max(1)).unwrap()));
            assert_eq!(delete_one(&mut pair, client, name), (NONE, None));
            assert_eq!(partitions(&mut pair, client, name), Err(UNKNOWN_TOPIC_OR_PARTITION));
        }
        assert_eq!(pair.broker.topics(), Vec::<String>::new());
        is_at_rest(&mut pair);
    }

    #[test]
    fn every_served_version_deletes() {
        let (mut pair, client) = pair();
        for version in 1..=6 {
            pair.broker.create_topic("t", 1);
            let request = if version < 6 {
                DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text("t"))]).with_timeout_ms(PATIENCE_MS)
            } else {
                deletion(&["t"])
            };
            let response = pair.ask(client, &request, version, SOON).unwrap();
            assert_eq!(response.responses[0].error_code, NONE, "version {version}");
        }
    }

    #[test]
    fn a_topic_can_be_made_again_at_once_and_is_empty() {
        let (mut pair, client) = pair();
        for round in 0..5 {
            assert_eq!(create_one(&mut pair, client, topic("t", 2)), (NONE, None), "round {round}");
            let response = pair.ask(client, &produce("t", 0, batch(&["a"], None)), 9, SOON).unwrap();
            assert_eq!(produced(&response), (NONE, 0), "round {round}");
            assert_eq!(delete_one(&mut pair, client, "t"), (NONE, None), "round {round}");
        }
    }

    #[test]
    fn a_topic_is_deleted_while_it_is_consumed_and_produced_to() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("t", 1);
        let (producer, consumer) = (pair.connect(), pair.connect());
        pair.ask(producer, &produce("t", 0, batch(&["a"], None)), 9, SOON).unwrap();
        let waiting = pair.send(consumer, &fetch("t", 0, 1, 3000), 11);
        pair.run_for(Duration::from_millis(500));

        assert_eq!(delete_one(&mut pair, client, "t"), (NONE, None));

        assert_eq!(partitions(&mut pair, client, "t"), Err(UNKNOWN_TOPIC_OR_PARTITION));
        assert!(pair.wait(waiting, SOON).is_ok());
        is_at_rest(&mut pair);
    }

    #[test]
    fn what_is_not_there_is_unknown() {
        let (mut pair, client) = pair();
        for name in ["t", "a b", "x-partition-3", "__change_events"] {
            assert_eq!(delete_one(&mut pair, client, name), (UNKNOWN_TOPIC_OR_PARTITION, None));
        }
    }

    #[test]
    fn ids_are_unknown_and_a_topic_is_called_in_one_way() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("t", 1);
        pair.broker.create_topic("twice", 1);
        let mut request = deletion(&["twice", "t", "twice"]);
        let by_id = |name: Option<&str>, id: u8| {
            let id = format!("00000000-0000-0000-0000-00000000000{id}").parse().unwrap();
            DeleteTopicState::default().with_name(name.map(|name| TopicName(text(name)))).with_topic_id(id)
        };
        request.topics.extend([by_id(None, 7), by_id(None, 0), by_id(Some("t"), 9), by_id(None, 8), by_id(None, 8)]);
        let response = pair.ask(client, &request, 6, SOON).unwrap();
        let told: Vec<_> = response.responses.iter().map(|row| row.error_code).collect();
        assert_eq!(told, [INVALID_REQUEST, NONE, UNKNOWN_TOPIC_ID, INVALID_REQUEST, INVALID_REQUEST, INVALID_REQUEST]);
        assert_eq!(partitions(&mut pair, client, "twice"), Ok(1));
    }

    #[test]
    fn what_passes_is_tried_again() {
        let (mut pair, client) = pair();
        for status in [307, 409, 412, 500, 503] {
            pair.broker.create_topic("t", 1);
            pair.broker.http_fault(http_fault("DELETE", 3, Some(HttpAnswer::empty(status))));
            assert_eq!(delete_one(&mut pair, client, "t"), (NONE, None), "{status}");
        }
        is_at_rest(&mut pair);
    }

    #[test]
    fn a_deletion_whose_answer_was_lost_counts() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("t", 1);
        pair.broker.http_fault(http_fault("DELETE", 1, Some(HttpAnswer::empty(500))));
        pair.broker.http_fault(http_fault("DELETE", 1, Some(HttpAnswer::empty(404))));
        let missing = Effect::Refuse(ServerError::TopicNotFound, "gone".into());
        pair.broker.fault(Fault::on(Type::PartitionedMetadata, missing).after(1));
        assert_eq!(delete_one(&mut pair, client, "t"), (NONE, None));
        is_at_rest(&mut pair);
    }

    #[test]
    fn a_refusal_that_lasts_is_told_before_the_client_gives_up() {
        let (mut pair, client) = pair();
        pair.broker.create_topic("t", 1);
        pair.broker.http_fault(http_fault("DELETE", 8, Some(HttpAnswer::empty(503))));
        assert_eq!(delete_one(&mut pair, client, "t").0, REQUEST_TIMED_OUT);
        pair.broker.http_fault(http_fault("DELETE", 1, Some(HttpAnswer::empty(403))));
        assert_eq!(delete_one(&mut pair, client, "t").0, TOPIC_AUTHORIZATION_FAILED);
        assert_eq!(partitions(&mut pair, client, "t"), Ok(1));
        is_at_rest(&mut pair);
    }
}
