//! Where a partition begins: the offset of its first readable record.

use super::peek::open_reader;
use super::tail::{End, FindEnd};
use super::{OffsetError, base_offset};
use crate::error::PulsarError;
use crate::ids::{ConsumerId, Offset, Position, RequestId};
use crate::pulsar::command;
use crate::records::Entry;
use crate::session::io::Io;
use crate::session::requests::Reply;
use crate::topics::name::PulsarTopic;

/// ```text
/// Subscribing ──▶ AskingLast ──entry──▶ ReadingFirst ──▶ done
///                     └──none──▶ FindingEnd: an empty partition begins where it ends
/// ```
#[derive(Debug)]
pub struct FindStart {
    topic: PulsarTopic,
    state: State,
}

#[derive(Debug)]
enum State {
    Subscribing(ConsumerId, RequestId),
    AskingLast(ConsumerId, RequestId),
    ReadingFirst(ConsumerId),
    FindingEnd(FindEnd),
}

impl FindStart {
    /// Asks through a reader of its own.
    pub fn new(topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        let (consumer, request) = open_reader(topic, Position::EARLIEST, io);
        Self { topic: topic.clone(), state: State::Subscribing(consumer, request) }
    }

    /// Log start offset; `None` while it is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Offset, OffsetError>> {
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
                        Ok(Reply::LastMessage { last: Some(_), .. }) => {
                            io.pulsar.flow(consumer, 1);
                            self.state = State::ReadingFirst(consumer);
                        }
                        Ok(Reply::LastMessage { last: None, .. }) => {
                            io.pulsar.close_consumer(consumer, io.now.instant);
                            self.state = State::FindingEnd(FindEnd::new(&self.topic, io));
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
                State::ReadingFirst(consumer) => {
                    let consumer = *consumer;
                    let message = match io.pulsar.take_message(consumer) {
                        Ok(None) => return None,
                        Ok(Some(message)) => Ok(message),
                        Err(error) => Err(error),
                    };
                    io.pulsar.close_consumer(consumer, io.now.instant);
                    return Some(message.map_err(OffsetError::from).and_then(|message| {
                        let entry = Entry::parse(&message.section)?;
                        io.shared.entries.observe(&self.topic, message.position, entry.num_messages(), entry.index());
                        base_offset(io.shared.config.offsets, message.position, &entry)
                    }));
                }
                State::FindingEnd(end) => match end.poll(io)? {
                    // A record came in between: the partition begins with it, not behind it.
                    Ok(End { last: Some(_), .. }) => *self = Self::new(&self.topic, io),
                    Ok(End { offset, last: None }) => return Some(Ok(offset)),
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }

    /// Closes what is open, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match &mut self.state {
            State::Subscribing(consumer, _) | State::AskingLast(consumer, _) | State::ReadingFirst(consumer) => {
                io.pulsar.close_consumer(*consumer, io.now.instant);
            }
            State::FindingEnd(end) => end.abandon(io),
        }
    }
}
