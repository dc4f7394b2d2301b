//! The offsets of batches that are stored, and what a client is told of one that the broker calls a duplicate.

use super::Producer;
use crate::config::OffsetMode;
use crate::error::PulsarError;
use crate::ids::{Offset, Position};
use crate::offsets::peek::Peek;
use crate::offsets::{OffsetError, message_id};
use crate::produce::outcome::{Outcome, ProduceError};
use crate::produce::pending::{Pending, Progress};
use crate::produce::trail::Finding;
use crate::records::Entry;
use crate::session::inboxes::Message;
use crate::session::io::Io;

impl Producer {
    /// Finds the offsets of what is stored; reads one entry back where they do not follow from what is known.
    pub(super) fn resolve(&mut self, io: &mut Io<'_>) {
        if let Some((position, peek)) = &mut self.peek
            && let Some(result) = peek.poll(io)
        {
            let position = *position;
            self.peek = None;
            if let Err(error) = self.learn(position, result, io) {
                self.settle_stored_at(position, Outcome::Failed(ProduceError::Offset(error)));
            }
        }
        let mut unresolved = None;
        let mut found = Vec::new();
        for batch in &mut self.batches {
            if let Progress::ReadingBack { first, search } = &mut batch.progress
                && let Some(finding) = search.poll(io)
            {
                if let Ok(Finding::OutOfReach) = finding {
                    io.shared.log.warn(format!(
                        "{}: a batch that the broker calls a duplicate is not among its last entries, and counts as stored; \
                         idempotence_readback_entries says how many are looked at",
                        self.topic
                    ));
                }
                found.push((*first, read_back(finding)));
            }
        }
        for batch in &self.batches {
            let Progress::Stored { first, skipped, position } = batch.progress else { continue };
            match self.offset_at(position, io) {
                Ok(Some(offset)) => {
                    // The front of a partly repeated batch lies right before the rest, unless others wrote in between.
                    let base = Offset::new(offset.value().saturating_sub(i64::from(skipped))).unwrap_or(offset);
                    found.push((first, Outcome::Stored(base)));
                }
                Ok(None) => unresolved = Some(position),
                Err(error) => found.push((first, Outcome::Failed(ProduceError::Offset(error)))),
            }
        }
        for (first, outcome) in found {
            self.settle(first, outcome);
        }
        if let Some(position) = unresolved
            && self.peek.is_none()
        {
            self.peek = Some((position, Peek::new(&self.topic, position, io)));
        }
    }

    fn offset_at(&self, position: Position, io: &Io<'_>) -> Result<Option<Offset>, OffsetError> {
        match io.shared.config.offsets {
            OffsetMode::MessageId => message_id::encode(position, 0).map(Some),
            OffsetMode::Index => Ok(io.shared.entries.first_offset(&self.topic, position)),
        }
    }

    fn learn(
        &self,
        position: Position,
        result: Result<Message, PulsarError>,
        io: &mut Io<'_>,
    ) -> Result<(), OffsetError> {
        let message = result?;
        if message.position != position {
            return Err(PulsarError::Closed.into());
        }
        let entry = Entry::parse(&message.section)?;
        let index = entry.index().ok_or(OffsetError::NoIndex)?;
        io.shared.entries.observe(&self.topic, position, entry.num_messages(), Some(index));
        Ok(())
    }

    fn settle_stored_at(&mut self, wanted: Position, outcome: Outcome) {
        let stored_there =
            |batch: &&Pending| matches!(batch.progress, Progress::Stored { position, .. } if position == wanted);
        let first = self.batches.iter().find(stored_there).and_then(Pending::first);
        if let Some(first) = first {
            self.settle(first, outcome);
        }
    }
}

/// What a client is told of a batch that the broker dropped as a duplicate.
fn read_back(finding: Result<Finding, OffsetError>) -> Outcome {
    Outcome::Failed(match finding {
        Ok(Finding::Stored(offset)) => return Outcome::Stored(offset),
        // The broker has stored something at or above its sequence. That it is this batch and lies far back is what happens; that it was
        // refused, passed, and its refusal forgotten with a connection, was never seen. Any error would have it written twice.
        Ok(Finding::OutOfReach) => return Outcome::Duplicate,
        // Later batches passed it when it failed: the client starts a new epoch and sends it again.
        Ok(Finding::NeverStored | Finding::OtherBatch) => ProduceError::OutOfOrderSequence,
        Ok(Finding::Torn) => ProduceError::Torn,
        Ok(Finding::NotVisible) => ProduceError::NotVisible,
        Err(error) => ProduceError::Offset(error),
    })
}
