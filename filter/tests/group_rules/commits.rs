//! Commit.

use isthmus::group::error::GroupError;
use isthmus::group::log::entry::{Commit, PartitionOffset, TopicOffsets};
use isthmus::group::outcome::Outcome;
use isthmus::group::state::limits::OFFSETS_MAX;

use crate::group_support::Group;
use crate::group_support::events::*;

const OFFSET: &[(&str, i32, i64)] = &[("t", 0, 5)];

#[test]
fn a_member_of_the_generation_commits() {
    let mut group = Group::stable(&["a"]);
    group.time_ms = 9;
    let effect = group.event(commit("a", 1, OFFSET));
    assert_eq!(effect.outcome, Outcome::Done);
    let committed = group.state.offsets.of("t", 0).unwrap();
    assert_eq!((committed.offset, committed.time_ms, committed.at), (5, 9, effect.at));
    assert_eq!(group.seen("a"), effect.at);
}

#[test]
fn the_last_commit_counts() {
    let mut group = Group::stable(&["a"]);
    group.event(commit("a", 1, &[("t", 0, 5), ("t", 1, 7), ("t", 0, 6)]));
    group.event(commit("a", 1, &[("t", 1, 3)]));
    assert_eq!((group.offset("t", 0), group.offset("t", 1)), (Some(6), Some(3)));
    assert_eq!(group.state.offsets.count(), 2);
}

#[test]
fn whoever_commits_without_membership_makes_the_group() {
    let mut group = Group::new();
    assert_eq!(group.event(simple_commit(OFFSET)).outcome, Outcome::Done);
    assert!(group.state.exists && group.is_empty());
    assert_eq!(group.offset("t", 0), Some(5));
}

#[test]
fn nobody_commits_without_membership_while_there_are_members() {
    for mut group in [Group::stable(&["a"]), Group::completing(&["a"])] {
        assert_eq!(group.event(simple_commit(OFFSET)).error(), GroupError::UnknownMember);
    }
}

#[test]
fn a_member_of_a_group_that_is_not_there_cannot_commit() {
    assert_eq!(Group::new().event(commit("a", 1, OFFSET)).error(), GroupError::NoGroup);
}

#[test]
fn a_member_of_a_group_that_was_emptied_is_unknown() {
    let mut group = Group::stable(&["a"]);
    group.event(leave(&[("a", None)]));
    assert_eq!(group.event(commit("a", 1, OFFSET)).error(), GroupError::UnknownMember);
}

#[test]
fn a_stranger_cannot_commit() {
    let mut group = Group::stable(&["a"]);
    assert_eq!(group.event(commit("x", 1, OFFSET)).error(), GroupError::UnknownMember);
}

#[test]
fn another_generation_cannot_commit() {
    let mut group = Group::stable(&["a"]);
    for generation in [-1, 0, 2] {
        assert_eq!(group.event(commit("a", generation, OFFSET)).error(), GroupError::IllegalGeneration);
    }
    assert_eq!(group.offset("t", 0), None);
}

#[test]
fn a_static_member_that_was_replaced_cannot_commit() {
    let mut group = Group::stable_of(vec![fresh_static("s1", "i")]);
    group.event(fresh_static("s2", "i"));
    let by = |id| Commit { instance: Some("i".into()), ..commit(id, 1, OFFSET) };
    assert_eq!(group.event(by("s1")).error(), GroupError::FencedInstance);
    assert_eq!(group.event(by("s2")).outcome, Outcome::Done);
}

#[test]
fn members_commit_what_they_have_before_they_join_again() {
    let mut group = Group::stable(&["a"]);
    group.event(join("b"));
    assert_eq!(group.event(commit("a", 1, OFFSET)).outcome, Outcome::Done);
}

#[test]
fn nobody_commits_between_the_round_and_the_assignment() {
    let mut group = Group::completing(&["a"]);
    assert_eq!(group.event(commit("a", 1, OFFSET)).error(), GroupError::RebalanceInProgress);
}

fn many(topic: &str, partitions: std::ops::Range<usize>, metadata: &str) -> Commit {
    let partition = |partition: usize| PartitionOffset {
        partition: partition as i32,
        offset: 0,
        leader_epoch: -1,
        metadata: metadata.into(),
    };
    let topics = vec![TopicOffsets { name: topic.into(), partitions: partitions.map(partition).collect() }];
    Commit { topics, ..simple_commit(&[]) }
}

#[test]
fn a_group_has_no_more_offsets_than_its_bound() {
    let mut group = Group::new();
    group.event(many("t", 0..OFFSETS_MAX - 1, ""));
    group.event(txn_commit(simple_commit(&[("u", 0, 1)]), 1, 0));
    assert_eq!(group.event(simple_commit(&[("u", 0, 2)])).error(), GroupError::TooManyOffsets);
    assert_eq!(group.event(txn_commit(simple_commit(&[("u", 1, 1)]), 1, 0)).error(), GroupError::TooManyOffsets);
    assert_eq!(group.event(simple_commit(&[("t", 7, 2)])).outcome, Outcome::Done, "it is one already");
}

#[test]
fn offsets_do_not_make_the_state_longer_than_its_bound() {
    let mut group = Group::new();
    let metadata = "m".repeat(4096);
    for topic in 0..8 {
        assert_eq!(group.event(many(&topic.to_string(), 0..1000, &metadata)).outcome, Outcome::Done);
    }
    assert_eq!(group.event(many("last", 0..1000, &metadata)).error(), GroupError::TooManyOffsets);
    assert_eq!(group.event(many("0", 0..1000, &metadata)).outcome, Outcome::Done, "it is there already");
}
