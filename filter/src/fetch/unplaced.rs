//! Entries that came without their index, and what tells it.
//!
//! Brokers before 4.0 lose the index of a batch when compaction writes it anew (`RawBatchConverter.rebatchMessage`). The position
//! stays, so the log itself is asked for that entry: one read for each run of entries without a gap between them.

use std::collections::VecDeque;

use crate::error::PulsarError;
use crate::ids::{Offset, Position};
use crate::offsets::peek::Peek;
use crate::offsets::{OffsetError, base_offset};
use crate::records::Entry;
use crate::session::inboxes::Message;
use crate::session::io::Io;
use crate::topics::name::PulsarTopic;

/// Entries in order, of which the first waits for its offset. Bounded as what a reader holds is: by the permits it grants.
#[derive(Debug, Default)]
pub struct Unplaced {
    waiting: VecDeque<Message>,
    bytes: usize,
    peek: Option<Peek>,
    /// The entry placed last, and the offset behind it.
    placed: Option<(Position, Offset)>,
}

impl Unplaced {
    /// Puts an entry behind the others.
    pub fn push(&mut self, message: Message, io: &mut Io<'_>) {
        self.bytes = self.bytes.saturating_add(message.section.len());
        io.shared.prefetch.take(message.section.len());
        self.waiting.push_back(message);
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next entry whose first offset is known; `None` while it is awaited, or if there is no entry.
    pub fn next(&mut self, topic: &PulsarTopic, io: &mut Io<'_>) -> Result<Option<(Message, Offset)>, OffsetError> {
        while let Some(message) = self.waiting.front() {
            let position = message.position;
            let entry = Entry::parse_checksum_due(&message.section)?;
            let base = match base_offset(io.shared.config.offsets, position, &entry) {
                Err(OffsetError::NoIndex) => match self.placed {
                    Some((before, end)) if before.is_followed_by(position) => Some(end),
                    Some(_) | None => io.shared.entries.first_offset(topic, position),
                },
                known => Some(known?),
            };
            let messages = entry.num_messages();
            if let Some(base) = base {
                self.placed = Some((position, base.plus(messages)));
                return Ok(self.pop(io).map(|message| (message, base)));
            }
            let peek = self.peek.get_or_insert_with(|| Peek::new(topic, position, io));
            let Some(found) = peek.poll(io) else { return Ok(None) };
            self.peek = None;
            let found = found?;
            if found.position == position {
                let base = base_offset(io.shared.config.offsets, position, &Entry::parse(&found.section)?)?;
                self.placed = Some((position, base.plus(messages)));
                return Ok(self.pop(io).map(|message| (message, base)));
            }
            if found.position < position {
                return Err(PulsarError::Malformed("an entry before the one asked for").into());
            }
            // Its ledger is dropped: it lies below the start of the log, and has no offset any more.
            self.pop(io);
        }
        Ok(None)
    }

    fn pop(&mut self, io: &mut Io<'_>) -> Option<Message> {
        let message = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(message.section.len());
        io.shared.prefetch.give_back(message.section.len());
        Some(message)
    }

    /// Gives back everything.
    pub fn close(&mut self, io: &mut Io<'_>) {
        if let Some(mut peek) = self.peek.take() {
            peek.abandon(io);
        }
        while self.pop(io).is_some() {}
    }
}
