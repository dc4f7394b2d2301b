//! Looks for a batch that the broker calls a duplicate among the last entries of its partition, by producer name and sequence.

use std::ops::Range;

use super::trail::{Finding, Trail};
use crate::ids::{ConsumerId, Position, RequestId};
use crate::offsets::peek::open_reader;
use crate::offsets::stats::{AskStats, InternalStats};
use crate::offsets::tail::FindEnd;
use crate::offsets::{OffsetError, base_offset};
use crate::records::Entry;
use crate::session::inboxes::Message;
use crate::session::io::Io;
use crate::topics::name::PulsarTopic;

/// Entries on their way at once; together with the largest entry, the bound of what a read-back holds.
const WINDOW_ENTRIES: u32 = 4;

/// The last ledger is looked through first: that decides most cases. Where it does not, and more entries may be read than it has,
/// the search begins again as far back as it may.
///
/// ```text
/// FindingEnd ──empty──▶ OutOfReach
///     └──▶ Reading ──decided──▶ done
///             ▲  └──undecided, first pass──▶ AskingStats
///             └──────────further back────────────┘
/// ```
#[derive(Debug)]
pub struct Readback {
    topic: PulsarTopic,
    producer_name: String,
    batch: Range<u64>,
    state: State,
}

#[derive(Debug)]
enum State {
    FindingEnd(FindEnd),
    AskingStats(AskStats, Position),
    Reading {
        consumer: ConsumerId,
        /// SUBSCRIBE that is not answered yet.
        subscribing: Option<RequestId>,
        pass: Pass,
    },
}

/// One time through the log, up to the entry that was the last when the search began.
#[derive(Debug)]
struct Pass {
    last: Position,
    trail: Trail,
    /// Entries that may still be read.
    left: u32,
    /// Whether another pass may find more.
    further_back: bool,
}

impl Readback {
    /// Looks for the batch whose records `producer_name` sent with the sequences `batch`.
    pub fn new(topic: &PulsarTopic, producer_name: &str, batch: Range<u64>, io: &mut Io<'_>) -> Self {
        let state = State::FindingEnd(FindEnd::new(topic, io));
        Self { topic: topic.clone(), producer_name: producer_name.to_owned(), batch, state }
    }

    /// What was found; `None` while it is looked for.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Finding, OffsetError>> {
        let bound = io.shared.config.idempotence_readback_entries;
        loop {
            match &mut self.state {
                State::FindingEnd(find) => {
                    let last = match find.poll(io)? {
                        Ok(end) => end.last.filter(|_| bound > 0),
                        Err(error) => return Some(Err(error)),
                    };
                    let Some(last) = last else { return Some(Ok(Finding::OutOfReach)) };
                    let entries = last.entry.saturating_add(1);
                    let start = Position { entry: entries.saturating_sub(bound.into()), ..last };
                    let trail = Trail::new(self.batch.clone(), false);
                    let further_back = entries < u64::from(bound);
                    self.read(start, Pass { last, trail, left: bound, further_back }, io);
                }
                State::AskingStats(stats, last) => {
                    let (last, stats) = (*last, stats.poll(io)?);
                    // Without the admin REST, a log that is no longer than the bound can still be read from its start.
                    let (start, from_log_start) =
                        stats.map_or((Position::EARLIEST, true), |stats| back_from(&stats, last, bound.into()));
                    let trail = Trail::new(self.batch.clone(), from_log_start);
                    self.read(start, Pass { last, trail, left: bound, further_back: false }, io);
                }
                State::Reading { consumer, subscribing, pass } => {
                    let consumer = *consumer;
                    if let Some(request) = *subscribing {
                        if let Err(error) = io.pulsar.take(request)? {
                            return Some(self.end(Err(error.into()), io));
                        }
                        *subscribing = None;
                        io.pulsar.flow(consumer, WINDOW_ENTRIES);
                    }
                    let message = match io.pulsar.take_message(consumer) {
                        Ok(None) => return None,
                        Ok(Some(message)) => message,
                        Err(error) => return Some(self.end(Err(error.into()), io)),
                    };
                    match pass.look_at(&message, &self.producer_name, io) {
                        Err(error) => return Some(self.end(Err(error), io)),
                        Ok(Seen::Entry { messages }) => io.pulsar.flow(consumer, messages.max(1)),
                        Ok(Seen::Enough(Finding::OutOfReach)) if pass.further_back => {
                            let stats = AskStats::new(&self.topic, io);
                            let last = pass.last;
                            self.abandon(io);
                            self.state = State::AskingStats(stats, last);
                        }
                        Ok(Seen::Enough(finding)) => return Some(self.end(Ok(finding), io)),
                    }
                }
            }
        }
    }

    fn read(&mut self, start: Position, pass: Pass, io: &mut Io<'_>) {
        let (consumer, request) = open_reader(&self.topic, start, io);
        self.state = State::Reading { consumer, subscribing: Some(request), pass };
    }

    fn end(&mut self, result: Result<Finding, OffsetError>, io: &mut Io<'_>) -> Result<Finding, OffsetError> {
        self.abandon(io);
        result
    }

    /// Closes what is open, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match &mut self.state {
            State::FindingEnd(find) => find.abandon(io),
            State::AskingStats(..) => {}
            State::Reading { consumer, .. } => io.pulsar.close_consumer(*consumer, io.now.instant),
        }
    }
}

enum Seen {
    /// An entry of so many messages, which decides nothing.
    Entry {
        messages: u32,
    },
    Enough(Finding),
}

impl Pass {
    fn look_at(&mut self, message: &Message, producer_name: &str, io: &Io<'_>) -> Result<Seen, OffsetError> {
        let entry = Entry::parse(&message.section)?;
        self.left = self.left.saturating_sub(1);
        if entry.producer_name() == producer_name.as_bytes() {
            let offset = base_offset(io.shared.config.offsets, message.position, &entry)?;
            if let Some(finding) = self.trail.see(entry.sequence_id(), entry.highest_sequence_id(), offset) {
                return Ok(Seen::Enough(finding));
            }
        }
        Ok(if message.position >= self.last {
            Seen::Enough(self.trail.at_end())
        } else if self.left == 0 {
            Seen::Enough(Finding::OutOfReach)
        } else {
            Seen::Entry { messages: entry.num_messages() }
        })
    }
}

/// Where to begin in order to read the `bound` entries up to `last`, and whether that is the start of the log.
fn back_from(stats: &InternalStats, last: Position, bound: u64) -> (Position, bool) {
    let mut left = bound.saturating_sub(last.entry.saturating_add(1));
    for (ledger, entries) in stats.ledgers().into_iter().rev().filter(|(ledger, _)| *ledger < last.ledger) {
        if entries > left {
            return (Position { ledger, entry: entries.saturating_sub(left) }, false);
        }
        left = left.saturating_sub(entries);
    }
    (Position::EARLIEST, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(bound: u64) -> (Position, bool) {
        let stats: InternalStats = serde_json::from_str(
            r#"{"lastConfirmedEntry":"9:4","ledgers":[{"ledgerId":5,"entries":3},{"ledgerId":7,"entries":4},{"ledgerId":9}]}"#,
        )
        .unwrap();
        back_from(&stats, Position { ledger: 9, entry: 4 }, bound)
    }

    #[test]
    fn the_bound_reaches_over_ledgers() {
        assert_eq!(back(7), (Position { ledger: 7, entry: 2 }, false));
        assert_eq!(
            back(9),
            (Position { ledger: 5, entry: 3 }, false),
            "behind its last entry: the next ledger's first"
        );
        assert_eq!(back(11), (Position { ledger: 5, entry: 1 }, false));
    }

    #[test]
    fn a_log_within_the_bound_is_read_from_its_start() {
        assert_eq!(back(12), (Position::EARLIEST, true));
        assert_eq!(back(1000), (Position::EARLIEST, true));
    }
}
