//! Join: a member enters the group, comes back to it, or takes a static member's place.

use bytes::Bytes;

use super::Step;
use super::round::choose;
use crate::group::error::GroupError;
use crate::group::log::entry::{EventPosition, Join, Protocol};
use crate::group::outcome::Outcome;
use crate::group::state::limits::{JOIN_BYTES_MAX, JOIN_PROTOCOLS_MAX, NAME_BYTES_MAX};
use crate::group::state::{Member, Phase};

impl Step<'_> {
    pub(super) fn join(&mut self, join: &Join) -> Result<Outcome, GroupError> {
        self.state.check_protocols(&join.protocol_type, &join.protocols)?;
        if self.state.member(&join.member).is_some() {
            return self.join_again(join);
        }
        let holder = join.instance.as_deref().and_then(|instance| self.state.members.by_instance(instance));
        match holder.map(|holder| holder.id.clone()) {
            Some(old_id) if join.fresh => self.come_back(join, &old_id),
            Some(_) | None => self.enter(join),
        }
    }

    /// A member joins again.
    fn join_again(&mut self, join: &Join) -> Result<Outcome, GroupError> {
        let member = self.state.check_member(&join.member, join.instance.as_deref())?;
        let same = member.protocols == join.protocols;
        let goes_on = same
            && match self.state.phase {
                Phase::Completing => true,
                // The leader joins to have the group assigned anew.
                Phase::Stable => self.state.leader.as_deref() != Some(&join.member),
                Phase::Empty { .. } | Phase::Preparing { .. } => false,
            };
        if goes_on {
            if let Some(member) = self.state.members.standing(&join.member) {
                *member.seen = self.at;
            }
            let leader = self.state.leader.clone().unwrap_or_default();
            return Ok(Outcome::Current { leader, skip_assignment: false });
        }
        let again = Member {
            instance: member.instance.clone(),
            assignment: member.assignment.clone(),
            synced: member.synced,
            ..joined(join, self.at)
        };
        self.check_size(join, &again, member.encoded_len())?;
        self.state.members.replace(&join.member, again);
        Ok(self.round())
    }

    /// A static member was started anew: it takes its own place under a new id (KIP-345).
    fn come_back(&mut self, join: &Join, old_id: &str) -> Result<Outcome, GroupError> {
        let old = self.state.member(old_id).ok_or(GroupError::UnknownMember)?;
        let back = Member { assignment: old.assignment.clone(), synced: old.synced, ..joined(join, self.at) };
        self.check_size(join, &back, old.encoded_len())?;
        self.state.members.replace(old_id, back);
        self.changes.replaced.push(old_id.to_owned());
        let old_leader = self.state.leader.clone().unwrap_or_default();
        let leads = old_leader == old_id;
        if leads {
            self.state.leader = Some(join.member.clone());
        }
        if self.state.phase == Phase::Stable && choose(&self.state.members) == self.state.protocol {
            if let Some(member) = self.state.members.standing(&join.member) {
                *member.joined = false;
                *member.synced = true;
            }
            return Ok(Outcome::Current { leader: old_leader, skip_assignment: leads });
        }
        Ok(self.round())
    }

    /// A new member.
    fn enter(&mut self, join: &Join) -> Result<Outcome, GroupError> {
        if !join.fresh {
            match join.instance.as_deref() {
                Some(instance) => self.state.check_member(&join.member, Some(instance)).map(drop)?,
                None if join.issued => {}
                None => return Err(GroupError::UnknownMember),
            }
        }
        let new = joined(join, self.at);
        self.check_size(join, &new, 0)?;
        if !self.state.has_seat(join.max_size) || !self.state.members.push(new) {
            return Err(GroupError::GroupMaxSize);
        }
        if self.state.members.len() == 1 {
            self.state.protocol_type = Some(join.protocol_type.clone());
        }
        if self.state.leader.is_none() {
            self.state.leader = Some(join.member.clone());
        }
        if self.state.phase == (Phase::Preparing { initial: true }) {
            self.state.phase_began = self.at;
        }
        self.state.exists = true;
        Ok(self.round())
    }

    /// Whether `member`, as it will be, is small enough, and fits where one of `old_len` bytes stood.
    fn check_size(&self, join: &Join, member: &Member, old_len: usize) -> Result<(), GroupError> {
        let names = [&join.member, &join.client_id, &join.client_host, &join.protocol_type];
        let names = names.into_iter().chain(&join.instance).chain(join.protocols.iter().map(|protocol| &protocol.name));
        let bytes = member.encoded_len().saturating_sub(member.assignment.len());
        let fits = names.map(String::len).all(|len| len <= NAME_BYTES_MAX)
            && join.protocols.len() <= JOIN_PROTOCOLS_MAX
            && bytes <= JOIN_BYTES_MAX
            && member.encoded_len().saturating_sub(old_len) <= self.state.room();
        if fits { Ok(()) } else { Err(GroupError::GroupMaxSize) }
    }
}

/// The member that `join` makes. Its bytes are copied: as slices they would keep the whole entry in memory.
fn joined(join: &Join, at: EventPosition) -> Member {
    let copy = |protocol: &Protocol| Protocol {
        name: protocol.name.clone(),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    };
    Member {
        id: join.member.clone(),
        instance: join.instance.clone(),
        client_id: join.client_id.clone(),
        client_host: join.client_host.clone(),
        session_ms: join.session_ms,
        rebalance_ms: join.rebalance_ms,
        protocols: join.protocols.iter().map(copy).collect(),
        assignment: Bytes::new(),
        joined: true,
        synced: false,
        seen: at,
    }
}
