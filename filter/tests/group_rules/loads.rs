//! What a load makes of a log whose beginning is gone, or whose last entry knows too little.

use bytes::Bytes;
use isthmus::group::apply::apply;
use isthmus::group::log::entry::{Delete, Entry, Nop};
use isthmus::group::log::snapshot::split;
use isthmus::group::replica::link::{Command, ReadFrom};
use isthmus::group::replica::load::{Breach, Load, Step};
use isthmus::group::state::State;
use isthmus::group::state::limits::CUT_ENTRIES_MAX;
use isthmus::ids::Position;
use prost::Message;

use crate::group_support::events::*;
use crate::group_support::{Group, LEDGER, written_after};

/// A log over several ledgers.
struct Log {
    state: State,
    entries: Vec<(Position, Entry)>,
    seq: u64,
}

impl Log {
    /// A group with an offset.
    fn used() -> Self {
        let mut group = Group::new();
        group.event(simple_commit(&[("t", 0, 1)]));
        Self { state: group.state, entries: group.log, seq: 100 }
    }

    fn next(&self) -> Position {
        let last = self.entries.last().unwrap().0;
        Position { entry: last.entry + 1, ..last }
    }

    /// What would be written now.
    fn entry(&mut self, event: impl IntoEvent) -> Entry {
        self.seq += 1;
        let open = self.state.log.epoch_of(2) != Some(1);
        Entry { writer: 2, seq: self.seq, open, events: vec![event.event()], ..written_after(&self.state) }
    }

    fn append_at(&mut self, position: Position, entry: Entry) {
        let bytes = entry.encoded_len();
        apply(&mut self.state, position, Some(&entry), bytes, |_, _, _, _| {});
        self.entries.push((position, entry));
    }

    fn append(&mut self, entry: Entry) {
        self.append_at(self.next(), entry);
    }

    fn event(&mut self, event: impl IntoEvent) {
        let entry = self.entry(event);
        self.append(entry);
    }

    /// The next entry begins another ledger.
    fn roll(&mut self, event: impl IntoEvent) {
        let entry = self.entry(event);
        let ledger = self.next().ledger + 1;
        self.append_at(Position { ledger, entry: 0 }, entry);
    }

    /// All ledgers before this one are gone.
    fn trim_before(&mut self, ledger: u64) {
        self.entries.retain(|(position, _)| position.ledger >= ledger);
    }

    fn load(&self) -> Result<State, Breach> {
        let (mut load, _) = Load::begin();
        load.on_opened(1);
        let mut step = load.on_last(self.entries.last().map(|(position, _)| *position));
        loop {
            let Step::Do(commands) = &step else { panic!("{step:?}") };
            let [Command::OpenReader(from)] = commands.as_slice() else { panic!("{commands:?}") };
            let from = match from {
                ReadFrom::At(position) => *position,
                ReadFrom::Earliest | ReadFrom::Latest => Position { ledger: 0, entry: 0 },
            };
            load.on_opened(1000);
            let mut entries = self.entries.iter().filter(|(position, _)| *position >= from);
            step = loop {
                let (position, entry) = entries.next().expect("nothing is asked for behind the last entry");
                match load.on_message(*position, Some(Bytes::from(entry.encode_to_vec())))? {
                    Step::Wait => {}
                    Step::Loaded(state) => return Ok(*state),
                    next @ (Step::Do(_) | Step::Empty) => break next,
                }
            };
        }
    }
}

#[test]
fn a_whole_log_is_loaded_from_its_origin() {
    assert!(Log::used().state.exists);
    let log = Log::used();
    assert_eq!(log.load(), Ok(log.state));
}

#[test]
fn behind_a_deletion_nothing_before_it_is_needed() {
    let mut log = Log::used();
    log.event(Delete {});
    log.roll(Nop {});
    log.event(simple_commit(&[("t", 0, 2)]));
    log.trim_before(LEDGER + 1);
    assert_eq!(log.load(), Ok(log.state));
}

#[test]
fn a_log_without_a_group_is_loaded_from_wherever_it_begins() {
    let mut log = Log::used();
    log.event(Delete {});
    for _ in 0..3 {
        log.roll(Nop {});
        log.event(Nop {});
    }
    for ledger in LEDGER..=LEDGER + 3 {
        log.trim_before(ledger);
        assert_eq!(log.load().as_ref(), Ok(&log.state), "from ledger {ledger}");
    }
}

#[test]
fn a_last_entry_from_before_the_deletion_does_not_matter_where_another_knows_better() {
    let mut log = Log::used();
    log.roll(simple_commit(&[("t", 0, 2)]));
    let late = log.entry(simple_commit(&[("t", 0, 3)]));
    log.event(Delete {});
    log.event(Nop {});
    log.append(late);
    log.trim_before(LEDGER + 1);
    assert_eq!(log.load(), Ok(log.state.clone()));
    assert!(!log.state.exists);
}

#[test]
fn a_last_entry_from_before_the_deletion_does_not_matter_where_the_log_begins_behind_it() {
    let mut log = Log::used();
    let late = log.entry(simple_commit(&[("t", 0, 3)]));
    log.event(Delete {});
    log.event(Nop {});
    log.append_at(Position { ledger: LEDGER + 1, entry: 0 }, late);
    log.trim_before(LEDGER + 1);
    assert_eq!(log.load(), Ok(log.state));
}

#[test]
fn a_last_entry_of_somebody_who_found_the_topic_empty_does_not_matter() {
    let mut log = Log::used();
    log.append(Entry { writer: 3, seq: 1, open: true, ..written_after(&State::default()) });
    assert_eq!(log.load(), Ok(log.state));
}

#[test]
fn a_last_entry_that_names_an_older_snapshot_does_not_matter_where_another_knows_better() {
    let mut log = Log::used();
    let late = log.entry(simple_commit(&[("t", 0, 3)]));
    log.state.log.since = CUT_ENTRIES_MAX;
    let cut = log.next().ledger + 1;
    log.roll(simple_commit(&[("t", 0, 4)]));
    let cut = Position { ledger: cut, entry: 0 };
    assert_eq!(log.state.log.cut, Some(cut));
    for part in split(cut, &log.state.encode().into()).collect::<Vec<_>>() {
        log.event(part);
    }
    log.event(simple_commit(&[("t", 0, 5)]));
    log.append(late);
    log.trim_before(cut.ledger);
    assert_eq!(log.load(), Ok(log.state));
}

#[test]
fn a_group_whose_beginning_is_gone_is_not_taken_for_another() {
    let mut log = Log::used();
    log.roll(simple_commit(&[("t", 0, 2)]));
    log.event(simple_commit(&[("t", 0, 3)]));
    log.trim_before(LEDGER + 1);
    log.load().unwrap_err();
}
