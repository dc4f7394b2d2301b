//! Where what Pulsar has of a partition begins: the offset of its first record.

use super::peek::{Peek, open_reader};
use super::tail::{End, FindEnd};
use super::{OffsetError, base_offset};
use crate::error::PulsarError;
use crate::ids::{ConsumerId, Offset, Position, RequestId};
use crate::pulsar::command;
use crate::records::Entry;
use crate::session::io::Io;
use crate::session::requests::Reply;
use crate::session::subscriptions::Start;
use crate::topics::name::PulsarTopic;

/// The beginning of a partition at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Log start offset. Compaction does not move it, as in Kafka; but what retention dropped and compaction kept counts.
    pub log_start: Offset,
    /// First offset of the ledgers themselves: what lies below is found in the compacted part alone.
    pub ledgers: Offset,
    /// The last entry that compaction leaves readers to see, if there is one.
    pub readable: Option<Position>,
}

/// ```text
/// Subscribing ──▶ AskingLast ──entry──▶ ReadingFirst ──the log's first──▶ done
///                     │                      └──another──┐
///                     └──none────────────────────────────┴──▶ FindingEnd ──entry──▶ ReadingLog ──▶ done
///                                                                └──none──▶ done: an empty log begins where it ends
/// ```
#[derive(Debug)]
pub struct FindFirst {
    topic: PulsarTopic,
    readable: Option<Position>,
    state: State,
}

#[derive(Debug)]
enum State {
    Subscribing(ConsumerId, RequestId),
    AskingLast(ConsumerId, RequestId),
    /// The position is where the log begins, if it was told.
    ReadingFirst(ConsumerId, Option<Position>),
    /// From here on the topic is known to be compacted, or empty. The offset is that of the first readable record.
    FindingEnd(Option<Offset>, FindEnd),
    ReadingLog(Option<Offset>, Peek),
}

impl FindFirst {
    /// Asks through a reader of its own.
    pub fn new(topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        let (consumer, request) = open_reader(topic, Start::compacted(Position::EARLIEST), io);
        Self { topic: topic.clone(), readable: None, state: State::Subscribing(consumer, request) }
    }

    /// The beginning; `None` while it is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Head, OffsetError>> {
        loop {
            match &mut self.state {
                State::Subscribing(consumer, request) => {
                    let consumer = *consumer;
                    if let Err(error) = io.pulsar.take(*request)? {
                        io.pulsar.close_consumer(consumer, io.now.instant);
                        return Some(Err(error.into()));
                    }
                    let request = io.pulsar.ask(io.now.instant, |id| command::get_last_message_id(consumer.0, id));
                    self.state = State::AskingLast(consumer, request);
                }
                State::AskingLast(consumer, request) => {
                    let consumer = *consumer;
                    match io.pulsar.take(*request)? {
                        Ok(Reply::LastMessage { last: Some((last, _)), mark_delete }) => {
                            io.pulsar.flow(consumer, 1);
                            self.readable = Some(last);
                            self.state = State::ReadingFirst(consumer, mark_delete.and_then(behind));
                        }
                        Ok(Reply::LastMessage { last: None, .. }) => {
                            io.pulsar.close_consumer(consumer, io.now.instant);
                            self.state = State::FindingEnd(None, FindEnd::new(&self.topic, io));
                        }
                        Ok(_) => {
                            return Some(Err(PulsarError::Malformed("another answer to GET_LAST_MESSAGE_ID").into()));
                        }
                        Err(error) => {
                            io.pulsar.close_consumer(consumer, io.now.instant);
                            return Some(Err(error.into()));
                        }
                    }
                }
                State::ReadingFirst(consumer, log_first) => {
                    let (consumer, log_first) = (*consumer, *log_first);
                    let message = match io.pulsar.take_message(consumer) {
                        Ok(None) => return None,
                        Ok(Some(message)) => Ok(message),
                        Err(error) => Err(error),
                    };
                    io.pulsar.close_consumer(consumer, io.now.instant);
                    let message = match message {
                        Ok(message) => message,
                        Err(error) => return Some(Err(error.into())),
                    };
                    let first = match self.offset_of(message.position, &message.section, io) {
                        Ok(first) if log_first == Some(message.position) => return Some(Ok(self.head(first, first))),
                        Ok(first) => Some(first),
                        // Lost by compaction, or never there: the log tells.
                        Err(OffsetError::NoIndex) => None,
                        Err(error) => return Some(Err(error)),
                    };
                    self.state = State::FindingEnd(first, FindEnd::new(&self.topic, io));
                }
                State::FindingEnd(first, end) => {
                    let first = *first;
                    match end.poll(io)? {
                        Ok(End { last: Some(_), .. }) => {
                            self.state = State::ReadingLog(first, Peek::new(&self.topic, Position::EARLIEST, io));
                        }
                        Ok(End { offset, last: None }) => {
                            return Some(Ok(self.head(first.map_or(offset, |first| first.min(offset)), offset)));
                        }
                        Err(error) => return Some(Err(error)),
                    }
                }
                State::ReadingLog(first, peek) => {
                    let first = *first;
                    let message = match peek.poll(io)? {
                        Ok(message) => message,
                        Err(error) => return Some(Err(error.into())),
                    };
                    let ledgers = self.offset_of(message.position, &message.section, io);
                    let log_start = |ledgers| first.map_or(ledgers, |first| first.min(ledgers));
                    return Some(ledgers.map(|ledgers| self.head(log_start(ledgers), ledgers)));
                }
            }
        }
    }

    fn head(&self, log_start: Offset, ledgers: Offset) -> Head {
        Head { log_start, ledgers, readable: self.readable }
    }

    fn offset_of(&self, position: Position, section: &[u8], io: &mut Io<'_>) -> Result<Offset, OffsetError> {
        let entry = Entry::parse(section)?;
        io.shared.entries.observe(&self.topic, position, entry.num_messages(), entry.index());
        base_offset(io.shared.config.offsets, position, &entry)
    }

    /// Closes what is open, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match &mut self.state {
            State::Subscribing(consumer, _) | State::AskingLast(consumer, _) | State::ReadingFirst(consumer, _) => {
                io.pulsar.close_consumer(*consumer, io.now.instant);
            }
            State::FindingEnd(_, end) => end.abandon(io),
            State::ReadingLog(_, peek) => peek.abandon(io),
        }
    }
}

/// The entry behind a mark: that of a reader which begins at the earliest stands before the first entry of the log.
fn behind((ledger, entry): (u64, Option<u64>)) -> Option<Position> {
    let entry = entry.map_or(Some(0), |entry| entry.checked_add(1))?;
    Some(Position { ledger, entry })
}
