//! TxnCommit and TxnEnd.

use isthmus::group::error::GroupError;
use isthmus::group::log::entry::{Commit, TxnEnd};
use isthmus::group::outcome::Outcome;
use isthmus::group::state::limits::PENDING_PRODUCERS_MAX;

use crate::group_support::Group;
use crate::group_support::events::*;

const PRODUCER: i64 = 1;

fn offset(offset: i64) -> Commit {
    simple_commit(&[("t", 0, offset)])
}

fn end(producer_epoch: i32, commit: bool) -> TxnEnd {
    TxnEnd { producer_id: PRODUCER, producer_epoch, commit }
}

#[test]
fn an_offset_counts_when_its_transaction_is_committed() {
    let mut group = Group::new();
    let at = group.event(txn_commit(offset(5), PRODUCER, 0)).at;
    assert_eq!(group.offset("t", 0), None);
    assert!(group.state.exists);
    group.event(end(0, true));
    assert_eq!(group.state.offsets.of("t", 0).map(|committed| (committed.offset, committed.at)), Some((5, at)));
    assert!(group.state.pending.is_empty());
}

#[test]
fn an_offset_of_an_aborted_transaction_never_counts() {
    let mut group = Group::new();
    group.event(txn_commit(offset(5), PRODUCER, 0));
    group.event(end(0, false));
    assert_eq!((group.offset("t", 0), group.state.pending.len()), (None, 0));
}

#[test]
fn what_was_committed_meanwhile_is_newer() {
    let mut group = Group::new();
    group.event(txn_commit(offset(5), PRODUCER, 0));
    group.event(offset(7));
    group.event(end(0, true));
    assert_eq!(group.offset("t", 0), Some(7));
}

#[test]
fn a_producer_without_membership_is_not_fenced_by_the_group() {
    for mut group in [Group::stable(&["a"]), Group::completing(&["a"])] {
        assert_eq!(group.event(txn_commit(offset(5), PRODUCER, 0)).outcome, Outcome::Done);
    }
}

#[test]
fn a_producer_that_names_its_member_is_fenced_like_it() {
    let by = |member, generation| txn_commit(commit(member, generation, &[("t", 0, 5)]), PRODUCER, 0);
    assert_eq!(Group::new().event(by("a", 1)).error(), GroupError::NoGroup);
    let mut group = Group::completing(&["a"]);
    assert_eq!(group.event(by("x", 1)).error(), GroupError::UnknownMember);
    assert_eq!(group.event(by("a", 0)).error(), GroupError::IllegalGeneration);
    assert_eq!(group.event(by("a", 1)).outcome, Outcome::Done, "the assignment is not waited for");
}

#[test]
fn an_older_epoch_of_the_producer_is_fenced() {
    let mut group = Group::new();
    group.event(txn_commit(offset(5), PRODUCER, 1));
    assert_eq!(group.event(txn_commit(offset(6), PRODUCER, 0)).error(), GroupError::ProducerFenced);
}

#[test]
fn a_newer_epoch_of_the_producer_has_nothing_of_the_older_one() {
    let mut group = Group::new();
    group.event(txn_commit(offset(5), PRODUCER, 0));
    group.event(txn_commit(simple_commit(&[("t", 1, 6)]), PRODUCER, 1));
    group.event(end(1, true));
    assert_eq!((group.offset("t", 0), group.offset("t", 1)), (None, Some(6)));
}

#[test]
fn the_end_of_an_older_epoch_does_not_end_a_newer_one() {
    let mut group = Group::new();
    group.event(txn_commit(offset(5), PRODUCER, 1));
    group.event(end(0, false));
    assert_eq!(group.state.pending.len(), 1);
    group.event(end(2, false));
    assert_eq!(group.state.pending.len(), 0, "a coordinator that gives a transaction up raises the epoch");
}

#[test]
fn producers_with_open_transactions_are_bounded() {
    let mut group = Group::new();
    for producer_id in 0..PENDING_PRODUCERS_MAX as i64 {
        group.event(txn_commit(offset(5), producer_id, 0));
    }
    assert_eq!(group.event(txn_commit(offset(5), -1, 0)).error(), GroupError::TooManyOffsets);
    assert_eq!(group.event(txn_commit(offset(6), 0, 0)).outcome, Outcome::Done);
}
