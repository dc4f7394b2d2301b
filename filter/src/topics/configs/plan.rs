//! Which policies and properties bring about what is wanted.

use std::collections::BTreeMap;

use super::defaults::Defaults;
use super::pulsar::{Retention, TopicPolicies};
use super::table;
use super::view::{CleanupPolicy, TopicState};
use super::wish::Wanted;
use crate::topics::change::Refused;

/// What a property that remembers a configuration begins with; its name follows.
pub const PROPERTY_PREFIX: &str = "kafka.";

/// What the topic is to be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// All its policies afterwards.
    pub policies: TopicPolicies,
    /// Properties to set.
    pub set: BTreeMap<String, String>,
    /// Properties to remove.
    pub unset: Vec<String>,
    /// Its cleanup policy was spoken of, and Pulsar compacts it no longer.
    pub ends_compaction: bool,
}

impl Plan {
    /// Only what was spoken of is touched: policies that Pulsar's own tools set otherwise stay. It is refused where it needs defaults that
    /// nobody told just now.
    pub fn new(
        wanted: &Wanted,
        topic: &TopicState,
        defaults: &Defaults,
        compaction_threshold: i64,
    ) -> Result<Self, Refused> {
        let value = |name: &str| wanted.values.get(name);
        let number = |name: &str| value(name).and_then(|value| value.parse::<i64>().ok());
        let touched = |name: &str| wanted.touched.contains(name);
        let cleanup = value("cleanup.policy").map(|value| CleanupPolicy::of(value));
        let mut policies = topic.policies;
        if touched("cleanup.policy") {
            policies.compaction_threshold = match cleanup {
                None => None,
                Some(CleanupPolicy { compact: true, .. }) => {
                    Some(topic.policies.compaction_threshold.filter(|bytes| *bytes > 0).unwrap_or(compaction_threshold))
                }
                Some(CleanupPolicy { compact: false, .. }) => (defaults.compaction_threshold() != Some(0)).then_some(0),
            };
        }
        if touched("cleanup.policy") || touched("retention.ms") || touched("retention.bytes") {
            let limits = (number("retention.ms"), number("retention.bytes"));
            let deletes = match cleanup {
                Some(cleanup) => cleanup.delete,
                None if limits == (None, None) => true,
                None => defaults.deletes()?,
            };
            policies.retention = match limits {
                (_, _) if !deletes => Some(Retention::UNLIMITED),
                (None, None) => None,
                (Some(ms), Some(bytes)) => Some(Retention::at_least(ms, bytes)),
                (ms, bytes) => {
                    let default = defaults.certain_retention()?;
                    // 0 and 0 is Pulsar's word for keeping nothing, and no limit that could stand beside another.
                    let limit =
                        |limit: fn(Retention) -> i64| default.map(limit).filter(|limit| *limit > 0).unwrap_or(-1);
                    Some(Retention::at_least(
                        ms.unwrap_or_else(|| limit(Retention::retention_ms)),
                        bytes.unwrap_or_else(|| limit(Retention::retention_bytes)),
                    ))
                }
            };
        }
        if touched("max.message.bytes") {
            // 0 is Pulsar's word for no limit, and Kafka's for nothing at all.
            policies.max_message_size = number("max.message.bytes").map(|bytes| bytes.max(1));
        }
        let ends_compaction = touched("cleanup.policy")
            && match policies.compaction_threshold {
                Some(bytes) => bytes == 0,
                None => defaults.certain_compaction_threshold()? == Some(0),
            };
        let spoken = || wanted.touched.iter().copied();
        let property = |name: &str| format!("{PROPERTY_PREFIX}{name}");
        Ok(Self {
            policies,
            set: spoken()
                .filter(|name| wanted.values.get(name) != topic.remembered.get(name))
                .filter_map(|name| Some((property(name), wanted.values.get(name)?.clone())))
                .collect(),
            unset: spoken()
                .filter(|name| topic.remembered.contains_key(name) && !wanted.values.contains_key(name))
                .map(property)
                .collect(),
            ends_compaction,
        })
    }
}

impl Plan {
    /// The values that the properties will remember.
    pub fn remembered(&self) -> BTreeMap<&'static str, String> {
        let known = self.set.iter().filter_map(|(property, value)| {
            Some((table::find(property.strip_prefix(PROPERTY_PREFIX)?)?.name, value.clone()))
        });
        known.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLD: i64 = 1000;

    fn defaults() -> Defaults {
        Defaults::for_tests(Retention { minutes: 7, megabytes: -1 }, 0)
    }

    fn wanted(values: &[(&'static str, &str)], deleted: &[&'static str]) -> Wanted {
        let values: BTreeMap<_, _> = values.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let touched = values.keys().chain(deleted).copied().collect();
        Wanted { values, touched }
    }

    fn plan(values: &[(&'static str, &str)], defaults: &Defaults) -> TopicPolicies {
        Plan::new(&wanted(values, &[]), &TopicState::default(), defaults, THRESHOLD).unwrap().policies
    }

    #[test]
    fn the_limit_that_nobody_sets_is_the_defaults() {
        let policies = plan(&[("retention.bytes", "1048576")], &defaults());
        assert_eq!(policies.retention, Some(Retention { minutes: 7, megabytes: 1 }));
        let nothing = Defaults::for_tests(Retention { minutes: 0, megabytes: 0 }, 0);
        let policies = plan(&[("retention.bytes", "1048576")], &nothing);
        assert_eq!(policies.retention, Some(Retention { minutes: -1, megabytes: 1 }));
    }

    #[test]
    fn a_topic_that_is_only_compacted_keeps_everything_whatever_its_limits() {
        let policies = plan(&[("cleanup.policy", "compact"), ("retention.ms", "5000")], &defaults());
        assert_eq!(policies.compaction_threshold, Some(THRESHOLD));
        assert_eq!(policies.retention, Some(Retention::UNLIMITED));
    }

    #[test]
    fn a_topic_that_is_compacted_and_deleted_has_its_limits() {
        let policies = plan(&[("cleanup.policy", "compact,delete"), ("retention.ms", "5000")], &defaults());
        assert_eq!(policies.compaction_threshold, Some(THRESHOLD));
        assert_eq!(policies.retention, Some(Retention { minutes: 1, megabytes: -1 }));
        assert_eq!(plan(&[("cleanup.policy", "compact,delete")], &defaults()).retention, None);
    }

    #[test]
    fn a_topic_with_neither_is_kept_whole() {
        let policies = plan(&[("cleanup.policy", "")], &defaults());
        assert_eq!(policies, TopicPolicies { retention: Some(Retention::UNLIMITED), ..TopicPolicies::default() });
    }

    #[test]
    fn deletion_alone_switches_a_namespaces_compaction_off() {
        let compacting = Defaults::for_tests(Retention::UNLIMITED, 500);
        assert_eq!(plan(&[("cleanup.policy", "delete")], &compacting).compaction_threshold, Some(0));
        assert_eq!(plan(&[("cleanup.policy", "delete")], &defaults()).compaction_threshold, None);
    }

    #[test]
    fn compaction_ends_where_the_cleanup_policy_was_spoken_of_and_nothing_compacts_any_more() {
        let ends = |values, deleted, defaults: &Defaults| {
            Plan::new(&wanted(values, deleted), &TopicState::default(), defaults, THRESHOLD).unwrap().ends_compaction
        };
        assert!(ends(&[("cleanup.policy", "delete")], &[], &defaults()));
        assert!(ends(&[], &["cleanup.policy"], &defaults()));
        assert!(!ends(&[("cleanup.policy", "compact,delete")], &[], &defaults()));
        assert!(!ends(&[("retention.ms", "5")], &[], &defaults()));
        let compacting = Defaults::for_tests(Retention::UNLIMITED, 500);
        assert!(ends(&[("cleanup.policy", "delete")], &[], &compacting));
        assert!(!ends(&[], &["cleanup.policy"], &compacting), "the namespace still compacts it");
        assert!(!ends(&[], &["cleanup.policy"], &Defaults::unknown(0)), "it may");
    }

    #[test]
    fn a_change_is_refused_only_where_it_needs_a_default_that_nobody_told() {
        let made = |values, deleted, topic: &TopicState, retention| {
            let defaults = Defaults::failed_for_tests(retention);
            Plan::new(&wanted(values, deleted), topic, &defaults, THRESHOLD).map(|plan| plan.policies.retention)
        };
        let (new, some) = (TopicState::default(), Retention { minutes: 7, megabytes: 9 });
        let needs: [(&[(&str, &str)], &[&str]); 4] = [
            (&[("retention.ms", "60000")], &[]),
            (&[("retention.ms", "60000"), ("cleanup.policy", "delete")], &[]),
            (&[("retention.ms", "60000"), ("retention.bytes", "1")], &[]),
            (&[], &["cleanup.policy"]),
        ];
        for (values, deleted) in needs {
            assert!(made(values, deleted, &new, None).is_err(), "{values:?} {deleted:?}");
        }
        let by_namespace = made(&[("retention.ms", "60000")], &[], &new, Some(some));
        assert_eq!(by_namespace, Ok(Some(Retention { minutes: 1, ..some })));
        assert!(made(&[("retention.ms", "60000")], &[], &new, Some(Retention::UNLIMITED)).is_err(), "compacted only?");
        let both = [("retention.ms", "60000"), ("retention.bytes", "1"), ("cleanup.policy", "delete")];
        assert_eq!(made(&both, &[], &new, None), Ok(Some(Retention { minutes: 1, megabytes: 1 })));
        assert_eq!(made(&[("cleanup.policy", "compact")], &[], &new, None), Ok(Some(Retention::UNLIMITED)));
        assert_eq!(made(&[("cleanup.policy", "delete")], &[], &new, None), Ok(None));
        assert_eq!(made(&[("max.message.bytes", "9")], &[], &new, None), Ok(None));
        assert_eq!(made(&[], &["retention.ms"], &new, None), Ok(None));
    }

    #[test]
    fn a_deleted_value_takes_its_policy_and_its_property_with_it() {
        let topic = TopicState {
            remembered: [("retention.ms", "5000".to_owned()), ("max.message.bytes", "9".to_owned())].into(),
            policies: TopicPolicies {
                retention: Some(Retention { minutes: 1, megabytes: -1 }),
                compaction_threshold: Some(3),
                max_message_size: Some(9),
            },
        };
        let wanted = wanted(&[("max.message.bytes", "9")], &["retention.ms"]);
        let plan = Plan::new(&wanted, &topic, &defaults(), THRESHOLD).unwrap();
        assert_eq!(plan.policies, TopicPolicies { retention: None, ..topic.policies });
        assert_eq!(plan.unset, ["kafka.retention.ms"]);
        assert_eq!(plan.set, BTreeMap::new());
    }

    #[test]
    fn what_nobody_spoke_of_stays_as_pulsars_tools_left_it() {
        let topic = TopicState {
            remembered: BTreeMap::new(),
            policies: TopicPolicies { compaction_threshold: Some(3), ..TopicPolicies::default() },
        };
        let plan = Plan::new(&wanted(&[("max.message.bytes", "0")], &[]), &topic, &defaults(), THRESHOLD).unwrap();
        assert_eq!(plan.policies, TopicPolicies { max_message_size: Some(1), ..topic.policies });
    }
}
