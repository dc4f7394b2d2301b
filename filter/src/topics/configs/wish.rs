//! What a client asks for, held against what may be.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;

use super::defaults::Defaults;
use super::table::{self, Mapping, TopicConfig};
use super::value::{Kind, invalid, split};
use super::view::{Shown, Source, dynamic};
use crate::config::Config;
use crate::topics::change::Refused;

/// A change to one configuration (`AlterConfigOp.OpType`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To this value.
    Set(String),
    /// To its default.
    Delete,
    /// These members more.
    Append(String),
    /// These members less.
    Subtract(String),
}

impl Operation {
    /// Of its number on the wire, in Kafka's words if there is none such.
    pub fn new(code: i8, name: &str, value: Option<&str>) -> Result<Self, Refused> {
        let value = || value.map(str::to_owned).ok_or_else(|| null(name));
        match code {
            0 => Ok(Self::Set(value()?)),
            1 => Ok(Self::Delete),
            2 => Ok(Self::Append(value()?)),
            3 => Ok(Self::Subtract(value()?)),
            _ => Err(Refused::because(
                ResponseError::InvalidRequest,
                format!("Unknown operation type {code} for {name}."),
            )),
        }
    }
}

/// Kafka's refusal of a null where a value must be, in requests that alter.
pub fn null(name: &str) -> Refused {
    Refused::because(ResponseError::InvalidRequest, format!("Null value not supported for : {name}"))
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// These changes, all else stays.
    Each(Vec<(String, Operation)>),
    /// These values, all else goes back to its default.
    Whole(Vec<(String, String)>),
}

/// What the topic is to have for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Every value.
    pub values: BTreeMap<&'static str, String>,
    /// Which configurations were spoken of.
    pub touched: BTreeSet<&'static str>,
}

/// What values are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// What is in force without a topic's own policies.
    pub defaults: &'a Defaults,
    /// What the filter takes of one request: a larger record could not even be sent.
    pub max_request_bytes: usize,
    /// Configurations whose impossible values are passed over.
    pub ignored: &'a BTreeSet<String>,
}

impl<'a> Limits<'a> {
    /// By these defaults, as the operator set the rest.
    pub fn new(defaults: &'a Defaults, config: &'a Config) -> Self {
        Self { defaults, max_request_bytes: config.max_request_bytes, ignored: &config.ignored_topic_configs }
    }

    /// The largest `max.message.bytes`, and what it is.
    fn max_message_bytes(self) -> (i64, &'static str) {
        let by_broker = (self.defaults.max_message_bytes, "the maxMessageSize of the Pulsar brokers");
        let by_filter = i64::try_from(self.max_request_bytes).unwrap_or(i64::MAX);
        if by_filter < by_broker.0 { (by_filter, "the max_request_bytes of the filter") } else { by_broker }
    }
}

impl Wish {
    /// Every value checked, in Kafka's words where Kafka would refuse it too.
    pub fn resolve(&self, shown: &[Shown], limits: Limits<'_>) -> Result<Wanted, Refused> {
        let own = dynamic(shown);
        match self {
            Wish::Each(operations) => {
                let mut wanted = Wanted { values: own, touched: BTreeSet::new() };
                for (name, operation) in operations {
                    wanted.carry_out(name, operation, shown, limits)?;
                }
                Ok(wanted)
            }
            Wish::Whole(values) => {
                let mut wanted = Wanted { values: BTreeMap::new(), touched: own.into_keys().collect() };
                for (name, value) in values {
                    wanted.set(name, value, limits)?;
                }
                Ok(wanted)
            }
        }
    }
}

impl Wanted {
    fn set(&mut self, name: &str, value: &str, limits: Limits<'_>) -> Result<(), Refused> {
        if let Some((name, value)) = admit(name, value, limits)? {
            self.values.insert(name, value);
            self.touched.insert(name);
        }
        Ok(())
    }

    fn carry_out(
        &mut self,
        name: &str,
        operation: &Operation,
        shown: &[Shown],
        limits: Limits<'_>,
    ) -> Result<(), Refused> {
        let known = table::find(name);
        match operation {
            Operation::Set(value) => self.set(name, value, limits),
            // What does not exist may be deleted: so it is in Apache Kafka, and MirrorMaker does it.
            Operation::Delete => {
                if let Some(config) = known {
                    self.values.remove(config.name);
                    self.touched.insert(config.name);
                }
                Ok(())
            }
            Operation::Append(value) => {
                let mut members = members(known, name, "APPEND", shown, limits.defaults)?;
                let more: Vec<String> = split(value)
                    .filter(|word| !members.iter().any(|member| member == word))
                    .map(str::to_owned)
                    .collect();
                members.extend(more);
                self.set(name, &members.join(","), limits)
            }
            Operation::Subtract(value) => {
                let mut members = members(known, name, "SUBTRACT", shown, limits.defaults)?;
                members.retain(|member| !split(value).any(|word| word == member));
                self.set(name, &members.join(","), limits)
            }
        }
    }
}

/// The members that a list has now.
fn members(
    config: Option<&TopicConfig>,
    name: &str,
    verb: &str,
    shown: &[Shown],
    defaults: &Defaults,
) -> Result<Vec<String>, Refused> {
    if !matches!(config, Some(TopicConfig { kind: Kind::Words(_), .. })) {
        return Err(Refused::because(
            ResponseError::InvalidConfig,
            format!("Can't {verb} to key {name} because its type is not LIST."),
        ));
    }
    let now = shown.iter().find(|shown| shown.name == name);
    if now.is_none_or(|now| now.source != Source::DynamicTopic) {
        // It is the default's, so nothing of that may be missing.
        defaults.certain_compaction_threshold()?;
        defaults.deletes()?;
    }
    Ok(now.map(|shown| split(&shown.value).map(str::to_owned).collect()).unwrap_or_default())
}

const WHAT_TO_DO: &str = "Leave it out, or name it in the filter's ignored_topic_configs";

/// The value to set, if the topic can have it; nothing if it is to be passed over.
fn admit(name: &str, value: &str, limits: Limits<'_>) -> Result<Option<(&'static str, String)>, Refused> {
    let ignored = limits.ignored.contains(name);
    let Some(config) = table::find(name) else {
        return if ignored {
            Ok(None)
        } else if table::WITHOUT_COUNTERPART.contains(&name) {
            let message = format!("Topic config {name} is not supported: Pulsar has nothing like it. {WHAT_TO_DO}");
            Err(Refused::because(ResponseError::InvalidConfig, message))
        } else {
            Err(Refused::because(ResponseError::InvalidConfig, format!("Unknown topic config name: {name}")))
        };
    };
    let value = config.kind.normal(name, value)?;
    let impossible = match config.mapping {
        Mapping::CleanupPolicy | Mapping::RetentionMs | Mapping::RetentionBytes => None,
        Mapping::MaxMessageBytes => {
            let (most, whose) = limits.max_message_bytes();
            let is_above = value.parse::<i64>().is_ok_and(|bytes| bytes > most);
            is_above.then(|| format!("at most {most}, {whose}, which must be raised first"))
        }
        Mapping::LedgerBytes | Mapping::LedgerMs | Mapping::Given(_) => match limits.defaults.of(config) {
            Some((in_force, _)) if in_force == value => None,
            Some((in_force, _)) => {
                Some(format!("it is {in_force} for every topic here. {} {WHAT_TO_DO}", config.about))
            }
            None => {
                if !ignored {
                    limits.defaults.certain_of(config)?;
                }
                Some(format!("it cannot be set for a topic. {} {WHAT_TO_DO}", config.about))
            }
        },
    };
    match impossible {
        None => Ok(Some((config.name, value))),
        Some(_) if ignored => Ok(None),
        Some(why) => Err(invalid(name, &value, &why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::configs::pulsar::{Retention, TopicPolicies};
    use crate::topics::configs::view::{TopicState, view};

    fn defaults() -> Defaults {
        Defaults::for_tests(Retention::UNLIMITED, 0)
    }

    /// What a topic that only compacts wants after these operations.
    fn wanted(operations: &[(&str, Operation)], ignored: &[&str]) -> Result<Wanted, Refused> {
        let policies = TopicPolicies {
            retention: Some(Retention::UNLIMITED),
            compaction_threshold: Some(1),
            max_message_size: None,
        };
        let topic = TopicState { remembered: [("cleanup.policy", "compact".to_owned())].into(), policies };
        let operations = operations.iter().map(|(name, operation)| ((*name).to_owned(), operation.clone())).collect();
        let ignored = ignored.iter().map(|name| (*name).to_owned()).collect();
        let config = Config { ignored_topic_configs: ignored, ..Config::default() };
        let defaults = defaults();
        let limits = Limits::new(&defaults, &config);
        Wish::Each(operations).resolve(&view(&topic, &defaults), limits)
    }

    fn policy_after(operation: Operation) -> Option<String> {
        wanted(&[("cleanup.policy", operation)], &[]).unwrap().values.remove("cleanup.policy")
    }

    fn words(name: &str, operation: Operation) -> String {
        let refused = wanted(&[(name, operation)], &[]).unwrap_err();
        assert_eq!(refused.code, ResponseError::InvalidConfig);
        refused.message.unwrap()
    }

    fn set(value: &str) -> Operation {
        Operation::Set(value.to_owned())
    }

    #[test]
    fn lists_grow_and_shrink() {
        assert_eq!(policy_after(Operation::Append("delete".into())).as_deref(), Some("compact,delete"));
        assert_eq!(policy_after(Operation::Append("compact".into())).as_deref(), Some("compact"));
        assert_eq!(policy_after(Operation::Subtract("delete".into())).as_deref(), Some("compact"));
        assert_eq!(policy_after(Operation::Subtract("compact".into())).as_deref(), Some(""));
        assert_eq!(policy_after(Operation::Delete), None);
    }

    #[test]
    fn what_is_no_list_does_neither() {
        let append = Operation::Append("1".into());
        assert_eq!(words("retention.ms", append), "Can't APPEND to key retention.ms because its type is not LIST.");
    }

    #[test]
    fn what_holds_anyway_may_be_said() {
        let given = wanted(&[("compression.type", set("producer")), ("segment.ms", set("14400000"))], &[]).unwrap();
        assert_eq!(given.values.len(), 3);
    }

    #[test]
    fn what_pulsar_cannot_do_is_refused_with_the_value_that_holds_and_what_to_do() {
        let refused = words("min.insync.replicas", set("2"));
        assert!(
            refused.starts_with("Invalid value 2 for configuration min.insync.replicas: it is 1 for every topic here.")
        );
        assert!(refused.contains("ignored_topic_configs"));
        assert!(words("segment.bytes", set("52428800")).contains("managedLedgerMaxSizePerLedgerMbytes"));
        assert!(words("flush.ms", set("1")).contains("Pulsar has nothing like it"));
        assert!(words("max.message.bytes", set("5242881")).contains("at most 5242880"));
        assert_eq!(words("nope", set("1")), "Unknown topic config name: nope");
    }

    #[test]
    fn what_the_operator_wants_ignored_is_taken_and_comes_to_nothing() {
        let ignored = ["segment.bytes", "flush.ms", "max.message.bytes"];
        let operations = ignored.map(|name| (name, set("99999999")));
        let wanted = wanted(&operations, &ignored).unwrap();
        assert_eq!(wanted.touched, BTreeSet::new());
        assert_eq!(wanted.values.len(), 1);
    }

    #[test]
    fn what_is_ignored_must_still_be_a_value() {
        assert!(wanted(&[("segment.bytes", set("x"))], &["segment.bytes"]).is_err());
    }

    #[test]
    fn deleting_what_is_not_set_or_not_known_is_no_error() {
        let wanted = wanted(&[("flush.ms", Operation::Delete), ("nope", Operation::Delete)], &[]).unwrap();
        assert_eq!(wanted.touched, BTreeSet::new());
    }

    #[test]
    fn a_whole_wish_lets_go_of_everything_else() {
        let policies = TopicPolicies { max_message_size: Some(9), ..TopicPolicies::default() };
        let topic = TopicState { remembered: BTreeMap::new(), policies };
        let (defaults, config) = (defaults(), Config::default());
        let limits = Limits::new(&defaults, &config);
        let wish = Wish::Whole(vec![("retention.ms".into(), "5".into())]);
        let wanted = wish.resolve(&view(&topic, &defaults), limits).unwrap();
        assert_eq!(wanted.values, [("retention.ms", "5".to_owned())].into());
        assert_eq!(wanted.touched, ["max.message.bytes", "retention.ms"].into());
    }
}
