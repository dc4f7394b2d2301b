//! Reads one entry, through a reader of its own that is gone afterwards.

use crate::error::PulsarError;
use crate::ids::{ConsumerId, Position, RequestId};
use crate::session::inboxes::Message;
use crate::session::io::Io;
use crate::session::requests::Reply;
use crate::session::subscriptions::Start;
use crate::topics::name::PulsarTopic;

/// ```text
/// Subscribing ──SUCCESS, FLOW(1)──▶ Reading ──MESSAGE──▶ done
/// ```
/// The entry must exist: at the end of a topic nothing would come, and the deadline would end it.
#[derive(Debug)]
pub enum Peek {
    /// SUBSCRIBE is sent.
    Subscribing(ConsumerId, RequestId),
    /// One permit is given.
    Reading(ConsumerId),
}

impl Peek {
    /// Reads the first entry at or behind `start`.
    pub fn new(topic: &PulsarTopic, start: Position, io: &mut Io<'_>) -> Self {
        let (consumer, request) = open_reader(topic, start, io);
        Self::Subscribing(consumer, request)
    }

    /// The entry; `None` while it is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Message, PulsarError>> {
        if let Self::Subscribing(consumer, request) = *self {
            match io.pulsar.take(request)? {
                Ok(Reply::Success) => io.pulsar.flow(consumer, 1),
                Ok(_) => return Some(Err(PulsarError::Malformed("another answer to SUBSCRIBE"))),
                Err(error) => return Some(self.end(Err(error), io)),
            }
            *self = Self::Reading(consumer);
        }
        let consumer = self.consumer();
        match io.pulsar.take_message(consumer) {
            Ok(None) => None,
            Ok(Some(message)) => Some(self.end(Ok(message), io)),
            Err(error) => Some(self.end(Err(error), io)),
        }
    }

    /// Closes the reader, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        io.pulsar.close_consumer(self.consumer(), io.now.instant);
    }

    fn consumer(&self) -> ConsumerId {
        match self {
            Self::Subscribing(consumer, _) | Self::Reading(consumer) => *consumer,
        }
    }

    fn end(&mut self, result: Result<Message, PulsarError>, io: &mut Io<'_>) -> Result<Message, PulsarError> {
        self.abandon(io);
        result
    }
}

/// A short-lived reader: closed by its deadline if nobody closes it before.
pub fn open_reader(topic: &PulsarTopic, start: impl Into<Start>, io: &mut Io<'_>) -> (ConsumerId, RequestId) {
    let unique = io.shared.random.next_u64();
    let expires = io.now.instant + std::time::Duration::from_millis(io.shared.config.request_timeout_ms.into());
    io.pulsar.subscribe(topic.as_str(), start.into(), &io.client.id, Some(expires), unique, io.now.instant)
}
