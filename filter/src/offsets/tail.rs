//! Where a partition ends: the offset of its last visible record, plus one.

use super::peek::{Peek, open_reader};
use super::stats::AskStats;
use super::{OffsetError, base_offset, message_id};
use crate::config::OffsetMode;
use crate::error::{AdminError, PulsarError};
use crate::ids::{ConsumerId, Offset, Position, RequestId};
use crate::pulsar::command;
use crate::records::Entry;
use crate::session::io::Io;
use crate::session::requests::Reply;
use crate::topics::name::PulsarTopic;

/// The end of a partition at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// High watermark.
    pub offset: Offset,
    /// The last entry, if there is one to read.
    pub last: Option<Position>,
}

/// ```text
/// Subscribing ──▶ AskingLast ──entry, offset known──────────────▶ Found
///                     ├──entry, offset unknown──▶ ReadingLast ──▶ done
///                     └──none, index mode──▶ AskingStats ───────▶ done
/// ```
/// It asks of the log as it is: what compaction took out counts.
#[derive(Debug)]
pub struct FindEnd {
    topic: PulsarTopic,
    state: State,
}

#[derive(Debug)]
enum State {
    Subscribing(ConsumerId, RequestId),
    AskingLast(ConsumerId, RequestId),
    ReadingLast(Position, Peek),
    AskingStats(AskStats),
    Found(End),
}

impl FindEnd {
    /// Asks through a reader of its own.
    pub fn new(topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        let (consumer, request) = open_reader(topic, Position::LATEST, io);
        Self { topic: topic.clone(), state: State::Subscribing(consumer, request) }
    }

    /// Looks for the end of the entry at `position`, which is known to hold `messages`.
    pub fn behind(
        topic: &PulsarTopic,
        position: Position,
        messages: u32,
        io: &mut Io<'_>,
    ) -> Result<Self, OffsetError> {
        let end = match io.shared.config.offsets {
            OffsetMode::MessageId => Some(message_id::after(position, messages)?),
            OffsetMode::Index => io.shared.entries.end_offset(topic, position),
        };
        let state = match end {
            Some(offset) => State::Found(End { offset, last: Some(position) }),
            None => State::ReadingLast(position, Peek::new(topic, position, io)),
        };
        Ok(Self { topic: topic.clone(), state })
    }

    /// The end; `None` while it is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<End, OffsetError>> {
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
                    let reply = io.pulsar.take(*request)?;
                    io.pulsar.close_consumer(*consumer, io.now.instant);
                    match self.after_last(reply, io) {
                        Ok(state) => self.state = state,
                        Err(error) => return Some(Err(error)),
                    }
                }
                State::Found(end) => return Some(Ok(*end)),
                State::ReadingLast(position, peek) => {
                    let position = *position;
                    return Some(match peek.poll(io)? {
                        Ok(message) => self.end_of(position, message.position, &message.section, io),
                        Err(error) => Err(error.into()),
                    });
                }
                State::AskingStats(stats) => {
                    return Some(match stats.poll(io)? {
                        Ok(stats) => {
                            let next = stats.last_index().and_then(|index| index.checked_add(1)).unwrap_or(0);
                            let offset = i64::try_from(next).ok().and_then(Offset::new).ok_or(OffsetError::NoIndex);
                            offset.map(|offset| End { offset, last: None })
                        }
                        Err(AdminError::NotConfigured) => {
                            io.shared.log.warn(format!(
                                "{}: empty, and without admin_cluster its offsets are taken to start at 0",
                                self.topic
                            ));
                            Ok(End { offset: Offset::ZERO, last: None })
                        }
                        Err(error) => Err(OffsetError::Admin(error)),
                    });
                }
            }
        }
    }

    fn after_last(&self, reply: Result<Reply, PulsarError>, io: &mut Io<'_>) -> Result<State, OffsetError> {
        let Reply::LastMessage { last, mark_delete } = reply? else {
            return Err(PulsarError::Malformed("another answer to GET_LAST_MESSAGE_ID").into());
        };
        match (io.shared.config.offsets, last) {
            (_, Some((position, messages))) => Ok(Self::behind(&self.topic, position, messages, io)?.state),
            (OffsetMode::MessageId, None) => {
                // The next entry will not come before this one, wherever the ledger ends.
                let offset = match mark_delete {
                    Some((ledger, None)) => message_id::encode(Position { ledger, entry: 0 }, 0)?,
                    Some((ledger, Some(entry))) => {
                        message_id::encode(Position { ledger, entry: entry.saturating_add(1) }, 0)?
                    }
                    None => Offset::ZERO,
                };
                Ok(State::Found(End { offset, last: None }))
            }
            (OffsetMode::Index, None) => Ok(State::AskingStats(AskStats::new(&self.topic, io))),
        }
    }

    fn end_of(&self, wanted: Position, found: Position, section: &[u8], io: &mut Io<'_>) -> Result<End, OffsetError> {
        if wanted != found {
            // Trimmed in between; the caller's client asks again.
            return Err(PulsarError::Closed.into());
        }
        let entry = Entry::parse(section)?;
        let base = base_offset(OffsetMode::Index, found, &entry)?;
        io.shared.entries.observe(&self.topic, found, entry.num_messages(), entry.index());
        Ok(End { offset: base.plus(entry.num_messages()), last: Some(found) })
    }

    /// Closes what is open, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match &mut self.state {
            State::Subscribing(consumer, _) | State::AskingLast(consumer, _) => {
                io.pulsar.close_consumer(*consumer, io.now.instant);
            }
            State::ReadingLast(_, peek) => peek.abandon(io),
            State::AskingStats(_) | State::Found(_) => {}
        }
    }
}
