//! Sync.

use isthmus::group::error::GroupError;
use isthmus::group::log::entry::{Assignment, Sync};
use isthmus::group::outcome::Outcome;
use isthmus::group::state::Phase;

use crate::group_support::Group;
use crate::group_support::events::*;

#[test]
fn a_follower_waits_for_the_leader() {
    let mut group = Group::completing(&["a", "b"]);
    let effect = group.event(sync("b", 1));
    assert_eq!(effect.outcome, Outcome::Parked);
    assert!(group.state.member("b").unwrap().synced);
    assert_eq!(group.seen("b"), effect.at);
    assert_eq!(group.state.phase, Phase::Completing);
}

#[test]
fn the_leaders_sync_gives_everybody_its_assignment() {
    let mut group = Group::completing(&["a", "b"]);
    let effect = group.event(assign("a", 1, &[("a", "A"), ("b", "B")]));
    assert_eq!(effect.outcome, Outcome::Assignment);
    assert!(effect.changes.assigned);
    assert_eq!(group.state.phase, Phase::Stable);
    assert_eq!((group.assignment("a"), group.assignment("b")), (&b"A"[..], &b"B"[..]));
}

#[test]
fn whom_the_leader_forgot_has_nothing() {
    let mut group = Group::completing(&["a", "b"]);
    group.event(assign("a", 1, &[("a", "A")]));
    assert_eq!(group.event(sync("b", 1)).outcome, Outcome::Assignment);
    assert_eq!(group.assignment("b"), b"");
}

#[test]
fn an_assignment_to_nobody_is_dropped() {
    let mut group = Group::completing(&["a"]);
    group.event(assign("a", 1, &[("x", "X"), ("a", "A")]));
    assert_eq!((group.ids(), group.assignment("a")), (vec!["a"], &b"A"[..]));
}

#[test]
fn a_followers_assignments_are_ignored() {
    let mut group = Group::completing(&["a", "b"]);
    group.event(assign("b", 1, &[("b", "B")]));
    assert_eq!((group.state.phase, group.assignment("b")), (Phase::Completing, &b""[..]));
}

#[test]
fn the_leader_assigns_once_in_a_generation() {
    let mut group = Group::stable(&["a", "b"]);
    let effect = group.event(assign("a", 1, &[("a", "other")]));
    assert_eq!(effect.outcome, Outcome::Assignment);
    assert!(!effect.changes.assigned);
    assert_eq!(group.assignment("a"), b"a");
}

#[test]
fn sessions_of_those_that_waited_begin_anew_with_the_answer() {
    let mut group = Group::completing(&["a", "b", "c"]);
    let completed = group.seen("c");
    group.event(sync("b", 1));
    let effect = group.event(assign("a", 1, &[]));
    assert_eq!((group.seen("a"), group.seen("b"), group.seen("c")), (effect.at, effect.at, completed));
}

#[test]
fn in_a_stable_group_everybody_gets_its_assignment_again() {
    let mut group = Group::stable(&["a", "b"]);
    assert_eq!(group.event(sync("b", 1)).outcome, Outcome::Assignment);
}

#[test]
fn a_group_that_nobody_is_in_knows_nobody() {
    let mut group = Group::new();
    assert_eq!(group.event(sync("a", 0)).error(), GroupError::UnknownMember);
}

#[test]
fn a_stranger_is_unknown() {
    let mut group = Group::completing(&["a"]);
    assert_eq!(group.event(sync("x", 1)).error(), GroupError::UnknownMember);
}

#[test]
fn a_static_member_under_an_old_id_is_fenced() {
    let mut group = Group::completing_of(vec![fresh_static("s", "i")]);
    let effect = group.event(Sync { instance: Some("i".into()), ..sync("old", 1) });
    assert_eq!(effect.error(), GroupError::FencedInstance);
}

#[test]
fn another_generation_is_refused() {
    let mut group = Group::completing(&["a"]);
    for generation in [-1, 0, 2] {
        assert_eq!(group.event(sync("a", generation)).error(), GroupError::IllegalGeneration);
    }
}

#[test]
fn another_type_or_protocol_is_refused_if_named() {
    let named = |kind: &str, name: &str| Sync {
        protocol_type: Some(kind.into()),
        protocol: Some(name.into()),
        ..assign("a", 1, &[])
    };
    let mut group = Group::completing(&["a"]);
    for (kind, name) in [("connect", "range"), ("consumer", "sticky")] {
        assert_eq!(group.event(named(kind, name)).error(), GroupError::InconsistentProtocol);
    }
    assert_eq!(group.event(named("consumer", "range")).outcome, Outcome::Assignment);
}

#[test]
fn while_a_round_is_open_members_are_told_to_join() {
    let mut group = Group::stable(&["a", "b"]);
    group.event(join("c"));
    assert_eq!(group.event(sync("b", 1)).error(), GroupError::RebalanceInProgress);
}

#[test]
fn assignments_that_would_make_the_state_too_long_are_refused() {
    let mut group = Group::completing(&["a"]);
    let assignments = vec![Assignment { member: "a".into(), bytes: vec![0; 33 << 20].into() }];
    let effect = group.event(Sync { assignments, ..sync("a", 1) });
    assert_eq!(effect.error(), GroupError::TooLarge);
    assert_eq!(group.state.phase, Phase::Completing);
}
