//! Leave, and what becomes of the round.

use isthmus::group::error::GroupError;
use isthmus::group::outcome::Outcome;
use isthmus::group::state::Phase;

use crate::group_support::Group;
use crate::group_support::events::*;

fn left(outcome: Outcome) -> Vec<Result<(), GroupError>> {
    let Outcome::Left(results) = outcome else { panic!("{outcome:?}") };
    results
}

#[test]
fn the_last_member_leaves_the_group_empty() {
    let mut group = Group::stable(&["a"]);
    let effect = group.event(leave(&[("a", None)]));
    assert_eq!(effect.changes.removed, ["a"]);
    assert_eq!(left(effect.outcome), [Ok(())]);
    assert!(group.is_empty() && group.state.exists);
    assert_eq!(group.state.generation, 2);
}

#[test]
fn those_that_stay_join_again() {
    let mut group = Group::stable(&["a", "b"]);
    let effect = group.event(leave(&[("b", None)]));
    assert!(!effect.changes.broken, "nobody waits for the leader");
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
}

#[test]
fn the_round_breaks_when_a_member_leaves_before_the_leader_synced() {
    let mut group = Group::completing(&["a", "b"]);
    assert!(group.event(leave(&[("b", None)])).changes.broken);
}

#[test]
fn a_round_that_waited_only_for_who_left_closes() {
    let mut group = Group::stable(&["a", "b"]);
    group.event(join("a"));
    let effect = group.event(leave(&[("b", None)]));
    assert!(effect.changes.completed);
    assert_eq!((group.ids(), group.state.generation), (vec!["a"], 2));
}

#[test]
fn the_first_round_still_waits_when_one_of_its_members_left() {
    let mut group = Group::new();
    group.event(join("a"));
    group.event(join("b"));
    let effect = group.event(leave(&[("a", None)]));
    assert!(!effect.changes.completed);
    assert_eq!((group.state.phase, group.leader()), (Phase::Preparing { initial: true }, "b"));
}

#[test]
fn the_first_round_ends_with_its_last_member() {
    let mut group = Group::new();
    group.event(join("a"));
    group.event(leave(&[("a", None)]));
    assert!(group.is_empty());
}

#[test]
fn a_batch_opens_one_round_and_answers_each() {
    let mut group = Group::stable_of(vec![join("a"), join("b"), fresh_static("s", "i")]);
    let effect = group.event(leave(&[("b", None), ("x", None), ("s", Some("i")), ("b", None)]));
    assert_eq!(effect.changes.removed, ["b", "s"]);
    assert_eq!(left(effect.outcome), [Ok(()), Err(GroupError::UnknownMember), Ok(()), Err(GroupError::UnknownMember)]);
    assert_eq!(group.ids(), ["a"]);
}

#[test]
fn an_administrator_removes_a_static_member_by_its_instance() {
    let mut group = Group::stable_of(vec![join("a"), fresh_static("s", "i")]);
    let effect = group.event(leave(&[("", Some("i")), ("", Some("j")), ("", None)]));
    assert_eq!(left(effect.outcome), [Ok(()), Err(GroupError::UnknownMember), Err(GroupError::UnknownMember)]);
    assert_eq!(group.ids(), ["a"]);
}

#[test]
fn a_static_member_under_an_old_id_does_not_remove_the_new_one() {
    let mut group = Group::stable_of(vec![fresh_static("s", "i")]);
    let effect = group.event(leave(&[("old", Some("i"))]));
    assert_eq!(left(effect.outcome), [Err(GroupError::FencedInstance)]);
    assert_eq!(group.state.phase, Phase::Stable, "nothing happened");
}

#[test]
fn nobody_leaves_a_group_that_is_not_there() {
    let effect = Group::new().event(leave(&[("a", None)]));
    assert_eq!(left(effect.outcome), [Err(GroupError::UnknownMember)]);
}
