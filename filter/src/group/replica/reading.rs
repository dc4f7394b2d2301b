//! The reader's side: loading the log, following it, and what to do when it is not what it must be.

use bytes::Bytes;

use super::link::{Command, LinkError};
use super::load::{Breach, Load, Step};
use super::{BACKOFF_MIN, BREACHES_PER_LINE, Body, Guard, Identity, PERMITS, Replica, TOP_UP, Tail};
use crate::group::error::GroupError;
use crate::group::log::entry::FORMAT;
use crate::group::state::State;
use crate::ids::Position;
use crate::time::{Instant, Now};
use crate::worker::log::Level;

impl Replica {
    pub(super) fn on_reader_opened(&mut self) {
        self.taken = 0;
        match &mut self.body {
            Body::Loading { load, .. } => {
                if let Step::Do(commands) = load.on_opened(PERMITS) {
                    self.commands.extend(commands);
                }
            }
            Body::Loaded(state) => {
                self.tail = state.log.applied.map_or(Tail::Following, Tail::AtApplied);
                self.commands.push_back(Command::Flow(PERMITS));
            }
            Body::Unloaded | Body::Creating { .. } => {}
        }
    }

    pub(super) fn on_reader_failed(&mut self, error: LinkError, now: Now) {
        self.tail = Tail::Closed;
        if self.state().is_some() {
            // A producer without a reader may be in another topic of the same name.
            self.commands.push_back(Command::CloseReader);
            self.commands.push_back(Command::CloseProducer);
            self.appender.closed();
            self.guard = Guard::Unknown;
        }
        if error == LinkError::NotFound {
            self.appender.closed();
            return self.on_no_topic(now);
        }
        if let Body::Loading { .. } = self.body {
            self.body = Body::Unloaded;
        }
        self.on_link_error(error, now);
    }

    /// There is no such topic: there is no such group, but for those that make one.
    pub(super) fn on_no_topic(&mut self, now: Now) {
        if !matches!(self.body, Body::Loading { load: Load::Probing, .. }) {
            // It was there a moment ago: it was deleted. Whoever waits for what was in it is told so.
            self.asks.fail_all(GroupError::NotCoordinator);
            self.drop_state(None);
            return;
        }
        self.body = Body::Unloaded;
        self.guard = Guard::Unknown;
        for (id, connection, ask) in self.asks.take_without_group() {
            self.refuse_without_group(id, connection, ask);
        }
        if self.asks.any_loading() {
            self.body = Body::Creating { asked: false };
            self.appender.opening(now.instant);
            self.commands.push_back(Command::OpenProducer);
        }
    }

    pub(super) fn begin_load(&mut self, now: Instant) {
        let (load, command) = Load::begin();
        self.tail = Tail::Closed;
        self.body = Body::Loading { load, since: now };
        self.commands.push_back(command);
    }

    pub(super) fn on_step(&mut self, step: Step, now: Now) {
        match step {
            Step::Wait => {}
            Step::Do(commands) => {
                self.taken = 0;
                self.commands.extend(commands);
            }
            Step::Loaded(state) => {
                self.tail = Tail::Following;
                self.on_loaded(state, now);
            }
            Step::Empty => {
                self.tail = Tail::Closed;
                self.on_loaded(Box::default(), now);
            }
        }
    }

    pub(super) fn on_loaded(&mut self, state: Box<State>, now: Now) {
        self.breaches = 0;
        self.backoff = BACKOFF_MIN;
        // A producer that was there before the log was read writes to what was read.
        self.identity = Identity::Same;
        self.confirmed_at = now.instant;
        if state.format > FORMAT {
            self.log.push((
                Level::Error,
                format!("group {}: its log is in format {}, which this filter does not know", self.name, state.format),
            ));
            return self.drop_state(Some(GroupError::UnknownFormat));
        }
        if let Some(applied) = state.log.applied {
            self.note_arrival(applied, &state);
        }
        self.asks.on_reload(&state);
        self.body = Body::Loaded(state);
        self.proposals.look_now();
        for (id, connection, ask) in self.asks.take_loading() {
            self.start(id, connection, ask, now);
        }
    }

    pub(super) fn fail_load(&mut self, now: Instant) {
        self.body = Body::Unloaded;
        self.tail = Tail::Closed;
        self.back_off(now);
    }

    pub(super) fn on_message(&mut self, position: Position, payload: Option<Bytes>, now: Now) {
        self.taken = self.taken.saturating_add(1);
        if self.taken >= TOP_UP {
            self.commands.push_back(Command::Flow(self.taken));
            self.taken = 0;
        }
        match &mut self.body {
            Body::Unloaded | Body::Creating { .. } => {}
            Body::Loading { load, .. } => match load.on_message(position, payload) {
                Ok(step) => self.on_step(step, now),
                Err(breach) => self.on_breach(breach, now),
            },
            Body::Loaded(state) => {
                if let Tail::AtApplied(applied) = self.tail {
                    self.tail = Tail::Following;
                    if position != applied {
                        return self.on_breach(Breach("the last entry that was read is not there any more"), now);
                    }
                }
                if state.log.applied.is_some_and(|applied| position <= applied) {
                    return;
                }
                self.on_entry(position, payload.as_ref(), now);
            }
        }
    }

    /// The log is not what it must be: it is read anew, and the second time nobody is kept waiting.
    pub(super) fn on_breach(&mut self, Breach(what): Breach, now: Now) {
        self.breaches = self.breaches.saturating_add(1);
        if self.breaches == 1 {
            self.log.push((Level::Warn, format!("group {}: its log is read anew: {what}", self.name)));
        }
        let again = self.breaches > 1;
        // Once, and then once in a while: it is read again and again.
        if self.breaches % BREACHES_PER_LINE == 2 {
            self.log.push((
                Level::Error,
                format!(
                    "group {}: its log cannot be followed: {what}; was something trimmed from it, by TTL or by hand? \
                     Deleting its topic deletes the group with its offsets",
                    self.name
                ),
            ));
        }
        self.drop_state(again.then_some(GroupError::NotAvailable));
        self.back_off(now.instant);
    }
}
