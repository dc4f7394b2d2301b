//! What a group's log says, at one position of it.

mod checks;
pub mod encoding;
pub mod limits;
pub mod members;
pub mod offsets;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::log::entry::{Base, EventPosition, Protocol};
use crate::ids::Position;
pub use members::Members;
pub use offsets::Offsets;

/// The state after [`Log::applied`]: equal on every replica that has applied as much, byte for byte.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The format in force.
    pub format: u32,
    /// What the log itself needs.
    pub log: Log,
    /// The group has been joined or committed to since it was made or deleted.
    pub exists: bool,
    /// Where a rebalance stands.
    pub phase: Phase,
    /// The event that began the phase.
    pub phase_began: EventPosition,
    /// The event that began the round, or the completion after it.
    pub round_began: EventPosition,
    /// The current generation; 0 before the first.
    pub generation: i32,
    /// `consumer`, `connect`, …; the first member's.
    pub protocol_type: Option<String>,
    /// The protocol chosen for the generation.
    pub protocol: Option<String>,
    /// The member that assigns.
    pub leader: Option<String>,
    /// In the order they joined.
    pub members: Members,
    /// Committed offsets, by topic and partition.
    pub offsets: Offsets,
    /// Offsets of open transactions, by producer id.
    pub pending: BTreeMap<i64, Pending>,
}

/// Kafka's states of a group. A group that does not exist is `Empty` here and told to clients as `Dead`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No members.
    Empty {
        /// The writer's wall clock when the last member left.
        since_ms: i64,
    },
    /// Members join.
    Preparing {
        /// The group was empty before: the round stays open for a while, for those that start at the same time.
        initial: bool,
    },
    /// Everybody joined; the leader assigns.
    Completing,
    /// Assigned.
    Stable,
}

/// What the log itself needs: who wrote how far, where snapshots stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// The last entry applied.
    pub applied: Option<Position>,
    /// The entry that deleted the group last, or the first of the ledger in which it came into being: what was written by somebody
    /// who had not applied this is void.
    pub origin: Option<Position>,
    /// How far each writer got, the one used longest ago first.
    pub writers: Vec<Writer>,
    /// Entries since the last cut.
    pub since: u64,
    /// Their bytes.
    pub bytes_since: u64,
    /// Length of the last complete snapshot, in bytes.
    pub snapshot_len: u64,
    /// Length of the state's bytes at the last cut.
    pub cut_len: u64,
    /// The last cut.
    pub cut: Option<Position>,
    /// Parts of the snapshot at that cut that are in the log.
    pub cut_parts: BTreeSet<u32>,
    /// The cut of the last complete snapshot, since the group exists: where a load begins.
    pub base: Option<Position>,
    /// The one before: what lies before it may be trimmed some time after.
    pub previous_base: Option<Position>,
}

impl Log {
    /// Where a load begins.
    pub fn base(&self) -> Option<Base> {
        self.base.map(Base::Snapshot).or(self.origin.map(Base::Origin))
    }

    /// The epoch in which a writer is known.
    pub fn epoch_of(&self, writer: u64) -> Option<u64> {
        self.writers.iter().rfind(|known| known.writer == writer).map(|known| known.epoch)
    }
}

/// How far a writer got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Who.
    pub writer: u64,
    /// Its epoch.
    pub epoch: u64,
    /// Its last entry in that epoch.
    pub seq: u64,
}

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// For people.
    pub client_id: String,
    /// For people.
    pub client_host: String,
    /// `session.timeout.ms`.
    pub session_ms: u32,
    /// `rebalance.timeout.ms`.
    pub rebalance_ms: u32,
    /// The preferred one first.
    pub protocols: Vec<Protocol>,
    /// Opaque; empty before the leader assigned.
    pub assignment: Bytes,
    /// It asked to join the round that is open.
    pub joined: bool,
    /// It asked for its assignment in the current generation.
    pub synced: bool,
    /// The last event that shows it alive.
    pub seen: EventPosition,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next to be consumed.
    pub offset: i64,
    /// As the client gave it; -1 for none.
    pub leader_epoch: i32,
    /// The client's own.
    pub metadata: String,
    /// The writer's wall clock.
    pub time_ms: i64,
    /// The event that committed it.
    pub at: EventPosition,
}

/// Offsets of a transaction that is still open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Of the transaction's producer.
    pub producer_epoch: i32,
    /// Whose transaction.
    pub transactional_id: String,
    /// By topic and partition.
    pub offsets: Offsets,
}

impl Default for State {
    /// Before the first entry.
    fn default() -> Self {
        Self {
            format: super::log::entry::FORMAT,
            log: Log::default(),
            exists: false,
            phase: Phase::Empty { since_ms: 0 },
            phase_began: EventPosition::default(),
            round_began: EventPosition::default(),
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: Members::default(),
            offsets: Offsets::default(),
            pending: BTreeMap::new(),
        }
    }
}

impl State {
    /// Right after the entry at `origin`: there is no group, and what was written before is void from here on.
    pub fn bare(origin: Position) -> Self {
        let log = Log { applied: Some(origin), origin: Some(origin), ..Log::default() };
        Self { log, ..Self::default() }
    }

    /// Whether the entry at `position` makes the state [`State::bare`]: while there is no group, ledgers may be trimmed, and
    /// each begins without a word of what lay before it.
    pub fn begins_anew_at(&self, position: Position) -> bool {
        !self.exists && self.log.origin.is_none_or(|origin| origin.ledger != position.ledger)
    }

    /// A member by its id.
    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.by_id(id)
    }
}

impl Member {
    /// Each of its protocols once.
    pub(crate) fn protocol_names(&self) -> BTreeSet<&str> {
        self.protocols.iter().map(|protocol| protocol.name.as_str()).collect()
    }
}
