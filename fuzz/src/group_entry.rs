//! What stands in a group's topic, whoever wrote it: entries one after the other, and a snapshot.

use bytes::Bytes;
use isthmus::group::apply::{Accepted, apply};
use isthmus::group::log::entry::{Entry, Join, Kind, Protocol, Timeout};
use isthmus::group::state::State;
use isthmus::group::state::limits::WRITERS_MAX;
use isthmus::ids::Position;

/// Reads `input` as a state's bytes, and as entries: each its length (u16) and its payload.
pub fn run(input: &[u8]) {
    let read = State::decode(input);
    if let Ok(state) = &read {
        assert_eq!(state.encode(), input);
    }
    for state in [Ok(State::default()), Ok(completing()), read].into_iter().flatten() {
        follow(state, input);
    }
}

fn follow(mut state: State, mut input: &[u8]) {
    while let Some((len, rest)) = input.split_first_chunk::<2>() {
        let (payload, rest) = rest.split_at(usize::from(u16::from_be_bytes(*len)).min(rest.len()));
        input = rest;
        let entry = Entry::read(&Bytes::copy_from_slice(payload));
        append(&mut state, entry.as_ref(), payload.len());
        if let Some(entry) = entry {
            // Its events again, as a writer's whose turn it is.
            let epoch = state.log.writers.iter().map(|writer| writer.epoch).max().unwrap_or(0).saturating_add(1);
            let seen = state.log.applied.map(Into::into);
            append(&mut state, Some(&Entry { open: true, epoch, seen, ..entry }), payload.len());
        }
    }
}

fn append(state: &mut State, entry: Option<&Entry>, len: usize) -> Accepted {
    let entry_id = state.log.applied.map_or(0, |applied| applied.entry.wrapping_add(1));
    let before = state.encode();
    let mut events = 0;
    let accepted = apply(state, Position { ledger: 7, entry: entry_id }, entry, len, |after, index, _, _| {
        assert_eq!(index, events);
        events += 1;
        sound(after);
    });
    let expected = if accepted == Accepted::Yes { entry.map_or(0, |entry| entry.events.len()) } else { 0 };
    // What stands behind the group's end in its entry does not count.
    let ended = state.log.applied == state.log.origin;
    assert!(events == expected || (ended && events < expected));
    sound(state);
    // The same entry gives the same state from the state's bytes.
    if let Ok(mut again) = State::decode(&before) {
        apply(&mut again, Position { ledger: 7, entry: entry_id }, entry, len, |_, _, _, _| {});
        assert_eq!(again.encode(), state.encode());
    }
    accepted
}

fn sound(state: &State) {
    let bytes = state.encode();
    assert_eq!(bytes.len(), state.size_bytes());
    assert!(state.log.writers.len() <= WRITERS_MAX);
    let _ = state.is_subscribed("t");
    match State::decode(&bytes) {
        Ok(read) => assert_eq!(&read, state),
        Err(error) => assert!(state.format > 1, "{error}"),
    }
}

/// Two members whose round has just closed.
fn completing() -> State {
    let mut state = State::bare(Position { ledger: 7, entry: 0 });
    let join = |member: &str, instance: Option<&str>| Join {
        member: member.into(),
        instance: instance.map(Into::into),
        fresh: true,
        protocol_type: "consumer".into(),
        protocols: vec![Protocol { name: "range".into(), metadata: Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t") }],
        max_size: 10,
        ..Join::default()
    };
    let mut write = |epoch, kind: Kind| {
        let seen = state.log.applied.map(Into::into);
        let entry = Entry { writer: 1, epoch, open: true, seen, events: vec![kind.into()], ..Entry::default() };
        assert_eq!(append(&mut state, Some(&entry), 100), Accepted::Yes);
        state.phase_began
    };
    write(1, Kind::Join(join("a", None)));
    let phase = write(2, Kind::Join(join("b", Some("i"))));
    write(3, Kind::Timeout(Timeout { phase }));
    state
}
