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
/// Subscribing ──▶ AskingLast ──entry, offset known──────────────▶ done
///                     ├──entry, offset unknown──▶ ReadingLast ──▶ done
///                     └──none, index mode──▶ AskingStats ───────▶ done
/// ```
#[derive(Debug)]
pub struct FindEnd {
    topic: PulsarTopic,
    state: State,
}

#[derive(Debug)]
enum State {
    Subscribing(ConsumerId, RequestId),
    AskingLast(ConsumerId, RequestId, Owner),
    ReadingLast(Position, Peek),
    AskingStats(AskStats),
}

/// Whether the reader that carries the question is closed afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Us,
    Caller,
}

impl FindEnd {
    /// Asks through a reader of its own.
    pub fn new(topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        let (consumer, request) = open_reader(topic, Position::LATEST, io);
        Self { topic: topic.clone(), state: State::Subscribing(consumer, request) }
    }

    /// Asks through a reader that is open already and stays so.
    pub fn through(consumer: ConsumerId, topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        Self { topic: topic.clone(), state: Self::ask_last(consumer, Owner::Caller, io) }
    }

    fn ask_last(consumer: ConsumerId, owner: Owner, io: &mut Io<'_>) -> State {
        let request = io.pulsar.ask(io.now.instant, |id| command::get_last_message_id(consumer.0, id));
        State::AskingLast(consumer, request, owner)
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
                    self.state = Self::ask_last(consumer, Owner::Us, io);
                }
                State::AskingLast(consumer, request, owner) => {
                    let reply = io.pulsar.take(*request)?;
                    if *owner == Owner::Us {
                        io.pulsar.close_consumer(*consumer, io.now.instant);
                    }
                    match self.after_last(reply, io) {
                        Ok(Next::Done(end)) => return Some(Ok(end)),
                        Ok(Next::State(state)) => self.state = state,
                        Err(error) => return Some(Err(error)),
                    }
                }
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

    fn after_last(&self, reply: Result<Reply, PulsarError>, io: &mut Io<'_>) -> Result<Next, OffsetError> {
        let Reply::LastMessage { last, mark_delete } = reply? else {
            return Err(PulsarError::Malformed("another answer to GET_LAST_MESSAGE_ID").into());
        };
        match (io.shared.config.offsets, last) {
            (OffsetMode::MessageId, Some((position, messages))) => {
                Ok(Next::Done(End { offset: message_id::after(position, messages)?, last: Some(position) }))
            }
            (OffsetMode::MessageId, None) => {
                // The next entry will not come before this one, wherever the ledger ends.
                let offset = match mark_delete {
                    Some((ledger, None)) => message_id::encode(Position { ledger, entry: 0 }, 0)?,
                    Some((ledger, Some(entry))) => {
                        message_id::encode(Position { ledger, entry: entry.saturating_add(1) }, 0)?
                    }
                    None => Offset::ZERO,
                };
                Ok(Next::Done(End { offset, last: None }))
            }
            (OffsetMode::Index, Some((position, _))) => Ok(match io.shared.entries.end_offset(&self.topic, position) {
                Some(offset) => Next::Done(End { offset, last: Some(position) }),
                None => Next::State(State::ReadingLast(position, Peek::new(&self.topic, position, io))),
            }),
            (OffsetMode::Index, None) => Ok(Next::State(State::AskingStats(AskStats::new(&self.topic, io)))),
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
            State::Subscribing(consumer, _) | State::AskingLast(consumer, _, Owner::Us) => {
                io.pulsar.close_consumer(*consumer, io.now.instant);
            }
            State::ReadingLast(_, peek) => peek.abandon(io),
            State::AskingLast(_, _, Owner::Caller) | State::AskingStats(_) => {}
        }
    }
}

enum Next {
    Done(End),
    State(State),
}
