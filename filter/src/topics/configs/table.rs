//! Which of Kafka's topic configurations there are, and what each one is on Pulsar.

use std::fmt::Write;

use super::value::Kind;

/// One of Kafka's topic configurations (`TopicConfig.java`).
#[derive(Debug)]
pub struct TopicConfig {
    /// Kafka's name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The broker configuration that Kafka names beside it as where its default comes from.
    pub synonym: Option<&'static str>,
    /// What it is on Pulsar.
    pub mapping: Mapping,
    /// In a sentence or two, for `kafka-configs` and for the page.
    pub about: &'static str,
}

/// Where a configuration lives on Pulsar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// The topic's compaction threshold, and its retention where nothing is to be deleted.
    CleanupPolicy,
    /// The time of the topic's retention, in whole minutes.
    RetentionMs,
    /// The size of the topic's retention, in whole MiB.
    RetentionBytes,
    /// The topic's `maxMessageSize`, within the broker's and what the filter takes.
    MaxMessageBytes,
    /// `managedLedgerMaxSizePerLedgerMbytes` of the brokers; no topic has its own.
    LedgerBytes,
    /// `managedLedgerMaxLedgerRolloverTimeMinutes` of the brokers; no topic has its own.
    LedgerMs,
    /// So it is for every topic.
    Given(&'static str),
}

impl Mapping {
    /// Whether a topic can have a value of its own.
    pub fn is_settable(self) -> bool {
        match self {
            Mapping::CleanupPolicy | Mapping::RetentionMs | Mapping::RetentionBytes | Mapping::MaxMessageBytes => true,
            Mapping::LedgerBytes | Mapping::LedgerMs | Mapping::Given(_) => false,
        }
    }
}

const fn config(
    name: &'static str,
    kind: Kind,
    synonym: &'static str,
    mapping: Mapping,
    about: &'static str,
) -> TopicConfig {
    TopicConfig { name, kind, synonym: Some(synonym), mapping, about }
}

/// The configurations that a topic is told to have, by name.
pub const TOPIC_CONFIGS: &[TopicConfig] = &[
    config(
        "cleanup.policy",
        Kind::Words(&["compact", "delete"]),
        "log.cleanup.policy",
        Mapping::CleanupPolicy,
        "`compact` sets the topic's compaction threshold to `compaction_threshold_bytes`, `delete` alone sets it to 0; \
         without `delete` the topic's retention is without limit.",
    ),
    config(
        "compression.type",
        Kind::Word(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        "compression.type",
        Mapping::Given("producer"),
        "Batches rest as their producer compressed them.",
    ),
    config(
        "delete.retention.ms",
        Kind::Long(0),
        "log.cleaner.delete.retention.ms",
        Mapping::Given("0"),
        "Pulsar's compaction drops a tombstone at once.",
    ),
    config(
        "max.compaction.lag.ms",
        Kind::Long(1),
        "log.cleaner.max.compaction.lag.ms",
        Mapping::Given("9223372036854775807"),
        "Pulsar compacts by size, never because of age.",
    ),
    config(
        "max.message.bytes",
        Kind::Int(0),
        "message.max.bytes",
        Mapping::MaxMessageBytes,
        "The topic's `maxMessageSize`, which counts bytes of a Pulsar entry: its metadata counts, and a batch may be \
         smaller or larger than Kafka's. At most the broker's `maxMessageSize` and the filter's `max_request_bytes`; \
         0 becomes 1.",
    ),
    config(
        "message.timestamp.after.max.ms",
        Kind::Long(0),
        "log.message.timestamp.after.max.ms",
        Mapping::Given("9223372036854775807"),
        "Timestamps are not judged.",
    ),
    config(
        "message.timestamp.before.max.ms",
        Kind::Long(0),
        "log.message.timestamp.before.max.ms",
        Mapping::Given("9223372036854775807"),
        "Timestamps are not judged.",
    ),
    config(
        "message.timestamp.type",
        Kind::Word(&["CreateTime", "LogAppendTime"]),
        "log.message.timestamp.type",
        Mapping::Given("CreateTime"),
        "A record keeps its producer's timestamp.",
    ),
    config(
        "min.compaction.lag.ms",
        Kind::Long(0),
        "log.cleaner.min.compaction.lag.ms",
        Mapping::Given("0"),
        "Pulsar's compaction spares no record for being young.",
    ),
    config(
        "min.insync.replicas",
        Kind::Int(1),
        "min.insync.replicas",
        Mapping::Given("1"),
        "A partition has one replica for Kafka, the broker that owns it. How many copies a record must have is Pulsar's \
         ack quorum, a policy of the namespace.",
    ),
    config("preallocate", Kind::Boolean, "log.preallocate", Mapping::Given("false"), "Pulsar has no files of a topic."),
    TopicConfig {
        name: "remote.storage.enable",
        kind: Kind::Boolean,
        synonym: None,
        mapping: Mapping::Given("false"),
        about: "Kafka's tiered storage is not there. Offloading is a policy of the namespace, and clients do not see it.",
    },
    config(
        "retention.bytes",
        Kind::Long(-1),
        "log.retention.bytes",
        Mapping::RetentionBytes,
        "The size of the topic's retention, of each partition as in Kafka, in MiB rounded up; -1 is without limit.",
    ),
    config(
        "retention.ms",
        Kind::Long(-1),
        "log.retention.ms",
        Mapping::RetentionMs,
        "The time of the topic's retention, in minutes rounded up; -1 is without limit.",
    ),
    config(
        "segment.bytes",
        Kind::Int(1_048_576),
        "log.segment.bytes",
        Mapping::LedgerBytes,
        "The size at which Pulsar closes a ledger, `managedLedgerMaxSizePerLedgerMbytes` of the brokers (2147483647 where \
         it is more): retention drops whole ledgers.",
    ),
    config(
        "segment.ms",
        Kind::Long(1),
        "log.roll.ms",
        Mapping::LedgerMs,
        "The age at which Pulsar closes a ledger, `managedLedgerMaxLedgerRolloverTimeMinutes` of the brokers.",
    ),
    config(
        "unclean.leader.election.enable",
        Kind::Boolean,
        "unclean.leader.election.enable",
        Mapping::Given("false"),
        "No broker leads a partition without the records that were acknowledged.",
    ),
];

/// Kafka's other topic configurations: Pulsar has nothing like them, so they are not told, and not taken.
pub const WITHOUT_COUNTERPART: &[&str] = &[
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.difference.max.ms",
    "min.cleanable.dirty.ratio",
    "remote.log.copy.disable",
    "remote.log.delete.on.disable",
    "segment.index.bytes",
    "segment.jitter.ms",
];

/// The configuration of that name.
pub fn find(name: &str) -> Option<&'static TopicConfig> {
    TOPIC_CONFIGS.iter().find(|config| config.name == name)
}

/// The table of `docs/compatibility.md`.
pub fn page() -> String {
    let mut table = String::from("| Configuration | May be set to | On Pulsar |\n|---|---|---|\n");
    for TopicConfig { name, mapping, about, .. } in TOPIC_CONFIGS {
        let may_be = match mapping {
            Mapping::CleanupPolicy => "`delete`, `compact`, both, or nothing".to_owned(),
            Mapping::RetentionMs | Mapping::RetentionBytes => "-1 or more".to_owned(),
            Mapping::MaxMessageBytes => "0 or more, within the broker's".to_owned(),
            Mapping::LedgerBytes | Mapping::LedgerMs => "what it is".to_owned(),
            Mapping::Given(value) => format!("`{value}`"),
        };
        // Writing to a string does not fail.
        let _ = writeln!(table, "| `{name}` | {may_be} | {about} |");
    }
    let others: Vec<String> = WITHOUT_COUNTERPART.iter().map(|name| format!("`{name}`")).collect();
    let _ = writeln!(table, "| {} | nothing | Not told: Pulsar has nothing like them. |", others.join(", "));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ordered_and_names_each_configuration_once() {
        assert!(TOPIC_CONFIGS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(WITHOUT_COUNTERPART.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(WITHOUT_COUNTERPART.iter().all(|name| find(name).is_none()));
    }

    #[test]
    fn what_is_given_is_a_value_that_kafka_takes() {
        for config in TOPIC_CONFIGS {
            if let Mapping::Given(value) = config.mapping {
                assert_eq!(config.kind.normal(config.name, value).unwrap(), value);
            }
        }
    }
}
