//! DescribeConfigs, IncrementalAlterConfigs, AlterConfigs and CreateTopics with configurations: what clients are told, and what
//! Pulsar has afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus::config::Config;
use isthmus_host_tests::http::HttpAnswer;
use isthmus_host_tests::pair::records::metadata;
use isthmus_host_tests::pair::{ClientId, NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, HttpFault, ScriptedBroker};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    AlterConfigsRequest, CreateTopicsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, TopicName,
    alter_configs_request, incremental_alter_configs_request,
};
use kafka_protocol::protocol::StrBytes;
use serde_json::json;

const SOON: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(60);
const THRESHOLD: i64 = 16 << 20;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

const DYNAMIC_TOPIC: i8 = 1;
const STATIC_BROKER: i8 = 4;
const DEFAULT: i8 = 5;

const NONE: i16 = 0;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const REQUEST_TIMED_OUT: i16 = 7;
const INVALID_TOPIC: i16 = 17;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const INVALID_CONFIG: i16 = 40;
const INVALID_REQUEST: i16 = 42;

/// A broker that has a topic `t` with two partitions, and a client.
struct Scene {
    pair: Pair<NativeFilter>,
    client: ClientId,
}

/// A configuration's value and source.
type Seen = (String, i8);

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

fn scene() -> Scene {
    Scene::new(Config::default(), BrokerConfig::default())
}

impl Scene {
    fn new(config: Config, broker: BrokerConfig) -> Self {
        let mut pair = Pair::new(NativeFilter::new(config, 7), ScriptedBroker::new(broker));
        pair.broker.create_topic("t", 2);
        let client = pair.connect();
        Self { pair, client }
    }

    fn described(&mut self, kind: i8, name: &str) -> Result<BTreeMap<String, Seen>, (i16, String)> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(None);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let [row] = self.pair.ask(self.client, &request, 4, PATIENCE).unwrap().results.try_into().unwrap();
        assert_eq!((row.resource_type, row.resource_name.as_str()), (kind, name));
        if row.error_code != NONE {
            return Err((row.error_code, row.error_message.map(|words| words.to_string()).unwrap_or_default()));
        }
        let configs = row.configs.into_iter();
        Ok(configs
            .map(|config| (config.name.to_string(), (config.value.unwrap().to_string(), config.config_source)))
            .collect())
    }

    fn seen(&mut self, config: &str) -> Seen {
        self.described(TOPIC, "t").unwrap().remove(config).unwrap_or_else(|| panic!("{config} is not told"))
    }

    fn alter_each(
        &mut self,
        name: &str,
        operations: &[(i8, &str, Option<&str>)],
        validate_only: bool,
    ) -> (i16, String) {
        let request = altered(TOPIC, name, operations).with_validate_only(validate_only);
        let [row] = self.pair.ask(self.client, &request, 1, PATIENCE).unwrap().responses.try_into().unwrap();
        (row.error_code, row.error_message.map(|words| words.to_string()).unwrap_or_default())
    }

    fn alter(&mut self, operations: &[(i8, &str, Option<&str>)]) -> (i16, String) {
        self.alter_each("t", operations, false)
    }

    fn set(&mut self, config: &str, value: &str) -> (i16, String) {
        self.alter(&[(SET, config, Some(value))])
    }

    fn replace(&mut self, values: &[(&str, &str)]) -> i16 {
        let configs = values.iter().map(|(name, value)| {
            alter_configs_request::AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)))
        });
        let resource = alter_configs_request::AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text("t"))
            .with_configs(configs.collect());
        let request = AlterConfigsRequest::default().with_resources(vec![resource]);
        self.pair.ask(self.client, &request, 2, PATIENCE).unwrap().responses[0].error_code
    }

    fn create(&mut self, name: &str, values: &[(&str, &str)]) -> (i16, String, BTreeMap<String, Seen>) {
        self.create_within(name, values, 20_000)
    }

    fn create_within(
        &mut self,
        name: &str,
        values: &[(&str, &str)],
        timeout_ms: i32,
    ) -> (i16, String, BTreeMap<String, Seen>) {
        let configs = values
            .iter()
            .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(1)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(timeout_ms);
        let [row] = self.pair.ask(self.client, &request, 7, PATIENCE).unwrap().topics.try_into().unwrap();
        let told = row.configs.unwrap_or_default().into_iter();
        let told =
            told.map(|config| (config.name.to_string(), (config.value.unwrap().to_string(), config.config_source)));
        (row.error_code, row.error_message.map(|words| words.to_string()).unwrap_or_default(), told.collect())
    }

    fn policy(&self, policy: &str) -> Option<serde_json::Value> {
        self.pair.broker.topic_policy("t", policy).cloned()
    }

    fn fault(&mut self, contains: &str, times: u32, answer: Option<HttpAnswer>) {
        self.pair.broker.http_fault(HttpFault { contains: contains.to_string(), times, answer });
    }

    /// Nothing is left in flight, and everything that was to go wrong did.
    fn is_at_rest(&mut self) {
        self.pair.run_for(Duration::from_secs(1));
        assert_eq!(self.pair.awaited(), 0, "requests without an answer");
        assert!(self.pair.broker.faults_are_spent(), "a fault that never happened");
    }
}

fn altered(kind: i8, name: &str, operations: &[(i8, &str, Option<&str>)]) -> IncrementalAlterConfigsRequest {
    let configs = operations.iter().map(|(operation, name, value)| {
        incremental_alter_configs_request::AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    });
    let resource = incremental_alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs.collect());
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
}

fn is(value: &str, source: i8) -> Seen {
    (value.to_string(), source)
}

mod describing {
    use super::*;

    #[test]
    fn a_topic_without_policies_has_its_namespaces() {
        let mut scene = scene();
        assert_eq!(scene.seen("retention.ms"), is("-1", STATIC_BROKER));
        assert_eq!(scene.seen("cleanup.policy"), is("delete", DEFAULT));
        assert_eq!(scene.seen("max.message.bytes"), is("5242880", DEFAULT));
        assert_eq!(scene.seen("segment.ms"), is("14400000", DEFAULT));
    }

    #[test]
    fn what_the_namespace_leaves_open_is_the_brokers() {
        let mut scene = scene();
        scene.pair.broker.set_namespace_policy("retention_policies", json!(null));
        assert_eq!(scene.seen("retention.ms"), is("0", DEFAULT));
    }

    #[test]
    fn what_pulsars_tools_set_is_shown() {
        let mut scene = scene();
        scene.pair.broker.set_topic_policy(
            "t",
            "retention",
            Some(json!({"retentionTimeInMinutes": 3, "retentionSizeInMB": 2})),
        );
        scene.pair.broker.set_topic_policy("t", "maxMessageSize", Some(json!(1000)));
        assert_eq!(scene.seen("retention.ms"), is("180000", DYNAMIC_TOPIC));
        assert_eq!(scene.seen("retention.bytes"), is("2097152", DYNAMIC_TOPIC));
        assert_eq!(scene.seen("max.message.bytes"), is("1000", DYNAMIC_TOPIC));
    }

    #[test]
    fn a_broker_without_a_right_to_its_configuration_is_not_guessed_at() {
        let mut scene = scene();
        scene.pair.broker.set_namespace_policy("retention_policies", json!(null));
        // The policies of the namespace are looked at once for each worker, too.
        scene.fault("configuration/runtime", 2, Some(HttpAnswer::empty(403)));
        let told = scene.described(TOPIC, "t").unwrap();
        assert!(!told.contains_key("retention.ms") && !told.contains_key("cleanup.policy"));
        assert!(told.contains_key("min.insync.replicas"));
    }

    #[test]
    fn topics_that_cannot_be_or_are_not_are_told_so() {
        let mut scene = scene();
        for (name, code) in
            [("none", UNKNOWN_TOPIC_OR_PARTITION), ("a b", INVALID_TOPIC), ("__kafka_group_x", INVALID_TOPIC)]
        {
            assert_eq!(scene.described(TOPIC, name).unwrap_err().0, code, "{name}");
        }
    }

    #[test]
    fn a_broker_is_told_what_the_filter_is_set_to() {
        let mut scene = Scene::new(Config { default_partitions: 3, ..Config::default() }, BrokerConfig::default());
        let node = scene.pair.ask(scene.client, &metadata(&[]), 9, SOON).unwrap().controller_id.0.to_string();
        let told = scene.described(BROKER, &node).unwrap();
        assert_eq!(told["num.partitions"], is("3", STATIC_BROKER));
        assert_eq!(told["broker.id"], is(&node, STATIC_BROKER));
        assert_eq!(scene.described(BROKER, "").unwrap(), BTreeMap::new());
        assert_eq!(scene.described(BROKER, "987").unwrap_err().0, INVALID_REQUEST);
        assert_eq!(scene.described(BROKER, "x").unwrap_err().1, "Broker id must be an integer, but it is: x");
        assert_eq!(scene.described(8, &node).unwrap_err().0, INVALID_REQUEST);
    }

    #[test]
    fn only_what_is_asked_for_is_told() {
        let mut scene = scene();
        let resource = |keys: &[&str]| {
            let keys = keys.iter().map(|key| text(key)).collect();
            DescribeConfigsResource::default()
                .with_resource_type(TOPIC)
                .with_resource_name(text("t"))
                .with_configuration_keys(Some(keys))
        };
        let request = DescribeConfigsRequest::default()
            .with_resources(vec![resource(&["retention.ms", "nope"])])
            .with_include_synonyms(true);
        let documented = request.clone().with_include_documentation(true);
        let response = scene.pair.ask(scene.client, &documented, 3, SOON).unwrap();
        let [config] = response.results[0].configs.clone().try_into().unwrap();
        assert_eq!(config.config_type, 5);
        assert!(config.documentation.unwrap().contains("minutes"));
        let [synonym] = config.synonyms.try_into().unwrap();
        assert_eq!((synonym.name.as_str(), synonym.source), ("log.retention.ms", STATIC_BROKER));

        let plain = scene.pair.ask(scene.client, &request.with_include_synonyms(false), 3, SOON).unwrap();
        assert_eq!(plain.results[0].configs[0].synonyms, []);
        assert_eq!(plain.results[0].configs[0].documentation, None);
    }

    #[test]
    fn the_admin_rest_down_refusing_silent_or_garbled_is_an_error_in_time() {
        for (answer, code) in [
            (Some(HttpAnswer::empty(503)), REQUEST_TIMED_OUT),
            (Some(HttpAnswer::empty(401)), TOPIC_AUTHORIZATION_FAILED),
            (Some(HttpAnswer { body: b"<html>".to_vec(), ..HttpAnswer::empty(200) }), -1),
            (None, REQUEST_TIMED_OUT),
        ] {
            let mut scene = scene();
            scene.fault("persistent/public/default/t/retention", 8, answer.clone());
            assert_eq!(scene.described(TOPIC, "t").unwrap_err().0, code, "{answer:?}");
            let began = scene.pair.now().instant;
            assert!(scene.pair.ask(scene.client, &metadata(&["t"]), 9, SOON).is_ok(), "the connection goes on");
            assert!(scene.pair.now().instant.since(began) < SOON);
        }
    }
}

mod altering {
    use super::*;

    #[test]
    fn retention_is_rounded_up_and_told_back_as_it_was_given() {
        let mut scene = scene();
        assert_eq!(scene.set("retention.ms", "90000"), (NONE, String::new()));
        assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": 2, "retentionSizeInMB": -1})));
        assert_eq!(scene.seen("retention.ms"), is("90000", DYNAMIC_TOPIC));
        assert_eq!(scene.seen("retention.bytes"), is("-1", STATIC_BROKER));
        assert_eq!(scene.pair.broker.properties("t"), [("kafka.retention.ms".to_string(), "90000".to_string())].into());
        scene.is_at_rest();
    }

    #[test]
    fn a_deleted_value_leaves_neither_policy_nor_property() {
        let mut scene = scene();
        scene.set("retention.ms", "90000");
        assert_eq!(scene.alter(&[(DELETE, "retention.ms", None)]), (NONE, String::new()));
        assert_eq!(scene.policy("retention"), None);
        assert_eq!(scene.pair.broker.properties("t"), BTreeMap::new());
        assert_eq!(scene.seen("retention.ms"), is("-1", STATIC_BROKER));
    }

    #[test]
    fn a_compacted_topic_is_compacted_by_pulsar_and_keeps_everything_else() {
        let mut scene = scene();
        scene
            .pair
            .broker
            .set_namespace_policy("retention_policies", json!({"retentionTimeInMinutes": 9, "retentionSizeInMB": 9}));
        assert_eq!(scene.set("cleanup.policy", "compact"), (NONE, String::new()));
        assert_eq!(scene.policy("compactionThreshold"), Some(json!(THRESHOLD)));
        assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": -1, "retentionSizeInMB": -1})));
        assert_eq!(scene.seen("cleanup.policy"), is("compact", DYNAMIC_TOPIC));
        assert_eq!(scene.seen("retention.ms"), is("-1", DEFAULT));

        scene.alter(&[(APPEND, "cleanup.policy", Some("delete")), (SET, "retention.ms", Some("60000"))]);
        assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": 1, "retentionSizeInMB": 9})));
        assert_eq!(scene.seen("cleanup.policy"), is("compact,delete", DYNAMIC_TOPIC));
    }

    #[test]
    fn a_topic_that_pulsars_tools_stopped_compacting_is_no_longer_told_to_be() {
        let mut scene = scene();
        scene.set("cleanup.policy", "compact");
        scene.pair.broker.set_topic_policy("t", "compactionThreshold", None);
        assert_eq!(scene.seen("cleanup.policy"), is("delete", DEFAULT));
    }

    #[test]
    fn all_policies_come_about_although_the_broker_reads_its_own_changes_late() {
        let mut scene = Scene::new(
            Config::default(),
            BrokerConfig { policies_lag: Duration::from_millis(300), ..BrokerConfig::default() },
        );
        let all = [
            (SET, "retention.ms", Some("60000")),
            (SET, "cleanup.policy", Some("compact,delete")),
            (SET, "max.message.bytes", Some("1000")),
        ];
        assert_eq!(scene.alter(&all), (NONE, String::new()));
        assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": 1, "retentionSizeInMB": -1})));
        assert_eq!(scene.policy("compactionThreshold"), Some(json!(THRESHOLD)));
        assert_eq!(scene.policy("maxMessageSize"), Some(json!(1000)));
        assert_eq!(scene.seen("max.message.bytes"), is("1000", DYNAMIC_TOPIC), "and it is seen at once");
        scene.is_at_rest();
    }

    #[test]
    fn validation_changes_nothing_and_refuses_what_would_be_refused() {
        let mut scene = scene();
        assert_eq!(scene.alter_each("t", &[(SET, "retention.ms", Some("5"))], true), (NONE, String::new()));
        assert_eq!(scene.alter_each("t", &[(SET, "retention.ms", Some("-5"))], true).0, INVALID_CONFIG);
        assert_eq!(scene.alter_each("none", &[(SET, "retention.ms", Some("5"))], true).0, UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(scene.policy("retention"), None);
        assert_eq!(scene.pair.broker.properties("t"), BTreeMap::new());
    }

    #[test]
    fn a_request_with_one_impossible_value_changes_nothing() {
        let mut scene = scene();
        let told = scene.alter(&[(SET, "retention.ms", Some("5")), (SET, "min.insync.replicas", Some("2"))]);
        assert_eq!(told.0, INVALID_CONFIG);
        assert_eq!(scene.policy("retention"), None);
    }

    #[test]
    fn refusals_are_in_apache_kafkas_codes_and_words() {
        let mut scene = scene();
        assert_eq!(scene.set("nope", "1"), (INVALID_CONFIG, "Unknown topic config name: nope".into()));
        let null = (INVALID_REQUEST, "Null value not supported for : retention.ms".into());
        assert_eq!(scene.alter(&[(SET, "retention.ms", None)]), null);
        let twice = [(SET, "retention.ms", Some("1")), (DELETE, "retention.ms", None)];
        assert_eq!(scene.alter(&twice), (INVALID_REQUEST, "Error due to duplicate config keys".into()));
        let none = (UNKNOWN_TOPIC_OR_PARTITION, "The topic 'none' does not exist.".into());
        assert_eq!(scene.alter_each("none", &[], false), none);
        assert_eq!(scene.alter_each("__kafka_group_g", &[], false).0, INVALID_TOPIC);
    }

    #[test]
    fn a_whole_set_of_values_takes_the_place_of_the_old_one() {
        let mut scene = scene();
        scene.set("max.message.bytes", "1000");
        assert_eq!(scene.replace(&[("retention.bytes", "1048577"), ("compression.type", "producer")]), NONE);
        assert_eq!(scene.policy("maxMessageSize"), None);
        assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": -1, "retentionSizeInMB": 2})));
        assert_eq!(scene.seen("compression.type"), is("producer", DYNAMIC_TOPIC));
        assert_eq!(scene.replace(&[]), NONE);
        assert_eq!(scene.pair.broker.properties("t"), BTreeMap::new());
        assert_eq!(scene.policy("retention"), None);
    }

    #[test]
    fn what_the_operator_wants_ignored_is_taken_and_not_shown() {
        let config = Config { ignored_topic_configs: ["segment.bytes".to_string()].into(), ..Config::default() };
        let mut scene = Scene::new(config, BrokerConfig::default());
        assert_eq!(scene.set("segment.bytes", "52428800"), (NONE, String::new()));
        assert_eq!(scene.seen("segment.bytes"), is("2147483647", DEFAULT));
    }

    #[test]
    fn changes_of_one_connection_follow_each_other() {
        let mut scene = scene();
        let first = altered(TOPIC, "t", &[(SET, "cleanup.policy", Some("compact"))]);
        let second = altered(TOPIC, "t", &[(APPEND, "cleanup.policy", Some("delete"))]);
        let tickets = [first, second].map(|request| scene.pair.send(scene.client, &request, 1));
        for ticket in tickets {
            assert_eq!(scene.pair.wait(ticket, SOON).unwrap().responses[0].error_code, NONE);
        }
        assert_eq!(scene.seen("cleanup.policy"), is("compact,delete", DYNAMIC_TOPIC));
    }

    #[test]
    fn a_broker_cannot_be_altered() {
        let mut scene = scene();
        let node = scene.pair.ask(scene.client, &metadata(&[]), 9, SOON).unwrap().controller_id.0.to_string();
        let request = altered(BROKER, &node, &[(SET, "num.partitions", Some("2"))]);
        let [row] = scene.pair.ask(scene.client, &request, 1, SOON).unwrap().responses.try_into().unwrap();
        assert_eq!(row.error_code, INVALID_REQUEST);
        assert_eq!(row.error_message.unwrap().as_str(), "Cannot update these configs dynamically: [num.partitions]");
    }

    #[test]
    fn a_passing_error_is_passed_over() {
        let mut scene = scene();
        scene.fault("POST", 3, Some(HttpAnswer::empty(500)));
        scene.fault("PUT", 1, Some(HttpAnswer::empty(409)));
        assert_eq!(scene.set("retention.ms", "60000"), (NONE, String::new()));
        scene.is_at_rest();
    }

    #[test]
    fn what_pulsar_refuses_is_an_error_with_its_reason() {
        let mut scene = scene();
        let reason = HttpAnswer::json(412, &json!({"reason": "Retention Quota must exceed configured backlog quota"}));
        scene.fault("POST", 1, Some(reason));
        let (code, words) = scene.set("retention.ms", "60000");
        assert_eq!(code, INVALID_CONFIG);
        assert!(words.contains("Retention Quota must exceed"), "{words}");
        assert_eq!(scene.pair.broker.properties("t"), BTreeMap::new(), "nothing is remembered that is not there");
    }

    #[test]
    fn an_admin_rest_that_is_silent_ends_in_an_error() {
        let mut scene = scene();
        scene.fault("POST", 8, None);
        assert_eq!(scene.set("retention.ms", "60000").0, REQUEST_TIMED_OUT);
        scene.is_at_rest();
    }

    #[test]
    fn policies_of_topics_switched_off_are_named_as_the_reason() {
        let mut scene =
            Scene::new(Config::default(), BrokerConfig { topic_policies: false, ..BrokerConfig::default() });
        assert_eq!(scene.seen("retention.ms"), is("-1", STATIC_BROKER));
        let (code, words) = scene.set("retention.ms", "60000");
        assert_eq!(code, INVALID_CONFIG);
        assert!(words.contains("topicLevelPoliciesEnabled"), "{words}");
    }
}

mod creating {
    use super::*;

    #[test]
    fn a_topic_begins_with_its_policies_and_is_told_with_them() {
        let mut scene = scene();
        let (code, _, told) = scene.create("new", &[("cleanup.policy", "compact"), ("max.message.bytes", "1000")]);
        assert_eq!(code, NONE);
        assert_eq!(told["cleanup.policy"], is("compact", DYNAMIC_TOPIC));
        assert_eq!(told["max.message.bytes"], is("1000", DYNAMIC_TOPIC));
        assert_eq!(told["min.insync.replicas"], is("1", DEFAULT));
        assert_eq!(told, scene.described(TOPIC, "new").unwrap());
        assert_eq!(scene.pair.broker.topic_policy("new", "compactionThreshold"), Some(&json!(THRESHOLD)));
        assert_eq!(scene.pair.broker.properties("new")["kafka.cleanup.policy"], "compact");
        scene.is_at_rest();
    }

    #[test]
    fn a_topic_that_pulsar_does_not_let_be_configured_is_taken_back() {
        let mut scene = scene();
        scene.fault("POST", 1, Some(HttpAnswer::empty(412)));
        let (code, _, _) = scene.create("new", &[("retention.ms", "60000")]);
        assert_eq!(code, INVALID_CONFIG);
        assert_eq!(scene.described(TOPIC, "new").unwrap_err().0, UNKNOWN_TOPIC_OR_PARTITION);
        scene.is_at_rest();
    }

    #[test]
    fn a_topic_that_can_neither_be_configured_nor_taken_back_is_told_as_what_it_is() {
        let mut scene = scene();
        scene.fault("POST", 1, Some(HttpAnswer::empty(412)));
        scene.fault("DELETE", 1, Some(HttpAnswer::empty(403)));
        let (code, words, _) = scene.create("new", &[("retention.ms", "60000")]);
        assert_eq!(code, INVALID_CONFIG);
        assert!(words.starts_with("created, but without its configurations: "), "{words}");
    }

    #[test]
    fn a_topic_that_is_not_configured_by_the_requests_own_timeout_is_told_as_what_it_is() {
        let mut scene = scene();
        scene.fault("POST", 8, Some(HttpAnswer::empty(503)));
        let (code, words, _) = scene.create_within("new", &[("retention.ms", "60000")], 1000);
        assert_eq!(code, REQUEST_TIMED_OUT);
        assert_eq!(words, "created, but Pulsar did not take its configurations in time");
    }
}
