//! The state's canonical bytes.

use isthmus::group::log::entry::{FORMAT, Join};
use isthmus::group::state::State;
use isthmus::group::state::encoding::StateError;
use proptest::prelude::*;

use crate::group_support::Group;
use crate::group_support::events::*;

/// A bit of everything.
fn full() -> Group {
    let both = Join { protocols: protocols(&["range", "sticky"]), ..join("a") };
    let mut group = Group::stable_of(vec![both, fresh_static("s", "i")]);
    group.event(commit("a", 1, &[("t", 0, 5), ("t", 3, 6), ("u", 0, 7)]));
    group.event(txn_commit(simple_commit(&[("t", 0, 9)]), 4, 2));
    group.event(txn_commit(simple_commit(&[("v", 0, 9)]), 5, 0));
    group
}

#[test]
fn the_length_is_known_without_the_bytes() {
    for group in [Group::new(), full()] {
        assert_eq!(group.state.encode().len(), group.state.size_bytes());
    }
}

#[test]
fn a_state_read_from_its_bytes_is_the_state() {
    for group in [Group::new(), full()] {
        let read = State::decode(&group.state.encode()).unwrap();
        assert_eq!(read, group.state);
        assert_eq!(read.digest(), group.state.digest());
    }
}

#[test]
fn states_that_differ_have_different_bytes() {
    let group = full();
    let mut other = full();
    other.event(beat(&["a"]));
    assert_ne!(group.state.encode(), other.state.encode());
    assert_ne!(group.state.digest(), other.state.digest());
}

#[test]
fn another_format_is_told_from_damage() {
    let mut bytes = State::default().encode();
    bytes[..4].copy_from_slice(&(FORMAT + 1).to_be_bytes());
    assert_eq!(State::decode(&bytes), Err(StateError::UnknownFormat(FORMAT + 1)));
}

#[test]
fn bytes_cut_short_or_too_long_are_refused() {
    let bytes = full().state.encode();
    for len in 0..bytes.len() {
        assert_eq!(State::decode(&bytes[..len]), Err(StateError::Malformed), "{len}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(State::decode(&longer), Err(StateError::Malformed));
}

proptest! {
    #[test]
    fn damaged_bytes_are_refused_or_another_states(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = full().state.encode();
        *at.get_mut(&mut bytes) = byte;
        if let Ok(state) = State::decode(&bytes) {
            prop_assert_eq!(state.encode(), bytes);
        }
    }
}
