//! The one place where a loaded state changes.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::append::Sent;
use super::link::Command;
use super::load;
use super::{Body, Replica};
use crate::group::apply::{Accepted, apply};
use crate::group::log::entry::Entry;
use crate::group::state::State;
use crate::ids::Position;
use crate::time::Now;

/// An entry, and how it came to be known.
enum Arrived {
    /// An own one, of which it is known who waits for it: by its receipt, or read back.
    Own(Sent),
    /// Any other.
    Read {
        /// `None`: no entry of ours.
        entry: Option<Entry>,
        /// Its payload's length.
        bytes: usize,
    },
}

impl Replica {
    /// Fast path: what was stored right behind the last entry applied need not be read back.
    pub(super) fn on_receipt(&mut self, sequence_id: u64, position: Position, now: Now) {
        let Body::Loaded(state) = &self.body else { return };
        if state.log.applied.is_some_and(|applied| applied.is_followed_by(position))
            && let Some(sent) = self.appender.take_in_flight(sequence_id)
        {
            self.apply(position, Arrived::Own(sent), now);
        }
    }

    /// An entry was read.
    pub(super) fn on_entry(&mut self, position: Position, payload: Option<&Bytes>, now: Now) {
        let bytes = payload.map_or(0, Bytes::len);
        let entry = load::decode(payload);
        let sent = entry.as_ref().and_then(|entry| self.appender.take_sent(entry));
        let arrived = match (sent, entry) {
            (Some(sent), _) => Arrived::Own(sent),
            (None, entry) => Arrived::Read { entry, bytes },
        };
        self.apply(position, arrived, now);
    }

    /// The one place where the loaded state changes.
    fn apply(&mut self, position: Position, arrived: Arrived, now: Now) {
        let Body::Loaded(mut state) = std::mem::replace(&mut self.body, Body::Unloaded) else { return };
        let (entry, bytes, sent) = match &arrived {
            Arrived::Own(sent) => (Some(&sent.entry), sent.bytes, Some(sent)),
            Arrived::Read { entry, bytes } => (entry.as_ref(), *bytes, None),
        };
        if let Err(breach) = load::check_next(&state, position, entry) {
            return self.on_breach(breach, now);
        }
        let (phase_began, existed) = (state.phase_began, state.exists);
        let asks = &mut self.asks;
        let accepted = apply(&mut state, position, entry, bytes, |state, index, outcome, changes| {
            let waiting = sent.and_then(|sent| sent.asks.get(index).copied().flatten());
            asks.on_event(state, waiting, outcome, changes, now.instant);
        });
        self.note_arrival(position, &state);
        if state.exists && !existed {
            self.asks.answer_deleted();
        }
        if state.phase_began != phase_began {
            self.proposals.look_now();
        }
        self.retirement.on_applied(&state, entry);
        self.snapshots.on_applied(&state, position, entry, now.instant, &mut self.random, &mut self.log);
        self.body = Body::Loaded(state);
        match arrived {
            Arrived::Own(sent) => self.on_own(sent, accepted, position, now),
            Arrived::Read { entry: Some(entry), .. } if accepted == Accepted::Yes && self.appender.wrote(&entry) => {
                self.appender.applied(&entry);
            }
            Arrived::Read { .. } => {}
        }
    }

    /// An own entry that somebody may wait for was applied.
    fn on_own(&mut self, sent: Sent, accepted: Accepted, position: Position, now: Now) {
        let number = sent.number;
        match accepted {
            Accepted::Yes => {
                self.appender.applied(&sent.entry);
                self.liveness.on_own_applied(&sent, position);
                self.on_confirmed(number, now);
            }
            Accepted::Outlived => {
                // It says nothing of members, but shows that the log was read up to here.
                self.liveness.on_own_read(sent.at);
                self.appender.outlived(sent);
                self.on_confirmed(number, now);
            }
            Accepted::No if self.appender.epoch_is_open() => {
                self.appender.refused(sent);
                self.commands.push_back(Command::CloseProducer);
            }
            // Void: written again when the current epoch is open.
            Accepted::No => self.appender.undecide(sent),
        }
    }

    fn on_confirmed(&mut self, number: u64, now: Now) {
        self.confirmed_at = now.instant;
        self.proposals.on_confirmed(number);
        self.answer_confirmed(number, now);
    }

    pub(super) fn note_arrival(&mut self, position: Position, state: &State) {
        self.arrivals.note(position, self.clock.now(), || referenced(state));
    }
}

/// Entries whose arrival deadlines are counted from.
pub(super) fn referenced(state: &State) -> BTreeSet<Position> {
    let members = state.members.iter().map(|member| member.seen);
    let events = members.chain([state.phase_began, state.round_began]);
    events.map(|event| Position { ledger: event.ledger, entry: event.entry }).collect()
}
