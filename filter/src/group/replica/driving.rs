//! What time brings: deadlines, and everything that a replica does by itself.

use std::time::Duration;

use super::link::{Command, ReadFrom};
use super::{Body, Replica, Tail};
use crate::group::error::GroupError;
use crate::time::{Instant, Now};
use crate::worker::log::Level;

/// How long the log may take to be read.
const LOADING: Duration = Duration::from_secs(20);

/// How long an entry may go without a sign before a new epoch begins.
const SILENCE: Duration = Duration::from_secs(10);

/// A replica without a confirmed entry for so long might lag into what is trimmed: it forgets its state.
const STALE: Duration = Duration::from_secs(30);

impl Replica {
    /// Time has passed.
    pub fn on_time(&mut self, now: Now) {
        self.advance_clock(now.instant);
        let overdue = self.asks.expire(now.instant);
        if !overdue.is_empty() {
            self.appender.forget(|ask| overdue.contains(&ask));
        }
        if let Body::Loading { since, .. } = self.body
            && now.instant.since(since) >= LOADING
        {
            self.log.push((Level::Warn, format!("group {}: its log was not read within 20 s", self.name)));
            self.commands.push_back(Command::CloseReader);
            self.asks.fail_all(GroupError::NotAvailable);
            self.fail_load(now.instant);
            self.wants_other_carrier = true;
        }
        if self.silent_since().is_some_and(|since| now.instant.since(since) >= SILENCE) {
            self.commands.push_back(Command::CloseReader);
            self.commands.push_back(Command::CloseProducer);
            self.lose_link();
            self.wants_other_carrier = true;
        }
        if self.state().is_some() && now.instant.since(self.confirmed_at) >= STALE {
            self.drop_state(None);
        }
        self.drive(now);
    }

    /// Carries everything as far as it goes.
    pub(super) fn drive(&mut self, now: Now) {
        if self.retry_at.is_some_and(|at| at <= now.instant) {
            self.retry_at = None;
        }
        if !self.carried || self.retry_at.is_some() {
            return;
        }
        match &self.body {
            Body::Unloaded if self.asks.any_loading() || !self.asks.is_empty() || self.appender.has_queued() => {
                self.begin_load(now.instant);
            }
            Body::Unloaded | Body::Creating { .. } | Body::Loading { .. } => {}
            Body::Loaded(state) => {
                if self.tail == Tail::Closed {
                    self.tail = Tail::Opening;
                    let from = state.log.applied.map_or(ReadFrom::Earliest, ReadFrom::At);
                    self.commands.push_back(Command::OpenReader(from));
                }
                for (id, connection, ask) in self.asks.take_loading() {
                    self.start(id, connection, ask, now);
                }
                self.beat(now);
                self.propose(now);
                self.write_snapshot(now.instant);
                self.write(now);
                self.retire(now);
            }
        }
    }

    /// When [`Replica::on_time`] has work next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let loading = match &self.body {
            Body::Loading { since, .. } => Some(*since + LOADING),
            Body::Unloaded | Body::Creating { .. } | Body::Loaded(_) => None,
        };
        let loaded = matches!(self.body, Body::Loaded(_)) && self.carried;
        let state_goes = self.state().map(|_| self.confirmed_at + STALE);
        let silence = self.silent_since().map(|since| since + SILENCE);
        // Nothing of this is done before the next attempt: what is due meanwhile is not to be called for over and over.
        let driven = loaded && self.retry_at.is_none();
        let beat = self.liveness.next_beat().filter(|_| driven);
        let proposals = self.proposals.next_look().filter(|_| driven);
        let snapshot = self.snapshots.next_deadline().filter(|_| driven);
        let retires = self.retires_at().filter(|_| driven);
        let retry = self.retry_at.filter(|_| self.carried);
        let own = [loading, state_goes, silence, beat, proposals, snapshot, retires, retry, self.asks.next_deadline()];
        own.into_iter().flatten().min()
    }
}
