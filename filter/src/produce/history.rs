//! What a connection knows of the batches of a producer that are settled: it answers a retry without asking the broker.

use std::collections::VecDeque;
use std::ops::Range;

use crate::ids::Offset;

/// Batches whose offsets are remembered for a retry, as Kafka does (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
const REMEMBERED: usize = 5;

/// What is known of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is stored; the offset of its first record.
    Stored(Offset),
    /// It can no longer be stored, or it is not the batch that was stored with its sequences: Kafka compares the first and the last
    /// (`ProducerStateEntry.findDuplicateBatch`).
    OutOfOrder,
    /// Nothing.
    Nothing,
}

/// Batches by their sequences, unwrapped.
#[derive(Debug, Default)]
pub struct History {
    stored: VecDeque<(Range<u64>, Offset)>,
    /// Refused while later ones were on their way, whose fate decides theirs.
    refused: Option<Range<u64>>,
    /// Refused and passed by later ones that were stored: to the broker their retries look like duplicates.
    lost: Option<Range<u64>>,
}

impl History {
    /// What is known of a batch that was sent before.
    pub fn look_up(&self, batch: &Range<u64>) -> Known {
        if let Some((_, offset)) = self.stored.iter().find(|(stored, _)| stored == batch) {
            return Known::Stored(*offset);
        }
        let overlaps = |other: &Range<u64>| overlap(other, batch);
        if self.stored.iter().any(|(stored, _)| overlaps(stored)) || self.lost.as_ref().is_some_and(overlaps) {
            Known::OutOfOrder
        } else {
            Known::Nothing
        }
    }

    /// A batch is stored, and its offset known.
    pub fn on_stored(&mut self, batch: Range<u64>, offset: Offset) {
        if self.stored.len() >= REMEMBERED {
            self.stored.pop_front();
        }
        self.stored.push_back((batch, offset));
    }

    /// The broker has stored something of the batch that begins at `first`.
    pub fn on_receipt(&mut self, first: u64) {
        if let Some(refused) = self.refused.take_if(|refused| refused.end <= first) {
            self.lose(refused);
        }
    }

    /// A batch was refused; `passed` by a later one that is stored, as far as that can be seen yet.
    pub fn on_refusal(&mut self, batch: Range<u64>, passed: bool) {
        let passed = passed || self.stored.iter().any(|(stored, _)| stored.start >= batch.end);
        let refused = self.refused.take().map_or(batch.clone(), |refused| joined(refused, batch));
        if passed {
            self.lose(refused);
        } else {
            self.refused = Some(refused);
        }
    }

    /// Whether it is open what becomes of a refused batch: nothing may be sent meanwhile.
    pub fn is_in_doubt(&self) -> bool {
        self.refused.is_some()
    }

    /// Nothing is in flight any more: what was refused was not passed and may be sent again, from the sequence that this gives.
    pub fn on_all_settled(&mut self) -> Option<u64> {
        self.refused.take().map(|refused| refused.start)
    }

    /// A batch is sent as one that the broker has not seen: what was believed lost from there on is not.
    pub fn on_sent_as_next(&mut self, first: u64) {
        self.lost.take_if(|lost| first < lost.end);
    }

    /// The producer is opened anew: the broker will tell what it has.
    pub fn on_closed(&mut self) {
        self.refused = None;
    }

    fn lose(&mut self, batch: Range<u64>) {
        self.lost = Some(self.lost.take().map_or(batch.clone(), |lost| joined(lost, batch)));
    }
}

/// Whether two batches share a sequence.
pub fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

fn joined(one: Range<u64>, other: Range<u64>) -> Range<u64> {
    one.start.min(other.start)..one.end.max(other.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(value: i64) -> Offset {
        Offset::new(value).unwrap()
    }

    #[test]
    fn a_retry_is_known_by_its_first_and_last_sequence() {
        let mut history = History::default();
        history.on_stored(1..4, offset(7));
        assert_eq!(history.look_up(&(1..4)), Known::Stored(offset(7)));
        assert_eq!(history.look_up(&(2..4)), Known::OutOfOrder);
        assert_eq!(history.look_up(&(1..5)), Known::OutOfOrder);
        assert_eq!(history.look_up(&(4..5)), Known::Nothing);
    }

    #[test]
    fn the_last_five_are_remembered() {
        let mut history = History::default();
        (0..6).for_each(|at| history.on_stored(at..at + 1, offset(0)));
        assert_eq!(history.look_up(&(0..1)), Known::Nothing);
        assert_eq!(history.look_up(&(1..2)), Known::Stored(offset(0)));
    }

    #[test]
    fn a_refused_batch_is_lost_once_a_later_one_is_stored() {
        let mut history = History::default();
        history.on_refusal(0..3, false);
        assert!(history.is_in_doubt());
        history.on_receipt(3);
        assert!(!history.is_in_doubt());
        assert_eq!(history.look_up(&(0..3)), Known::OutOfOrder);
    }

    #[test]
    fn batches_that_were_all_refused_may_be_sent_again() {
        let mut history = History::default();
        history.on_refusal(0..3, false);
        history.on_refusal(3..4, false);
        assert_eq!(history.on_all_settled(), Some(0));
        assert_eq!(history.look_up(&(0..3)), Known::Nothing);
        assert_eq!(history.on_all_settled(), None);
    }

    #[test]
    fn a_batch_refused_after_a_later_one_was_stored_is_lost() {
        let mut history = History::default();
        history.on_stored(3..4, offset(9));
        history.on_refusal(0..3, false);
        assert_eq!(history.look_up(&(0..3)), Known::OutOfOrder);
    }

    #[test]
    fn what_the_broker_says_it_has_not_is_not_lost() {
        let mut history = History::default();
        history.on_refusal(0..3, true);
        history.on_sent_as_next(0);
        assert_eq!(history.look_up(&(0..3)), Known::Nothing);
    }
}
