//! What the APIs ask of a group, and what they get.

use bytes::Bytes;

use super::error::GroupError;
use super::log::entry::{Assignment, Leaver, Protocol, TopicOffsets, TopicPartitions};

/// A request to a group, without what only its version of the API knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// JoinGroup.
    Join(JoinAsk),
    /// SyncGroup.
    Sync(SyncAsk),
    /// Heartbeat.
    Heartbeat(Membership),
    /// LeaveGroup.
    Leave(Vec<Leaver>),
    /// OffsetCommit, of what is not refused beforehand.
    Commit {
        /// Who; an empty id and generation -1 without membership.
        by: Membership,
        /// What.
        topics: Vec<TopicOffsets>,
    },
    /// DeleteGroups, for one group.
    Delete,
    /// OffsetDelete.
    OffsetDelete(Vec<TopicPartitions>),
    /// Whatever is read after the answer is at least as new as the request.
    Confirm,
    /// Whatever is read after the answer was true a moment ago: nothing is written for it.
    Peek,
}

/// JoinGroup.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinAsk {
    /// Empty where the client has none yet.
    pub member: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// For people, and the beginning of a new member's id.
    pub client_id: String,
    /// For people.
    pub client_host: String,
    /// `session.timeout.ms`; negative numbers were refused before.
    pub session_ms: u32,
    /// `rebalance.timeout.ms`.
    pub rebalance_ms: u32,
    /// `consumer`, `connect`, ….
    pub protocol_type: String,
    /// The preferred one first.
    pub protocols: Vec<Protocol>,
    /// A new dynamic member is told to join again with the id it is given (version 4, KIP-394).
    pub must_know_id: bool,
}

/// SyncGroup.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncAsk {
    /// Who, in which generation.
    pub by: Membership,
    /// Version 5.
    pub protocol_type: Option<String>,
    /// Version 5.
    pub protocol: Option<String>,
    /// The leader's.
    pub assignments: Vec<Assignment>,
}

/// Who asks, in which generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The member's id.
    pub member: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// The member's generation.
    pub generation: i32,
}

/// A good answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To Join.
    Joined(Joined),
    /// To Join: `MemberIdRequired`, with the id to join with.
    Issued(String),
    /// To Sync.
    Assigned {
        /// Of the group.
        protocol_type: Option<String>,
        /// Of the generation.
        protocol: Option<String>,
        /// Opaque.
        assignment: Bytes,
    },
    /// To Heartbeat, Commit, Delete.
    Done,
    /// To Leave, for each that leaves.
    Left(Vec<Result<(), GroupError>>),
    /// To OffsetDelete, for each topic.
    OffsetsDeleted(Vec<Result<(), GroupError>>),
    /// To Confirm and Peek: [`super::groups::Groups::state`] is new enough now.
    Confirmed,
    /// To Confirm and Peek: there is no such group.
    NoGroup,
}

/// The end of a round, for one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The new generation.
    pub generation: i32,
    /// Of the group.
    pub protocol_type: Option<String>,
    /// Chosen for the generation.
    pub protocol: Option<String>,
    /// Who assigns.
    pub leader: String,
    /// The member must not assign although it leads (version 9).
    pub skip_assignment: bool,
    /// The member's id.
    pub member: String,
    /// Every member with its metadata for the protocol; empty for all but the leader.
    pub members: Vec<JoinedMember>,
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub id: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// Opaque.
    pub metadata: Bytes,
}
