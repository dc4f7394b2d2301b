//! Requests about configurations, and what tools ask a cluster besides.

use bytes::BytesMut;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::client::TOPICS;
use super::source::Source;

const KINDS: [i8; 5] = [2, 2, 2, 4, 99];
pub const CONFIGS: [&str; 6] =
    ["retention.ms", "cleanup.policy", "max.message.bytes", "segment.bytes", "flush.ms", "x"];
pub const VALUES: [&str; 6] = ["1", "compact", "delete, compact", "-1", "9223372036854775807", ""];

/// Writes the body of a request, all of which have answers; the outer `None` if the API is not of these, the inner if it cannot be
/// written.
pub fn body(key: ApiKey, version: i16, source: &mut Source<'_>, out: &mut BytesMut) -> Option<Option<bool>> {
    #[allow(clippy::wildcard_enum_match_arm, reason = "Kafka has many more")]
    let written = match key {
        ApiKey::DescribeConfigs => {
            let keys = (source.below(2) == 1).then(|| vec![text(source, &CONFIGS)]);
            let resource = DescribeConfigsResource::default()
                .with_resource_type(*source.pick(&KINDS))
                .with_resource_name(text(source, &TOPICS))
                .with_configuration_keys(keys);
            let request = DescribeConfigsRequest::default().with_resources(vec![resource; 1 + source.below(3)]);
            request.with_include_synonyms(source.below(2) == 1).encode(out, version)
        }
        ApiKey::IncrementalAlterConfigs => {
            let configs = (0..source.below(4)).map(|_| {
                incremental_alter_configs_request::AlterableConfig::default()
                    .with_name(text(source, &CONFIGS))
                    .with_config_operation(*source.pick(&[0, 0, 1, 2, 3, 9]))
                    .with_value(value(source))
            });
            let configs = configs.collect();
            let resource = incremental_alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(*source.pick(&KINDS))
                .with_resource_name(text(source, &TOPICS))
                .with_configs(configs);
            let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
            request.with_validate_only(source.below(4) == 3).encode(out, version)
        }
        ApiKey::AlterConfigs => {
            let configs = (0..source.below(4)).map(|_| {
                alter_configs_request::AlterableConfig::default()
                    .with_name(text(source, &CONFIGS))
                    .with_value(value(source))
            });
            let configs = configs.collect();
            let resource = alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(*source.pick(&KINDS))
                .with_resource_name(text(source, &TOPICS))
                .with_configs(configs);
            let request = AlterConfigsRequest::default().with_resources(vec![resource; 1 + source.below(2)]);
            request.with_validate_only(source.below(4) == 3).encode(out, version)
        }
        ApiKey::ListConfigResources => {
            let types = if version >= 1 { vec![*source.pick(&KINDS); source.below(3)] } else { Vec::new() };
            ListConfigResourcesRequest::default().with_resource_types(types).encode(out, version)
        }
        ApiKey::DescribeLogDirs => {
            let topics = (source.below(2) == 1).then(|| {
                let topic = DescribableLogDirTopic::default().with_topic(TopicName(text(source, &TOPICS)));
                vec![topic.with_partitions(vec![source.int32(), 0])]
            });
            DescribeLogDirsRequest::default().with_topics(topics).encode(out, version)
        }
        ApiKey::ElectLeaders => {
            let topics = (source.below(4) > 0).then(|| {
                let topic = TopicPartitions::default().with_topic(TopicName(text(source, &TOPICS)));
                vec![topic.with_partitions(vec![source.int32(), 0])]
            });
            let request = ElectLeadersRequest::default().with_topic_partitions(topics);
            request.with_timeout_ms(source.int32()).encode(out, version)
        }
        ApiKey::ListPartitionReassignments => ListPartitionReassignmentsRequest::default().encode(out, version),
        ApiKey::DescribeClientQuotas => DescribeClientQuotasRequest::default().encode(out, version),
        ApiKey::DescribeAcls => DescribeAclsRequest::default().encode(out, version),
        ApiKey::DescribeUserScramCredentials => {
            let users = (source.below(2) == 1).then(|| vec![UserName::default().with_name(text(source, &TOPICS))]);
            DescribeUserScramCredentialsRequest::default().with_users(users).encode(out, version)
        }
        _ => return None,
    };
    Some(written.ok().map(|()| true))
}

/// A value, or null.
pub fn value(source: &mut Source<'_>) -> Option<StrBytes> {
    (source.below(8) < 7).then(|| text(source, &VALUES))
}

pub fn text(source: &mut Source<'_>, of: &[&'static str]) -> StrBytes {
    StrBytes::from_static_str(of[source.below(of.len())])
}
