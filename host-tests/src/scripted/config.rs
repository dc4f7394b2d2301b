//! How the scripted broker is set up.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

/// What happens when a topic that does not exist is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoCreate {
    /// `allowAutoTopicCreation=false`.
    Off,
    /// `allowAutoTopicCreationType=partitioned`, with `defaultNumPartitions`.
    Partitioned(u32),
    /// `allowAutoTopicCreationType=non-partitioned`.
    Plain,
}

/// The settings, named by what they stand for in `broker.conf`.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// `maxMessageSize`; CONNECTED announces it, and a frame 10 KiB larger closes the connection.
    pub max_message_bytes: usize,
    /// `keepAliveIntervalSeconds`; `None` never pings and waits for ever.
    pub keep_alive: Option<Duration>,
    /// `AppendIndexMetadataInterceptor`, exposed to clients.
    pub index: bool,
    /// `brokerDeduplicationEnabled`.
    pub deduplication: bool,
    /// `allowAutoTopicCreation` and its type.
    pub auto_create: AutoCreate,
    /// `advertisedListeners`: name to URL.
    pub listeners: BTreeMap<String, String>,
    /// `internalListenerName`: what LOOKUP answers when it names none.
    pub internal_listener: String,
    /// A ledger is closed when it holds so many entries.
    pub max_entries_per_ledger: Option<usize>,
    /// How long the ledger takes to store an entry.
    pub write_delay: Duration,
    /// How long a producer stays known after its connection broke: meanwhile its name is busy.
    pub producer_linger: Duration,
    /// Method and data that CONNECT must show; none means that authentication is off.
    pub credentials: Vec<(String, Bytes)>,
    /// `getMessageIdByIndex` exists (since 4.0.9).
    pub message_id_by_index: bool,
    /// A batch that compaction writes anew keeps its index (since 4.0).
    pub compaction_keeps_index: bool,
    /// `topicLevelPoliciesEnabled`.
    pub topic_policies: bool,
    /// How long a broker takes to read back the policies of a topic that it wrote.
    pub policies_lag: Duration,
    /// The first ledger's id.
    pub first_ledger: i64,
}

impl Default for BrokerConfig {
    /// As `make run` sets its Pulsar up.
    fn default() -> Self {
        let listener = |name: &str, port: u16| (name.to_string(), format!("pulsar://127.0.0.1:{port}"));
        Self {
            max_message_bytes: 5 << 20,
            keep_alive: Some(Duration::from_secs(30)),
            index: true,
            deduplication: true,
            auto_create: AutoCreate::Partitioned(1),
            listeners: BTreeMap::from([listener("internal", 6650), listener("kafka", 9092)]),
            internal_listener: "internal".to_string(),
            max_entries_per_ledger: None,
            write_delay: Duration::ZERO,
            producer_linger: Duration::ZERO,
            credentials: Vec::new(),
            message_id_by_index: true,
            compaction_keeps_index: true,
            topic_policies: true,
            policies_lag: Duration::ZERO,
            first_ledger: 10,
        }
    }
}
