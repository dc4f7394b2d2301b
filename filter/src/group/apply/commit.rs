//! Commit: offsets are stored, if their sender may.

use super::Step;
use crate::group::error::GroupError;
use crate::group::log::entry::{Commit, TopicOffsets};
use crate::group::outcome::Outcome;
use crate::group::state::encoding::{committed_len, topic_len};
use crate::group::state::{Committed, Offsets, Phase, State};

impl Step<'_> {
    pub(super) fn commit(&mut self, commit: &Commit) -> Result<(), GroupError> {
        // Tools and consumers without membership commit to a group that nobody is in.
        if !(commit.generation < 0 && matches!(self.state.phase, Phase::Empty { .. })) {
            self.check_committer(commit)?;
            if self.state.phase == Phase::Completing {
                return Err(GroupError::RebalanceInProgress);
            }
        }
        let growth = Growth::of(&self.state.offsets, &commit.topics);
        self.check_growth(growth)?;
        self.store(commit, |state| &mut state.offsets);
        Ok(())
    }

    /// Whether the sender is a member of the current generation.
    pub(super) fn check_committer(&self, commit: &Commit) -> Result<(), GroupError> {
        if commit.generation < 0 && commit.member.is_empty() && commit.instance.is_none() {
            return Err(GroupError::UnknownMember);
        }
        if !self.state.exists {
            return Err(GroupError::NoGroup);
        }
        self.state.check_member(&commit.member, commit.instance.as_deref())?;
        if commit.generation == self.state.generation { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }

    pub(super) fn check_growth(&self, growth: Growth) -> Result<(), GroupError> {
        let fits = growth.offsets <= self.state.offsets_room() && growth.bytes <= self.state.room();
        if fits { Ok(()) } else { Err(GroupError::TooManyOffsets) }
    }

    /// Puts the offsets where `into` says. Their sender was heard from.
    pub(super) fn store(&mut self, commit: &Commit, into: impl FnOnce(&mut State) -> &mut Offsets) {
        self.state.exists = true;
        if let Some(member) = self.state.members.standing(&commit.member) {
            *member.seen = self.at;
        }
        let offsets = into(self.state);
        for topic in &commit.topics {
            for partition in &topic.partitions {
                let committed = Committed {
                    offset: partition.offset,
                    leader_epoch: partition.leader_epoch,
                    metadata: partition.metadata.clone(),
                    time_ms: self.time_ms,
                    at: self.at,
                };
                offsets.insert(&topic.name, partition.partition, committed);
            }
        }
    }
}

/// What a commit adds at most: a partition that it names twice counts twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Growth {
    pub(super) offsets: usize,
    pub(super) bytes: usize,
}

impl Growth {
    pub(super) fn of(offsets: &Offsets, topics: &[TopicOffsets]) -> Self {
        let mut growth = Self::default();
        for topic in topics {
            let known = offsets.get(&topic.name);
            if known.is_none() {
                growth.add(0, topic_len(&topic.name));
            }
            for partition in &topic.partitions {
                let new_len = committed_len(&partition.metadata);
                match known.and_then(|known| known.get(&partition.partition)) {
                    Some(old) => growth.add(0, new_len.saturating_sub(committed_len(&old.metadata))),
                    None => growth.add(1, new_len),
                }
            }
        }
        growth
    }

    pub(super) fn add(&mut self, offsets: usize, bytes: usize) {
        self.offsets = self.offsets.saturating_add(offsets);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl From<Result<(), GroupError>> for Outcome {
    fn from(result: Result<(), GroupError>) -> Self {
        result.map_or_else(Outcome::Refused, |()| Outcome::Done)
    }
}
