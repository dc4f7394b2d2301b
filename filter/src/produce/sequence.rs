//! Kafka's 31-bit sequences as Pulsar's 64-bit ones, and what a batch's sequence means.
//!
//! Kafka's broker expects each batch of a producer to begin where the one before ended (`ProducerAppendInfo.checkSequence`).
//! Pulsar's deduplication never looks for gaps: it only drops what is not above the highest sequence pushed
//! (`MessageDeduplication.isDuplicate`). So gaps must be found here.

/// Kafka's sequences go from 0 to `i32::MAX` and begin again.
const WRAP: u64 = 1 << 31;

/// What to do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next one, or the first of a producer nobody knows: its first sequence, unwrapped.
    Next(u64),
    /// All of it was pushed before: send it again, the broker knows whether it was stored.
    Repeated(u64),
    /// Its first records were pushed before: send the rest.
    PartlyRepeated {
        /// First sequence, unwrapped.
        first: u64,
        /// Records to leave out.
        skip: u32,
    },
    /// A gap before it.
    OutOfOrder,
}

/// Judges a batch of `records` records whose first has Kafka's sequence `base`, where `expected` is the next sequence of its
/// producer, or `None` if the producer is unknown.
pub fn judge(expected: Option<u64>, base: i32, records: u32) -> Verdict {
    let base = u64::from(base.unsigned_abs());
    let Some(expected) = expected else { return Verdict::Next(base) };
    let first = unwrap_near(expected, base);
    let end = first.saturating_add(u64::from(records));
    if first == expected {
        Verdict::Next(first)
    } else if first > expected {
        Verdict::OutOfOrder
    } else if end <= expected {
        Verdict::Repeated(first)
    } else {
        let skip = u32::try_from(expected.saturating_sub(first)).unwrap_or(u32::MAX);
        Verdict::PartlyRepeated { first, skip }
    }
}

/// The number congruent to `base` that lies nearest to `near`.
fn unwrap_near(near: u64, base: u64) -> u64 {
    let round = near.checked_div(WRAP).unwrap_or(0).saturating_mul(WRAP);
    let candidates = [round.checked_sub(WRAP), Some(round), round.checked_add(WRAP)]
        .into_iter()
        .flatten()
        .map(|start| start.saturating_add(base));
    candidates.min_by_key(|candidate| candidate.abs_diff(near)).unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_batch_is_sent() {
        assert_eq!(judge(Some(10), 10, 5), Verdict::Next(10));
    }

    #[test]
    fn the_first_batch_of_an_unknown_producer_may_begin_anywhere() {
        assert_eq!(judge(None, 7, 1), Verdict::Next(7));
    }

    #[test]
    fn a_gap_is_refused() {
        assert_eq!(judge(Some(10), 11, 5), Verdict::OutOfOrder);
    }

    #[test]
    fn what_was_pushed_is_sent_again() {
        assert_eq!(judge(Some(10), 5, 5), Verdict::Repeated(5));
        assert_eq!(judge(Some(10), 0, 1), Verdict::Repeated(0));
    }

    #[test]
    fn of_a_batch_that_was_cut_only_the_rest_is_sent() {
        assert_eq!(judge(Some(10), 8, 5), Verdict::PartlyRepeated { first: 8, skip: 2 });
    }

    #[test]
    fn sequences_go_on_after_they_wrap() {
        let end_of_round = (1u64 << 31) - 2;
        assert_eq!(judge(Some(end_of_round), i32::MAX - 1, 4), Verdict::Next(end_of_round));
        assert_eq!(judge(Some(end_of_round + 4), 2, 1), Verdict::Next(end_of_round + 4));
        assert_eq!(judge(Some(end_of_round + 4), i32::MAX - 1, 4), Verdict::Repeated(end_of_round));
        assert_eq!(judge(Some(5 << 31), 0, 1), Verdict::Next(5 << 31));
    }
}
