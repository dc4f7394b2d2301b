//! Entries that the broker sent and nobody has taken yet, by consumer.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::wake::Waker;
use crate::error::PulsarError;
use crate::ids::{ConsumerId, Position, RequestId};
use crate::time::Instant;

/// Bound of entries that lie in one consumer's inbox: what a peek or a reader allowed the broker to send, and a little more.
const MAX_INBOX_ENTRIES: usize = 4096;

/// One MESSAGE.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where the entry lies.
    pub position: Position,
    /// What follows the command: broker entry metadata, checksum, metadata, payload.
    pub section: Bytes,
}

#[derive(Debug, Default)]
struct Inbox {
    messages: VecDeque<Message>,
    ended: bool,
    /// SUBSCRIBE, which may still wait for a lookup.
    request: Option<RequestId>,
    /// Peeks are short: one that outlives this is closed, whoever forgot it.
    expires: Option<Instant>,
    /// Who reads.
    reader: Option<Waker>,
}

impl Inbox {
    fn end(&mut self) {
        self.ended = true;
        self.reader.iter().for_each(Waker::wake);
    }
}

/// What a consumer that was closed here leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its SUBSCRIBE: the answer is of no interest any more.
    pub request: Option<RequestId>,
    /// Whether the broker may still have it.
    pub open: bool,
}

/// The inboxes of one connection.
#[derive(Debug, Default)]
pub struct Inboxes {
    by_consumer: BTreeMap<ConsumerId, Inbox>,
    /// No consumer is overdue before it.
    not_before: Option<Instant>,
}

impl Inboxes {
    /// A new consumer, closed at `expires` at the latest.
    pub fn open(&mut self, consumer: ConsumerId, expires: Option<Instant>, reader: Option<Waker>) {
        self.by_consumer.insert(consumer, Inbox { expires, reader, ..Inbox::default() });
        self.not_before = self.not_before.into_iter().chain(expires).min();
    }

    /// The SUBSCRIBE that opens it.
    pub fn opened_by(&mut self, consumer: ConsumerId, request: RequestId) {
        if let Some(inbox) = self.by_consumer.get_mut(&consumer) {
            inbox.request = Some(request);
        }
    }

    /// MESSAGE came.
    pub fn put(&mut self, consumer: ConsumerId, message: Message) {
        let Some(inbox) = self.by_consumer.get_mut(&consumer) else { return };
        if inbox.messages.len() < MAX_INBOX_ENTRIES {
            inbox.messages.push_back(message);
            inbox.reader.iter().for_each(Waker::wake);
        } else {
            // More than was permitted: the reader starts over rather than skip an entry.
            inbox.end();
        }
    }

    /// The next entry: `Ok(None)` while none is there, an error when none will come.
    pub fn take(&mut self, consumer: ConsumerId) -> Result<Option<Message>, PulsarError> {
        let inbox = self.by_consumer.get_mut(&consumer).ok_or(PulsarError::Closed)?;
        match inbox.messages.pop_front() {
            Some(message) => Ok(Some(message)),
            None if inbox.ended => Err(PulsarError::Closed),
            None => Ok(None),
        }
    }

    /// The broker closed the consumer: what it sent before can still be taken.
    pub fn end(&mut self, consumer: ConsumerId) {
        if let Some(inbox) = self.by_consumer.get_mut(&consumer) {
            inbox.end();
        }
    }

    /// The connection is gone, and every consumer with it.
    pub fn end_all(&mut self) {
        self.by_consumer.values_mut().for_each(Inbox::end);
    }

    /// Drops a consumer and what it still had.
    pub fn close(&mut self, consumer: ConsumerId) -> Option<Left> {
        let inbox = self.by_consumer.remove(&consumer)?;
        if self.by_consumer.is_empty() {
            self.not_before = None;
        }
        // Whoever still waits for an entry is told that none will come.
        inbox.reader.iter().for_each(Waker::wake);
        Some(Left { request: inbox.request, open: !inbox.ended })
    }

    /// Consumers that outlived their time, to be closed.
    pub fn overdue(&mut self, now: Instant) -> Vec<ConsumerId> {
        if self.not_before.is_none_or(|due| due > now) {
            return Vec::new();
        }
        let expiring = self.by_consumer.iter().filter_map(|(id, inbox)| Some((*id, inbox.expires?)));
        let (overdue, later): (Vec<_>, Vec<_>) = expiring.partition(|(_, expires)| *expires <= now);
        self.not_before = later.into_iter().map(|(_, expires)| expires).min();
        overdue.into_iter().map(|(id, _)| id).collect()
    }

    /// When the first of them may do so, and no later than it does: what is exact would have to be found anew whenever one is closed.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.not_before
    }

    /// Consumers that are open.
    pub fn count(&self) -> usize {
        self.by_consumer.len()
    }
}
