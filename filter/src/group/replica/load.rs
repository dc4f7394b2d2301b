//! Reading a group's log from where its last entry says that a load begins.
//!
//! ```text
//! Probing ──▶ AskingLast ──no entry──▶ empty
//!                 └──▶ ReadingLast ──origin──▶ Folding(the entries behind) ─────┐
//!                        │     └──cut──▶ Collecting(parts of the snapshot) ────────┴──up to the last──▶ loaded
//!                        └──none, or it is not there──▶ Scanning(from the first entry) ──newest base──▶ either
//! ```
//!
//! What the last entry names as its base was what its writer knew, and that may be of a time before the group was deleted. Then
//! some other entry names a newer one, or the log begins where there was no group (`docs/group-log.md`, "Reading").

use bytes::Bytes;

use super::link::{Command, ReadFrom};
use crate::group::apply::apply;
use crate::group::log::entry::{Base, Entry, Kind};
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

/// Whether `position` comes right behind `state`, and its writer had seen nothing else.
pub fn check(state: &State, position: Position, entry: Option<&Entry>) -> Result<(), Breach> {
    let log = &state.log;
    let follows = match log.applied {
        Some(applied) if applied.ledger == position.ledger => applied.is_followed_by(position),
        Some(applied) => position.ledger > applied.ledger && position.entry == 0,
        None => position.entry == 0,
    };
    if !follows {
        return Err(Breach("an entry is missing"));
    }
    let Some(entry) = entry.filter(|_| !state.begins_anew_at(position)) else { return Ok(()) };
    let seen = entry.seen.map(Position::from);
    if seen > log.applied {
        return Err(Breach("a writer had seen what is not there"));
    }
    let base = entry.base().map(Base::position);
    if seen >= log.origin && base < log.origin {
        return Err(Breach("what the group began with is not there"));
    }
    if base > log.base().map(Base::position) {
        return Err(Breach("a writer began with what is not there"));
    }
    Ok(())
}

/// As [`check`], for a reader that goes on behind a state. What begins in another ledger may be another log: a load tells.
pub fn check_next(state: &State, position: Position, entry: Option<&Entry>) -> Result<(), Breach> {
    let other_ledger = state.log.applied.is_some_and(|applied| applied.ledger != position.ledger);
    if state.exists && other_ledger && entry.is_some_and(|entry| entry.seen.is_none()) {
        return Err(Breach("the log begins a second time"));
    }
    check(state, position, entry)
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
    /// Every entry, for the newest base that one of them names.
    Scanning {
        /// Up to this one.
        last: Position,
        /// The first there is.
        first: Option<Position>,
        /// So far.
        base: Option<Base>,
    },
    /// Every entry from the first, or behind an origin.
    Folding {
        /// Up to this one.
        last: Position,
        /// So far.
        state: Box<State>,
        /// It comes first, and is in the state.
        origin: Option<Origin>,
    },
    /// Entries behind the base, until the base's snapshot is whole.
    Collecting(Box<Collecting>),
}

/// See [`Load::Folding`].
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    at: Position,
    found: Found,
}

/// Who named a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The last entry: it may be outdated.
    InLast,
    /// Of all entries, one whose base is the newest.
    InAll,
}

/// See [`Load::Collecting`].
#[derive(Debug)]
pub struct Collecting {
    last: Position,
    base: Position,
    found: Found,
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
            Self::Scanning { .. } | Self::Folding { .. } | Self::Collecting(_) => {
                Step::Do(vec![Command::Flow(permits)])
            }
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
            (
                Self::Probing
                | Self::ReadingLast { .. }
                | Self::Scanning { .. }
                | Self::Folding { .. }
                | Self::Collecting(_),
                _,
            ) => Step::Wait,
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
                Ok(match entry.and_then(|entry| entry.base()) {
                    Some(base) => self.begin_with(base, last, Found::InLast),
                    None => self.scan(last),
                })
            }
            Self::Scanning { last, first, base } => {
                let first = *first.get_or_insert(position);
                let named = decode(payload.as_ref()).and_then(|entry| entry.base());
                if named.map(Base::position) > base.map(Base::position) {
                    *base = named;
                }
                if position < *last {
                    return Ok(Step::Wait);
                }
                let last = *last;
                Ok(match base.filter(|base| base.position() >= first) {
                    Some(base) => self.begin_with(base, last, Found::InAll),
                    None => {
                        *self = Self::Folding { last, state: Box::default(), origin: None };
                        Step::Do(vec![Command::OpenReader(ReadFrom::Earliest)])
                    }
                })
            }
            Self::Folding { last, state, origin } => {
                if let Some(origin) = origin.take() {
                    return match origin.found {
                        _ if position == origin.at => Ok(Step::Wait),
                        Found::InLast => {
                            let last = *last;
                            Ok(self.scan(last))
                        }
                        Found::InAll => Err(Breach("the group's beginning is not there")),
                    };
                }
                fold(state, position, payload)?;
                if position < *last {
                    return Ok(Step::Wait);
                }
                Ok(Step::Loaded(std::mem::take(state)))
            }
            Self::Collecting(collecting) => {
                if collecting.found == Found::InLast && !collecting.base_seen && position != collecting.base {
                    let last = collecting.last;
                    return Ok(self.scan(last));
                }
                let Some(state) = collecting.on_message(position, payload)? else { return Ok(Step::Wait) };
                let last = collecting.last;
                if state.log.applied.is_some_and(|applied| applied >= last) {
                    return Ok(Step::Loaded(state));
                }
                *self = Self::Folding { last, state, origin: None };
                Ok(Step::Wait)
            }
        }
    }

    fn begin_with(&mut self, base: Base, last: Position, found: Found) -> Step {
        *self = match base {
            Base::Origin(at) => {
                Self::Folding { last, state: Box::new(State::bare(at)), origin: Some(Origin { at, found }) }
            }
            Base::Snapshot(base) => Self::Collecting(Box::new(Collecting {
                last,
                base,
                found,
                base_seen: false,
                kept: Vec::new(),
                kept_bytes: 0,
                parts: Assembly::new(base),
            })),
        };
        Step::Do(vec![Command::OpenReader(ReadFrom::At(base.position()))])
    }

    fn scan(&mut self, last: Position) -> Step {
        *self = Self::Scanning { last, first: None, base: None };
        Step::Do(vec![Command::OpenReader(ReadFrom::Earliest)])
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
    check(state, position, entry.as_ref())?;
    apply(state, position, entry.as_ref(), payload.as_ref().map_or(0, Bytes::len), |_, _, _, _| {});
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ledger: u64, entry: u64) -> Position {
        Position { ledger, entry }
    }

    /// A group that has been there since `1:0`, with a state up to `1:3`.
    fn group() -> State {
        let mut state = State { exists: true, ..State::bare(at(1, 0)) };
        state.log.applied = Some(at(1, 3));
        state
    }

    fn entry(seen: Option<Position>, base: Option<Position>) -> Entry {
        Entry { seen: seen.map(Into::into), base: base.map(Into::into), bare: true, ..Entry::default() }
    }

    fn written_after(seen: Position) -> Entry {
        entry(Some(seen), Some(at(1, 0)))
    }

    #[test]
    fn a_log_begins_with_a_ledger_whatever_its_writer_had_seen() {
        let blank = State::default();
        assert_eq!(check(&blank, at(1, 0), Some(&entry(None, None))), Ok(()));
        assert_eq!(check(&blank, at(2, 0), Some(&written_after(at(1, 7)))), Ok(()));
        check(&blank, at(1, 1), Some(&entry(None, None))).unwrap_err();
    }

    #[test]
    fn while_there_is_no_group_whole_ledgers_may_be_missing() {
        let gone = State::bare(at(1, 3));
        assert_eq!(check(&gone, at(9, 0), Some(&entry(Some(at(8, 7)), Some(at(8, 0))))), Ok(()));
        check(&gone, at(9, 1), Some(&entry(Some(at(9, 0)), Some(at(9, 0))))).unwrap_err();
    }

    #[test]
    fn two_that_find_the_topic_empty_both_begin_the_log() {
        let mut state = State::default();
        apply(&mut state, at(1, 0), Some(&entry(None, None)), 0, |_, _, _, _| {});
        assert_eq!(check(&state, at(1, 1), Some(&entry(None, None))), Ok(()));
    }

    #[test]
    fn what_begins_in_another_ledger_is_loaded_anew() {
        assert_eq!(check_next(&group(), at(1, 4), Some(&entry(None, None))), Ok(()));
        check_next(&group(), at(2, 0), Some(&entry(None, None))).unwrap_err();
        assert_eq!(check(&group(), at(2, 0), Some(&entry(None, None))), Ok(()));
    }

    #[test]
    fn an_entry_that_is_missing_is_a_breach() {
        let next = written_after(at(1, 3));
        check(&group(), at(1, 5), Some(&next)).unwrap_err();
        check(&group(), at(2, 1), Some(&next)).unwrap_err();
        assert_eq!(check(&group(), at(2, 0), Some(&next)), Ok(()));
    }

    #[test]
    fn a_writer_that_saw_more_than_there_is_is_a_breach() {
        check(&group(), at(1, 4), Some(&written_after(at(1, 4)))).unwrap_err();
    }

    #[test]
    fn a_writer_that_knows_another_beginning_of_the_group_is_a_breach() {
        let knows = |base| check(&group(), at(1, 4), Some(&entry(Some(at(1, 3)), base)));
        assert_eq!(knows(Some(at(1, 0))), Ok(()));
        knows(Some(at(1, 2))).unwrap_err();
        knows(Some(at(0, 7))).unwrap_err();
        knows(None).unwrap_err();
        let before_the_group = entry(Some(at(0, 9)), Some(at(0, 7)));
        assert_eq!(check(&group(), at(1, 4), Some(&before_the_group)), Ok(()));
    }
}
