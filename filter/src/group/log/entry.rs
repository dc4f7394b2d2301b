//! One entry of a group's log: who wrote it, after what, and the events in it.
//!
//! Tags never change their meaning; a new event or a new rule is a new format (`docs/group-log.md`).

use bytes::Bytes;
use prost::{Message, Oneof};

use crate::ids::Position;

/// The format this filter writes and knows.
pub const FORMAT: u32 = 1;

/// The payload of one Pulsar message, which is never batched.
#[derive(Clone, PartialEq, Message)]
pub struct Entry {
    /// [`FORMAT`] of the filter that wrote it.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// The replica that wrote it: random, never used twice.
    #[prost(fixed64, tag = "2")]
    pub writer: u64,
    /// Raised by the writer whenever it opens a producer.
    #[prost(uint64, tag = "3")]
    pub epoch: u64,
    /// Raised by the writer with every entry of an epoch.
    #[prost(uint64, tag = "4")]
    pub seq: u64,
    /// First of its epoch: from here on nothing of the writer's older epochs takes effect.
    #[prost(bool, tag = "5")]
    pub open: bool,
    /// What the writer had applied last; absent where it found the topic empty.
    #[prost(message, optional, tag = "6")]
    pub seen: Option<LogPosition>,
    /// Where a load begins, as far as the writer knew; see [`Entry::base`].
    #[prost(message, optional, tag = "7")]
    pub base: Option<LogPosition>,
    /// There was no group at `base`: a load begins behind it with nothing.
    #[prost(bool, tag = "10")]
    pub bare: bool,
    /// The writer's wall clock, in milliseconds since 1970.
    #[prost(int64, tag = "8")]
    pub time_ms: i64,
    /// What happened, in order.
    #[prost(message, repeated, tag = "9")]
    pub events: Vec<Event>,
}

/// Where a load begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Behind this entry, with a group that does not exist.
    Origin(Position),
    /// With the snapshot of the state at this cut.
    Snapshot(Position),
}

impl Base {
    /// The entry.
    pub const fn position(self) -> Position {
        match self {
            Self::Origin(position) | Self::Snapshot(position) => position,
        }
    }
}

impl Entry {
    /// Where a load begins, as far as the writer knew; `None` where it found the topic empty.
    pub fn base(&self) -> Option<Base> {
        let position = Position::from(self.base?);
        Some(if self.bare { Base::Origin(position) } else { Base::Snapshot(position) })
    }
}

/// [`Position`] on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct LogPosition {
    /// Pulsar's ledger id.
    #[prost(uint64, tag = "1")]
    pub ledger: u64,
    /// The entry in the ledger.
    #[prost(uint64, tag = "2")]
    pub entry: u64,
}

impl From<Position> for LogPosition {
    fn from(position: Position) -> Self {
        Self { ledger: position.ledger, entry: position.entry }
    }
}

impl From<LogPosition> for Position {
    fn from(position: LogPosition) -> Self {
        Self { ledger: position.ledger, entry: position.entry }
    }
}

/// Where an event stands: proposals name the event they judged by, and nothing newer may contradict it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Message)]
pub struct EventPosition {
    /// Pulsar's ledger id.
    #[prost(uint64, tag = "1")]
    pub ledger: u64,
    /// The entry in the ledger.
    #[prost(uint64, tag = "2")]
    pub entry: u64,
    /// The event in the entry, from 0.
    #[prost(uint32, tag = "3")]
    pub index: u32,
}

impl EventPosition {
    /// The event `index` of the entry at `position`.
    pub const fn new(position: Position, index: u32) -> Self {
        Self { ledger: position.ledger, entry: position.entry, index }
    }
}

/// One event. A kind this filter does not know is `None` and does nothing.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// What happened.
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15")]
    pub kind: Option<Kind>,
}

impl From<Kind> for Event {
    fn from(kind: Kind) -> Self {
        Self { kind: Some(kind) }
    }
}

/// Every event there is.
#[derive(Clone, PartialEq, Oneof)]
pub enum Kind {
    /// A member joins, or joins again.
    #[prost(message, tag = "1")]
    Join(Join),
    /// A member asks for its assignment; the leader's request carries everybody's.
    #[prost(message, tag = "2")]
    Sync(Sync),
    /// These members were heard from.
    #[prost(message, tag = "3")]
    Beat(Beat),
    /// Members leave.
    #[prost(message, tag = "4")]
    Leave(Leave),
    /// A member's session is over, in its writer's judgement.
    #[prost(message, tag = "5")]
    Expire(Expire),
    /// A phase of a rebalance took too long, in its writer's judgement.
    #[prost(message, tag = "6")]
    Timeout(Timeout),
    /// Offsets are committed.
    #[prost(message, tag = "7")]
    Commit(Commit),
    /// Offsets are deleted by request.
    #[prost(message, tag = "8")]
    OffsetDelete(OffsetDelete),
    /// The group is deleted by request.
    #[prost(message, tag = "9")]
    Delete(Delete),
    /// Offsets of an abandoned group go.
    #[prost(message, tag = "10")]
    ExpireOffsets(ExpireOffsets),
    /// Offsets are committed in a transaction that is still open.
    #[prost(message, tag = "11")]
    TxnCommit(TxnCommit),
    /// A transaction ended.
    #[prost(message, tag = "12")]
    TxnEnd(TxnEnd),
    /// A part of the state at a cut.
    #[prost(message, tag = "13")]
    Snapshot(Snapshot),
    /// A new format is in force.
    #[prost(message, tag = "14")]
    Upgrade(Upgrade),
    /// Nothing: the entry itself is what its writer wants.
    #[prost(message, tag = "15")]
    Nop(Nop),
}

/// JoinGroup, as far as the group's state depends on it.
#[derive(Clone, PartialEq, Message)]
pub struct Join {
    /// The member's id: given by the filter where the client sent none.
    #[prost(string, tag = "1")]
    pub member: String,
    /// `group.instance.id` (KIP-345).
    #[prost(string, optional, tag = "2")]
    pub instance: Option<String>,
    /// The client sent no member id.
    #[prost(bool, tag = "3")]
    pub fresh: bool,
    /// The id was given out on this connection with `MEMBER_ID_REQUIRED` (KIP-394).
    #[prost(bool, tag = "4")]
    pub issued: bool,
    /// For people.
    #[prost(string, tag = "5")]
    pub client_id: String,
    /// For people.
    #[prost(string, tag = "6")]
    pub client_host: String,
    /// `session.timeout.ms`.
    #[prost(uint32, tag = "7")]
    pub session_ms: u32,
    /// `rebalance.timeout.ms`.
    #[prost(uint32, tag = "8")]
    pub rebalance_ms: u32,
    /// Protocol type: `consumer`, `connect`, ….
    #[prost(string, tag = "9")]
    pub protocol_type: String,
    /// The member's protocols, the preferred one first.
    #[prost(message, repeated, tag = "10")]
    pub protocols: Vec<Protocol>,
    /// The writer's setting for the group's size.
    #[prost(uint32, tag = "11")]
    pub max_size: u32,
}

/// A protocol of a member: an assignor and its subscription, to Kafka's consumers.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Protocol {
    /// `range`, `cooperative-sticky`, ….
    #[prost(string, tag = "1")]
    pub name: String,
    /// Opaque.
    #[prost(bytes = "bytes", tag = "2")]
    pub metadata: Bytes,
}

/// SyncGroup.
#[derive(Clone, PartialEq, Message)]
pub struct Sync {
    /// Who.
    #[prost(string, tag = "1")]
    pub member: String,
    /// `group.instance.id`.
    #[prost(string, optional, tag = "2")]
    pub instance: Option<String>,
    /// Of the member.
    #[prost(int32, tag = "3")]
    pub generation: i32,
    /// Protocol type, if the client names it (version 5).
    #[prost(string, optional, tag = "4")]
    pub protocol_type: Option<String>,
    /// Protocol, if the client names it (version 5).
    #[prost(string, optional, tag = "5")]
    pub protocol: Option<String>,
    /// The leader's.
    #[prost(message, repeated, tag = "6")]
    pub assignments: Vec<Assignment>,
}

/// What one member is to consume.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Assignment {
    /// Who.
    #[prost(string, tag = "1")]
    pub member: String,
    /// Opaque.
    #[prost(bytes = "bytes", tag = "2")]
    pub bytes: Bytes,
}

/// Members that were heard from since the writer's last Beat.
#[derive(Clone, PartialEq, Message)]
pub struct Beat {
    /// By id.
    #[prost(string, repeated, tag = "1")]
    pub members: Vec<String>,
}

/// LeaveGroup.
#[derive(Clone, PartialEq, Message)]
pub struct Leave {
    /// Who leaves.
    #[prost(message, repeated, tag = "1")]
    pub members: Vec<Leaver>,
}

/// One that leaves.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Leaver {
    /// Empty where a static member is removed by its instance.
    #[prost(string, tag = "1")]
    pub member: String,
    /// `group.instance.id`.
    #[prost(string, optional, tag = "2")]
    pub instance: Option<String>,
}

/// Takes effect if the member's `seen` is still this.
#[derive(Clone, PartialEq, Message)]
pub struct Expire {
    /// Who.
    #[prost(string, tag = "1")]
    pub member: String,
    /// What its writer judged by.
    #[prost(message, required, tag = "2")]
    pub seen: EventPosition,
}

/// Takes effect if the group's phase still began there.
#[derive(Clone, PartialEq, Message)]
pub struct Timeout {
    /// What its writer judged by.
    #[prost(message, required, tag = "1")]
    pub phase: EventPosition,
}

/// OffsetCommit.
#[derive(Clone, PartialEq, Message)]
pub struct Commit {
    /// Empty: a consumer without membership.
    #[prost(string, tag = "1")]
    pub member: String,
    /// `group.instance.id`.
    #[prost(string, optional, tag = "2")]
    pub instance: Option<String>,
    /// -1: a consumer without membership.
    #[prost(int32, tag = "3")]
    pub generation: i32,
    /// What is committed.
    #[prost(message, repeated, tag = "4")]
    pub topics: Vec<TopicOffsets>,
}

/// Offsets of one topic.
#[derive(Clone, PartialEq, Message)]
pub struct TopicOffsets {
    /// Kafka's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its partitions.
    #[prost(message, repeated, tag = "2")]
    pub partitions: Vec<PartitionOffset>,
}

/// A committed offset.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PartitionOffset {
    /// Which.
    #[prost(int32, tag = "1")]
    pub partition: i32,
    /// The next to be consumed.
    #[prost(int64, tag = "2")]
    pub offset: i64,
    /// As the client gave it; -1 for none.
    #[prost(sint32, tag = "3")]
    pub leader_epoch: i32,
    /// The client's own.
    #[prost(string, tag = "4")]
    pub metadata: String,
}

/// OffsetDelete.
#[derive(Clone, PartialEq, Message)]
pub struct OffsetDelete {
    /// What is deleted.
    #[prost(message, repeated, tag = "1")]
    pub topics: Vec<TopicPartitions>,
}

/// Partitions of one topic.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TopicPartitions {
    /// Kafka's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its partitions.
    #[prost(int32, repeated, tag = "2")]
    pub partitions: Vec<i32>,
}

/// DeleteGroups.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Delete {}

/// Takes effect where nothing newer was committed.
#[derive(Clone, PartialEq, Message)]
pub struct ExpireOffsets {
    /// What its writer judged by.
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<ExpiredOffset>,
    /// The phase since which the group is empty; the group goes with its last offset.
    #[prost(message, required, tag = "2")]
    pub empty_phase: EventPosition,
}

/// An offset whose time is over.
#[derive(Clone, PartialEq, Message)]
pub struct ExpiredOffset {
    /// Kafka's name.
    #[prost(string, tag = "1")]
    pub topic: String,
    /// Which.
    #[prost(int32, tag = "2")]
    pub partition: i32,
    /// Where it was committed.
    #[prost(message, required, tag = "3")]
    pub committed: EventPosition,
}

/// TxnOffsetCommit.
#[derive(Clone, PartialEq, Message)]
pub struct TxnCommit {
    /// What is committed, and by whom.
    #[prost(message, required, tag = "1")]
    pub commit: Commit,
    /// Whose transaction.
    #[prost(string, tag = "2")]
    pub transactional_id: String,
    /// Of the transaction's producer.
    #[prost(int64, tag = "3")]
    pub producer_id: i64,
    /// Of the transaction's producer.
    #[prost(int32, tag = "4")]
    pub producer_epoch: i32,
}

/// The end of a transaction.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct TxnEnd {
    /// Of the transaction's producer.
    #[prost(int64, tag = "1")]
    pub producer_id: i64,
    /// Of the transaction's producer.
    #[prost(int32, tag = "2")]
    pub producer_epoch: i32,
    /// Else it was aborted.
    #[prost(bool, tag = "3")]
    pub commit: bool,
}

/// A part of the state's bytes at `cut`, which lies before the entry it stands in.
#[derive(Clone, PartialEq, Message)]
pub struct Snapshot {
    /// The entry after which the state was this.
    #[prost(message, required, tag = "1")]
    pub cut: LogPosition,
    /// Which part, from 0.
    #[prost(uint32, tag = "2")]
    pub part: u32,
    /// How many there are.
    #[prost(uint32, tag = "3")]
    pub parts: u32,
    /// CRC-32C over all parts together.
    #[prost(fixed32, tag = "4")]
    pub crc32c: u32,
    /// This part's bytes.
    #[prost(bytes = "bytes", tag = "5")]
    pub bytes: Bytes,
}

/// From here on `format` rules.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Upgrade {
    /// The new one.
    #[prost(uint32, tag = "1")]
    pub format: u32,
}

/// Nothing.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Nop {}
