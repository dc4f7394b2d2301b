//! Deduplication as `MessageDeduplication.java` does it: it compares sequence ids and never looks for gaps.

use std::collections::BTreeMap;

use super::entry::parse_section;
use super::log::Log;

/// What a SEND is, judged by its lowest sequence id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    New,
    /// It is stored.
    Duplicate,
    /// One like it is on its way to the ledger: "Cannot determine".
    Unknown,
}

/// The highest sequence ids by producer name.
#[derive(Debug, Default)]
pub(super) struct Dedup {
    pushed: BTreeMap<String, u64>,
    persisted: BTreeMap<String, u64>,
}

impl Dedup {
    pub(super) fn judge(&mut self, name: &str, lowest: u64, highest: u64) -> Verdict {
        let within = |ids: &BTreeMap<String, u64>| ids.get(name).is_some_and(|last| lowest <= *last);
        if !within(&self.pushed) {
            self.pushed.insert(name.to_string(), highest);
            Verdict::New
        } else if within(&self.persisted) {
            Verdict::Duplicate
        } else {
            Verdict::Unknown
        }
    }

    pub(super) fn persisted(&mut self, name: &str, highest: u64) {
        self.persisted.insert(name.to_string(), highest);
    }

    /// `PRODUCER_SUCCESS.last_sequence_id`: what was pushed, stored or not.
    pub(super) fn last_pushed(&self, name: &str) -> Option<u64> {
        self.pushed.get(name).copied()
    }

    /// After a failed write, once nothing is on its way any more.
    pub(super) fn forget_pushed(&mut self) {
        self.pushed = self.persisted.clone();
    }

    /// What a reload finds: the names and ids in the metadata of what is stored.
    pub(super) fn replay(log: &Log) -> Self {
        let mut persisted: BTreeMap<String, u64> = BTreeMap::new();
        for (_, entry) in log.entries() {
            if let Ok((metadata, _)) = parse_section(&entry.section) {
                let name = String::from_utf8_lossy(&metadata.producer_name).into_owned();
                let highest = metadata.highest_sequence_id.unwrap_or(0).max(metadata.sequence_id);
                persisted.insert(name, highest);
            }
        }
        Self { pushed: persisted.clone(), persisted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_that_was_skipped_is_taken_for_a_duplicate() {
        let mut dedup = Dedup::default();
        assert_eq!(dedup.judge("p", 0, 4), Verdict::New);
        dedup.persisted("p", 4);
        assert_eq!(dedup.judge("p", 10, 14), Verdict::New);
        dedup.persisted("p", 14);
        assert_eq!(dedup.judge("p", 5, 9), Verdict::Duplicate);
    }

    #[test]
    fn what_is_still_on_its_way_cannot_be_judged() {
        let mut dedup = Dedup::default();
        assert_eq!(dedup.judge("p", 0, 4), Verdict::New);
        assert_eq!(dedup.judge("p", 0, 4), Verdict::Unknown);
        dedup.forget_pushed();
        assert_eq!(dedup.judge("p", 0, 4), Verdict::New);
    }
}
