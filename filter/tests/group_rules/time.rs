//! Beat, Expire, and Timeout after the round has closed.

use isthmus::group::log::entry::{Expire, Timeout};
use isthmus::group::outcome::Outcome;
use isthmus::group::state::Phase;

use crate::group_support::Group;
use crate::group_support::events::*;

#[test]
fn a_beat_shows_those_alive_that_are_members() {
    let mut group = Group::stable(&["a", "b"]);
    let before = group.seen("b");
    let effect = group.event(beat(&["a", "x"]));
    assert_eq!((group.seen("a"), group.seen("b")), (effect.at, before));
}

#[test]
fn a_member_whose_session_is_over_goes() {
    let mut group = Group::stable(&["a", "b"]);
    let effect = group.expire("a");
    assert_eq!((effect.outcome, effect.changes.removed), (Outcome::Done, vec!["a".to_owned()]));
    assert_eq!((group.ids(), group.leader()), (vec!["b"], "b"));
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
}

#[test]
fn a_member_that_was_heard_from_since_does_not_go() {
    let mut group = Group::stable(&["a", "b"]);
    let seen = group.seen("a");
    group.event(beat(&["a"]));
    let effect = group.event(Expire { member: "a".into(), seen });
    assert!(effect.changes.removed.is_empty());
    assert_eq!(group.state.phase, Phase::Stable);
}

#[test]
fn a_session_that_ends_twice_ends_once() {
    let mut group = Group::stable(&["a", "b"]);
    let seen = group.seen("b");
    for _ in 0..2 {
        group.event(Expire { member: "b".into(), seen });
    }
    group.event(join("a"));
    assert_eq!((group.ids(), group.state.generation), (vec!["a"], 2));
}

#[test]
fn static_members_sessions_end_too() {
    let mut group = Group::stable_of(vec![join("a"), fresh_static("s", "i")]);
    group.expire("s");
    assert_eq!(group.ids(), ["a"]);
}

#[test]
fn the_round_breaks_when_the_leaders_session_ends_before_it_synced() {
    let mut group = Group::completing(&["a", "b"]);
    assert!(group.expire("a").changes.broken);
}

#[test]
fn members_that_do_not_sync_in_time_are_out() {
    let mut group = Group::completing(&["a", "b", "c"]);
    group.event(sync("b", 1));
    let effect = group.time_out();
    assert_eq!(effect.changes.removed, ["a", "c"]);
    assert!(effect.changes.broken);
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
}

#[test]
fn members_that_do_not_sync_in_time_are_out_although_the_leader_did() {
    let mut group = Group::completing(&["a", "b"]);
    group.event(assign("a", 1, &[]));
    let effect = group.time_out();
    assert_eq!(effect.changes.removed, ["b"]);
    assert!(!effect.changes.broken);
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
}

#[test]
fn where_all_have_synced_time_does_nothing() {
    let mut group = Group::stable(&["a", "b"]);
    assert!(group.time_out().changes.removed.is_empty());
    assert_eq!(group.state.phase, Phase::Stable);
}

#[test]
fn an_empty_group_has_no_phase_to_end() {
    let mut group = Group::stable(&["a"]);
    group.event(leave(&[("a", None)]));
    group.event(Timeout { phase: group.state.phase_began });
    assert!(group.is_empty());
}
