//! Random histories of a group: what always holds, and that snapshots tell the same as the log.
#![cfg(not(target_arch = "wasm32"))]

mod group_support;

use bytes::Bytes;
use group_support::invariants::{fault_of, fault_of_step};
use group_support::random::{Op, ops};
use group_support::{LEDGER, written_after};
use isthmus::group::apply::{Accepted, apply};
use isthmus::group::log::entry::{Base, Entry, Kind};
use isthmus::group::log::snapshot::Assembly;
use isthmus::group::state::State;
use isthmus::ids::Position;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

/// A log as it lies in the topic: every payload, and the length that is counted for it.
type Topic = Vec<(Position, Bytes, usize)>;

/// So long that a few entries make a cut.
const COUNTED_BYTES: usize = 300 << 10;

fn fold(log: &[(Position, Bytes, usize)], mut state: State) -> State {
    for (position, payload, counted) in log {
        apply(&mut state, *position, Entry::read(payload).as_ref(), *counted, |_, _, _, _| {});
    }
    state
}

/// Loads as a replica does: from the base that the last entry names.
fn load(log: &Topic) -> State {
    let (origin, base) = match log.last().and_then(|(_, payload, _)| Entry::read(payload)?.base()) {
        None => return fold(log, State::default()),
        Some(Base::Origin(origin)) => (true, origin),
        Some(Base::Snapshot(cut)) => (false, cut),
    };
    let mut snapshot = Assembly::new(base);
    let kept: Topic = log.iter().filter(|(position, _, _)| *position > base).cloned().collect();
    if origin {
        return fold(&kept, State::bare(base));
    }
    for (_, payload, _) in &kept {
        for event in Entry::read(payload).into_iter().flat_map(|entry| entry.events) {
            if let Some(Kind::Snapshot(part)) = event.kind
                && let Some(state) = snapshot.take(&part).unwrap()
            {
                return fold(&kept, state);
            }
        }
    }
    panic!("no snapshot of {base:?} in the log");
}

/// Runs `entries` of operations, the invariants checked after every event.
fn run(entries: &[Vec<Op>], mut after_entry: impl FnMut(&State, &Topic)) {
    let mut state = State::default();
    let mut topic = Topic::new();
    let mut cut: Option<(Position, Bytes)> = None;
    for (number, ops) in entries.iter().enumerate() {
        let position = Position { ledger: LEDGER, entry: number as u64 };
        let mut ahead = state.clone();
        let mut events = Vec::new();
        for op in ops {
            // Every event is judged after the ones before it in the entry.
            events.push(op.in_state(&ahead, cut.as_ref()));
            ahead = state.clone();
            let entry = entry(&state, number, events.clone());
            apply(&mut ahead, position, Some(&entry), 0, |_, _, _, _| {});
        }
        let entry = entry(&state, number, events);
        let payload = Bytes::from(entry.encode_to_vec());
        let mut before = state.clone();
        before.log = State::default().log;
        let accepted = apply(
            &mut state,
            position,
            Entry::read(&payload).as_ref(),
            COUNTED_BYTES,
            |after, index, outcome, changes| {
                let mut after = after.clone();
                after.log = State::default().log;
                let event = &entry.events[index];
                assert_eq!(fault_of(&after), None, "after {event:?}: {after:#?}");
                assert_eq!(
                    fault_of_step(&before, event, &after, &outcome, changes),
                    None,
                    "{event:?}\n{before:#?}\n{after:#?}"
                );
                before = after;
            },
        );
        assert_eq!(accepted, if number == 0 { Accepted::Outlived } else { Accepted::Yes });
        if state.log.cut == Some(position) {
            cut = Some((position, state.encode().into()));
        }
        topic.push((position, payload, COUNTED_BYTES));
        after_entry(&state, &topic);
    }
}

fn entry(state: &State, number: usize, events: Vec<isthmus::group::log::entry::Event>) -> Entry {
    let mut entry = written_after(state);
    entry.seq = number as u64 + 1;
    entry.open = state.log.epoch_of(entry.writer).is_none();
    entry.time_ms = number as i64;
    entry.events = events;
    entry
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_after_every_event(entries in vec(vec(ops(), 1..6), 1..60)) {
        run(&entries, |_, _| {});
    }

    #[test]
    fn the_state_survives_its_bytes(entries in vec(vec(ops(), 1..6), 1..40)) {
        run(&entries, |state, _| {
            let bytes = state.encode();
            assert_eq!(bytes.len(), state.size_bytes());
            let read = State::decode(&bytes).unwrap();
            assert_eq!(&read, state);
            assert_eq!(read.encode(), bytes);
        });
    }

    #[test]
    fn a_replica_from_a_snapshot_equals_one_from_the_whole_log(entries in vec(vec(ops(), 1..6), 1..60)) {
        run(&entries, |state, topic| {
            assert_eq!(fold(topic, State::default()).encode(), state.encode());
            assert_eq!(load(topic).encode(), state.encode());
        });
    }
}
