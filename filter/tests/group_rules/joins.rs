//! Join.

use isthmus::group::error::GroupError;
use isthmus::group::log::entry::{Join, Protocol};
use isthmus::group::outcome::Outcome;
use isthmus::group::state::limits::{JOIN_BYTES_MAX, JOIN_PROTOCOLS_MAX, MEMBERS_MAX, NAME_BYTES_MAX};
use isthmus::group::state::{Phase, State};

use crate::group_support::Group;
use crate::group_support::events::*;

fn current(leader: &str) -> Outcome {
    Outcome::Current { leader: leader.into(), skip_assignment: false }
}

#[test]
fn the_first_member_makes_the_group_and_leads_it() {
    let mut group = Group::new();
    let effect = group.event(join("a"));
    assert_eq!(effect.outcome, Outcome::Parked);
    assert_eq!(group.state.phase, Phase::Preparing { initial: true });
    assert_eq!((group.state.phase_began, group.state.round_began), (effect.at, effect.at));
    assert!(group.state.exists);
    assert_eq!(group.leader(), "a");
    assert_eq!(group.state.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(group.state.generation, 0);
}

#[test]
fn without_a_protocol_type_nobody_joins_an_empty_group() {
    let mut group = Group::new();
    let effect = group.event(Join { protocol_type: String::new(), ..join("a") });
    assert_eq!(effect.error(), GroupError::InconsistentProtocol);
    assert!(!group.state.exists);
}

#[test]
fn without_protocols_nobody_joins_an_empty_group() {
    let effect = Group::new().event(Join { protocols: vec![], ..join("a") });
    assert_eq!(effect.error(), GroupError::InconsistentProtocol);
}

#[test]
fn a_member_of_another_protocol_type_is_refused() {
    let effect = Group::stable(&["a"]).event(Join { protocol_type: "connect".into(), ..join("b") });
    assert_eq!(effect.error(), GroupError::InconsistentProtocol);
}

#[test]
fn a_member_without_a_common_protocol_is_refused() {
    let mut group = Group::stable(&["a"]);
    let effect = group.event(Join { protocols: protocols(&["sticky"]), ..join("b") });
    assert_eq!(effect.error(), GroupError::InconsistentProtocol);
    assert_eq!(group.ids(), ["a"]);
}

#[test]
fn a_protocol_that_only_some_have_is_not_common() {
    let mut group = Group::new();
    group.event(Join { protocols: protocols(&["range", "sticky"]), ..join("a") });
    group.event(Join { protocols: protocols(&["range"]), ..join("b") });
    let effect = group.event(Join { protocols: protocols(&["sticky"]), ..join("c") });
    assert_eq!(effect.error(), GroupError::InconsistentProtocol);
}

#[test]
fn an_emptied_group_takes_members_of_another_protocol_type() {
    let mut group = Group::stable(&["a"]);
    group.event(leave(&[("a", None)]));
    group.event(Join { protocol_type: "connect".into(), protocols: protocols(&["default"]), ..join("b") });
    assert_eq!(group.state.protocol_type.as_deref(), Some("connect"));
}

#[test]
fn an_id_that_nobody_gave_out_is_unknown() {
    for mut group in [Group::new(), Group::stable(&["a"])] {
        let effect = group.event(Join { issued: false, ..join("b") });
        assert_eq!(effect.error(), GroupError::UnknownMember);
    }
}

#[test]
fn a_client_without_an_id_joins_at_once_where_it_need_not_know_it() {
    let mut group = Group::new();
    group.event(Join { fresh: true, issued: false, ..join("a") });
    assert_eq!(group.ids(), ["a"]);
}

#[test]
fn a_new_member_opens_a_round() {
    let mut group = Group::stable(&["a"]);
    let effect = group.event(join("b"));
    assert_eq!(effect.outcome, Outcome::Parked);
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
    assert_eq!(group.state.generation, 1);
    assert!(!effect.changes.completed);
}

#[test]
fn a_new_member_before_the_leader_synced_breaks_the_round() {
    let mut group = Group::completing(&["a", "b"]);
    group.event(sync("b", 1));
    let effect = group.event(join("c"));
    assert!(effect.changes.broken);
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
}

#[test]
fn each_new_member_makes_the_first_round_wait_anew() {
    let mut group = Group::new();
    let first = group.event(join("a")).at;
    let second = group.event(join("b")).at;
    assert_eq!((group.state.phase_began, group.state.round_began), (second, first));
}

#[test]
fn a_member_that_joins_the_first_round_again_does_not_make_it_wait_anew() {
    let mut group = Group::new();
    let first = group.event(join("a")).at;
    group.event(join("a"));
    assert_eq!(group.state.phase_began, first);
    assert_eq!(group.ids(), ["a"]);
}

#[test]
fn the_group_is_as_large_as_its_setting_allows() {
    let mut group = Group::new();
    let limited = |id| Join { max_size: 1, ..join(id) };
    group.event(limited("a"));
    assert_eq!(group.event(limited("b")).error(), GroupError::GroupMaxSize);
    assert_eq!(group.event(limited("a")).outcome, Outcome::Parked, "a member is one already");
}

#[test]
fn the_group_is_never_larger_than_its_bound() {
    let mut group = Group::new();
    for number in 0..MEMBERS_MAX {
        group.event(join(&number.to_string()));
    }
    assert_eq!(group.event(join("one more")).error(), GroupError::GroupMaxSize);
    assert_eq!(group.state.members.len(), MEMBERS_MAX);
}

#[test]
fn a_join_has_a_bound_of_its_own() {
    let names: Vec<String> = (0..=JOIN_PROTOCOLS_MAX).map(|n| format!("p{n}")).collect();
    let too_many = names.iter().map(|name| Protocol { name: name.clone(), ..Protocol::default() }).collect();
    let too_long = vec![Protocol { name: "range".into(), metadata: vec![0; JOIN_BYTES_MAX].into() }];
    for protocols in [too_many, too_long] {
        let state = State::default();
        assert_eq!(state.admits("consumer", &protocols, u32::MAX), Err(GroupError::GroupMaxSize));
        let effect = Group::new().event(Join { protocols, ..join("a") });
        assert_eq!(effect.error(), GroupError::GroupMaxSize);
    }
    let effect = Group::new().event(join(&"a".repeat(NAME_BYTES_MAX + 1)));
    assert_eq!(effect.error(), GroupError::GroupMaxSize);
}

#[test]
fn the_state_is_never_longer_than_its_bound() {
    let mut group = Group::new();
    let long = |id: usize| {
        let protocols = vec![Protocol { name: "range".into(), metadata: vec![0; JOIN_BYTES_MAX - 1000].into() }];
        Join { protocols, ..join(&id.to_string()) }
    };
    for number in 0..31 {
        assert_eq!(group.event(long(number)).outcome, Outcome::Parked);
    }
    assert_eq!(group.event(long(31)).error(), GroupError::GroupMaxSize);
    assert_eq!(group.event(join("short")).outcome, Outcome::Parked);
    let grown = Join { protocols: long(0).protocols, ..join("short") };
    assert_eq!(group.event(grown).error(), GroupError::GroupMaxSize, "nor by a member that grows");
}

#[test]
fn what_a_new_member_would_be_told_is_known_before_it_has_an_id() {
    let mut group = Group::new();
    group.event(join("a"));
    let ask = |kind, names, max| group.state.admits(kind, &protocols(names), max);
    assert_eq!(ask("consumer", &["range"], 2), Ok(()));
    assert_eq!(ask("consumer", &["range"], 1), Err(GroupError::GroupMaxSize));
    assert_eq!(ask("consumer", &["sticky"], 1), Err(GroupError::InconsistentProtocol));
    assert_eq!(ask("connect", &["range"], 2), Err(GroupError::InconsistentProtocol));
}

#[test]
fn a_follower_that_joins_unchanged_goes_on() {
    let mut group = Group::stable(&["a", "b"]);
    let effect = group.event(join("b"));
    assert_eq!(effect.outcome, current("a"));
    assert_eq!(group.state.phase, Phase::Stable);
    assert_eq!(group.seen("b"), effect.at);
}

#[test]
fn a_follower_that_joins_with_another_subscription_opens_a_round() {
    let mut group = Group::stable(&["a", "b"]);
    let protocols = vec![Protocol { name: "range".into(), metadata: subscription(&["u"]) }];
    let effect = group.event(Join { protocols: protocols.clone(), ..join("b") });
    assert_eq!(effect.outcome, Outcome::Parked);
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
    assert_eq!(group.state.member("b").unwrap().protocols, protocols);
}

#[test]
fn a_leader_that_joins_opens_a_round() {
    let mut group = Group::stable(&["a", "b"]);
    assert_eq!(group.event(join("a")).outcome, Outcome::Parked);
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
}

#[test]
fn whoever_missed_the_end_of_the_round_is_told_it_again() {
    let mut group = Group::completing(&["a", "b"]);
    for id in ["a", "b"] {
        assert_eq!(group.event(join(id)).outcome, current("a"));
    }
    assert_eq!(group.state.phase, Phase::Completing);
}

#[test]
fn a_change_of_protocols_before_the_leader_synced_opens_the_round_again() {
    let mut group = Group::completing(&["a", "b"]);
    let effect = group.event(Join { protocols: protocols(&["range", "sticky"]), ..join("b") });
    assert_eq!(effect.outcome, Outcome::Parked);
    assert!(effect.changes.broken);
}

#[test]
fn a_static_member_is_known_by_its_instance() {
    let mut group = Group::stable_of(vec![fresh_static("s1", "i"), join("b")]);
    assert_eq!(group.event(static_again("s1", "i")).outcome, Outcome::Parked);
    assert_eq!(group.event(static_again("s2", "i")).error(), GroupError::FencedInstance);
    assert_eq!(group.event(static_again("s1", "j")).error(), GroupError::UnknownMember);
    assert_eq!(group.event(static_again("x", "j")).error(), GroupError::UnknownMember);
    assert_eq!(group.event(static_again("b", "i")).error(), GroupError::FencedInstance);
}

#[test]
fn a_new_static_member_opens_a_round() {
    let mut group = Group::stable(&["a"]);
    assert_eq!(group.event(fresh_static("s", "i")).outcome, Outcome::Parked);
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
}

#[test]
fn a_static_follower_that_is_started_anew_goes_on_with_its_assignment() {
    let mut group = Group::stable_of(vec![join("a"), fresh_static("s1", "i"), join("c")]);
    let effect = group.event(fresh_static("s2", "i"));
    assert_eq!(effect.outcome, current("a"));
    assert_eq!(effect.changes.replaced, ["s1"]);
    assert_eq!(group.state.phase, Phase::Stable);
    assert_eq!(group.ids(), ["a", "s2", "c"]);
    assert_eq!(group.assignment("s2"), b"s1");
    let member = group.state.member("s2").unwrap();
    assert!(member.synced && !member.joined);
    assert_eq!(member.seen, effect.at);
}

#[test]
fn a_static_leader_that_is_started_anew_leads_but_does_not_assign() {
    let mut group = Group::stable_of(vec![fresh_static("s1", "i"), join("b")]);
    let effect = group.event(fresh_static("s2", "i"));
    assert_eq!(effect.outcome, Outcome::Current { leader: "s1".into(), skip_assignment: true });
    assert_eq!(group.leader(), "s2");
    assert_eq!(group.state.phase, Phase::Stable);
}

#[test]
fn a_static_member_that_changes_the_choice_of_protocol_opens_a_round() {
    let both = || protocols(&["range", "sticky"]);
    let first = Join { protocols: both(), ..fresh_static("s1", "i") };
    let mut group = Group::stable_of(vec![first, Join { protocols: both(), ..join("b") }]);
    let effect = group.event(Join { protocols: protocols(&["sticky"]), ..fresh_static("s2", "i") });
    assert_eq!(effect.outcome, Outcome::Parked);
    assert_eq!(effect.changes.replaced, ["s1"]);
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
}

#[test]
fn a_static_member_that_is_started_anew_before_the_leader_synced_opens_the_round_again() {
    let mut group = Group::completing_of(vec![join("a"), fresh_static("s1", "i")]);
    let effect = group.event(fresh_static("s2", "i"));
    assert_eq!(effect.outcome, Outcome::Parked);
    assert!(effect.changes.broken);
    assert_eq!(group.state.phase, Phase::Preparing { initial: false });
}

#[test]
fn a_static_member_that_is_started_anew_in_a_round_joins_it() {
    let mut group = Group::stable_of(vec![join("a"), fresh_static("s1", "i")]);
    group.event(join("a"));
    let effect = group.event(fresh_static("s2", "i"));
    assert_eq!(effect.outcome, Outcome::Parked);
    assert!(effect.changes.completed);
    assert_eq!(group.state.generation, 2);
}
