//! Finds an entry by bisection over a partition's ledgers, reading one entry a step.

use super::peek::Peek;
use super::stats::{AskStats, InternalStats};
use super::{OffsetError, base_offset};
use crate::ids::{Offset, Position};
use crate::records::{Entry, ReadOptions, times};
use crate::session::inboxes::Message;
use crate::session::io::Io;
use crate::topics::name::PulsarTopic;

/// What the entry looked for is the first to reach. Both grow along a partition; timestamps only as far as producers' clocks do,
/// and where they do not, the answer is one of several right ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Its last offset is at least this.
    Offset(Offset),
    /// Among its records from an offset on, the greatest timestamp is at least `at`, in milliseconds.
    Timestamp {
        /// Records below it do not count.
        least: Offset,
        /// In milliseconds.
        at: i64,
    },
}

/// ```text
/// AskingStats ──▶ Probing ──▶ Probing … ──▶ done
/// ```
#[derive(Debug)]
pub struct Search {
    topic: PulsarTopic,
    key: Key,
    /// Nothing behind this entry is looked at: it is the last that readers may see.
    last: Position,
    state: State,
}

#[derive(Debug)]
enum State {
    AskingStats(AskStats),
    Probing { ledgers: Vec<(u64, u64)>, low: u64, high: u64, middle: u64, peek: Peek, best: Option<Message> },
}

impl Search {
    /// Looks for `key` among the entries up to `last`.
    pub fn new(topic: &PulsarTopic, key: Key, last: Position, io: &mut Io<'_>) -> Self {
        Self { topic: topic.clone(), key, last, state: State::AskingStats(AskStats::new(topic, io)) }
    }

    /// The first entry that reaches the key, `None` inside if none does.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Option<Message>, OffsetError>> {
        loop {
            match &mut self.state {
                State::AskingStats(stats) => {
                    let ledgers = match stats.poll(io)? {
                        Ok(stats) => up_to(&stats, self.last),
                        Err(error) => return Some(Err(OffsetError::Admin(error))),
                    };
                    let entries = ledgers.iter().fold(0u64, |sum, (_, entries)| sum.saturating_add(*entries));
                    match self.probe(ledgers, 0, entries, None, io) {
                        Some(state) => self.state = state,
                        None => return Some(Ok(None)),
                    }
                }
                State::Probing { ledgers, low, high, middle, peek, best } => {
                    let message = match peek.poll(io)? {
                        Ok(message) => message,
                        Err(error) => return Some(Err(error.into())),
                    };
                    let reaches = match reaches(self.key, &message, io) {
                        Ok(reaches) => reaches,
                        Err(error) => return Some(Err(error)),
                    };
                    let (low, high) = if reaches { (*low, *middle) } else { (middle.saturating_add(1), *high) };
                    let best = if reaches { Some(message) } else { best.take() };
                    let ledgers = std::mem::take(ledgers);
                    match self.probe(ledgers, low, high, best.clone(), io) {
                        Some(state) => self.state = state,
                        None => return Some(Ok(best)),
                    }
                }
            }
        }
    }

    fn probe(
        &self,
        ledgers: Vec<(u64, u64)>,
        low: u64,
        high: u64,
        best: Option<Message>,
        io: &mut Io<'_>,
    ) -> Option<State> {
        if low >= high {
            return None;
        }
        let middle = low.midpoint(high);
        let position = nth(&ledgers, middle)?;
        let peek = Peek::new(&self.topic, position, io);
        Some(State::Probing { ledgers, low, high, middle, peek, best })
    }

    /// Closes what is open, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match &mut self.state {
            State::AskingStats(_) => {}
            State::Probing { peek, .. } => peek.abandon(io),
        }
    }
}

fn reaches(key: Key, message: &Message, io: &mut Io<'_>) -> Result<bool, OffsetError> {
    let entry = Entry::parse(&message.section)?;
    let base = base_offset(io.shared.config.offsets, message.position, &entry)?;
    Ok(match key {
        Key::Offset(wanted) => base.plus(entry.num_messages()) > wanted,
        Key::Timestamp { least, at } => {
            let options = ReadOptions { decompressed_max: io.shared.config.max_decompressed_bytes };
            let found = times::greatest(&entry, base.value(), least.value(), &options, &mut io.shared.scratch)?;
            found.is_some_and(|record| record.timestamp >= at)
        }
    })
}

/// The ledgers with their entries, cut behind `last`.
fn up_to(stats: &InternalStats, last: Position) -> Vec<(u64, u64)> {
    let mut ledgers: Vec<(u64, u64)> = stats.ledgers().into_iter().filter(|(id, _)| *id < last.ledger).collect();
    ledgers.push((last.ledger, last.entry.saturating_add(1)));
    ledgers
}

/// Position of the `n`-th entry over all ledgers.
fn nth(ledgers: &[(u64, u64)], n: u64) -> Option<Position> {
    let mut rest = n;
    for (ledger, entries) in ledgers {
        if rest < *entries {
            return Some(Position { ledger: *ledger, entry: rest });
        }
        rest = rest.saturating_sub(*entries);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_over_ledgers() {
        let ledgers = [(5, 3), (9, 2)];
        assert_eq!(nth(&ledgers, 2), Some(Position { ledger: 5, entry: 2 }));
        assert_eq!(nth(&ledgers, 3), Some(Position { ledger: 9, entry: 0 }));
        assert_eq!(nth(&ledgers, 5), None);
    }
}
