//! Where the log is cut, and when a load begins at a cut.

use bytes::Bytes;
use isthmus::group::apply::apply;
use isthmus::group::log::entry::Snapshot;
use isthmus::group::log::snapshot::{Assembly, split};
use isthmus::group::state::State;
use isthmus::group::state::encoding::StateError;
use isthmus::group::state::limits::{CUT_BYTES, CUT_ENTRIES, CUT_ENTRIES_MAX, SNAPSHOT_PART_BYTES};
use isthmus::ids::Position;

use crate::group_support::Group;
use crate::group_support::events::*;

/// A group with nothing in it.
fn there() -> State {
    State { exists: true, ..State::bare(Position { ledger: 100, entry: 0 }) }
}

/// Entries that only count: how many until the next cut.
fn entries_to_cut(state: &mut State, bytes: usize) -> u64 {
    let before = state.log.cut;
    for entry in 1..=CUT_ENTRIES_MAX {
        let position = Position { ledger: 100, entry: state.log.applied.map_or(0, |last| last.entry + 1) };
        apply(state, position, None, bytes, |_, _, _, _| {});
        if state.log.cut != before {
            assert_eq!(state.log.cut, Some(position));
            return entry;
        }
    }
    panic!("no cut");
}

#[test]
fn the_log_is_cut_after_so_many_entries_or_bytes() {
    assert_eq!(entries_to_cut(&mut there(), 10), CUT_ENTRIES);
    assert_eq!(entries_to_cut(&mut there(), CUT_BYTES as usize / 4), 4);
}

#[test]
fn a_cut_begins_to_count_anew() {
    let mut state = there();
    entries_to_cut(&mut state, 10);
    assert_eq!((state.log.since, state.log.bytes_since), (0, 0));
    assert_eq!(state.log.cut_len, state.encode().len() as u64);
    assert_eq!(entries_to_cut(&mut state, 10), CUT_ENTRIES);
}

#[test]
fn a_long_state_is_not_written_more_often_than_its_length_is() {
    let mut state = there();
    state.log.snapshot_len = 4 * CUT_BYTES;
    assert_eq!(entries_to_cut(&mut state, CUT_BYTES as usize), 4);
    assert_eq!(entries_to_cut(&mut state, 1), CUT_ENTRIES_MAX);
}

/// A group right after a cut, with its bytes there. They are so long that they take `parts` parts.
fn cut(parts: usize) -> (Group, Position, Bytes) {
    let mut group = Group::stable(&["a"]);
    for topic in 0..parts.saturating_sub(1) {
        let mut long = commit("a", 1, &[("t", topic as i32, 1)]);
        long.topics[0].partitions[0].metadata = "m".repeat(SNAPSHOT_PART_BYTES);
        group.event(long);
    }
    group.state.log.since = CUT_ENTRIES_MAX;
    let at = group.next();
    group.event(commit("a", 1, &[("u", 0, 7)]));
    assert_eq!(group.state.log.cut, Some(at));
    let bytes = Bytes::from(group.state.encode());
    (group, at, bytes)
}

#[test]
fn loads_begin_at_a_cut_once_all_its_parts_are_in_the_log() {
    let (mut group, at, bytes) = cut(3);
    let parts: Vec<Snapshot> = split(at, &bytes).collect();
    assert_eq!(parts.len(), 3);
    for part in [&parts[2], &parts[0], &parts[2]] {
        group.event(part.clone());
        assert_eq!(group.state.log.base, None);
    }
    group.event(parts[1].clone());
    assert_eq!((group.state.log.base, group.state.log.previous_base), (Some(at), None));
    assert_eq!(group.state.log.snapshot_len, bytes.len() as u64);
}

#[test]
fn a_snapshot_written_twice_counts_once() {
    let (mut group, at, bytes) = cut(1);
    for _ in 0..2 {
        group.events(split(at, &bytes).map(IntoEvent::event).collect());
    }
    assert_eq!((group.state.log.base, group.state.log.previous_base), (Some(at), None));
}

#[test]
fn the_base_before_is_remembered() {
    let (mut group, first, bytes) = cut(1);
    group.events(split(first, &bytes).map(IntoEvent::event).collect());
    group.state.log.since = CUT_ENTRIES_MAX;
    let second = group.next();
    group.event(commit("a", 1, &[("u", 0, 8)]));
    let bytes = Bytes::from(group.state.encode());
    group.events(split(second, &bytes).map(IntoEvent::event).collect());
    assert_eq!((group.state.log.base, group.state.log.previous_base), (Some(second), Some(first)));
}

#[test]
fn parts_of_an_older_cut_are_too_late() {
    let (mut group, first, bytes) = cut(1);
    group.state.log.since = CUT_ENTRIES_MAX;
    group.event(commit("a", 1, &[("u", 0, 8)]));
    group.events(split(first, &bytes).map(IntoEvent::event).collect());
    assert_eq!(group.state.log.base, None);
}

#[test]
fn parts_that_cannot_be_do_not_count() {
    let (mut group, at, _) = cut(1);
    let part = |part, parts| Snapshot { cut: at.into(), part, parts, ..Snapshot::default() };
    for odd in [part(0, 0), part(1, 1), part(0, u32::MAX), part(u32::MAX, u32::MAX)] {
        group.event(odd);
    }
    assert!(group.state.log.cut_parts.is_empty());
    assert_eq!(group.state.log.base, None);
}

#[test]
fn parts_make_the_state_again_in_any_order() {
    let (group, at, bytes) = cut(3);
    let mut assembly = Assembly::new(at);
    let mut parts: Vec<Snapshot> = split(at, &bytes).collect();
    let last = parts.remove(0);
    for part in parts.iter().rev().chain(&parts) {
        assert_eq!(assembly.take(part), Ok(None));
    }
    assert_eq!(assembly.take(&Snapshot { cut: Position { entry: 0, ..at }.into(), ..last.clone() }), Ok(None));
    assert_eq!(assembly.take(&last), Ok(Some(group.state)));
}

#[test]
fn damaged_parts_are_no_state() {
    let (_, at, bytes) = cut(1);
    let part = split(at, &bytes).next().unwrap();
    let damaged = Snapshot { bytes: bytes.slice(1..), ..part };
    assert_eq!(Assembly::new(at).take(&damaged), Err(StateError::Malformed));
}
