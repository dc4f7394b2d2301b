//! A group's topic as the broker stores it.

use std::collections::VecDeque;

use bytes::Bytes;
use isthmus::group::log::entry::Entry;
use isthmus::group::replica::link::{Command, ReadFrom};
use isthmus::group::replica::load::{Breach, Load, Step};
use isthmus::group::state::State;
use isthmus::ids::Position;

use crate::counts::Counts;
use crate::dice::Dice;
use crate::time::Micros;
use crate::truth::{Effects, Truth};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Topic {
    pub(crate) exists: bool,
    /// Grows when the topic is deleted.
    pub(crate) incarnation: u64,
    pub(crate) truth: Truth,
    entries: VecDeque<(Position, Bytes)>,
    /// How many were trimmed.
    trimmed: usize,
    ledger: u64,
    next_entry: u64,
    /// The next entry begins a ledger.
    rolls: bool,
    /// The guard's mark-delete position: ledger, and entry or -1.
    guard: Option<(u64, i64)>,
    /// It may be deleted when the guard holds nothing and nobody is attached.
    pub(crate) let_go: bool,
}

impl Topic {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn create(&mut self) {
        if !self.exists {
            self.exists = true;
            self.rolls = true;
        }
    }

    pub(crate) fn delete(&mut self, now: Micros) {
        let (incarnation, ledger) = (self.incarnation + 1, self.ledger);
        let mut truth = std::mem::take(&mut self.truth);
        truth.forget(now);
        *self = Self { incarnation, ledger, truth, ..Self::default() };
    }

    /// The next entry begins a new ledger: the topic was unloaded, or the ledger was full.
    pub(crate) fn roll(&mut self) {
        self.rolls = true;
    }

    pub(crate) fn append(
        &mut self,
        payload: Bytes,
        now: Micros,
        dice: &mut Dice,
        counts: &mut Counts,
    ) -> (Position, Effects) {
        if self.rolls {
            self.rolls = false;
            self.ledger += dice.between(1, 5);
            self.next_entry = 0;
        }
        let position = Position { ledger: self.ledger, entry: self.next_entry };
        self.next_entry += 1;
        let effects = self.truth.store(position, &payload, now, counts);
        self.entries.push_back((position, payload));
        (position, effects)
    }

    /// How many entries were ever stored.
    pub(crate) fn len(&self) -> usize {
        self.trimmed + self.entries.len()
    }

    /// The entries there are, counted from the first ever stored.
    pub(crate) fn kept(&self) -> std::ops::Range<usize> {
        self.trimmed..self.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&(Position, Bytes)> {
        self.entries.get(index.checked_sub(self.trimmed)?)
    }

    /// The first entry at `position` or behind it: what was trimmed is skipped without a sign.
    pub(crate) fn index_of(&self, position: Position) -> usize {
        self.trimmed + self.entries.partition_point(|(stored, _)| *stored < position)
    }

    /// The guard is made or moved; it never moves back.
    pub(crate) fn guard(&mut self, acknowledged: Option<Position>) -> bool {
        let first = self.entries.front().map_or((self.ledger, -1), |(first, _)| (first.ledger, first.entry as i64 - 1));
        let was = *self.guard.get_or_insert(first);
        if let Some(Position { ledger, entry }) = acknowledged {
            self.guard = Some(was.max((ledger, entry as i64)));
        }
        self.guard != Some(was)
    }

    /// Whether the guard holds the entry at `position`.
    pub(crate) fn is_guarded(&self, position: Position) -> bool {
        self.guard.is_none_or(|guard| (position.ledger, position.entry as i64) > guard)
    }

    /// Whether the guard holds nothing.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.guard.is_some() && self.entries.back().is_none_or(|(last, _)| !self.is_guarded(*last))
    }

    /// Whether there is no group, and the last entry was written by somebody who knew since when.
    pub(crate) fn marks_an_end(&self) -> bool {
        let named = self.entries.back().and_then(|(_, payload)| Entry::read(payload)?.base());
        !self.truth.state.exists && named.is_some() && named == self.truth.state.log.base()
    }

    /// Ledgers that are closed and of which the guard holds nothing go.
    pub(crate) fn trim(&mut self, dice: &mut Dice) -> usize {
        let guard = self.guard.unwrap_or((u64::MAX, 0));
        let mut gone = 0;
        loop {
            let Some((first, _)) = self.entries.front() else { return gone };
            let ledger = first.ledger;
            let count = self.entries.iter().take_while(|(position, _)| position.ledger == ledger).count();
            let last = self.entries[count - 1].0;
            if ledger == self.ledger || (last.ledger, last.entry as i64) > guard || dice.permille(100) {
                return gone;
            }
            self.entries.drain(..count);
            self.trimmed += count;
            gone += count;
        }
    }

    /// What a load finds where `last` is the last entry.
    pub(crate) fn load_up_to(&self, last: usize) -> Result<State, Breach> {
        let (mut load, _) = Load::begin();
        load.on_opened(1);
        let mut step = load.on_last(self.get(last).map(|(position, _)| *position));
        loop {
            let from = match &step {
                Step::Do(commands) => match commands.as_slice() {
                    [Command::OpenReader(from)] => *from,
                    other => panic!("a load asks for {other:?}"),
                },
                Step::Wait | Step::Loaded(_) | Step::Empty => panic!("a load does not go on"),
            };
            load.on_opened(1000);
            let mut index = match from {
                ReadFrom::Earliest => self.trimmed,
                ReadFrom::At(position) => self.index_of(position),
                ReadFrom::Latest => last + 1,
            };
            loop {
                let Some((position, payload)) = self.get(index).filter(|_| index <= last) else {
                    panic!("a load reads beyond the last entry");
                };
                match load.on_message(*position, Some(payload.clone()))? {
                    Step::Wait => index += 1,
                    Step::Loaded(state) => return Ok(*state),
                    Step::Empty => return Ok(State::default()),
                    Step::Do(commands) => {
                        step = Step::Do(commands);
                        break;
                    }
                }
            }
        }
    }
}
