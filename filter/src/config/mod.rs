//! The filter's settings: the JSON in Envoy's `configuration`.
//!
//! One table below is the type, the defaults, the bounds and `docs/configuration.md` at once; a test holds the page to it.

mod address;
mod error;
mod object;
mod rule;
mod secret;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use address::{AddressPattern, HostPort};
pub use error::ConfigError;
use object::Object;
use rule::{
    Addresses, Anything, Between, BytesBetween, NameOrEmpty, NodeIds, NotEmpty, OneOf, PulsarName, Rule, TopicConfigs,
};
pub use secret::Secret;

/// Bytes of a kibibyte.
const KIB: usize = 1024;
/// Bytes of a mebibyte.
const MIB: usize = 1024 * KIB;

/// How offsets are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OffsetMode {
    /// Contiguous, from the index in Pulsar's broker entry metadata.
    Index,
    /// Sparse, from ledger, entry and batch index.
    MessageId,
}

/// One setting, as the documentation tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The field of the JSON object.
    pub name: &'static str,
    /// What it may be.
    pub bound: String,
    /// What it is where it is not given, as JSON.
    pub default: String,
    /// What it is for.
    pub meaning: &'static str,
}

macro_rules! settings {
    ($($(#[doc = $meaning:literal])+ $name:ident: $type:ty = $default:expr, $rule:expr;)*) => {
        /// The settings. `Config::default()` is what an empty configuration gives.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $($(#[doc = $meaning])+ pub $name: $type,)*
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Config {
            /// Every setting in the order of the page.
            pub fn settings() -> Vec<Setting> {
                let config = Self::default();
                vec![$(Setting {
                    name: stringify!($name),
                    bound: Rule::<$type>::text(&$rule),
                    default: Rule::<$type>::shown(&$rule, &config.$name),
                    meaning: concat!($($meaning),+).trim_ascii(),
                }),*]
            }

            fn take(fields: &mut Map<String, Value>) -> Result<Self, ConfigError> {
                Ok(Self { $($name: take(fields, stringify!($name), &$rule, $default)?,)* })
            }
        }
    };
}

settings! {
    /// Tenant under which Kafka's topics are.
    tenant: String = "public".to_owned(), PulsarName;
    /// Namespace under which Kafka's topics are.
    namespace: String = "default".to_owned(), PulsarName;
    /// How offsets are made: `index` needs broker entry metadata, `message-id` needs nothing and leaves gaps.
    offsets: OffsetMode = OffsetMode::Index, OneOf(&["\"index\"", "\"message-id\""]);
    /// Whether a topic that a client asks for is created, where the client allows it.
    auto_create_topics: bool = true, OneOf(&["true", "false"]);
    /// Partitions of a topic that is created without saying how many.
    default_partitions: u32 = 1, Between(1, 10_000);
    /// Largest replication factor that clients may ask for; how many copies there are is Pulsar's write quorum, whatever is asked.
    max_replication_factor: u32 = 1, Between(1, 1_000);
    /// Backlog of bytes at which Pulsar compacts a partition of a topic whose `cleanup.policy` is set to `compact`.
    compaction_threshold_bytes: usize = 16 * MIB, BytesBetween(KIB, 1024 * MIB);
    /// Topic configurations that clients may set to what Pulsar cannot do: such a value is taken and nothing comes of it.
    ignored_topic_configs: BTreeSet<String> = BTreeSet::new(), TopicConfigs;
    /// Whether each record becomes a Pulsar entry of its own key, for Key_Shared subscriptions; costs throughput.
    entry_per_key: bool = false, OneOf(&["true", "false"]);
    /// The cluster id that clients are told.
    cluster_id: String = "isthmus".to_owned(), NotEmpty;
    /// Name of the listener under which Pulsar's brokers advertise their Kafka addresses; empty: do not ask for it.
    advertised_listener: String = "kafka".to_owned(), NameOrEmpty;
    /// Kafka address of each Pulsar broker, by the address a lookup gives; goes before the pattern.
    broker_addresses: BTreeMap<HostPort, HostPort> = BTreeMap::new(), Addresses;
    /// Kafka address of a Pulsar broker, made from the address a lookup gives: `{host}` and `{port}` stand for its parts.
    broker_address_pattern: Option<AddressPattern> = None, Anything("a pattern like `\"{host}:9092\"`, or `null`");
    /// Kafka node id of each Kafka address; any other gets a hash of its address.
    node_ids: BTreeMap<HostPort, i32> = BTreeMap::new(), NodeIds;
    /// Envoy cluster of Pulsar's admin REST; empty: none, and what needs it is refused.
    admin_cluster: String = "pulsar-admin".to_owned(), NameOrEmpty;
    /// Token shown to the admin REST.
    admin_token: Option<Secret> = None, Anything("a string, or `null`");
    /// Authentication method shown to the broker, such as `token` or `basic`; goes with `pulsar_auth_data`.
    pulsar_auth_method: Option<String> = None, Anything("a string, or `null`");
    /// Data of that method: a token, or `user:password`.
    pulsar_auth_data: Option<Secret> = None, Anything("a string, or `null`");
    /// Longest wait for Pulsar before a request is answered with an error, in milliseconds.
    request_timeout_ms: u32 = 30_000, Between(100, 600_000);
    /// How long the owner of a partition is remembered, in milliseconds.
    lookup_cache_ttl_ms: u32 = 30_000, Between(0, 3_600_000);
    /// Partitions whose owner is remembered, per worker.
    lookup_cache_entries: u32 = 100_000, Between(1, 1_000_000);
    /// Largest request; a larger one closes the connection.
    max_request_bytes: usize = 16 * MIB, BytesBetween(KIB, 128 * MIB);
    /// Requests of one connection that wait for their answer; more are left in the socket.
    max_in_flight_requests: u32 = 128, Between(1, 10_000);
    /// Bytes held for one connection; more are left in the socket, or close it if its client does not read.
    max_held_bytes_per_connection: usize = 32 * MIB, BytesBetween(KIB, 512 * MIB);
    /// Bytes held for all connections of a worker.
    max_held_bytes_per_worker: usize = 256 * MIB, BytesBetween(KIB, 768 * MIB);
    /// Partitions that one connection produces to; an error beyond it.
    max_producers_per_connection: u32 = 2_000, Between(1, 100_000);
    /// Partitions that one connection fetches from; an error beyond it.
    max_readers_per_connection: u32 = 2_000, Between(1, 100_000);
    /// Bytes a worker's readers may have asked Pulsar for before a client fetches them; the largest entry must fit.
    prefetch_bytes_per_worker: usize = 64 * MIB, BytesBetween(6 * MIB, 512 * MIB);
    /// Largest batch after decompression; a larger one is refused.
    max_decompressed_bytes: usize = 64 * MIB, BytesBetween(MIB, 256 * MIB);
    /// Largest fetch response, whatever the client asks for; one batch always fits.
    max_fetch_bytes: usize = 55 * MIB, BytesBetween(KIB, 128 * MIB);
    /// Longest long poll, whatever the client asks for, in milliseconds.
    max_fetch_wait_ms: u32 = 60_000, Between(0, 600_000);
    /// Connections of one worker; the next is closed.
    max_connections_per_worker: u32 = 10_000, Between(1, 1_000_000);
    /// Entries read back at most to find the offset of a batch that Pulsar has already; 0: never.
    idempotence_readback_entries: u32 = 1_000, Between(0, 100_000);
    /// Tenant and namespace of the topics that hold consumer groups; `null`: those of Kafka's topics.
    groups_namespace: Option<String> = None, Anything("a string like `\"tenant/namespace\"`, or `null`");
    /// How long the first rebalance of an empty group waits for further members, in milliseconds.
    group_initial_rebalance_delay_ms: u32 = 3_000, Between(0, 300_000);
    /// Shortest session timeout that a member may ask for, in milliseconds.
    group_min_session_timeout_ms: u32 = 6_000, Between(100, 1_800_000);
    /// Longest session timeout that a member may ask for, in milliseconds.
    group_max_session_timeout_ms: u32 = 1_800_000, Between(100, 1_800_000);
    /// Members of one group; the next is refused.
    group_max_size: u32 = 2_000, Between(1, 2_000);
    /// How long the offsets of a group without members are kept, in minutes.
    offsets_retention_minutes: u32 = 10_080, Between(1, 5_256_000);
    /// Bytes of metadata beside a committed offset; a longer one is refused.
    offset_metadata_max_bytes: u32 = 4_096, Between(0, 65_536);
    /// Bytes that the states of a worker's groups may take; a group beyond it is not available.
    max_group_bytes_per_worker: usize = 256 * MIB, BytesBetween(MIB, 512 * MIB);
    /// Gauges of the lag of groups that a worker makes in its life, one for each group and partition, and as many of partitions' ends; 0: none.
    max_lag_gauges: u32 = 1_000, Between(0, 100_000);
}

impl Config {
    /// Reads Envoy's `configuration`; nothing at all gives the defaults.
    pub fn from_json(json: &[u8]) -> Result<Self, ConfigError> {
        if json.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let Object(mut fields) =
            serde_json::from_slice(json).map_err(|error| ConfigError::NotAnObject { error: error.to_string() })?;
        let config = Self::take(&mut fields)?;
        match fields.into_iter().next() {
            Some((field, _)) => Err(ConfigError::Unknown { field }),
            None => config.agree().map(|()| config),
        }
    }

    /// Checks fields against each other.
    fn agree(&self) -> Result<(), ConfigError> {
        let conflict = |field, reason: &str| Err(ConfigError::Conflict { field, reason: reason.to_owned() });
        if self.pulsar_auth_method.is_some() != self.pulsar_auth_data.is_some() {
            return conflict("pulsar_auth_method", "goes with pulsar_auth_data: set both, or neither");
        }
        if self.max_held_bytes_per_connection < self.max_request_bytes {
            return conflict(
                "max_held_bytes_per_connection",
                "must be at least max_request_bytes, to hold one request",
            );
        }
        if self.max_held_bytes_per_worker < self.max_held_bytes_per_connection {
            return conflict("max_held_bytes_per_worker", "must be at least max_held_bytes_per_connection");
        }
        if self.group_max_session_timeout_ms < self.group_min_session_timeout_ms {
            return conflict("group_max_session_timeout_ms", "must be at least group_min_session_timeout_ms");
        }
        let namespace_is_whole = |name: &str| {
            name.split_once('/').is_some_and(|(tenant, namespace)| {
                [tenant, namespace].into_iter().all(|part| PulsarName.check(&part.to_owned()).is_ok())
            })
        };
        if self.groups_namespace.as_deref().is_some_and(|name| !namespace_is_whole(name)) {
            return conflict("groups_namespace", "must be a tenant and a namespace with '/' between them");
        }
        Ok(())
    }
}

fn take<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    field: &'static str,
    rule: &impl Rule<T>,
    default: T,
) -> Result<T, ConfigError> {
    let Some(value) = fields.remove(field) else { return Ok(default) };
    let invalid = |reason| ConfigError::Invalid { field, expected: rule.text(), reason };
    let value = T::deserialize(value).map_err(|error| invalid(error.to_string()))?;
    rule.check(&value).map_err(invalid)?;
    Ok(value)
}
