//! Which entries take effect.

use bytes::Bytes;
use isthmus::group::apply::{Accepted, apply};
use isthmus::group::error::GroupError;
use isthmus::group::log::entry::{Entry, Event, FORMAT, Kind, Nop, Upgrade};
use isthmus::group::outcome::Outcome;
use isthmus::group::state::limits::{ENTRY_EVENTS_MAX, WRITERS_MAX};
use isthmus::ids::Position;
use prost::Message;

use crate::group_support::events::*;
use crate::group_support::{Group, ORIGIN, written_after};

fn entry(writer: u64, epoch: u64, seq: u64, open: bool) -> Entry {
    let commit = simple_commit(&[("t", 0, (epoch * 100 + seq) as i64)]);
    Entry { writer, epoch, seq, open, events: vec![commit.event()], ..written_after(&Group::new().state) }
}

/// The offset that stands after these entries, each with what it was taken for.
fn offset_after(entries: &[(Entry, Accepted)]) -> Option<i64> {
    let mut group = Group::new();
    for (entry, expected) in entries {
        let (accepted, effects) = group.append(entry.clone());
        assert_eq!(accepted, *expected, "{entry:?}");
        assert_eq!(effects.len(), if accepted == Accepted::Yes { entry.events.len() } else { 0 });
    }
    group.offset("t", 0)
}

#[test]
fn a_writer_opens_before_it_is_heard() {
    assert_eq!(offset_after(&[(entry(1, 1, 1, false), Accepted::No)]), None);
    assert_eq!(
        offset_after(&[(entry(1, 1, 1, true), Accepted::Yes), (entry(1, 1, 2, false), Accepted::Yes)]),
        Some(102)
    );
}

#[test]
fn an_entry_that_lands_twice_counts_once() {
    let (first, second) = (entry(1, 1, 1, true), entry(1, 1, 2, false));
    let third = entry(1, 1, 3, false);
    let landed = [
        (first.clone(), Accepted::Yes),
        (first, Accepted::No),
        (second.clone(), Accepted::Yes),
        (third, Accepted::Yes),
        (second, Accepted::No),
    ];
    assert_eq!(offset_after(&landed), Some(103));
}

#[test]
fn an_older_epoch_that_lands_late_is_void() {
    let landed = [
        (entry(1, 1, 1, true), Accepted::Yes),
        (entry(1, 2, 1, true), Accepted::Yes),
        (entry(1, 1, 2, false), Accepted::No),
        (entry(1, 1, 3, true), Accepted::No),
        (entry(1, 2, 2, false), Accepted::Yes),
    ];
    assert_eq!(offset_after(&landed), Some(202));
}

#[test]
fn an_epoch_that_was_not_opened_is_void() {
    assert_eq!(
        offset_after(&[(entry(1, 1, 1, true), Accepted::Yes), (entry(1, 2, 2, false), Accepted::No)]),
        Some(101)
    );
}

#[test]
fn writers_do_not_hinder_each_other() {
    let landed = [
        (entry(1, 5, 9, true), Accepted::Yes),
        (entry(2, 1, 1, true), Accepted::Yes),
        (entry(1, 5, 10, false), Accepted::Yes),
    ];
    assert_eq!(offset_after(&landed), Some(510));
}

#[test]
fn the_writer_used_longest_ago_is_forgotten_and_opens_again() {
    let mut group = Group::new();
    let writers = WRITERS_MAX as u64;
    for writer in 0..writers {
        group.append(entry(writer, 1, 1, true));
    }
    group.append(entry(0, 1, 2, false));
    group.append(entry(writers, 1, 1, true));
    assert_eq!(group.state.log.writers.len(), WRITERS_MAX);
    assert_eq!(group.append(entry(0, 1, 3, false)).0, Accepted::Yes);
    assert_eq!(group.append(entry(1, 1, 2, false)).0, Accepted::No);
    assert_eq!(group.append(entry(1, 2, 1, true)).0, Accepted::Yes);
}

#[test]
fn what_cannot_be_read_only_counts() {
    let mut state = Group::stable(&["a"]).state;
    let (before, position) = (state.log.clone(), Position { ledger: 8, entry: 0 });
    let accepted = apply(&mut state, position, None, 77, |_, _, _, _| panic!("there are no events"));
    assert_eq!(accepted, Accepted::No);
    assert_eq!(state.log.applied, Some(position));
    assert_eq!((state.log.since, state.log.bytes_since), (before.since + 1, before.bytes_since + 77));
    assert_eq!(Entry::read(&Bytes::from_static(b"\xff\xff")), None);
}

#[test]
fn an_entry_with_too_many_events_is_not_read() {
    let of = |count| Entry { events: vec![Nop {}.event(); count], ..entry(1, 1, 1, true) };
    for (count, read) in [(ENTRY_EVENTS_MAX, true), (ENTRY_EVENTS_MAX + 1, false)] {
        assert_eq!(Entry::read(&of(count).encode_to_vec().into()).is_some(), read, "{count}");
    }
}

#[test]
fn every_event_is_told_with_the_state_right_after_it() {
    let Group { mut state, .. } = Group::new();
    let events = vec![join("a").event(), Event { kind: None }, join("b").event()];
    let entry = Entry { events, ..entry(1, 1, 1, true) };
    let mut members = Vec::new();
    apply(&mut state, Position { entry: 1, ..ORIGIN }, Some(&entry), 0, |state, index, _, _| {
        members.push((index, state.members.len()));
    });
    assert_eq!(members, [(0, 1), (1, 1), (2, 2)]);
}

#[test]
fn an_event_of_an_unknown_kind_does_nothing() {
    let mut group = Group::stable(&["a"]);
    let effects = group.events(vec![Event { kind: None }]);
    assert_eq!(effects[0].outcome, Outcome::Done);
}

#[test]
fn in_a_format_it_does_not_know_the_filter_does_nothing() {
    let mut group = Group::new();
    let upgrade = |format| Event::from(Kind::Upgrade(Upgrade { format }));
    group.events(vec![upgrade(0)]);
    assert_eq!(group.state.format, FORMAT);
    let effects = group.events(vec![upgrade(FORMAT + 1), join("a").event()]);
    assert_eq!(effects[1].error(), GroupError::UnknownFormat);
    assert_eq!(group.state.format, FORMAT + 1);
    assert!(!group.state.exists);
}
