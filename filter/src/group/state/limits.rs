//! Bounds of a group in format 1. They are rules like any other: a new bound is a new format.

/// Members of a group.
pub const MEMBERS_MAX: usize = 2_000;

/// Protocols of one member.
pub const JOIN_PROTOCOLS_MAX: usize = 64;

/// Names and metadata of one Join together, in bytes.
pub const JOIN_BYTES_MAX: usize = 1 << 20;

/// Each name in a Join: Kafka's own bound of a string and the filter's suffix of a member id, in bytes.
pub const NAME_BYTES_MAX: usize = (i16::MAX as usize) + 64;

/// Offsets of a group, those of open transactions among them.
pub const OFFSETS_MAX: usize = 100_000;

/// Producers with an open transaction.
pub const PENDING_PRODUCERS_MAX: usize = 1_000;

/// The state's canonical bytes.
pub const STATE_BYTES_MAX: usize = 32 << 20;

/// Kept free for what grows without being asked: writers, parts of a snapshot, the names of leader and protocol.
pub const STATE_BYTES_RESERVED: usize = 256 << 10;

/// Writers remembered; the one used longest ago goes first, and opens again.
pub const WRITERS_MAX: usize = 1_024;

/// Events of one entry; one with more counts as undecodable.
pub const ENTRY_EVENTS_MAX: usize = 1_000;

/// Bytes of the state in one Snapshot event.
pub const SNAPSHOT_PART_BYTES: usize = 256 << 10;

/// Parts of one snapshot.
pub const SNAPSHOT_PARTS_MAX: u32 = (STATE_BYTES_MAX / SNAPSHOT_PART_BYTES) as u32;

/// No cut before so many entries, unless they are [`CUT_BYTES`] long.
pub const CUT_ENTRIES: u64 = 1_000;

/// No cut before so many bytes, unless they are [`CUT_ENTRIES`].
pub const CUT_BYTES: u64 = 1 << 20;

/// A cut after so many entries, however long the last snapshot was.
pub const CUT_ENTRIES_MAX: u64 = 20_000;
