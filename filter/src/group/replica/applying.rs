//! The one place where a loaded state changes.

use std::collections::BTreeSet;

use super::link::Command;
use super::load;
use super::{Body, Replica, clock};
use crate::group::apply::{Accepted, apply};
use crate::group::log::entry::Entry;
use crate::group::state::State;
use crate::ids::Position;
use crate::time::Now;

impl Replica {
    /// Fast path: what was stored right behind the last entry applied need not be read back.
    pub(super) fn on_receipt(&mut self, sequence_id: u64, position: Position, now: Now) {
        let Body::Loaded(state) = &self.body else { return };
        let follows = state.log.applied.is_some_and(|applied| applied.is_followed_by(position));
        let Some(sent) = self.appender.in_flight(sequence_id).filter(|_| follows) else { return };
        let (entry, bytes) = (sent.entry.clone(), sent.bytes);
        self.apply(position, Some(&entry), bytes, now);
    }

    /// The one place where the loaded state changes.
    pub(super) fn apply(&mut self, position: Position, entry: Option<&Entry>, bytes: usize, now: Now) {
        let Body::Loaded(mut state) = std::mem::replace(&mut self.body, Body::Unloaded) else { return };
        if let Err(breach) = load::check_next(&state, position, entry) {
            return self.on_breach(breach, now);
        }
        let own = entry.filter(|entry| entry.writer == self.writer);
        let sent = own.and_then(|entry| self.appender.take_sent(entry));
        let (phase_began, existed) = (state.phase_began, state.exists);
        let asks = &mut self.asks;
        let accepted = apply(&mut state, position, entry, bytes, |state, index, outcome, changes| {
            let waiting = sent.as_ref().and_then(|sent| sent.asks.get(index).copied().flatten());
            asks.on_event(state, waiting, outcome, changes, now.instant);
        });
        self.note_arrival(position, own.is_some(), &state);
        if state.exists && !existed {
            self.asks.answer_deleted();
        }
        if state.phase_began != phase_began {
            self.proposals.look_now();
        }
        self.retirement.on_applied(&state, entry);
        self.snapshots.on_applied(&state, position, entry, now.instant, &mut self.random, &mut self.log);
        self.body = Body::Loaded(state);
        match (own, accepted, sent) {
            (Some(entry), Accepted::Yes, sent) => {
                self.appender.applied(entry);
                if let Some(sent) = sent {
                    self.confirmed_at = now.instant;
                    self.liveness.on_own_applied(&sent, position);
                    self.proposals.on_confirmed(sent.number);
                    self.answer_confirmed(sent.number, now);
                }
            }
            (Some(_), Accepted::Outlived, Some(sent)) => {
                // It says nothing of members, but shows that the log was read up to here.
                self.confirmed_at = now.instant;
                self.liveness.on_own_read(sent.at);
                self.proposals.on_confirmed(sent.number);
                let number = sent.number;
                self.appender.outlived(sent);
                self.answer_confirmed(number, now);
            }
            (Some(_), Accepted::No, Some(sent)) if self.appender.epoch_is_open() => {
                self.appender.refused(sent);
                self.commands.push_back(Command::CloseProducer);
            }
            // Void: written again when the current epoch is open.
            (Some(_), Accepted::No, Some(sent)) => self.appender.void(sent),
            (Some(_), Accepted::Outlived | Accepted::No, None) | (None, ..) => {}
        }
    }

    pub(super) fn note_arrival(&mut self, position: Position, own: bool, state: &State) {
        let arrival = clock::Arrival { at: self.clock.now(), own };
        self.arrivals.note(position, arrival, || referenced(state));
    }
}

/// Entries whose arrival deadlines are counted from.
pub(super) fn referenced(state: &State) -> BTreeSet<Position> {
    let members = state.members.iter().map(|member| member.seen);
    let events = members.chain([state.phase_began, state.round_began]);
    events.map(|event| Position { ledger: event.ledger, entry: event.entry }).collect()
}
