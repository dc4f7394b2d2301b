//! What this worker knows of recently appended and recently read entries: position, number of messages, index.
//!
//! SEND_RECEIPT tells the position but not the index. Inside a ledger entries are numbered without gaps, so of two neighbours
//! whose sizes are known, the index of one gives the index of the other; only where another producer got in between must an
//! entry be read back.

use std::collections::BTreeMap;

use super::first_of;
use crate::ids::{Offset, Position};
use crate::topics::name::PulsarTopic;

/// Bound of entries remembered per topic.
const MAX_ENTRIES: usize = 512;

/// Bound of topics with remembered entries; the one untouched for longest goes first.
const MAX_TOPICS: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Known {
    messages: u32,
    last_index: Option<u64>,
}

#[derive(Debug, Default)]
struct Topic {
    entries: BTreeMap<Position, Known>,
    touched: u64,
}

/// The memory, per topic.
#[derive(Debug, Default)]
pub struct KnownEntries {
    topics: BTreeMap<PulsarTopic, Topic>,
    touches: u64,
}

impl KnownEntries {
    /// An entry of `messages` messages lies at `position`; its last message has `last_index`, where that is known.
    pub fn observe(&mut self, topic: &PulsarTopic, position: Position, messages: u32, last_index: Option<u64>) {
        self.touches = self.touches.wrapping_add(1);
        if !self.topics.contains_key(topic) {
            self.make_room();
            self.topics.insert(topic.clone(), Topic::default());
        }
        if let Some(known) = self.topics.get_mut(topic) {
            known.touched = self.touches;
            known.observe(position, Known { messages, last_index });
        }
    }

    fn make_room(&mut self) {
        if self.topics.len() >= MAX_TOPICS
            && let Some(oldest) =
                self.topics.iter().min_by_key(|(_, topic)| topic.touched).map(|(name, _)| name.clone())
        {
            self.topics.remove(&oldest);
        }
    }

    /// Offset of the first message of the entry at `position`, if it follows from what is known.
    pub fn first_offset(&self, topic: &PulsarTopic, position: Position) -> Option<Offset> {
        let known = self.topics.get(topic)?.entries.get(&position)?;
        first_of(known.last_index?, known.messages)
    }

    /// One past the offset of the last message of the entry at `position`.
    pub fn end_offset(&self, topic: &PulsarTopic, position: Position) -> Option<Offset> {
        let known = self.topics.get(topic)?.entries.get(&position)?;
        Offset::new(i64::try_from(known.last_index?.checked_add(1)?).ok()?)
    }

    /// The entry that holds `offset`.
    pub fn locate(&self, topic: &PulsarTopic, offset: Offset) -> Option<Position> {
        let index = u64::try_from(offset.value()).ok()?;
        self.topics.get(topic)?.entries.iter().find_map(|(position, known)| {
            let last = known.last_index?;
            let first = last.checked_add(1)?.checked_sub(u64::from(known.messages))?;
            (first..=last).contains(&index).then_some(*position)
        })
    }

    /// What was known is wrong: the topic was deleted, and perhaps made again.
    pub fn forget(&mut self, topic: &PulsarTopic) {
        self.topics.remove(topic);
    }
}

impl Topic {
    fn observe(&mut self, position: Position, known: Known) {
        let entry = self.entries.entry(position).or_insert(known);
        entry.last_index = entry.last_index.or(known.last_index);
        if entry.last_index.is_none() {
            let inferred = self.infer(position, known.messages);
            if let Some(entry) = self.entries.get_mut(&position) {
                entry.last_index = inferred;
            }
        }
        self.spread(position);
        while self.entries.len() > MAX_ENTRIES {
            self.entries.pop_first();
        }
    }

    /// The index of an entry, from either neighbour.
    fn infer(&self, position: Position, messages: u32) -> Option<u64> {
        let before = position.previous().and_then(|previous| self.entries.get(&previous)?.last_index);
        if let Some(before) = before {
            return before.checked_add(u64::from(messages));
        }
        let next = self.entries.get(&position.next()?)?;
        next.last_index?.checked_sub(u64::from(next.messages))
    }

    /// Tells the neighbours, and theirs, what now follows.
    fn spread(&mut self, from: Position) {
        let step_up = |position: Position| position.next();
        let step_down = |position: Position| position.previous();
        for step in [step_up as fn(Position) -> Option<Position>, step_down] {
            let mut at = from;
            while let Some(next) = step(at)
                && let Some(known) = self.entries.get(&next).copied()
                && known.last_index.is_none()
                && let Some(index) = self.infer(next, known.messages)
            {
                if let Some(entry) = self.entries.get_mut(&next) {
                    entry.last_index = Some(index);
                }
                at = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn topic() -> PulsarTopic {
        PulsarTopic::internal(&Config::default(), "t")
    }

    fn at(entry: u64) -> Position {
        Position { ledger: 5, entry }
    }

    #[test]
    fn an_entry_that_follows_a_known_one_has_a_known_offset() {
        let mut entries = KnownEntries::default();
        entries.observe(&topic(), at(0), 3, Some(2));
        entries.observe(&topic(), at(1), 2, None);
        assert_eq!(entries.first_offset(&topic(), at(1)), Offset::new(3));
        assert_eq!(entries.end_offset(&topic(), at(1)), Offset::new(5));
    }

    #[test]
    fn over_a_gap_nothing_is_inferred() {
        let mut entries = KnownEntries::default();
        entries.observe(&topic(), at(0), 3, Some(2));
        entries.observe(&topic(), at(2), 2, None);
        assert_eq!(entries.first_offset(&topic(), at(2)), None);
    }

    #[test]
    fn one_entry_read_back_settles_its_whole_run() {
        let mut entries = KnownEntries::default();
        for entry in [4, 5, 7, 6] {
            entries.observe(&topic(), at(entry), 10, None);
        }
        entries.observe(&topic(), at(6), 10, Some(99));
        assert_eq!(entries.first_offset(&topic(), at(4)), Offset::new(70));
        assert_eq!(entries.first_offset(&topic(), at(7)), Offset::new(100));
    }

    #[test]
    fn an_offset_is_found_in_the_entry_that_holds_it() {
        let mut entries = KnownEntries::default();
        entries.observe(&topic(), at(0), 3, Some(2));
        entries.observe(&topic(), at(1), 3, None);
        assert_eq!(entries.locate(&topic(), Offset::new(4).unwrap()), Some(at(1)));
        assert_eq!(entries.locate(&topic(), Offset::new(6).unwrap()), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut entries = KnownEntries::default();
        for entry in 0..2 * MAX_ENTRIES as u64 {
            entries.observe(&topic(), at(entry), 1, Some(entry));
        }
        assert_eq!(entries.topics[&topic()].entries.len(), MAX_ENTRIES);
    }
}
