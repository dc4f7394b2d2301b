//! A topic's managed ledger: ledgers in order, entries in each, what has been trimmed, the index.

use std::collections::BTreeMap;

use isthmus::pulsar::proto::MessageIdData;

use super::entry::Entry;

/// A place in a log. Signed, as the broker compares them: entry -1 is before a ledger's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Ledger id.
    pub ledger: i64,
    /// Entry id.
    pub entry: i64,
}

impl Position {
    /// Before everything; also what stands for "no message" in answers.
    pub const EARLIEST: Self = Self { ledger: -1, entry: -1 };

    /// As it came over the wire.
    pub fn from_wire(id: &MessageIdData) -> Self {
        Self { ledger: id.ledger_id.cast_signed(), entry: id.entry_id.cast_signed() }
    }

    /// As it goes over the wire; `partition` is -1 for a topic that is none.
    pub fn to_wire(self, partition: Option<i32>, batch_index: Option<i32>) -> MessageIdData {
        MessageIdData {
            ledger_id: self.ledger.cast_unsigned(),
            entry_id: self.entry.cast_unsigned(),
            partition,
            batch_index,
            ..MessageIdData::default()
        }
    }
}

/// The ledgers of one topic. A trimmed ledger is gone; ids only grow.
#[derive(Debug)]
pub struct Log {
    ledgers: BTreeMap<i64, Vec<Entry>>,
    last_confirmed: Position,
    last_index: Option<u64>,
    /// `properties.index` of internalStats: as of the last change of ledgers.
    recorded_index: Option<u64>,
}

impl Log {
    pub(super) fn new(ledger: i64) -> Self {
        Self {
            ledgers: BTreeMap::from([(ledger, Vec::new())]),
            last_confirmed: Position { ledger, entry: -1 },
            last_index: None,
            recorded_index: None,
        }
    }

    pub(super) fn append(&mut self, entry: Entry) -> Position {
        let (ledger, entries) = self.ledgers.iter_mut().next_back().expect("a log always has a current ledger");
        self.last_index = entry.index.or(self.last_index);
        entries.push(entry);
        self.last_confirmed = Position { ledger: *ledger, entry: as_id(entries.len()) - 1 };
        self.last_confirmed
    }

    /// The index that `messages` more would end at.
    pub(super) fn next_index(&self, messages: u64) -> u64 {
        self.last_index.map_or(messages.saturating_sub(1), |last| last + messages)
    }

    /// Closes the current ledger and opens `ledger`.
    pub(super) fn roll(&mut self, ledger: i64) {
        self.ledgers.insert(ledger, Vec::new());
        self.recorded_index = self.last_index;
    }

    /// What a reload finds: a new ledger, and the last entry that is still there; none makes the new ledger's start the end.
    pub(super) fn reload(&mut self, ledger: i64) {
        self.ledgers.retain(|_, entries| !entries.is_empty());
        self.roll(ledger);
        let last = self.ledgers.iter().rev().find(|(_, entries)| !entries.is_empty());
        self.last_confirmed = match last {
            Some((ledger, entries)) => Position { ledger: *ledger, entry: as_id(entries.len()) - 1 },
            None => Position { ledger, entry: -1 },
        };
    }

    /// Deletes the `count` oldest ledgers, but never the current one.
    pub(super) fn trim(&mut self, count: usize) {
        for _ in 0..count.min(self.ledgers.len() - 1) {
            self.ledgers.pop_first();
        }
    }

    /// The oldest ledger that a cursor with this mark still reads from.
    pub(super) fn needed_behind(&self, mark: Position) -> i64 {
        let last = self.ledgers.last_key_value().map_or(mark.ledger, |(current, _)| *current);
        match self.ledgers.get(&mark.ledger) {
            Some(entries) if mark.ledger != last && as_id(entries.len()) == mark.entry + 1 => mark.ledger + 1,
            Some(_) | None => mark.ledger,
        }
    }

    /// Deletes the closed ledgers before `needed`, or all closed ones.
    pub(super) fn trim_before(&mut self, needed: Option<i64>) {
        let older = self.ledgers.keys().filter(|ledger| needed.is_none_or(|needed| **ledger < needed)).count();
        self.trim(older);
    }

    pub(super) fn current_ledger_entries(&self) -> usize {
        self.ledgers.last_key_value().map_or(0, |(_, entries)| entries.len())
    }

    /// The last entry ever written that the broker still knows of; it stays when its ledger is trimmed.
    pub fn last_confirmed(&self) -> Position {
        self.last_confirmed
    }

    /// The last index given out.
    pub fn last_index(&self) -> Option<u64> {
        self.last_index
    }

    /// What internalStats tells of the index.
    pub fn recorded_index(&self) -> Option<u64> {
        self.recorded_index
    }

    /// Before the first entry that can be read.
    pub fn before_first(&self) -> Position {
        let ledger = self.ledgers.first_key_value().map_or(-1, |(ledger, _)| *ledger);
        Position { ledger, entry: -1 }
    }

    /// The first entry behind `position`.
    pub fn after(&self, position: Position) -> Option<(Position, &Entry)> {
        self.ledgers.range(position.ledger..).find_map(|(ledger, entries)| {
            let from = if *ledger == position.ledger { position.entry.saturating_add(1).max(0) } else { 0 };
            let entry = entries.get(usize::try_from(from).ok()?)?;
            Some((Position { ledger: *ledger, entry: from }, entry))
        })
    }

    /// The entry at `position`.
    pub fn at(&self, position: Position) -> Option<&Entry> {
        self.ledgers.get(&position.ledger)?.get(usize::try_from(position.entry).ok()?)
    }

    /// Every entry that was not trimmed, in order.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (Position, &Entry)> {
        self.ledgers.iter().flat_map(|(ledger, entries)| {
            let place = |(at, entry)| (Position { ledger: *ledger, entry: as_id(at) }, entry);
            entries.iter().enumerate().map(place)
        })
    }

    /// Ledgers by id, oldest first, the last one open.
    pub fn ledgers(&self) -> impl ExactSizeIterator<Item = (i64, &[Entry])> {
        self.ledgers.iter().map(|(id, entries)| (*id, entries.as_slice()))
    }
}

fn as_id(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn entry(index: u64) -> Entry {
        Entry { section: Bytes::new(), index: Some(index), stored_at_ms: 0 }
    }

    fn position(ledger: i64, entry: i64) -> Position {
        Position { ledger, entry }
    }

    #[test]
    fn the_index_of_an_entry_is_that_of_its_last_message() {
        let mut log = Log::new(3);
        assert_eq!(log.next_index(3), 2);
        log.append(entry(2));
        assert_eq!(log.next_index(1), 3);
    }

    #[test]
    fn a_position_in_a_trimmed_ledger_leads_to_the_next_that_exists() {
        let mut log = Log::new(3);
        log.append(entry(0));
        log.roll(7);
        log.append(entry(1));
        assert_eq!(log.after(position(3, 0)).unwrap().0, position(7, 0));
        log.trim(1);
        assert_eq!(log.after(Position::EARLIEST).unwrap().0, position(7, 0));
        assert_eq!(log.after(position(3, -1)).unwrap().0, position(7, 0));
        assert!(log.after(position(7, 0)).is_none());
    }

    #[test]
    fn a_reload_of_a_topic_whose_data_was_all_trimmed_ends_at_the_new_ledger_and_keeps_its_index() {
        let mut log = Log::new(3);
        log.append(entry(4));
        log.roll(5);
        log.trim(9);
        assert_eq!(log.last_confirmed(), position(3, 0));
        log.reload(6);
        assert_eq!(log.last_confirmed(), position(6, -1));
        assert_eq!(log.recorded_index(), Some(4));
    }
}
