//! What the connections of one worker share.

use super::budget::Budget;
use super::lag::Lag;
use super::log::Log;
use super::metrics::Metrics;
use super::random::Random;
use crate::config::Config;
use crate::group::groups::Groups;
use crate::offsets::appends::KnownEntries;
use crate::offsets::floors::known::KnownFloors;
use crate::records::Scratch;
use crate::topics::configs::defaults::DefaultsCache;
use crate::topics::leader_cache::LeaderCache;
use crate::topics::partitions::PartitionsCache;

/// One per worker thread; gone with it. Nothing here must outlive the worker: what must, lives in Pulsar.
#[derive(Debug)]
pub struct Shared {
    /// As the operator set it.
    pub config: Config,
    /// For ids.
    pub random: Random,
    /// Partition counts, for a moment.
    pub partitions: PartitionsCache,
    /// What topics have that have no policies of their own, for a moment.
    pub config_defaults: DefaultsCache,
    /// Leaders' addresses, for a while.
    pub leaders: LeaderCache,
    /// Recently seen entries and their offsets.
    pub entries: KnownEntries,
    /// Log starts that DeleteRecords asked for, for a moment.
    pub floors: KnownFloors,
    /// Bytes that readers hold or have allowed the broker to send.
    pub prefetch: Budget,
    /// Bytes of requests that wait to be sent on, over all connections.
    pub held: Budget,
    /// Buffers and codec states of the record path.
    pub scratch: Scratch,
    /// Consumer groups with a member or a request on this worker.
    pub groups: Groups,
    /// How far groups are behind.
    pub lag: Lag,
    /// Whether a connection of this worker looks, or has looked, at the namespace's policies.
    pub policies_looked_at: bool,
    /// The same of the namespace of groups, once there is one.
    pub groups_policies_looked_at: bool,
    /// Counters.
    pub metrics: Metrics,
    /// Lines for the operator.
    pub log: Log,
}

impl Shared {
    /// A worker that has seen nothing yet.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            groups: Groups::new(&config, seed.rotate_left(32)),
            partitions: PartitionsCache::default(),
            config_defaults: DefaultsCache::default(),
            leaders: LeaderCache::default(),
            entries: KnownEntries::default(),
            floors: KnownFloors::default(),
            prefetch: Budget::new(config.prefetch_bytes_per_worker),
            held: Budget::new(config.max_held_bytes_per_worker),
            scratch: Scratch::default(),
            lag: Lag::new(config.max_lag_gauges),
            policies_looked_at: false,
            groups_policies_looked_at: false,
            metrics: Metrics::default(),
            log: Log::default(),
            config,
        }
    }
}
