//! Offsets of transactions: kept apart until the transaction ends.

use super::Step;
use super::commit::Growth;
use crate::group::error::GroupError;
use crate::group::log::entry::{TxnCommit, TxnEnd};
use crate::group::outcome::Outcome;
use crate::group::state::limits::PENDING_PRODUCERS_MAX;
use crate::group::state::{Offsets, Pending, State};

impl Step<'_> {
    pub(super) fn txn_commit(&mut self, txn: &TxnCommit) -> Result<(), GroupError> {
        let commit = &txn.commit;
        // A producer that does not tell the consumer's membership is not fenced by it (before KIP-447).
        if !(commit.generation < 0 && commit.member.is_empty() && commit.instance.is_none()) {
            self.check_committer(commit)?;
        }
        let pending = self.state.pending.get(&txn.producer_id);
        if pending.is_some_and(|pending| txn.producer_epoch < pending.producer_epoch) {
            return Err(GroupError::ProducerFenced);
        }
        let same = pending.filter(|pending| pending.producer_epoch == txn.producer_epoch);
        let none = Offsets::default();
        let mut growth = Growth::of(same.map_or(&none, |pending| &pending.offsets), &commit.topics);
        if pending.is_none() {
            if self.state.pending.len() >= PENDING_PRODUCERS_MAX {
                return Err(GroupError::TooManyOffsets);
            }
            growth.add(0, State::pending_growth(&txn.transactional_id));
        }
        self.check_growth(growth)?;
        let open = || Pending {
            producer_epoch: txn.producer_epoch,
            transactional_id: txn.transactional_id.clone(),
            offsets: Offsets::default(),
        };
        self.store(commit, |state| {
            let pending = state.pending.entry(txn.producer_id).or_insert_with(open);
            if pending.producer_epoch < txn.producer_epoch {
                // The older epoch's transaction can only have been aborted.
                *pending = open();
            }
            &mut pending.offsets
        });
        Ok(())
    }

    pub(super) fn txn_end(&mut self, end: &TxnEnd) -> Outcome {
        let ends = |pending: &Pending| pending.producer_epoch <= end.producer_epoch;
        if !self.state.pending.get(&end.producer_id).is_some_and(ends) {
            return Outcome::Done;
        }
        let ended = self.state.pending.remove(&end.producer_id);
        for (topic, partition, pending) in ended.iter().filter(|_| end.commit).flat_map(|ended| ended.offsets.flat()) {
            let newer = self.state.offsets.of(topic, partition).is_some_and(|stored| stored.at > pending.at);
            if !newer {
                self.state.offsets.insert(topic, partition, pending.clone());
            }
        }
        Outcome::Done
    }
}
