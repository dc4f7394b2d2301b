//! What the entries of one producer, seen in log order, say of one batch.
//!
//! The broker drops what is not above the highest sequence of a name, so the sequences of a producer only grow along the log:
//! an entry behind the batch's place shows that the batch is not further on, one before it that it is not further back.

use std::ops::Range;

use crate::ids::Offset;

/// What the log says of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is stored whole; the offset of its first record.
    Stored(Offset),
    /// Its place was seen, and it is not there: it was never stored.
    NeverStored,
    /// Some of its entries are stored and others never were.
    Torn,
    /// Records with its sequences are stored, but in a batch that begins or ends elsewhere.
    OtherBatch,
    /// All that can be seen of its producer lies before it: it is not visible yet.
    NotVisible,
    /// Its place lies further back than was looked at, or the log no longer has it.
    OutOfReach,
}

/// The entries seen so far.
#[derive(Debug)]
pub struct Trail {
    batch: Range<u64>,
    /// Nothing of the producer lies before what is looked at.
    from_log_start: bool,
    /// An entry that lies before the batch was seen.
    seen_before: bool,
    /// Offset of the batch's first record, and the sequence up to which its entries were seen.
    found: Option<(Offset, u64)>,
}

impl Trail {
    /// Looks for the batch with these sequences, beginning at the start of the log or somewhere in it.
    pub fn new(batch: Range<u64>, from_log_start: bool) -> Self {
        Self { batch, from_log_start, seen_before: false, found: None }
    }

    /// Takes the producer's next entry: its first and last sequence and the offset of its first record. Something once it is decided.
    pub fn see(&mut self, first: u64, last: u64, offset: Offset) -> Option<Finding> {
        let Range { start, end } = self.batch;
        if last < start {
            self.seen_before = true;
            return None;
        }
        let (base, reached) = self.found.unwrap_or((offset, start));
        if first < reached {
            return Some(Finding::OtherBatch);
        }
        if first > reached {
            return Some(self.gap(first));
        }
        let reached = last.saturating_add(1);
        self.found = Some((base, reached));
        if reached < end {
            return None;
        }
        Some(if reached == end { Finding::Stored(base) } else { Finding::OtherBatch })
    }

    fn gap(&self, first: u64) -> Finding {
        if self.found.is_some() {
            Finding::Torn
        } else if !self.seen_before && !self.from_log_start {
            Finding::OutOfReach
        } else if first < self.batch.end {
            Finding::Torn
        } else {
            Finding::NeverStored
        }
    }

    /// What is to be said when the last entry of the log has been seen.
    pub fn at_end(&self) -> Finding {
        if self.found.is_some() || self.seen_before { Finding::NotVisible } else { Finding::OutOfReach }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a trail from the middle of a log, or from its start, says of the batch 10..16 after entries with these sequences.
    fn after(entries: &[(u64, u64)], from_log_start: bool) -> Finding {
        let mut trail = Trail::new(10..16, from_log_start);
        let seen = entries.iter().find_map(|(first, last)| {
            let offset = Offset::new(i64::try_from(*first).unwrap() + 100).unwrap();
            trail.see(*first, *last, offset)
        });
        seen.unwrap_or_else(|| trail.at_end())
    }

    fn stored() -> Finding {
        Finding::Stored(Offset::new(110).unwrap())
    }

    #[test]
    fn a_batch_is_stored_where_its_entries_are() {
        assert_eq!(after(&[(10, 15)], false), stored());
        assert_eq!(after(&[(4, 9), (10, 15), (16, 20)], false), stored());
        assert_eq!(after(&[(10, 11), (12, 14), (15, 15)], false), stored());
    }

    #[test]
    fn a_gap_where_it_should_be_shows_that_it_was_never_stored() {
        assert_eq!(after(&[(4, 9), (16, 20)], false), Finding::NeverStored);
        assert_eq!(after(&[(16, 20)], true), Finding::NeverStored);
    }

    #[test]
    fn only_entries_behind_it_do_not_tell_what_lies_before_them() {
        assert_eq!(after(&[(16, 20)], false), Finding::OutOfReach);
        assert_eq!(after(&[(12, 15)], false), Finding::OutOfReach);
    }

    #[test]
    fn a_batch_of_which_a_part_is_missing_is_torn() {
        assert_eq!(after(&[(10, 11), (16, 20)], false), Finding::Torn);
        assert_eq!(after(&[(10, 11), (14, 15)], false), Finding::Torn);
        assert_eq!(after(&[(4, 9), (12, 15)], false), Finding::Torn);
    }

    #[test]
    fn the_same_sequences_with_other_borders_are_another_batch() {
        assert_eq!(after(&[(4, 10)], false), Finding::OtherBatch);
        assert_eq!(after(&[(9, 20)], false), Finding::OtherBatch);
        assert_eq!(after(&[(10, 16)], false), Finding::OtherBatch);
        assert_eq!(after(&[(10, 12), (13, 17)], false), Finding::OtherBatch);
    }

    #[test]
    fn what_is_taken_but_not_read_yet_is_not_visible() {
        assert_eq!(after(&[(4, 9)], false), Finding::NotVisible);
        assert_eq!(after(&[(10, 11)], true), Finding::NotVisible);
    }

    #[test]
    fn a_producer_of_which_nothing_is_left_says_nothing() {
        assert_eq!(after(&[], true), Finding::OutOfReach);
    }
}
