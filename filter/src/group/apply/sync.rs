//! Sync: the leader hands out assignments, the others fetch theirs.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Step;
use crate::group::error::GroupError;
use crate::group::log::entry::Sync;
use crate::group::outcome::Outcome;
use crate::group::state::Phase;

impl Step<'_> {
    pub(super) fn sync(&mut self, sync: &Sync) -> Result<Outcome, GroupError> {
        if matches!(self.state.phase, Phase::Empty { .. }) {
            return Err(GroupError::UnknownMember);
        }
        self.state.check_member(&sync.member, sync.instance.as_deref())?;
        if sync.generation != self.state.generation {
            return Err(GroupError::IllegalGeneration);
        }
        let differs = |asked: &Option<String>, is: &Option<String>| asked.is_some() && asked != is;
        if differs(&sync.protocol_type, &self.state.protocol_type) || differs(&sync.protocol, &self.state.protocol) {
            return Err(GroupError::InconsistentProtocol);
        }
        match self.state.phase {
            Phase::Empty { .. } | Phase::Preparing { .. } => Err(GroupError::RebalanceInProgress),
            Phase::Completing if self.state.leader.as_ref() == Some(&sync.member) => {
                self.hand_out(sync)?;
                Ok(Outcome::Assignment)
            }
            Phase::Completing => {
                self.synced(&sync.member);
                Ok(Outcome::Parked)
            }
            Phase::Stable => {
                self.synced(&sync.member);
                Ok(Outcome::Assignment)
            }
        }
    }

    /// Takes the leader's assignments; whom it forgot has an empty one.
    fn hand_out(&mut self, sync: &Sync) -> Result<(), GroupError> {
        let assignments: BTreeMap<&str, &Bytes> =
            sync.assignments.iter().map(|assignment| (assignment.member.as_str(), &assignment.bytes)).collect();
        let of = |id: &str| assignments.get(id).copied();
        let lens = self.state.members.iter().map(|member| of(&member.id).map_or(0, Bytes::len));
        let old_lens = self.state.members.iter().map(|member| member.assignment.len());
        let grows = lens.fold(0, usize::saturating_add).saturating_sub(old_lens.fold(0, usize::saturating_add));
        if grows > self.state.room() {
            return Err(GroupError::TooLarge);
        }
        self.state
            .members
            .assign(|member| of(&member.id).map_or_else(Bytes::new, |bytes| Bytes::copy_from_slice(bytes)));
        self.synced(&sync.member);
        for member in self.state.members.standings().filter(|member| *member.synced) {
            *member.seen = self.at;
        }
        self.state.phase = Phase::Stable;
        self.changes.assigned = true;
        Ok(())
    }

    fn synced(&mut self, id: &str) {
        if let Some(member) = self.state.members.standing(id) {
            *member.synced = true;
            *member.seen = self.at;
        }
    }
}
