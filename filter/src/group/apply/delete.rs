//! What makes offsets and groups go.

use std::collections::BTreeSet;

use super::Step;
use crate::group::error::GroupError;
use crate::group::log::entry::{ExpireOffsets, OffsetDelete};
use crate::group::outcome::Outcome;
use crate::group::state::{Phase, State};
use crate::ids::Position;

impl Step<'_> {
    /// Deletes offsets of topics that nobody is subscribed to.
    pub(super) fn delete_offsets(&mut self, delete: &OffsetDelete) -> Result<Outcome, GroupError> {
        if !self.state.exists {
            return Err(GroupError::GroupIdNotFound);
        }
        if !self.is_empty() && !self.state.is_consumer_group() {
            return Err(GroupError::NonEmptyGroup);
        }
        let subscriptions = self.state.subscriptions();
        let subscribed = |topic: &str| subscriptions.as_ref().is_none_or(|topics| topics.contains(topic));
        let results: Vec<_> = delete
            .topics
            .iter()
            .map(|topic| if subscribed(&topic.name) { Err(GroupError::SubscribedToTopic) } else { Ok(()) })
            .collect();
        let deleted = delete.topics.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(topic, _)| topic);
        for topic in deleted {
            for partition in &topic.partitions {
                self.state.offsets.remove(&topic.name, *partition);
                for pending in self.state.pending.values_mut() {
                    pending.offsets.remove(&topic.name, *partition);
                }
            }
        }
        Ok(Outcome::OffsetsDeleted(results))
    }

    /// Deletes the group.
    pub(super) fn delete(&mut self) -> Result<(), GroupError> {
        if !self.state.exists {
            return Err(GroupError::GroupIdNotFound);
        }
        if !self.is_empty() {
            return Err(GroupError::NonEmptyGroup);
        }
        self.reset();
        Ok(())
    }

    /// Offsets whose time is over go unless they were committed anew; with the last one the group goes, if it is still as empty
    /// as it was.
    pub(super) fn expire_offsets(&mut self, expire: &ExpireOffsets) -> Outcome {
        let pending: BTreeSet<(String, i32)> = self
            .state
            .pending
            .values()
            .flat_map(|pending| pending.offsets.flat())
            .map(|(topic, partition, _)| (topic.to_owned(), partition))
            .collect();
        for item in &expire.items {
            let unchanged =
                self.state.offsets.of(&item.topic, item.partition).is_some_and(|stored| stored.at == item.committed);
            if unchanged && (pending.is_empty() || !pending.contains(&(item.topic.clone(), item.partition))) {
                self.state.offsets.remove(&item.topic, item.partition);
            }
        }
        let abandoned = self.is_empty() && self.state.phase_began == expire.empty_phase;
        if abandoned && self.state.offsets.is_empty() && self.state.pending.is_empty() {
            self.reset();
        }
        Outcome::Done
    }

    fn is_empty(&self) -> bool {
        matches!(self.state.phase, Phase::Empty { .. })
    }

    /// The group has never been; its log goes on from here.
    fn reset(&mut self) {
        *self.state = State::bare(Position { ledger: self.at.ledger, entry: self.at.entry });
    }
}
