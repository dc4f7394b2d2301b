//! OffsetDelete, Delete, ExpireOffsets.

use bytes::Bytes;
use isthmus::group::error::GroupError;
use isthmus::group::log::entry::{Delete, EventPosition, ExpireOffsets, ExpiredOffset, Join, Protocol};
use isthmus::group::outcome::Outcome;

use crate::group_support::events::*;
use crate::group_support::{Effect, Group};

fn deleted(effect: Effect) -> Vec<Result<(), GroupError>> {
    let Outcome::OffsetsDeleted(results) = effect.outcome else { panic!("{effect:?}") };
    results
}

fn expiry(items: &[(&str, i32, EventPosition)], empty_phase: EventPosition) -> ExpireOffsets {
    let item = |(topic, partition, committed): &(&str, i32, EventPosition)| ExpiredOffset {
        topic: (*topic).into(),
        partition: *partition,
        committed: *committed,
    };
    ExpireOffsets { items: items.iter().map(item).collect(), empty_phase }
}

/// A consumer group without members that committed `t` 0 and 1.
fn left_alone() -> Group {
    let mut group = Group::stable(&["a"]);
    group.event(commit("a", 1, &[("t", 0, 5), ("t", 1, 6)]));
    group.event(leave(&[("a", None)]));
    group
}

#[test]
fn offsets_of_a_group_without_members_are_deleted_by_request() {
    let mut group = left_alone();
    assert_eq!(deleted(group.event(delete_offsets(&[("t", 0), ("u", 0)]))), [Ok(()), Ok(())]);
    assert_eq!((group.offset("t", 0), group.offset("t", 1)), (None, Some(6)));
}

#[test]
fn offsets_of_a_topic_that_a_member_reads_are_not_deleted() {
    let mut group = Group::stable(&["a"]);
    group.event(commit("a", 1, &[("t", 0, 5), ("u", 0, 6)]));
    let results = deleted(group.event(delete_offsets(&[("t", 0), ("u", 0)])));
    assert_eq!(results, [Err(GroupError::SubscribedToTopic), Ok(())]);
    assert_eq!((group.offset("t", 0), group.offset("u", 0)), (Some(5), None));
}

#[test]
fn a_subscription_that_cannot_be_read_may_be_of_any_topic() {
    let cut_short = subscription(&["t"]).slice(..5);
    for metadata in [Bytes::new(), Bytes::from_static(b"\0\0\xff\xff\xff\xff"), cut_short] {
        let protocols = vec![Protocol { name: "range".into(), metadata }];
        let mut group = Group::stable_of(vec![Join { protocols, ..join("a") }]);
        assert!(group.state.is_subscribed("t"));
        assert_eq!(deleted(group.event(delete_offsets(&[("t", 0)]))), [Err(GroupError::SubscribedToTopic)]);
    }
}

#[test]
fn before_the_first_protocol_is_chosen_members_may_read_any_topic() {
    let mut group = Group::new();
    group.event(join("a"));
    assert!(group.state.is_subscribed("u"));
}

#[test]
fn offsets_of_other_protocol_types_are_deleted_only_without_members() {
    let mut group = Group::stable_of(vec![Join { protocol_type: "connect".into(), ..join("a") }]);
    assert_eq!(group.event(delete_offsets(&[("t", 0)])).error(), GroupError::NonEmptyGroup);
    group.event(leave(&[("a", None)]));
    assert_eq!(deleted(group.event(delete_offsets(&[("t", 0)]))), [Ok(())]);
}

#[test]
fn offsets_of_a_group_that_is_not_there_are_not_deleted() {
    assert_eq!(Group::new().event(delete_offsets(&[("t", 0)])).error(), GroupError::GroupIdNotFound);
}

#[test]
fn offsets_pending_in_a_transaction_are_deleted_too() {
    let mut group = left_alone();
    group.event(txn_commit(simple_commit(&[("t", 0, 9)]), 1, 0));
    group.event(delete_offsets(&[("t", 0)]));
    assert_eq!(group.state.pending[&1].offsets.count(), 0);
}

#[test]
fn a_deleted_group_is_as_if_it_had_never_been() {
    let mut group = left_alone();
    assert_eq!(group.event(Delete {}).outcome, Outcome::Done);
    assert!(!group.state.exists);
    assert_eq!((group.state.generation, &group.state.protocol_type), (0, &None));
    assert_eq!(group.state.offsets.count(), 0);
    assert_eq!(group.event(Delete {}).error(), GroupError::GroupIdNotFound);
}

#[test]
fn a_group_with_members_is_not_deleted() {
    let mut group = Group::stable(&["a"]);
    assert_eq!(group.event(Delete {}).error(), GroupError::NonEmptyGroup);
}

#[test]
fn an_abandoned_group_goes_with_its_last_offset() {
    let mut group = left_alone();
    let at = group.state.offsets.of("t", 0).unwrap().at;
    let phase = group.state.phase_began;
    group.event(expiry(&[("t", 0, at)], phase));
    assert!(group.state.exists);
    assert_eq!((group.offset("t", 0), group.offset("t", 1)), (None, Some(6)));
    group.event(expiry(&[("t", 1, at)], phase));
    assert!(!group.state.exists);
}

#[test]
fn an_offset_that_was_committed_since_does_not_expire() {
    let mut group = left_alone();
    let at = group.state.offsets.of("t", 0).unwrap().at;
    group.event(simple_commit(&[("t", 0, 7)]));
    group.event(expiry(&[("t", 0, at), ("t", 1, at)], group.state.phase_began));
    assert_eq!((group.offset("t", 0), group.offset("t", 1)), (Some(7), None));
}

#[test]
fn an_offset_pending_in_a_transaction_does_not_expire() {
    let mut group = left_alone();
    let at = group.state.offsets.of("t", 0).unwrap().at;
    group.event(txn_commit(simple_commit(&[("t", 0, 9)]), 1, 0));
    group.event(expiry(&[("t", 0, at), ("t", 1, at)], group.state.phase_began));
    assert_eq!((group.offset("t", 0), group.offset("t", 1)), (Some(5), None));
}

#[test]
fn a_group_that_was_used_since_does_not_go_with_its_offsets() {
    let mut group = left_alone();
    let at = group.state.offsets.of("t", 0).unwrap().at;
    let judged = group.state.phase_began;
    group.event(join("b"));
    group.event(leave(&[("b", None)]));
    group.event(expiry(&[("t", 0, at), ("t", 1, at)], judged));
    assert!(group.state.exists);
    assert_eq!(group.state.offsets.count(), 0);
}
