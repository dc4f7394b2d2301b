//! What topics have that have nothing of their own: the policies of the namespace, then the broker's configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use super::pulsar::Retention;
use super::table::{Mapping, TopicConfig};
use super::view::Source;
use crate::error::AdminError;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::admin_change::AdminChange;
use crate::topics::change::Refused;

/// How long they are believed. Short: an administrator may change them at any time.
const FRESH: Duration = Duration::from_secs(2);

/// `Commands.DEFAULT_MAX_MESSAGE_SIZE` of Pulsar.
const SHIPPED_MAX_MESSAGE_BYTES: i64 = 5 << 20;

/// What Pulsar is shipped with (`ServiceConfiguration.java`).
const SHIPPED_RETENTION: Retention = Retention { minutes: 0, megabytes: 0 };
const SHIPPED_LEDGER_MEGABYTES: i64 = 2048;
const SHIPPED_LEDGER_MINUTES: i64 = 240;

/// The defaults of a namespace's topics; `None` where neither the namespace says it nor the broker tells it.
///
/// To show them, that is enough. A change that goes by them asks by the methods that may refuse: what a moment's trouble kept from
/// being told would make it wrong for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    retention: Option<Retention>,
    compaction_threshold: Option<i64>,
    ledger_megabytes: Option<i64>,
    ledger_minutes: Option<i64>,
    /// Why what is not known may be told the next time.
    failed: Option<AdminError>,
    /// The broker's limit, which it announces when it answers CONNECT.
    pub max_message_bytes: i64,
}

/// The part of Pulsar's `Policies` in use.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NamespacePolicies {
    retention_policies: Option<Retention>,
    compaction_threshold: Option<i64>,
}

/// The broker's settings, by name.
type BrokerConfig = BTreeMap<String, String>;

impl Defaults {
    /// Nothing could be asked.
    pub fn unknown(max_message_bytes: i64) -> Self {
        Self {
            retention: None,
            compaction_threshold: None,
            ledger_megabytes: None,
            ledger_minutes: None,
            failed: None,
            max_message_bytes,
        }
    }

    fn new(namespace: &NamespacePolicies, broker: &BrokerConfig, max_message_bytes: i64) -> Self {
        let number = |key: &str| broker.get(key).and_then(|value| value.parse::<i64>().ok());
        let by_broker = number("defaultRetentionTimeInMinutes").zip(number("defaultRetentionSizeInMB"));
        Self {
            retention: namespace
                .retention_policies
                .or(by_broker.map(|(minutes, megabytes)| Retention { minutes, megabytes })),
            compaction_threshold: namespace
                .compaction_threshold
                .or_else(|| number("brokerServiceCompactionThresholdInBytes")),
            ledger_megabytes: number("managedLedgerMaxSizePerLedgerMbytes"),
            ledger_minutes: number("managedLedgerMaxLedgerRolloverTimeMinutes"),
            failed: None,
            max_message_bytes,
        }
    }

    /// `value`, unless it is missing only because nobody answered.
    fn certain<T>(&self, value: Option<T>) -> Result<Option<T>, Refused> {
        match (value, &self.failed) {
            (None, Some(error)) => Err(Refused::by_admin(error)),
            (value, _) => Ok(value),
        }
    }

    /// [`Defaults::retention`], to go by.
    pub fn certain_retention(&self) -> Result<Option<Retention>, Refused> {
        self.certain(self.retention)
    }

    /// [`Defaults::compaction_threshold`], to go by.
    pub fn certain_compaction_threshold(&self) -> Result<Option<i64>, Refused> {
        self.certain(self.compaction_threshold)
    }

    /// [`Defaults::of`], to go by.
    pub fn certain_of(&self, config: &TopicConfig) -> Result<Option<(String, Source)>, Refused> {
        self.certain(self.of(config))
    }

    /// Whether anything of topics without a policy is deleted, to go by: so it is, unless they are compacted and nothing else.
    pub fn deletes(&self) -> Result<bool, Refused> {
        match (self.compaction_threshold, self.retention) {
            (Some(0), _) => Ok(true),
            (_, Some(retention)) if retention != Retention::UNLIMITED => Ok(true),
            (threshold, retention) => {
                let threshold = self.certain(threshold)?;
                let retention = self.certain(retention)?;
                Ok(threshold.is_none() || retention.is_none())
            }
        }
    }

    /// Of topics without a policy.
    pub fn retention(&self) -> Option<Retention> {
        self.retention
    }

    /// Of topics without a policy, in bytes.
    pub fn compaction_threshold(&self) -> Option<i64> {
        self.compaction_threshold
    }

    /// Whether topics without a policy are compacted, and whether anything of them is deleted.
    pub fn cleanup_policy(&self) -> Option<(String, Source)> {
        let threshold = self.compaction_threshold?;
        Some(match (threshold > 0, self.retention == Some(Retention::UNLIMITED)) {
            (false, _) => ("delete".to_owned(), Source::Default),
            (true, true) => ("compact".to_owned(), Source::StaticBroker),
            (true, false) => ("compact,delete".to_owned(), Source::StaticBroker),
        })
    }

    /// The default of one configuration, as far as it is known.
    pub fn of(&self, config: &TopicConfig) -> Option<(String, Source)> {
        let number = |value: i64, is_shipped: bool| (value.to_string(), source(is_shipped));
        match config.mapping {
            Mapping::CleanupPolicy => self.cleanup_policy(),
            Mapping::RetentionMs => {
                self.retention.map(|retention| number(retention.retention_ms(), retention == SHIPPED_RETENTION))
            }
            Mapping::RetentionBytes => {
                self.retention.map(|retention| number(retention.retention_bytes(), retention == SHIPPED_RETENTION))
            }
            Mapping::MaxMessageBytes => {
                Some(number(self.max_message_bytes, self.max_message_bytes == SHIPPED_MAX_MESSAGE_BYTES))
            }
            Mapping::LedgerBytes => self.ledger_megabytes.map(|megabytes| {
                let bytes = megabytes.saturating_mul(1 << 20).min(i32::MAX.into());
                number(bytes, megabytes == SHIPPED_LEDGER_MEGABYTES)
            }),
            Mapping::LedgerMs => self
                .ledger_minutes
                .map(|minutes| number(minutes.saturating_mul(60_000), minutes == SHIPPED_LEDGER_MINUTES)),
            Mapping::Given(value) => Some((value.to_owned(), Source::Default)),
        }
    }

    /// These, of a broker as it is shipped otherwise.
    #[cfg(test)]
    pub fn for_tests(retention: Retention, compaction_threshold: i64) -> Self {
        Self {
            retention: Some(retention),
            compaction_threshold: Some(compaction_threshold),
            ledger_megabytes: Some(SHIPPED_LEDGER_MEGABYTES),
            ledger_minutes: Some(SHIPPED_LEDGER_MINUTES),
            failed: None,
            max_message_bytes: SHIPPED_MAX_MESSAGE_BYTES,
        }
    }

    /// Nobody answered but the namespace, which has this retention for itself, if any.
    #[cfg(test)]
    pub fn failed_for_tests(retention: Option<Retention>) -> Self {
        let unknown = Self::unknown(SHIPPED_MAX_MESSAGE_BYTES);
        Self { retention, failed: Some(AdminError::Unreachable), ..unknown }
    }
}

fn source(is_shipped: bool) -> Source {
    if is_shipped { Source::Default } else { Source::StaticBroker }
}

/// What this worker was told last.
#[derive(Debug, Default)]
pub struct DefaultsCache(Option<(Defaults, Instant)>);

/// The question, on its way to its answer.
#[derive(Debug)]
pub struct ReadDefaults(State);

/// ```text
/// Known
/// Asking (both at once) ──▶ Known
/// ```
#[derive(Debug)]
enum State {
    Known(Defaults),
    Asking(Box<Questions>),
}

/// What is asked, and what came.
#[derive(Debug)]
struct Questions {
    /// The namespace's policies.
    namespace: AdminChange,
    /// The broker's configuration; only a superuser may see it.
    broker: AdminChange,
    answers: (Option<Result<NamespacePolicies, AdminError>>, Option<Result<BrokerConfig, AdminError>>),
}

impl ReadDefaults {
    /// Asks, unless the answer is fresh.
    pub fn new(io: &mut Io<'_>) -> Self {
        if let Some((defaults, at)) = &io.shared.config_defaults.0
            && io.now.instant.since(*at) < FRESH
        {
            return Self(State::Known(defaults.clone()));
        }
        let path = format!("/admin/v2/namespaces/{}/{}", io.shared.config.tenant, io.shared.config.namespace);
        let namespace = AdminChange::read(path, io);
        let broker = AdminChange::read("/admin/v2/brokers/configuration/runtime".to_owned(), io);
        Self(State::Asking(Box::new(Questions { namespace, broker, answers: (None, None) })))
    }

    /// The defaults; `None` while they are awaited. What cannot be found out is unknown, and no error.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Defaults> {
        let questions = match &mut self.0 {
            State::Known(defaults) => return Some(defaults.clone()),
            State::Asking(questions) => questions,
        };
        let Questions { namespace, broker, answers } = &mut **questions;
        if answers.0.is_none() {
            answers.0 = namespace.poll(io).map(json);
        }
        if answers.1.is_none() {
            answers.1 = broker.poll(io).map(json);
        }
        let (Some(namespace), Some(broker)) = answers else { return None };
        let max_message_bytes = io.pulsar.max_message_size().and_then(|bytes| i64::try_from(bytes).ok())?;
        let passing = |error: &AdminError| may_pass(error).then(|| error.clone());
        let defaults = match (&*namespace, &*broker) {
            (Ok(namespace), Ok(broker)) => Defaults::new(namespace, broker, max_message_bytes),
            (Ok(namespace), Err(error)) => {
                let defaults = Defaults::new(namespace, &BrokerConfig::new(), max_message_bytes);
                Defaults { failed: passing(error), ..defaults }
            }
            // Whether the broker's is in force only the namespace tells.
            (Err(error), Ok(_) | Err(_)) => Defaults { failed: passing(error), ..Defaults::unknown(max_message_bytes) },
        };
        if namespace.is_ok() && defaults.failed.is_none() {
            io.shared.config_defaults.0 = Some((defaults.clone(), io.now.instant));
        }
        self.0 = State::Known(defaults.clone());
        Some(defaults)
    }

    /// When to poll it although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        match &self.0 {
            State::Known(_) => None,
            State::Asking(questions) => {
                let Questions { namespace, broker, answers } = &**questions;
                let of_namespace = answers.0.is_none().then(|| namespace.next_wake()).flatten();
                let of_broker = answers.1.is_none().then(|| broker.next_wake()).flatten();
                of_namespace.into_iter().chain(of_broker).min()
            }
        }
    }
}

/// Whether there may be an answer the next time: it is not that there is nobody to ask, or that this one may not be told.
fn may_pass(error: &AdminError) -> bool {
    match error {
        AdminError::Unreachable | AdminError::Malformed(_) => true,
        AdminError::Status(307 | 409 | 412 | 429 | 500..=599, _) => true,
        AdminError::Status(..) | AdminError::NotConfigured => false,
    }
}

fn json<T: for<'a> Deserialize<'a>>(body: Result<Bytes, AdminError>) -> Result<T, AdminError> {
    serde_json::from_slice(&body?).map_err(|_| AdminError::Malformed("policies are not as expected"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::configs::table::find;

    fn defaults(namespace: &str, broker: &[(&str, &str)]) -> Defaults {
        let broker = broker.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Defaults::new(&serde_json::from_str(namespace).unwrap(), &broker, 5 << 20)
    }

    fn of(defaults: &Defaults, name: &str) -> Option<(String, Source)> {
        defaults.of(find(name).unwrap())
    }

    #[test]
    fn the_namespace_goes_before_the_broker() {
        let broker = [("defaultRetentionTimeInMinutes", "5"), ("defaultRetentionSizeInMB", "6")];
        let by_broker = defaults("{}", &broker);
        assert_eq!(of(&by_broker, "retention.ms"), Some(("300000".into(), Source::StaticBroker)));
        let policies = r#"{"retention_policies": {"retentionTimeInMinutes": -1, "retentionSizeInMB": 7}}"#;
        let by_namespace = defaults(policies, &broker);
        assert_eq!(of(&by_namespace, "retention.ms"), Some(("-1".into(), Source::StaticBroker)));
        assert_eq!(of(&by_namespace, "retention.bytes"), Some((7_340_032.to_string(), Source::StaticBroker)));
    }

    #[test]
    fn ledgers_are_kafkas_segments() {
        let broker =
            [("managedLedgerMaxSizePerLedgerMbytes", "2048"), ("managedLedgerMaxLedgerRolloverTimeMinutes", "60")];
        let defaults = defaults("{}", &broker);
        assert_eq!(of(&defaults, "segment.bytes"), Some((i32::MAX.to_string(), Source::Default)));
        assert_eq!(of(&defaults, "segment.ms"), Some(("3600000".into(), Source::StaticBroker)));
    }

    #[test]
    fn what_a_broker_does_not_tell_is_unknown() {
        let unknown = defaults("{}", &[]);
        assert_eq!(unknown.retention(), None);
        assert_eq!(of(&unknown, "cleanup.policy"), None);
    }
}
