//! What a broker is told to be configured with: few things, those that are true and that tools look at. None can be altered here.

use super::defaults::Defaults;
use super::table::TOPIC_CONFIGS;
use super::value::Kind;
use super::view::Source;
use crate::config::Config;

/// One configuration of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerConfig {
    /// Kafka's name for it.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What is in force.
    pub value: String,
    /// Where that comes from.
    pub source: Source,
    /// In a sentence.
    pub about: &'static str,
}

/// The configurations of the broker with that id, by name.
pub fn broker_configs(broker_id: i32, config: &Config, defaults: &Defaults) -> Vec<BrokerConfig> {
    let shipped = Config::default();
    let entry = |name, kind, value: String, shipped: String, about| {
        let source = if value == shipped { Source::Default } else { Source::StaticBroker };
        BrokerConfig { name, kind, value, source, about }
    };
    let number = |name, value: u32, shipped: u32, about| {
        entry(name, Kind::Int(0), value.to_string(), shipped.to_string(), about)
    };
    let given = |name, kind, value: &str, about| entry(name, kind, value.to_owned(), value.to_owned(), about);
    let mut configs = vec![
        entry(
            "broker.id",
            Kind::Int(0),
            broker_id.to_string(),
            String::new(),
            "A hash of the broker's Kafka address, or `node_ids`.",
        ),
        entry(
            "auto.create.topics.enable",
            Kind::Boolean,
            config.auto_create_topics.to_string(),
            shipped.auto_create_topics.to_string(),
            "`auto_create_topics` of the filter.",
        ),
        number(
            "num.partitions",
            config.default_partitions,
            shipped.default_partitions,
            "`default_partitions` of the filter.",
        ),
        given(
            "default.replication.factor",
            Kind::Int(1),
            "1",
            "A partition has one replica for Kafka, the broker that owns it.",
        ),
        given("delete.topic.enable", Kind::Boolean, "true", "Topics can be deleted."),
        number(
            "group.initial.rebalance.delay.ms",
            config.group_initial_rebalance_delay_ms,
            shipped.group_initial_rebalance_delay_ms,
            "`group_initial_rebalance_delay_ms` of the filter.",
        ),
        number(
            "group.min.session.timeout.ms",
            config.group_min_session_timeout_ms,
            shipped.group_min_session_timeout_ms,
            "`group_min_session_timeout_ms` of the filter.",
        ),
        number(
            "group.max.session.timeout.ms",
            config.group_max_session_timeout_ms,
            shipped.group_max_session_timeout_ms,
            "`group_max_session_timeout_ms` of the filter.",
        ),
        number("group.max.size", config.group_max_size, shipped.group_max_size, "`group_max_size` of the filter."),
        number(
            "offset.metadata.max.bytes",
            config.offset_metadata_max_bytes,
            shipped.offset_metadata_max_bytes,
            "`offset_metadata_max_bytes` of the filter.",
        ),
        number(
            "offsets.retention.minutes",
            config.offsets_retention_minutes,
            shipped.offsets_retention_minutes,
            "`offsets_retention_minutes` of the filter.",
        ),
    ];
    let of_topics = TOPIC_CONFIGS.iter().filter_map(|config| {
        let (name, (value, source)) = config.synonym.zip(defaults.of(config))?;
        Some(BrokerConfig { name, kind: config.kind, value, source, about: config.about })
    });
    configs.extend(of_topics);
    configs.sort_by_key(|config| config.name);
    configs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::configs::pulsar::Retention;

    #[test]
    fn a_broker_tells_what_the_filter_and_pulsar_are_set_to() {
        let config = Config { default_partitions: 4, ..Config::default() };
        let told = broker_configs(7, &config, &Defaults::for_tests(Retention::UNLIMITED, 0));
        let find = |name: &str| told.iter().find(|config| config.name == name).unwrap();
        assert_eq!((find("broker.id").value.as_str(), find("broker.id").source), ("7", Source::StaticBroker));
        assert_eq!((find("num.partitions").value.as_str(), find("num.partitions").source), ("4", Source::StaticBroker));
        assert_eq!((find("group.max.size").value.as_str(), find("group.max.size").source), ("2000", Source::Default));
        assert_eq!(
            (find("log.retention.ms").value.as_str(), find("log.retention.ms").source),
            ("-1", Source::StaticBroker)
        );
        assert!(told.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
