//! Kafka topic names and the Pulsar topics they stand for.

use std::fmt;
use std::sync::Arc;

use crate::config::Config;

/// Kafka's bound (`Topic.MAX_NAME_LENGTH`).
const MAX_NAME_BYTES: usize = 249;

/// Topics of the filter's own begin so; they are hidden from Metadata.
pub const INTERNAL_PREFIX: &str = "__kafka_group_";

/// A topic of the filter's own, without entries: see `offsets/floors/signal.rs`. It is hidden too.
pub const LOG_STARTS: &str = "__kafka_log_starts";

/// Pulsar's own topics in any namespace, by the beginning or the end of their names (`SystemTopicNames.java` in pulsar-common).
const SYSTEM_PREFIXES: [&str; 2] = ["__change_events", "__transaction_buffer_snapshot"];
const SYSTEM_SUFFIX: &str = "__transaction_pending_ack";

/// What Pulsar puts between a topic's name and a partition's number.
const PARTITION_MARK: &str = "-partition-";

/// A name that Kafka accepts and that Pulsar does not read as something else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KafkaTopic(Arc<str>);

/// Why a name is refused; the text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidName(pub &'static str);

impl KafkaTopic {
    /// Checks Kafka's rules (`Topic.validate`), and that Pulsar does not take the name for a partition
    /// (`TopicName.getPartitionIndex`), for a topic of its own or for one of the filter's.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        if name.is_empty() {
            return Err(InvalidName("a topic name must not be empty"));
        }
        if name == "." || name == ".." {
            return Err(InvalidName("a topic cannot be named '.' or '..'"));
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(InvalidName("a topic name has at most 249 characters"));
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
            return Err(InvalidName("a topic name consists of ASCII letters, digits, '.', '_' and '-'"));
        }
        if split_partition(name).is_some() {
            return Err(InvalidName(
                "Pulsar reads a name that ends in '-partition-' and a number as one partition of another topic",
            ));
        }
        if name.starts_with(INTERNAL_PREFIX) {
            return Err(InvalidName("names that begin with '__kafka_group_' are kept for consumer groups"));
        }
        if name == LOG_STARTS {
            return Err(InvalidName("'__kafka_log_starts' is kept for what DeleteRecords did"));
        }
        if SYSTEM_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || name.ends_with(SYSTEM_SUFFIX) {
            return Err(InvalidName("the name is one of Pulsar's own topics"));
        }
        Ok(Self(name.into()))
    }

    /// The name as Kafka has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether Pulsar makes a partitioned topic of this name: it does not where its mark for partitions stands anywhere
    /// (`AdminResource.validatePartitionedTopicName`). A topic without partitions may have such a name.
    pub fn can_be_partitioned(&self) -> bool {
        !self.0.contains(PARTITION_MARK)
    }

    /// `persistent://tenant/namespace/name`.
    pub fn base(&self, config: &Config) -> PulsarTopic {
        PulsarTopic(format!("persistent://{}/{}/{}", config.tenant, config.namespace, self.0).into())
    }

    /// The same with Pulsar's suffix for one partition.
    pub fn partition(&self, config: &Config, partition: u32) -> PulsarTopic {
        PulsarTopic(
            format!("persistent://{}/{}/{}{PARTITION_MARK}{partition}", config.tenant, config.namespace, self.0).into(),
        )
    }
}

impl fmt::Display for KafkaTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A full Pulsar topic name. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PulsarTopic(Arc<str>);

impl PulsarTopic {
    /// `persistent://tenant/namespace/local`, for names that are not Kafka's.
    pub fn internal(config: &Config, local: &str) -> Self {
        Self::in_namespace(&format!("{}/{}", config.tenant, config.namespace), local)
    }

    /// `persistent://` and `tenant/namespace` and then `local`.
    pub fn in_namespace(namespace: &str, local: &str) -> Self {
        Self(format!("persistent://{namespace}/{local}").into())
    }

    /// `persistent://…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The topic that this is a partition of, and which one; a topic without partitions is its own partition 0.
    pub fn of_partition(&self) -> (PulsarTopic, u32) {
        match split_partition(&self.0) {
            Some((topic, partition)) => (Self(topic.into()), partition),
            None => (self.clone(), 0),
        }
    }

    /// `/admin/v2/persistent/tenant/namespace/name` and then `rest`.
    pub fn admin_path(&self, rest: &str) -> String {
        format!("/admin/v2/persistent/{}{rest}", self.0.trim_start_matches("persistent://"))
    }
}

impl fmt::Display for PulsarTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `("foo", 3)` of `foo-partition-3`. As Pulsar does, only a number without leading zeros counts.
pub fn split_partition(local: &str) -> Option<(&str, u32)> {
    let (base, number) = local.rsplit_once(PARTITION_MARK)?;
    let is_plain = number == "0" || !number.starts_with(['0', '+']);
    let partition: u32 = number.parse().ok().filter(|_| is_plain)?;
    Some((base, partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kafka_takes_are_taken() {
        for name in ["a", "orders.v1", "_schemas", "x-partition-", "x-partition-03", "x-partition-y", &"n".repeat(249)]
        {
            assert!(KafkaTopic::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_kafka_or_pulsar_reads_otherwise_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "ä",
            "x-partition-3",
            "__kafka_group_g.g",
            "__kafka_log_starts",
            &"n".repeat(250),
        ] {
            assert!(KafkaTopic::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn topics_that_pulsar_keeps_for_itself_cannot_be_named() {
        for name in ["__change_events", "__transaction_buffer_snapshot_segments", "t-s__transaction_pending_ack"] {
            assert!(KafkaTopic::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn only_a_number_as_pulsar_writes_it_names_a_partition() {
        assert_eq!(split_partition("foo-partition-3"), Some(("foo", 3)));
        assert_eq!(split_partition("foo-partition-0"), Some(("foo", 0)));
        for name in ["foo", "foo-partition-", "foo-partition-03", "foo-partition-+3", "foo-partition-4294967296"] {
            assert_eq!(split_partition(name), None, "{name}");
        }
    }

    #[test]
    fn a_topic_lies_in_the_configured_namespace() {
        let config = Config { tenant: "t".into(), namespace: "ns".into(), ..Config::default() };
        let topic = KafkaTopic::new("foo").unwrap();
        assert_eq!(topic.base(&config).as_str(), "persistent://t/ns/foo");
        assert_eq!(topic.partition(&config, 2).as_str(), "persistent://t/ns/foo-partition-2");
        assert_eq!(topic.base(&config).admin_path("/partitions"), "/admin/v2/persistent/t/ns/foo/partitions");
    }
}
