//! Reading a group's log from where its last entry says that a load begins.
//!
//! ```text
//! Probing ──▶ AskingLast ──no entry──▶ empty
//!                 └──▶ ReadingLast ──no base──▶ Folding(from the first entry) ──┐
//!                           └──base──▶ Collecting(parts of the snapshot) ───────┴──up to the last──▶ loaded
//! ```

use bytes::Bytes;

use super::link::{Command, ReadFrom};
use crate::group::apply::apply;
use crate::group::log::entry::{Entry, Kind};
use crate::group::log::snapshot::Assembly;
use crate::group::state::State;
use crate::ids::Position;

/// Bound of bytes that are kept while a snapshot's parts are collected.
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

/// The log is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach(pub &'static str);

/// What an entry's payload says; `None` for what is no entry of ours.
pub fn decode(payload: Option<&Bytes>) -> Option<Entry> {
    Entry::read(payload?)
}

/// Whether `position` comes right behind `applied`, and its writer had seen nothing else.
pub fn check(applied: Option<Position>, position: Position, entry: Option<&Entry>) -> Result<(), Breach> {
    let seen = entry.map(|entry| entry.seen.map(Position::from));
    let Some(applied) = applied else {
        return match seen {
            Some(Some(_)) => Err(Breach("the first entry is not the first that was written")),
            Some(None) | None => Ok(()),
        };
    };
    let follows = applied.is_followed_by(position) || (position.ledger > applied.ledger && position.entry == 0);
    match seen {
        _ if !follows => Err(Breach("an entry is missing")),
        Some(Some(seen)) if seen > applied => Err(Breach("a writer had seen what is not there")),
        // Several may find the topic empty and write its first entry; one of them is first.
        Some(Some(_) | None) | None => Ok(()),
    }
}

/// As [`check`], for a reader that goes on behind a state. What begins in another ledger may be another log: a load tells.
pub fn check_next(applied: Option<Position>, position: Position, entry: Option<&Entry>) -> Result<(), Breach> {
    let other_ledger = applied.is_some_and(|applied| applied.ledger != position.ledger);
    if other_ledger && entry.is_some_and(|entry| entry.seen.is_none()) {
        return Err(Breach("the log begins a second time"));
    }
    check(applied, position, entry)
}

/// A load on its way.
#[derive(Debug)]
pub enum Load {
    /// A reader behind the last entry opens: it tells whether there is a topic.
    Probing,
    /// It is asked for the last entry.
    AskingLast,
    /// A reader at the last entry, for where to begin.
    ReadingLast {
        /// That entry.
        last: Position,
        /// Where the reader is: before the last entry, while those behind cannot be read.
        at: Position,
    },
    /// Every entry from the first.
    Folding {
        /// Up to this one.
        last: Position,
        /// So far.
        state: Box<State>,
    },
    /// Entries behind the base, until the base's snapshot is whole.
    Collecting(Box<Collecting>),
}

/// See [`Load::Collecting`].
#[derive(Debug)]
pub struct Collecting {
    last: Position,
    base: Position,
    base_seen: bool,
    kept: Vec<(Position, Option<Bytes>)>,
    kept_bytes: usize,
    parts: Assembly,
}

/// What comes of an event.
#[derive(Debug)]
pub enum Step {
    /// Go on waiting.
    Wait,
    /// Go on with this.
    Do(Vec<Command>),
    /// The state up to the last entry; the reader goes on behind it.
    Loaded(Box<State>),
    /// There is a topic without an entry; a reader at its beginning is still to be opened.
    Empty,
}

impl Load {
    /// How it begins.
    pub fn begin() -> (Self, Command) {
        (Self::Probing, Command::OpenReader(ReadFrom::Latest))
    }

    /// The reader is open.
    pub fn on_opened(&mut self, permits: u32) -> Step {
        match self {
            Self::Probing => {
                *self = Self::AskingLast;
                Step::Do(vec![Command::AskLast])
            }
            Self::AskingLast => Step::Wait,
            Self::ReadingLast { .. } => Step::Do(vec![Command::Flow(1)]),
            Self::Folding { .. } | Self::Collecting(_) => Step::Do(vec![Command::Flow(permits)]),
        }
    }

    /// The last entry there is.
    pub fn on_last(&mut self, last: Option<Position>) -> Step {
        match (&self, last) {
            (Self::AskingLast, Some(last)) => {
                *self = Self::ReadingLast { last, at: last };
                Step::Do(vec![Command::OpenReader(ReadFrom::At(last))])
            }
            (Self::AskingLast, None) => Step::Empty,
            (Self::Probing | Self::ReadingLast { .. } | Self::Folding { .. } | Self::Collecting(_), _) => Step::Wait,
        }
    }

    /// An entry.
    pub fn on_message(&mut self, position: Position, payload: Option<Bytes>) -> Result<Step, Breach> {
        match self {
            Self::Probing | Self::AskingLast => Ok(Step::Wait),
            Self::ReadingLast { last, at } => {
                let last = *last;
                if position != *at {
                    return Err(Breach("the last entry is not there"));
                }
                let entry = decode(payload.as_ref());
                // What is not a filter's names no base; what comes before it does.
                if entry.is_none()
                    && let Some(before) = at.previous()
                {
                    *at = before;
                    return Ok(Step::Do(vec![Command::OpenReader(ReadFrom::At(before))]));
                }
                let base = entry.and_then(|entry| entry.base).map(Position::from);
                let from = base.map_or(ReadFrom::Earliest, ReadFrom::At);
                *self = match base {
                    None => Self::Folding { last, state: Box::default() },
                    Some(base) => Self::Collecting(Box::new(Collecting {
                        last,
                        base,
                        base_seen: false,
                        kept: Vec::new(),
                        kept_bytes: 0,
                        parts: Assembly::new(base),
                    })),
                };
                Ok(Step::Do(vec![Command::OpenReader(from)]))
            }
            Self::Folding { last, state } => {
                fold(state, position, payload)?;
                if position < *last {
                    return Ok(Step::Wait);
                }
                Ok(Step::Loaded(std::mem::take(state)))
            }
            Self::Collecting(collecting) => {
                let Some(state) = collecting.on_message(position, payload)? else { return Ok(Step::Wait) };
                let last = collecting.last;
                if state.log.applied.is_some_and(|applied| applied >= last) {
                    return Ok(Step::Loaded(state));
                }
                *self = Self::Folding { last, state };
                Ok(Step::Wait)
            }
        }
    }
}

impl Collecting {
    fn on_message(&mut self, position: Position, payload: Option<Bytes>) -> Result<Option<Box<State>>, Breach> {
        if !self.base_seen {
            self.base_seen = true;
            return if position == self.base { Ok(None) } else { Err(Breach("the base is not there")) };
        }
        self.kept_bytes = self.kept_bytes.saturating_add(payload.as_ref().map_or(0, Bytes::len));
        if self.kept_bytes > MAX_HELD_BYTES {
            return Err(Breach("the snapshot is too far behind its cut"));
        }
        let mut whole = None;
        for event in decode(payload.as_ref()).map(|entry| entry.events).unwrap_or_default() {
            if let (None, Some(Kind::Snapshot(part))) = (&whole, event.kind) {
                whole = self.parts.take(&part).map_err(|_| Breach("the snapshot cannot be read"))?;
            }
        }
        self.kept.push((position, payload));
        let Some(mut state) = whole else {
            // Every entry that names a base lies behind that base's last part.
            return if position < self.last { Ok(None) } else { Err(Breach("the snapshot is not whole")) };
        };
        if state.log.applied != Some(self.base) {
            return Err(Breach("the snapshot is not that of its cut"));
        }
        for (position, payload) in std::mem::take(&mut self.kept) {
            fold(&mut state, position, payload)?;
        }
        Ok(Some(Box::new(state)))
    }
}

fn fold(state: &mut State, position: Position, payload: Option<Bytes>) -> Result<(), Breach> {
    let entry = decode(payload.as_ref());
    check(state.log.applied, position, entry.as_ref())?;
    apply(state, position, entry.as_ref(), payload.as_ref().map_or(0, Bytes::len), |_, _, _, _| {});
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ledger: u64, entry: u64) -> Position {
        Position { ledger, entry }
    }

    fn written_after(seen: Option<Position>) -> Entry {
        Entry { seen: seen.map(Into::into), ..Entry::default() }
    }

    #[test]
    fn two_that_find_the_topic_empty_both_begin_the_log() {
        let first = written_after(None);
        assert_eq!(check(None, at(1, 0), Some(&first)), Ok(()));
        assert_eq!(check(Some(at(1, 0)), at(1, 1), Some(&first)), Ok(()));
    }

    #[test]
    fn what_begins_in_another_ledger_is_loaded_anew() {
        let first = written_after(None);
        assert_eq!(check_next(None, at(1, 0), Some(&first)), Ok(()));
        assert_eq!(check_next(Some(at(1, 0)), at(1, 1), Some(&first)), Ok(()));
        check_next(Some(at(1, 0)), at(2, 0), Some(&first)).unwrap_err();
        assert_eq!(check(Some(at(1, 0)), at(2, 0), Some(&first)), Ok(()));
    }

    #[test]
    fn a_log_without_its_beginning_is_a_breach() {
        check(None, at(2, 0), Some(&written_after(Some(at(1, 7))))).unwrap_err();
    }

    #[test]
    fn an_entry_that_is_missing_is_a_breach() {
        let entry = written_after(Some(at(1, 3)));
        check(Some(at(1, 3)), at(1, 5), Some(&entry)).unwrap_err();
        check(Some(at(1, 3)), at(2, 1), Some(&entry)).unwrap_err();
        assert_eq!(check(Some(at(1, 3)), at(2, 0), Some(&entry)), Ok(()));
    }

    #[test]
    fn a_writer_that_saw_more_than_there_is_is_a_breach() {
        check(Some(at(1, 3)), at(1, 4), Some(&written_after(Some(at(1, 4))))).unwrap_err();
    }
}
