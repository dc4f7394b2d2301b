//! How a round of joining closes.

use isthmus::group::log::entry::{Join, Timeout};
use isthmus::group::outcome::Outcome;
use isthmus::group::state::Phase;

use crate::group_support::Group;
use crate::group_support::events::*;

#[test]
fn the_first_round_waits_although_all_have_joined() {
    let mut group = Group::new();
    let effect = group.event(join("a"));
    assert!(!effect.changes.completed);
    assert!(group.time_out().changes.completed);
    assert_eq!((group.state.phase, group.state.generation), (Phase::Completing, 1));
}

#[test]
fn later_rounds_close_when_the_last_member_has_joined() {
    let mut group = Group::stable(&["a", "b"]);
    assert!(!group.event(join("c")).changes.completed);
    assert!(!group.event(join("a")).changes.completed);
    let effect = group.event(join("b"));
    assert!(effect.changes.completed);
    assert_eq!((group.state.phase, group.state.generation), (Phase::Completing, 2));
    assert_eq!((group.state.phase_began, group.state.round_began), (effect.at, effect.at));
    for member in &group.state.members {
        assert!(!member.joined && !member.synced);
        assert_eq!(member.seen, effect.at, "its session begins anew with the answer");
    }
}

#[test]
fn a_lone_member_closes_its_round_by_its_own_join() {
    let mut group = Group::stable(&["a"]);
    let effect = group.event(join("a"));
    assert_eq!(effect.outcome, Outcome::Parked);
    assert!(effect.changes.completed);
    assert_eq!(group.state.generation, 2);
}

#[test]
fn dynamic_members_that_do_not_join_in_time_are_out() {
    let mut group = Group::stable(&["a", "b", "c"]);
    group.event(join("b"));
    group.event(Join { protocols: protocols(&["range", "sticky"]), ..join("b") });
    let effect = group.time_out();
    assert_eq!(effect.changes.removed, ["a", "c"]);
    assert!(effect.changes.completed);
    assert_eq!((group.ids(), group.leader()), (vec!["b"], "b"));
}

#[test]
fn static_members_that_do_not_join_in_time_stay() {
    let mut group = Group::stable_of(vec![join("a"), fresh_static("s", "i")]);
    group.event(join("a"));
    let effect = group.time_out();
    assert!(effect.changes.removed.is_empty());
    assert!(effect.changes.completed);
    assert_eq!(group.ids(), ["a", "s"]);
}

#[test]
fn a_round_that_only_absent_static_members_could_close_goes_on() {
    let mut group = Group::stable_of(vec![fresh_static("s", "i"), join("b")]);
    group.event(leave(&[("b", None)]));
    let effect = group.time_out();
    assert!(!effect.changes.completed);
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
    assert_eq!((group.state.phase_began, group.state.round_began), (effect.at, effect.at));
    assert_eq!(group.state.generation, 1);
    assert!(group.event(static_again("s", "i")).changes.completed);
}

#[test]
fn a_group_whose_last_members_did_not_join_is_empty() {
    let mut group = Group::stable(&["a", "b"]);
    group.event(join("c"));
    group.event(leave(&[("c", None)]));
    group.time_ms = 5;
    let effect = group.time_out();
    assert_eq!(effect.changes.removed, ["a", "b"]);
    assert_eq!(group.state.phase, Phase::Empty { since_ms: 5 });
    assert_eq!(group.state.phase_began, effect.at);
    assert_eq!((group.state.generation, &group.state.protocol, &group.state.leader), (2, &None, &None));
    assert!(group.state.exists);
}

#[test]
fn the_leader_stays_if_it_joined() {
    let mut group = Group::stable(&["a", "b"]);
    for id in ["a", "b"] {
        group.event(join(id));
    }
    assert_eq!((group.state.generation, group.leader()), (2, "a"));
}

#[test]
fn the_first_that_joined_leads_where_the_leader_did_not() {
    let mut group = Group::stable_of(vec![fresh_static("s", "i"), join("b"), join("c")]);
    for id in ["d", "c", "b"] {
        group.event(join(id));
    }
    group.time_out();
    assert_eq!((group.ids(), group.leader()), (vec!["s", "b", "c", "d"], "b"));
}

#[test]
fn the_protocol_with_most_votes_is_chosen() {
    let with = |id, names: &[&str]| Join { protocols: protocols(names), ..join(id) };
    let group = Group::completing_of(vec![
        with("a", &["range", "sticky"]),
        with("b", &["sticky", "range"]),
        with("c", &["only-c", "sticky", "range"]),
    ]);
    assert_eq!(group.state.protocol.as_deref(), Some("sticky"));
}

#[test]
fn of_equally_many_votes_the_first_members_preference_wins() {
    let with = |id, names: &[&str]| Join { protocols: protocols(names), ..join(id) };
    let group = Group::completing_of(vec![with("a", &["sticky", "range"]), with("b", &["range", "sticky"])]);
    assert_eq!(group.state.protocol.as_deref(), Some("sticky"));
}

#[test]
fn the_first_round_closes_at_its_longest_too() {
    let mut group = Group::new();
    let opened = group.event(join("a")).at;
    group.event(join("b"));
    assert!(group.event(Timeout { phase: opened }).changes.completed);
}

#[test]
fn a_timeout_judged_before_another_member_came_does_not_close_a_later_round() {
    let mut group = Group::stable(&["a", "b"]);
    let old = group.state.phase_began;
    group.event(join("c"));
    let effect = group.event(Timeout { phase: old });
    assert!(!effect.changes.completed);
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
}

#[test]
fn a_timeout_counts_once() {
    let mut group = Group::new();
    group.event(join("a"));
    let began = group.state.phase_began;
    group.event(Timeout { phase: began });
    group.event(Timeout { phase: began });
    assert_eq!((group.state.phase, group.state.generation), (Phase::Completing, 1));
}
