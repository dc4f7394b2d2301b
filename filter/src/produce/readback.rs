//! Looks for a batch that the broker calls a duplicate among the last entries of its partition, by producer name and sequence.

use crate::error::PulsarError;
use crate::ids::{ConsumerId, Offset, Position, RequestId};
use crate::offsets::peek::open_reader;
use crate::offsets::tail::FindEnd;
use crate::offsets::{OffsetError, base_offset};
use crate::records::Entry;
use crate::session::io::Io;
use crate::session::pulsar_conn::Message;
use crate::topics::name::PulsarTopic;

/// Entries on their way at once; together with the largest entry, the bound of what a read-back holds.
const WINDOW_ENTRIES: u32 = 4;

/// What the log says of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is stored; the offset of its first record.
    Stored(Offset),
    /// Its producer's entries before and after it are there, and it is not: it was never stored.
    NeverStored,
    /// Not among the entries that were looked at.
    Unknown,
}

/// ```text
/// FindingEnd ──empty──▶ Unknown
///     └──▶ Subscribing ──▶ Reading ──found, gap, last entry──▶ done
/// ```
#[derive(Debug)]
pub struct Readback {
    topic: PulsarTopic,
    producer_name: String,
    first_sequence: u64,
    state: State,
    /// An entry of the producer that lies before the batch was seen.
    seen_before: bool,
}

#[derive(Debug)]
enum State {
    FindingEnd(FindEnd),
    Subscribing(ConsumerId, RequestId, Position),
    Reading(ConsumerId, Position),
}

impl Readback {
    /// Looks for the batch whose first record `producer_name` sent with `first_sequence`.
    pub fn new(topic: &PulsarTopic, producer_name: &str, first_sequence: u64, io: &mut Io<'_>) -> Self {
        Self {
            topic: topic.clone(),
            producer_name: producer_name.to_owned(),
            first_sequence,
            state: State::FindingEnd(FindEnd::new(topic, io)),
            seen_before: false,
        }
    }

    /// What was found; `None` while it is looked for.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Finding, OffsetError>> {
        loop {
            match &mut self.state {
                State::FindingEnd(find) => match find.poll(io)? {
                    Err(error) => return Some(Err(error)),
                    Ok(end) => {
                        let Some(last) = end.last else { return Some(Ok(Finding::Unknown)) };
                        let bound = u64::from(io.shared.config.idempotence_readback_entries);
                        let entry = last.entry.saturating_add(1).saturating_sub(bound);
                        let (consumer, request) = open_reader(&self.topic, Position { entry, ..last }, io);
                        self.state = State::Subscribing(consumer, request, last);
                    }
                },
                State::Subscribing(consumer, request, last) => {
                    let (consumer, last) = (*consumer, *last);
                    if let Err(error) = io.pulsar.take(*request)? {
                        return Some(self.end(consumer, Err(error.into()), io));
                    }
                    io.pulsar.flow(consumer, WINDOW_ENTRIES);
                    self.state = State::Reading(consumer, last);
                }
                State::Reading(consumer, last) => {
                    let (consumer, last) = (*consumer, *last);
                    let message = match io.pulsar.take_message(consumer) {
                        Ok(None) => return None,
                        Ok(Some(message)) => message,
                        Err(error) => return Some(self.end(consumer, Err(error.into()), io)),
                    };
                    match self.judge(&message, io) {
                        Err(error) => return Some(self.end(consumer, Err(error), io)),
                        Ok(Some(finding)) => return Some(self.end(consumer, Ok(finding), io)),
                        Ok(None) if message.position >= last => {
                            return Some(self.end(consumer, Ok(Finding::Unknown), io));
                        }
                        Ok(None) => {
                            // A batch overdraws its permits: each entry pays for the next.
                            let messages = Entry::parse(&message.section).map_or(1, |entry| entry.num_messages());
                            io.pulsar.flow(consumer, messages.max(1));
                        }
                    }
                }
            }
        }
    }

    fn judge(&mut self, message: &Message, io: &mut Io<'_>) -> Result<Option<Finding>, OffsetError> {
        let entry = Entry::parse(&message.section)?;
        if entry.producer_name() != self.producer_name.as_bytes() {
            return Ok(None);
        }
        let (first, last) = (entry.sequence_id(), entry.highest_sequence_id().max(entry.sequence_id()));
        if last < self.first_sequence {
            self.seen_before = true;
            return Ok(None);
        }
        let Some(into) = self.first_sequence.checked_sub(first) else {
            return Ok(Some(if self.seen_before { Finding::NeverStored } else { Finding::Unknown }));
        };
        let base = base_offset(io.shared.config.offsets, message.position, &entry)?;
        Ok(Some(Finding::Stored(base.plus(u32::try_from(into).unwrap_or(0)))))
    }

    fn end(
        &mut self,
        consumer: ConsumerId,
        result: Result<Finding, OffsetError>,
        io: &mut Io<'_>,
    ) -> Result<Finding, OffsetError> {
        io.pulsar.close_consumer(consumer, io.now.instant);
        // A reader that the broker closed says nothing about the batch.
        match result {
            Err(OffsetError::Pulsar(PulsarError::Closed)) => Ok(Finding::Unknown),
            result => result,
        }
    }

    /// Closes what is open, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match &mut self.state {
            State::FindingEnd(find) => find.abandon(io),
            State::Subscribing(consumer, ..) | State::Reading(consumer, _) => {
                io.pulsar.close_consumer(*consumer, io.now.instant);
            }
        }
    }
}
