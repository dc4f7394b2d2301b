//! What an event did, for those who wait for it.

use super::error::GroupError;

/// What one event did to the state. Whoever waits is answered from the state right after the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect, or nobody is to be told that it did not.
    Done,
    /// It did nothing.
    Refused(GroupError),
    /// Join: waits for the round. Sync: waits for the leader.
    Parked,
    /// Join: the member goes on in the current generation.
    Current {
        /// Whom the answer names as leader: for a static member that came back under a new id, the one that led before it
        /// was replaced, so that it does not take itself for the leader (KIP-345).
        leader: String,
        /// It came back as the leader: it must not assign (version 9, KIP-814).
        skip_assignment: bool,
    },
    /// Sync: the assignment stands in the state.
    Assignment,
    /// Leave: each member's own result.
    Left(Vec<Result<(), GroupError>>),
    /// OffsetDelete: each topic's own result.
    OffsetsDeleted(Vec<Result<(), GroupError>>),
}

/// What an event did to others' parked requests, to be settled in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Members that are no longer in the group: parked requests get `UnknownMember`.
    pub removed: Vec<String>,
    /// Member ids that another took the place of: parked requests get `FencedInstance`.
    pub replaced: Vec<String>,
    /// The round broke before its leader synced: parked Syncs get `RebalanceInProgress`.
    pub broken: bool,
    /// The round is complete: parked Joins are answered.
    pub completed: bool,
    /// The leader's assignments are there: parked Syncs are answered.
    pub assigned: bool,
}
