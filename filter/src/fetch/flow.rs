//! How much a reader allows the broker to send.
//!
//! Permits count messages, but the broker reads whole entries: as many as there are permits, at most 100 at once, and each
//! entry takes its messages from the permits, which may fall far below zero (`PersistentDispatcherSingleActiveConsumer`).
//! So a balance of `k` allows at most `k` entries, whatever they hold (of a compacted ledger one more,
//! `PulsarTopicCompactionService.readCompactedEntries`): bytes are bounded by granting few.

use crate::worker::budget::Budget;

/// Bytes a reader may hold or have allowed, once it is known to drain.
const MAX_WINDOW_BYTES: usize = 4 * 1024 * 1024;

/// Bytes at first.
const FIRST_WINDOW_BYTES: usize = 256 * 1024;

/// What an entry is taken to be before one was seen.
const GUESSED_ENTRY_BYTES: usize = 64 * 1024;

/// Bound of the balance.
const MAX_ENTRIES: i64 = 1000;

/// The broker's side of one reader's permits, as far as it follows from what went over the wire.
#[derive(Debug)]
pub struct Flow {
    balance: i64,
    largest_entry_bytes: usize,
    window_bytes: usize,
    /// Bytes taken from the worker's budget for what was allowed and has not come.
    reserved_bytes: usize,
}

impl Default for Flow {
    fn default() -> Self {
        Self { balance: 0, largest_entry_bytes: 0, window_bytes: FIRST_WINDOW_BYTES, reserved_bytes: 0 }
    }
}

impl Flow {
    /// An entry came.
    pub fn on_entry(&mut self, bytes: usize, messages: u32, budget: &mut Budget) {
        self.largest_entry_bytes = self.largest_entry_bytes.max(bytes);
        self.balance = self.balance.saturating_sub(i64::from(messages.max(1)));
        self.reserve(budget);
    }

    /// The client took everything and more is there: a larger window would have served it better.
    pub fn on_drained_behind(&mut self) {
        self.window_bytes = self.window_bytes.saturating_mul(2).min(MAX_WINDOW_BYTES);
    }

    /// Permits to grant now, given what the reader holds; 0 for none. `needed`: a fetch waits and has nothing else.
    pub fn grant(&mut self, queued_bytes: usize, needed: bool, budget: &mut Budget) -> u32 {
        let entry_bytes = self.entry_bytes();
        let room = self.window_bytes.saturating_sub(queued_bytes);
        let affordable =
            i64::try_from(room.checked_div(entry_bytes).unwrap_or(0)).unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES);
        let least = i64::from(needed && queued_bytes == 0);
        let target = affordable.max(least);
        if target == 0 || self.balance > target.checked_div(2).unwrap_or(0) {
            return 0;
        }
        if budget.is_exhausted() && !(needed && queued_bytes == 0 && self.balance <= 0) {
            return 0;
        }
        let target = if budget.is_exhausted() { 1 } else { target };
        let permits = u32::try_from(target.saturating_sub(self.balance)).unwrap_or(0);
        self.balance = self.balance.saturating_add(i64::from(permits));
        self.reserve(budget);
        permits
    }

    /// Whether the broker may send more than it has sent.
    pub fn allows_more(&self) -> bool {
        self.balance > 0
    }

    /// Gives back what was reserved: the reader is gone.
    pub fn close(&mut self, budget: &mut Budget) {
        self.balance = 0;
        self.reserve(budget);
    }

    fn entry_bytes(&self) -> usize {
        if self.largest_entry_bytes == 0 { GUESSED_ENTRY_BYTES } else { self.largest_entry_bytes }
    }

    fn reserve(&mut self, budget: &mut Budget) {
        let entries = usize::try_from(self.balance.max(0)).unwrap_or(0);
        let wanted = entries.saturating_mul(self.entry_bytes());
        budget.give_back(self.reserved_bytes);
        budget.take(wanted);
        self.reserved_bytes = wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_grant_is_small() {
        let mut budget = Budget::new(1 << 30);
        let mut flow = Flow::default();
        assert_eq!(flow.grant(0, true, &mut budget), 4);
        assert_eq!(flow.grant(0, true, &mut budget), 0, "what was granted is still out");
    }

    #[test]
    fn permits_that_a_batch_overdrew_are_paid_back() {
        let mut budget = Budget::new(1 << 30);
        let mut flow = Flow::default();
        flow.grant(0, true, &mut budget);
        flow.on_entry(64 * 1024, 1000, &mut budget);
        assert_eq!(flow.grant(0, true, &mut budget), 1000);
    }

    #[test]
    fn a_full_queue_gets_no_more() {
        let mut budget = Budget::new(1 << 30);
        let mut flow = Flow::default();
        assert_eq!(flow.grant(FIRST_WINDOW_BYTES, true, &mut budget), 0);
    }

    #[test]
    fn with_the_budget_spent_only_a_starving_reader_gets_one_entry() {
        let mut budget = Budget::new(1);
        budget.take(1);
        assert_eq!(Flow::default().grant(0, false, &mut budget), 0);
        assert_eq!(Flow::default().grant(0, true, &mut budget), 1);
    }

    #[test]
    fn with_the_budget_spent_nothing_more_is_awaited_behind_that_one_entry() {
        let mut budget = Budget::new(1);
        budget.take(1);
        let mut flow = Flow::default();
        flow.grant(0, true, &mut budget);
        assert!(flow.allows_more());

        flow.on_entry(64 * 1024, 1, &mut budget);
        flow.grant(64 * 1024, true, &mut budget);

        assert!(!flow.allows_more());
    }

    #[test]
    fn everything_reserved_is_given_back() {
        let mut budget = Budget::new(1 << 30);
        let mut flow = Flow::default();
        flow.grant(0, true, &mut budget);
        assert!(budget.used() > 0);
        flow.close(&mut budget);
        assert_eq!(budget.used(), 0);
    }
}
