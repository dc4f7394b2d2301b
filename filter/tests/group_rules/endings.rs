//! A group's end: what was written before it is void behind it, and nothing before it is needed to read on.

use isthmus::group::apply::{Accepted, apply};
use isthmus::group::log::entry::{Base, Delete, Entry, ExpireOffsets, Nop};
use isthmus::group::state::State;
use isthmus::ids::Position;

use crate::group_support::events::*;
use crate::group_support::{Group, LEDGER, ORIGIN, written_after};

/// A commit of a consumer without membership, as another writer would write it in `state`.
fn late_commit(state: &State, offset: i64) -> Entry {
    let events = vec![simple_commit(&[("t", 0, offset)]).event()];
    Entry { writer: 2, seq: 1, open: true, events, ..written_after(state) }
}

/// A group with a committed offset and without members.
fn used() -> Group {
    let mut group = Group::new();
    group.event(simple_commit(&[("t", 0, 1)]));
    group
}

/// An entry that says nothing, at `position`.
fn pass(state: &mut State, position: Position) {
    let entry = Entry { writer: 3, seq: 1, open: true, events: vec![Nop {}.event()], ..written_after(state) };
    apply(state, position, Some(&entry), 0, |_, _, _, _| {});
}

#[test]
fn the_first_entry_of_a_log_is_void_and_so_is_what_was_written_without_seeing_it() {
    let mut group = Group::new();
    assert_eq!(group.state, State::bare(ORIGIN));
    let blind = late_commit(&State::default(), 5);
    assert_eq!(group.append(blind).0, Accepted::Outlived);
    assert_eq!(group.append(late_commit(&group.state, 6)).0, Accepted::Yes);
    assert_eq!(group.offset("t", 0), Some(6));
}

#[test]
fn what_was_written_before_a_group_was_deleted_does_not_make_it_again() {
    let mut group = used();
    let late = late_commit(&group.state, 2);
    group.event(Delete {});
    assert_eq!(group.append(late).0, Accepted::Outlived);
    assert!(!group.state.exists);
}

#[test]
fn what_was_written_before_a_group_was_deleted_is_void_in_the_next_one_too() {
    let mut group = used();
    let late = late_commit(&group.state, 2);
    group.event(Delete {});
    group.event(simple_commit(&[("t", 0, 3)]));
    assert_eq!(group.append(late).0, Accepted::Outlived);
    assert_eq!(group.offset("t", 0), Some(3));
}

#[test]
fn an_entry_that_took_effect_before_a_deletion_does_not_behind_it() {
    let mut group = used();
    let once = late_commit(&group.state, 2);
    assert_eq!(group.append(once.clone()).0, Accepted::Yes);
    group.event(Delete {});
    assert_eq!(group.append(once).0, Accepted::Outlived);
}

#[test]
fn a_deletion_leaves_nothing_but_its_place() {
    let mut group = used();
    let at = group.next();
    group.event(Delete {});
    assert_eq!(group.state, State::bare(at));
    assert_eq!(group.state.log.base(), Some(Base::Origin(at)));
}

#[test]
fn what_stands_behind_a_deletion_in_its_entry_does_not_count() {
    let mut group = used();
    let effects = group.events(vec![Delete {}.event(), simple_commit(&[("t", 0, 9)]).event()]);
    assert_eq!(effects.len(), 1);
    assert!(!group.state.exists);
}

#[test]
fn a_deletion_that_is_refused_ends_nothing() {
    let mut group = Group::stable(&["a"]);
    let effects = group.events(vec![Delete {}.event(), commit("a", 1, &[("t", 0, 9)]).event()]);
    assert_eq!(effects.len(), 2);
    assert_eq!(group.offset("t", 0), Some(9));
}

#[test]
fn an_expiry_of_the_last_offset_ends_the_group_like_a_deletion() {
    let mut group = used();
    let (at, phase) = (group.next(), group.state.phase_began);
    let committed = group.state.offsets.of("t", 0).unwrap().at;
    let item = isthmus::group::log::entry::ExpiredOffset { topic: "t".into(), partition: 0, committed };
    group.event(ExpireOffsets { items: vec![item], empty_phase: phase });
    assert_eq!(group.state, State::bare(at));
}

#[test]
fn without_a_group_each_ledger_begins_as_if_nothing_had_been() {
    let mut with_history = used();
    with_history.event(Delete {});
    let mut state = with_history.state;
    let next = Position { ledger: LEDGER + 2, entry: 0 };
    pass(&mut state, next);
    let mut without = State::default();
    pass(&mut without, next);
    assert_eq!(state, without);
    assert_eq!(state, State::bare(next));
}

#[test]
fn without_a_group_what_was_written_in_an_earlier_ledger_is_void_in_the_next() {
    let mut group = used();
    group.event(Delete {});
    let late = late_commit(&group.state, 2);
    pass(&mut group.state, Position { ledger: LEDGER + 1, entry: 0 });
    let accepted = apply(&mut group.state, Position { ledger: LEDGER + 1, entry: 1 }, Some(&late), 0, |_, _, _, _| {});
    assert_eq!(accepted, Accepted::Outlived);
}

#[test]
fn a_group_goes_on_from_ledger_to_ledger() {
    let mut group = used();
    let next = late_commit(&group.state, 2);
    let accepted = apply(&mut group.state, Position { ledger: LEDGER + 1, entry: 0 }, Some(&next), 0, |_, _, _, _| {});
    assert_eq!(accepted, Accepted::Yes);
    assert_eq!(group.state.log.origin, Some(ORIGIN));
}

#[test]
fn without_a_group_nothing_is_counted_towards_a_cut() {
    let mut group = Group::new();
    group.event(Nop {});
    assert_eq!((group.state.log.since, group.state.log.bytes_since), (0, 0));
}
