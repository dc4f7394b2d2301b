//! What is in force for a topic, in Kafka's words.

use std::collections::BTreeMap;

use super::defaults::Defaults;
use super::pulsar::{Retention, TopicPolicies};
use super::table::{Mapping, TOPIC_CONFIGS, TopicConfig};
use super::value::split;

/// Where a value comes from, as DescribeConfigs numbers it (`DescribeConfigsResponse.ConfigSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The topic itself.
    DynamicTopic = 1,
    /// The namespace, the broker's configuration or the filter's.
    StaticBroker = 4,
    /// Neither: so it is as Pulsar and the filter are shipped.
    Default = 5,
}

/// A topic as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicState {
    /// Values that were set, as they were given, by Kafka's names.
    pub remembered: BTreeMap<&'static str, String>,
    /// Its policies.
    pub policies: TopicPolicies,
}

/// One configuration of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Kafka's name for it.
    pub name: &'static str,
    /// What is in force.
    pub value: String,
    /// Where that comes from.
    pub source: Source,
    /// What would be in force if the topic had nothing of its own, and where that comes from.
    pub default: Option<(String, Source)>,
}

/// `cleanup.policy`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// The latest value of each key is kept.
    pub compact: bool,
    /// What is old or too much is dropped.
    pub delete: bool,
}

impl CleanupPolicy {
    /// Of a value that was checked.
    pub fn of(value: &str) -> Self {
        Self { compact: split(value).any(|word| word == "compact"), delete: split(value).any(|word| word == "delete") }
    }

    fn text(self) -> &'static str {
        match (self.compact, self.delete) {
            (true, true) => "compact,delete",
            (true, false) => "compact",
            (false, true) => "delete",
            (false, false) => "",
        }
    }
}

/// Every configuration that is known, in the order of the table. What nobody tells the filter is left out.
pub fn view(topic: &TopicState, defaults: &Defaults) -> Vec<Shown> {
    let cleanup = cleanup_policy(topic, defaults);
    // Without a word about deletion it is as if there were one.
    let delete = cleanup.as_ref().is_none_or(|(value, _)| CleanupPolicy::of(value).delete);
    let shown = TOPIC_CONFIGS.iter().filter_map(|config| {
        let (value, source) = match config.mapping {
            Mapping::CleanupPolicy => cleanup.clone()?,
            Mapping::RetentionMs | Mapping::RetentionBytes if !delete => unlimited(config, topic),
            Mapping::RetentionMs => retention(config, topic, defaults, Retention::retention_ms)?,
            Mapping::RetentionBytes => retention(config, topic, defaults, Retention::retention_bytes)?,
            Mapping::MaxMessageBytes => match topic.policies.max_message_size.filter(|size| *size > 0) {
                Some(size) => (size.min(defaults.max_message_bytes).to_string(), Source::DynamicTopic),
                None => defaults.of(config)?,
            },
            Mapping::LedgerBytes | Mapping::LedgerMs | Mapping::Given(_) => {
                let (value, source) = defaults.of(config)?;
                let is_set = topic.remembered.get(config.name) == Some(&value);
                (value, if is_set { Source::DynamicTopic } else { source })
            }
        };
        Some(Shown { name: config.name, value, source, default: defaults.of(config) })
    });
    shown.collect()
}

/// The values that the topic has for itself.
pub fn dynamic(shown: &[Shown]) -> BTreeMap<&'static str, String> {
    let own = shown.iter().filter(|shown| shown.source == Source::DynamicTopic);
    own.map(|shown| (shown.name, shown.value.clone())).collect()
}

/// What compacts is what Pulsar's threshold says; the property only tells how it was put.
fn cleanup_policy(topic: &TopicState, defaults: &Defaults) -> Option<(String, Source)> {
    let own = topic.policies.compaction_threshold;
    let compact = own.or(defaults.compaction_threshold())? > 0;
    let retention = topic.policies.retention.or(defaults.retention());
    let is_unlimited = retention == Some(Retention::UNLIMITED);
    if let Some(value) = topic.remembered.get("cleanup.policy") {
        let asked = CleanupPolicy::of(value);
        if asked.compact == compact && (asked.delete || is_unlimited) {
            return Some((value.clone(), Source::DynamicTopic));
        }
    }
    let default = defaults.cleanup_policy();
    let in_force = CleanupPolicy { compact, delete: !(compact && is_unlimited) }.text().to_owned();
    match (own, default) {
        (Some(_), Some((value, source))) if value == in_force => Some((value, source)),
        (Some(_), _) => Some((in_force, Source::DynamicTopic)),
        (None, Some((_, source))) => Some((in_force, source)),
        (None, None) => None,
    }
}

/// Nothing is deleted; what was set is told all the same, as Kafka does, and counts again once `delete` is back.
fn unlimited(config: &TopicConfig, topic: &TopicState) -> (String, Source) {
    match topic.remembered.get(config.name) {
        Some(value) => (value.clone(), Source::DynamicTopic),
        None => ("-1".to_owned(), Source::Default),
    }
}

/// One of the two limits. Pulsar's policy has both; the one that nobody set is only its default's copy.
fn retention(
    config: &TopicConfig,
    topic: &TopicState,
    defaults: &Defaults,
    limit: fn(Retention) -> i64,
) -> Option<(String, Source)> {
    let Some(own) = topic.policies.retention else { return defaults.of(config) };
    let remembered = topic.remembered.get(config.name);
    if let Some(value) = remembered
        && let Ok(number) = value.parse()
        && limit(Retention::at_least(number, number)) == limit(own)
    {
        return Some((value.clone(), Source::DynamicTopic));
    }
    let in_force = limit(own).to_string();
    let other_is_set = ["retention.ms", "retention.bytes"].iter().any(|name| topic.remembered.contains_key(name));
    match defaults.of(config) {
        Some((value, source)) if remembered.is_none() && other_is_set && value == in_force => Some((value, source)),
        // Without a default to copy there is no limit.
        None if remembered.is_none() && other_is_set && in_force == "-1" => Some((in_force, Source::Default)),
        Some(_) | None => Some((in_force, Source::DynamicTopic)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: i64 = 1 << 20;

    fn defaults() -> Defaults {
        Defaults::for_tests(Retention { minutes: 7, megabytes: -1 }, 0)
    }

    fn topic(remembered: &[(&'static str, &str)], policies: TopicPolicies) -> TopicState {
        let remembered = remembered.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        TopicState { remembered, policies }
    }

    fn retained(minutes: i64, megabytes: i64) -> TopicPolicies {
        TopicPolicies { retention: Some(Retention { minutes, megabytes }), ..TopicPolicies::default() }
    }

    fn seen(topic: &TopicState, defaults: &Defaults, name: &str) -> (String, Source) {
        let shown = view(topic, defaults).into_iter().find(|shown| shown.name == name).unwrap();
        (shown.value, shown.source)
    }

    fn is(value: &str, source: Source) -> (String, Source) {
        (value.to_owned(), source)
    }

    #[test]
    fn a_topic_without_anything_of_its_own_has_the_defaults() {
        let plain = TopicState::default();
        assert_eq!(seen(&plain, &defaults(), "cleanup.policy"), is("delete", Source::Default));
        assert_eq!(seen(&plain, &defaults(), "retention.ms"), is("420000", Source::StaticBroker));
        assert_eq!(seen(&plain, &defaults(), "retention.bytes"), is("-1", Source::StaticBroker));
        assert_eq!(seen(&plain, &defaults(), "max.message.bytes"), is("5242880", Source::Default));
        assert_eq!(seen(&plain, &defaults(), "min.insync.replicas"), is("1", Source::Default));
        assert_eq!(dynamic(&view(&plain, &defaults())), BTreeMap::new());
    }

    #[test]
    fn a_set_value_is_told_back_as_it_was_given_while_the_policy_is_what_it_asks_for() {
        let set = topic(&[("retention.ms", "90000")], retained(2, -1));
        assert_eq!(seen(&set, &defaults(), "retention.ms"), is("90000", Source::DynamicTopic));
        assert_eq!(seen(&set, &defaults(), "retention.bytes"), is("-1", Source::StaticBroker), "the default's copy");
    }

    #[test]
    fn what_pulsars_own_tools_changed_is_told_as_it_is() {
        let changed = topic(&[("retention.ms", "90000")], retained(9, 3));
        assert_eq!(seen(&changed, &defaults(), "retention.ms"), is("540000", Source::DynamicTopic));
        assert_eq!(seen(&changed, &defaults(), "retention.bytes"), is(&(3 * MIB).to_string(), Source::DynamicTopic));
        let removed = topic(&[("retention.ms", "90000")], TopicPolicies::default());
        assert_eq!(seen(&removed, &defaults(), "retention.ms"), is("420000", Source::StaticBroker));
        let by_pulsar = topic(&[], retained(7, -1));
        assert_eq!(seen(&by_pulsar, &defaults(), "retention.ms"), is("420000", Source::DynamicTopic));
    }

    #[test]
    fn a_topic_is_compacted_only_if_pulsar_compacts_it() {
        let policies = TopicPolicies { compaction_threshold: Some(5), ..retained(-1, -1) };
        let compacted = topic(&[("cleanup.policy", "compact")], policies);
        assert_eq!(seen(&compacted, &defaults(), "cleanup.policy"), is("compact", Source::DynamicTopic));
        let switched_off = topic(&[("cleanup.policy", "compact")], TopicPolicies::default());
        assert_eq!(seen(&switched_off, &defaults(), "cleanup.policy"), is("delete", Source::Default));
        let by_pulsar = topic(&[], TopicPolicies { compaction_threshold: Some(5), ..TopicPolicies::default() });
        assert_eq!(seen(&by_pulsar, &defaults(), "cleanup.policy"), is("compact,delete", Source::DynamicTopic));
        let by_namespace = Defaults::for_tests(Retention::UNLIMITED, 100);
        assert_eq!(seen(&TopicState::default(), &by_namespace, "cleanup.policy"), is("compact", Source::StaticBroker));
    }

    #[test]
    fn a_topic_that_is_only_compacted_has_no_limits_but_remembers_them() {
        let policies = TopicPolicies { compaction_threshold: Some(5), ..retained(-1, -1) };
        let compacted = topic(&[("cleanup.policy", "compact"), ("retention.ms", "5000")], policies);
        assert_eq!(seen(&compacted, &defaults(), "retention.ms"), is("5000", Source::DynamicTopic));
        assert_eq!(seen(&compacted, &defaults(), "retention.bytes"), is("-1", Source::Default));
    }

    #[test]
    fn what_nobody_tells_is_left_out() {
        let unknown = Defaults::unknown(5 << 20);
        let shown = view(&TopicState::default(), &unknown);
        let names: Vec<_> = shown.iter().map(|shown| shown.name).collect();
        for name in ["cleanup.policy", "retention.ms", "retention.bytes", "segment.bytes", "segment.ms"] {
            assert!(!names.contains(&name), "{name}");
        }
        assert!(names.contains(&"max.message.bytes"));
    }

    #[test]
    fn no_retention_at_all_is_told_as_it_is() {
        let nothing = Defaults::for_tests(Retention { minutes: 0, megabytes: 0 }, 0);
        assert_eq!(seen(&TopicState::default(), &nothing, "retention.ms"), is("0", Source::Default));
        assert_eq!(seen(&TopicState::default(), &nothing, "retention.bytes"), is("0", Source::Default));
        let set = topic(&[("retention.ms", "60000")], retained(1, -1));
        assert_eq!(seen(&set, &nothing, "retention.bytes"), is("-1", Source::DynamicTopic));
    }
}
