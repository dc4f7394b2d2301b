//! A round of joining: how it opens, and what closes it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Step;
use crate::group::outcome::Outcome;
use crate::group::state::{Member, Members, Phase};

impl Step<'_> {
    /// A member joined. The round opens if none is open, and closes if the member was the last one awaited.
    pub(super) fn round(&mut self) -> Outcome {
        match self.state.phase {
            Phase::Empty { .. } | Phase::Stable | Phase::Completing => self.prepare(),
            Phase::Preparing { initial: false } if self.all_joined() => self.complete(),
            Phase::Preparing { .. } => {}
        }
        Outcome::Parked
    }

    /// Opens a round.
    pub(super) fn prepare(&mut self) {
        if self.state.phase == Phase::Completing {
            self.state.members.assign(|_| Bytes::new());
            self.changes.broken = true;
        }
        let initial = matches!(self.state.phase, Phase::Empty { .. });
        self.state.phase = Phase::Preparing { initial };
        self.begin_round();
        self.state.members.standings().for_each(|member| *member.synced = false);
        if !initial && self.all_joined() {
            self.complete();
        }
    }

    /// Closes the round. Dynamic members that did not join are out; static ones stay, to come back when they like.
    pub(super) fn complete(&mut self) {
        self.take_out(|member| !member.joined && member.instance.is_none());
        if self.state.members.is_empty() {
            self.state.generation = self.state.generation.saturating_add(1);
            self.state.phase = Phase::Empty { since_ms: self.time_ms };
            self.state.phase_began = self.at;
            self.state.protocol = None;
            self.state.leader = None;
            return;
        }
        let Some(leader) = self.next_leader() else {
            self.state.phase = Phase::Preparing { initial: false };
            self.begin_round();
            return;
        };
        self.state.leader = Some(leader);
        self.state.generation = self.state.generation.saturating_add(1);
        self.state.protocol = choose(&self.state.members);
        self.state.phase = Phase::Completing;
        self.begin_round();
        for member in self.state.members.standings() {
            *member.joined = false;
            *member.synced = false;
            *member.seen = self.at;
        }
        self.changes.completed = true;
    }

    /// Members go: by themselves, by an administrator, or because their session is over.
    pub(super) fn remove(&mut self, goes: impl Fn(&Member) -> bool) {
        if !self.take_out(goes) {
            return;
        }
        match self.state.phase {
            Phase::Stable | Phase::Completing => self.prepare(),
            Phase::Preparing { initial } if self.state.members.is_empty() || (!initial && self.all_joined()) => {
                self.complete();
            }
            Phase::Preparing { .. } | Phase::Empty { .. } => {}
        }
    }

    /// Takes members out, and lets the first one lead if the leader is among them. Whether there were any.
    pub(super) fn take_out(&mut self, goes: impl Fn(&Member) -> bool) -> bool {
        let removed = self.state.members.remove_if(goes);
        if self.state.leader.as_ref().is_some_and(|leader| removed.contains(leader)) {
            self.state.leader = self.state.members.first().map(|member| member.id.clone());
        }
        let any = !removed.is_empty();
        self.changes.removed.extend(removed);
        any
    }

    fn begin_round(&mut self) {
        self.state.phase_began = self.at;
        self.state.round_began = self.at;
    }

    fn all_joined(&self) -> bool {
        self.state.members.iter().all(|member| member.joined)
    }

    fn next_leader(&self) -> Option<String> {
        let leader = self.state.leader.as_deref().and_then(|leader| self.state.members.by_id(leader));
        leader
            .filter(|leader| leader.joined)
            .or_else(|| self.state.members.iter().find(|member| member.joined))
            .map(|leader| leader.id.clone())
    }
}

/// The protocol of the next generation. Each member votes for the first of its protocols that all have; of those with equally
/// many votes the one that the first member likes best wins.
pub(super) fn choose(members: &Members) -> Option<String> {
    let mut votes = BTreeMap::<&str, usize>::new();
    for member in members {
        let vote = member.protocols.iter().find(|protocol| members.all_support(&protocol.name));
        if let Some(vote) = vote {
            let count = votes.entry(&vote.name).or_default();
            *count = count.saturating_add(1);
        }
    }
    let most = votes.values().max()?;
    let first = members.first()?;
    first.protocols.iter().find(|protocol| votes.get(protocol.name.as_str()) == Some(most)).map(|p| p.name.clone())
}
