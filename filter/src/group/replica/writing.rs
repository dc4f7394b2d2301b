//! The writer's side: the producer, the guard before the first entry, one entry in flight.

use super::append::Producer;
use super::link::{Command, LinkError};
use super::{Body, Guard, Identity, Replica, Tail};
use crate::group::error::GroupError;
use crate::time::{Instant, Now};

impl Replica {
    pub(super) fn on_producer_opened(&mut self, max_bytes: usize, now: Now) {
        self.appender.opened(max_bytes);
        self.identity = Identity::Asked { since: now.instant };
        match self.body {
            Body::Creating { .. } => self.begin_load(now.instant),
            // PRODUCER makes a topic that was just deleted; the reader, which was there before, knows whether it is the same.
            Body::Loaded(_) => self.commands.push_back(Command::AskLast),
            Body::Unloaded | Body::Loading { .. } => {}
        }
    }

    /// Sends the next entry, if there is one and it may go.
    pub(super) fn write(&mut self, now: Now) {
        let Body::Loaded(_) = &self.body else { return };
        let sent = self.appender.next_number().saturating_sub(1);
        let wanted = self.asks.wants_entry(sent) || self.proposals.wants_entry(sent);
        // A producer would make a topic that is gone; the reader tells whether it is still the same.
        if self.tail != Tail::Following || (!wanted && !self.appender.has_queued()) {
            return;
        }
        if self.appender.producer() == Producer::Closed {
            self.appender.opening(now.instant);
            self.commands.push_back(Command::OpenProducer);
            return;
        }
        if !matches!(self.appender.producer(), Producer::Open { .. }) || self.identity != Identity::Same {
            return;
        }
        match self.guard {
            Guard::Made => {}
            Guard::Making => return,
            Guard::Unknown => {
                self.guard = Guard::Making;
                self.commands.push_back(Command::Guard { acked: None });
                return;
            }
        }
        while let Body::Loaded(state) = &self.body {
            match self.appender.next(wanted, &state.log, now) {
                None => return,
                Some(Ok((sequence_id, payload))) => {
                    self.commands.push_back(Command::Send { sequence_id, payload });
                    return;
                }
                Some(Err(item)) => self.refuse(&item, GroupError::TooLarge),
            }
        }
    }

    pub(super) fn on_guard_done(&mut self, result: Result<(), LinkError>, now: Now) {
        match result {
            Ok(()) => {
                if self.guard == Guard::Making {
                    self.guard = Guard::Made;
                } else {
                    self.on_acknowledged();
                }
            }
            Err(error) => {
                self.guard = Guard::Unknown;
                self.retirement.interrupt();
                self.asks.answer_deleted();
                self.on_link_error(error, now);
            }
        }
    }

    /// Since when the broker owes a sign of life.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        let identity = match (self.appender.producer(), self.identity) {
            (Producer::Open { .. }, Identity::Asked { since }) if self.state().is_some() => Some(since),
            (Producer::Open { .. } | Producer::Opening { .. } | Producer::Closed, _) => None,
        };
        self.appender.in_flight_since().or(self.appender.opening_since()).or(identity)
    }
}
