//! A group that does not exist needs no topic: Pulsar may delete it.
//!
//! Nothing is removed from here: whoever begins to use the group in the same moment loses nothing. The guard is acknowledged up to
//! where there was no group, so that the topic counts as caught up; the first entry of a new group ends that.

use std::time::Duration;

use super::append::{Item, Producer};
use super::asks::Use;
use super::link::Command;
use super::{Body, Replica};
use crate::group::log::entry::{Base, Entry, Kind, Nop};
use crate::group::state::State;
use crate::time::{Instant, Now};
use crate::worker::log::Level;

/// How long nobody must have asked for the group.
const UNUSED: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Retirement {
    /// The last entry applied names the group's end as base: a load by it needs nothing of what lies before.
    marked: bool,
    /// The topic's policies are in force, or cannot be.
    let_go: bool,
    step: Step,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    None,
    LettingGo,
    Acknowledging,
}

impl Retirement {
    /// An entry was applied.
    pub(super) fn on_applied(&mut self, state: &State, entry: Option<&Entry>) {
        let named = entry.and_then(Entry::base);
        self.marked = !state.exists && named.is_some() && named == state.log.origin.map(Base::Origin);
        self.let_go &= !state.exists;
    }

    /// What was begun is not heard of any more.
    pub(super) fn interrupt(&mut self) {
        self.step = Step::None;
    }

    /// The topic may be another one when it is met again, without policies.
    pub(super) fn lost(&mut self) {
        self.interrupt();
        self.let_go = false;
    }
}

impl Replica {
    /// When nobody has asked for a group that does not exist for long enough; who deleted it waits until that is done.
    pub(super) fn retires_at(&self) -> Option<Instant> {
        let Body::Loaded(state) = &self.body else { return None };
        if state.exists || !self.appender.is_idle() {
            return None;
        }
        match (self.retirement.step, self.asks.use_of_group()) {
            (Step::LettingGo | Step::Acknowledging, _) | (_, Use::Somebody) => None,
            (Step::None, Use::Deleted) => Some(self.used_at),
            (Step::None, Use::Nobody) => Some(self.used_at + UNUSED),
        }
    }

    /// Lets go of the topic of a group that does not exist. Whoever has written to it sees to it that Pulsar may delete it.
    pub(super) fn retire(&mut self, now: Now) {
        if self.retires_at().is_none_or(|at| at > now.instant) {
            return;
        }
        if !matches!(self.appender.producer(), Producer::Open { .. }) {
            return self.drop_state(None);
        }
        if !self.retirement.marked {
            self.appender.push(Item::own(Kind::Nop(Nop {})));
            self.write(now);
            // No message is large enough for it: this broker holds no groups.
            if self.appender.is_idle() {
                self.drop_state(None);
            }
            return;
        }
        if self.retirement.let_go {
            return self.acknowledge_all();
        }
        self.retirement.step = Step::LettingGo;
        self.commands.push_back(Command::LetGo);
    }

    pub(super) fn on_let_go(&mut self, result: Result<(), String>) {
        if self.retirement.step != Step::LettingGo {
            return;
        }
        self.retirement.let_go = true;
        if let Err(reason) = result {
            let name = &self.name;
            self.log.push((
                Level::Info,
                format!(
                    "group {name} does not exist any more, but its topic may stay: its policies cannot be set: {reason}"
                ),
            ));
        }
        self.acknowledge_all();
    }

    fn acknowledge_all(&mut self) {
        // An entry that came meanwhile may be a new group's, or a stranger's that names an older base.
        let acked =
            self.state().filter(|state| !state.exists && self.retirement.marked).and_then(|state| state.log.applied);
        self.retirement.step = if acked.is_some() { Step::Acknowledging } else { Step::None };
        if acked.is_some() {
            self.commands.push_back(Command::Guard { acked });
        }
    }

    /// The guard is where it was told to be, if it was told.
    pub(super) fn on_acknowledged(&mut self) {
        if self.retirement.step != Step::Acknowledging {
            return;
        }
        self.retirement.interrupt();
        self.asks.answer_deleted();
        let gone = self.state().is_some_and(|state| !state.exists);
        if gone && self.asks.is_empty() && self.appender.is_idle() {
            self.drop_state(None);
        }
    }
}
