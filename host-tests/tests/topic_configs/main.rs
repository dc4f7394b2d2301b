//! DescribeConfigs, IncrementalAlterConfigs, AlterConfigs and CreateTopics with configurations: what clients are told, and what
//! Pulsar has afterwards.

mod altering;
mod creating;
mod describing;
mod stopping_compaction;
mod untold_defaults;

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus::config::Config;
use isthmus_host_tests::codes::{
    INVALID_CONFIG, INVALID_REQUEST, INVALID_TOPIC_EXCEPTION, NONE, REQUEST_TIMED_OUT, TOPIC_ALREADY_EXISTS,
    TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION,
};
use isthmus_host_tests::http::HttpAnswer;
use isthmus_host_tests::pair::records::{batch, fetch, fetched, metadata, produce, produced};
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
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

const DYNAMIC_TOPIC: i8 = 1;
const STATIC_BROKER: i8 = 4;
const DEFAULT: i8 = 5;

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
        let request =
            CreateTopicsRequest::default().with_topics(vec![new_topic(name, values)]).with_timeout_ms(timeout_ms);
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

fn new_topic(name: &str, values: &[(&str, &str)]) -> CreatableTopic {
    let configs = values
        .iter()
        .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
    CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(configs.collect())
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
