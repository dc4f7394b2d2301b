//! A topic's policies on Pulsar, as far as configurations need them, and what Kafka's units are in Pulsar's.
//!
//! Paths and bodies are those of `PersistentTopics.java` (pulsar-broker, admin v2), the same in 3.0, 4.0 and 4.2.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::AdminError;

const MINUTE_MS: i64 = 60_000;
const MIB: i64 = 1 << 20;

/// The largest sizes that Pulsar can count in bytes and in milliseconds (`RetentionPolicies` has 32 bits of minutes).
const MAX_MINUTES: i64 = i32::MAX as i64;
const MAX_MEGABYTES: i64 = i64::MAX / MIB;

/// How long Pulsar keeps what no subscription holds: until one of the limits is passed. -1 is no limit; 0 and 0 is nothing kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// In minutes.
    #[serde(rename = "retentionTimeInMinutes")]
    pub minutes: i64,
    /// In MiB, of each partition.
    #[serde(rename = "retentionSizeInMB")]
    pub megabytes: i64,
}

impl Retention {
    /// Everything is kept.
    pub const UNLIMITED: Self = Self { minutes: -1, megabytes: -1 };

    /// Never shorter and never smaller than asked. Pulsar refuses a limit of 0 beside another one.
    pub fn at_least(retention_ms: i64, retention_bytes: i64) -> Self {
        Self { minutes: up(retention_ms, MINUTE_MS, MAX_MINUTES), megabytes: up(retention_bytes, MIB, MAX_MEGABYTES) }
    }

    /// The time as `retention.ms`.
    pub fn retention_ms(self) -> i64 {
        down(self.minutes, MINUTE_MS)
    }

    /// The size as `retention.bytes`.
    pub fn retention_bytes(self) -> i64 {
        down(self.megabytes, MIB)
    }
}

fn up(value: i64, unit: i64, most: i64) -> i64 {
    if value < 0 {
        return -1;
    }
    let units = value.checked_div(unit).unwrap_or(0);
    let whole = units.checked_mul(unit) == Some(value);
    let units = units.saturating_add(i64::from(!whole)).max(1);
    if units > most { -1 } else { units }
}

fn down(units: i64, unit: i64) -> i64 {
    if units < 0 { -1 } else { units.saturating_mul(unit) }
}

/// One of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// [`TopicPolicies::retention`].
    Retention,
    /// [`TopicPolicies::compaction_threshold`].
    CompactionThreshold,
    /// [`TopicPolicies::max_message_size`].
    MaxMessageSize,
}

impl Policy {
    /// All of them.
    pub const ALL: [Policy; 3] = [Policy::Retention, Policy::CompactionThreshold, Policy::MaxMessageSize];

    /// The end of its path.
    pub fn path(self) -> &'static str {
        match self {
            Policy::Retention => "/retention",
            Policy::CompactionThreshold => "/compactionThreshold",
            Policy::MaxMessageSize => "/maxMessageSize",
        }
    }

    /// The configurations that it brings about.
    pub fn configs(self) -> &'static [&'static str] {
        match self {
            Policy::Retention => &["cleanup.policy", "retention.ms", "retention.bytes"],
            Policy::CompactionThreshold => &["cleanup.policy"],
            Policy::MaxMessageSize => &["max.message.bytes"],
        }
    }
}

/// What a topic has for itself; `None` where namespace and broker decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicPolicies {
    /// Applied to every partition on its own.
    pub retention: Option<Retention>,
    /// Pulsar compacts a partition when so many bytes came since it did; 0 is never.
    pub compaction_threshold: Option<i64>,
    /// Bytes of an entry; 0 is the broker's own limit.
    pub max_message_size: Option<i64>,
}

impl TopicPolicies {
    /// The body that sets `policy`; `None` where it is to be removed.
    pub fn body(&self, policy: Policy) -> Option<Bytes> {
        match policy {
            Policy::Retention => {
                self.retention.and_then(|retention| serde_json::to_vec(&retention).ok()).map(Bytes::from)
            }
            Policy::CompactionThreshold => self.compaction_threshold.map(|bytes| Bytes::from(bytes.to_string())),
            Policy::MaxMessageSize => self.max_message_size.map(|bytes| Bytes::from(bytes.to_string())),
        }
    }

    /// Takes the answer for `policy`: nothing, null, or its value.
    pub fn take(&mut self, policy: Policy, body: &[u8]) -> Result<(), AdminError> {
        let body = if body.trim_ascii().is_empty() { b"null" } else { body };
        let malformed = |_| AdminError::Malformed("a topic's policy is not as expected");
        match policy {
            Policy::Retention => self.retention = serde_json::from_slice(body).map_err(malformed)?,
            Policy::CompactionThreshold => {
                self.compaction_threshold = serde_json::from_slice(body).map_err(malformed)?
            }
            Policy::MaxMessageSize => self.max_message_size = serde_json::from_slice(body).map_err(malformed)?,
        }
        Ok(())
    }

    /// Whether `policy` is not as in `wanted`.
    pub fn differs(&self, wanted: &Self, policy: Policy) -> bool {
        match policy {
            Policy::Retention => self.retention != wanted.retention,
            Policy::CompactionThreshold => self.compaction_threshold != wanted.compaction_threshold,
            Policy::MaxMessageSize => self.max_message_size != wanted.max_message_size,
        }
    }

    /// The policies that are not as in `wanted`.
    pub fn differences(&self, wanted: &Self) -> impl Iterator<Item = Policy> {
        Policy::ALL.into_iter().filter(|policy| self.differs(wanted, *policy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_never_shorter_than_asked() {
        assert_eq!(Retention::at_least(60_000, MIB), Retention { minutes: 1, megabytes: 1 });
        assert_eq!(Retention::at_least(60_001, MIB + 1), Retention { minutes: 2, megabytes: 2 });
        assert_eq!(Retention::at_least(-1, -1), Retention::UNLIMITED);
    }

    #[test]
    fn a_limit_of_zero_becomes_the_smallest_that_pulsar_takes() {
        assert_eq!(Retention::at_least(0, 0), Retention { minutes: 1, megabytes: 1 });
    }

    #[test]
    fn what_pulsar_cannot_count_is_kept_for_ever() {
        assert_eq!(Retention::at_least(i64::MAX, i64::MAX), Retention::UNLIMITED);
        let most = Retention::at_least(MAX_MINUTES * MINUTE_MS, MAX_MEGABYTES * MIB);
        assert_eq!(most, Retention { minutes: i32::MAX.into(), megabytes: 8_796_093_022_207 });
    }

    #[test]
    fn policies_are_read_as_every_version_answers() {
        let mut policies = TopicPolicies::default();
        policies.take(Policy::Retention, br#"{"retentionTimeInMinutes":5,"retentionSizeInMB":-1}"#).unwrap();
        policies.take(Policy::CompactionThreshold, b"1048576").unwrap();
        policies.take(Policy::MaxMessageSize, b"").unwrap();
        let expected = TopicPolicies {
            retention: Some(Retention { minutes: 5, megabytes: -1 }),
            compaction_threshold: Some(1_048_576),
            max_message_size: None,
        };
        assert_eq!(policies, expected);
        assert_eq!(policies.body(Policy::Retention).unwrap(), r#"{"retentionTimeInMinutes":5,"retentionSizeInMB":-1}"#);
        assert!(policies.take(Policy::Retention, b"<html>").is_err());
    }
}
