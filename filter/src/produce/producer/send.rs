//! Batches that wait, to the broker: in order, each number once.

use bytes::Bytes;

use super::{Identity, Producer, State};
use crate::config::OffsetMode;
use crate::error::PulsarError;
use crate::offsets::message_id;
use crate::produce::history::{Known, overlap};
use crate::produce::outcome::{Outcome, ProduceError};
use crate::produce::pending::{Pending, Progress};
use crate::produce::sequence::{Verdict, judge};
use crate::records::{KafkaBatch, SendParams, SentEntry, write_sends};
use crate::session::io::Io;
use crate::worker::metrics::Counter;

impl Producer {
    pub(super) fn send(&mut self, sends_allowed: usize, io: &mut Io<'_>) {
        let mut index = 0usize;
        while let Some(batch) = self.batches.get(index) {
            if batch.bars_the_way() || self.history.is_in_doubt() {
                return;
            }
            let Progress::Held { not_before, .. } = &batch.progress else {
                index = index.saturating_add(1);
                continue;
            };
            if not_before.is_some() || self.sends_in_flight >= sends_allowed {
                return;
            }
            // It may bar the way from now on, or be gone.
            self.send_one(index, io);
        }
    }

    /// Sends, settles or joins the held batch at `index`.
    fn send_one(&mut self, index: usize, io: &mut Io<'_>) {
        let Some(mut batch) = self.batches.remove(index) else { return };
        let Progress::Held { bytes, .. } = &batch.progress else { return };
        let bytes = bytes.clone();
        io.shared.held.give_back(bytes.len());
        let (first, skip) = match self.verdict(&batch) {
            Verdict::Next(first) | Verdict::Repeated(first) => (first, 0),
            Verdict::PartlyRepeated { first, skip } => (first, skip),
            Verdict::OutOfOrder => return self.settle_batch(batch, Outcome::Failed(ProduceError::OutOfOrderSequence)),
        };
        match self.in_doubt {
            // It may be stored too: the client sends it again, after the one before it.
            Some(before) if first > before && first < self.pushed => {
                return self.settle_batch(batch, Outcome::Failed(ProduceError::Pulsar(PulsarError::Closed)));
            }
            Some(before) if first > before => {
                return self.settle_batch(batch, Outcome::Failed(ProduceError::OutOfOrderSequence));
            }
            Some(_) | None => self.in_doubt = None,
        }
        let sequences = first..first.saturating_add(batch.records.into());
        let repeated = first < self.pushed;
        if repeated {
            match self.history.look_up(&sequences) {
                Known::Stored(offset) => {
                    self.expected = self.expected.max(Some(sequences.end));
                    return self.settle_batch(batch, Outcome::Stored(offset));
                }
                Known::OutOfOrder => {
                    return self.settle_batch(batch, Outcome::Failed(ProduceError::OutOfOrderSequence));
                }
                Known::Nothing => {}
            }
            let in_flight = |other: &&mut Pending| other.sequences().is_some_and(|other| overlap(&other, &sequences));
            if let Some(first_try) = self.batches.iter_mut().find(in_flight) {
                if first_try.sequences().as_ref() == Some(&sequences) {
                    self.expected = self.expected.max(Some(sequences.end));
                    first_try.tickets.append(&mut batch.tickets);
                } else {
                    self.settle_batch(batch, Outcome::Failed(ProduceError::OutOfOrderSequence));
                }
                return;
            }
        } else {
            self.history.on_sent_as_next(first);
        }
        match self.write(&bytes, first, skip, io) {
            Ok(entries) => {
                self.sends_in_flight = self.sends_in_flight.saturating_add(entries.len());
                io.shared.metrics.count(Counter::RecordsIn, entries.iter().map(|entry| entry.records as usize).sum());
                self.expected = Some(self.expected.unwrap_or(0).max(sequences.end));
                self.pushed = self.pushed.max(sequences.end);
                let bytes = if repeated { bytes } else { Bytes::new() };
                batch.progress =
                    Progress::Sent { first, skipped: skip, bytes, repeated, entries: entries.into(), stored: None };
                self.batches.insert(index.min(self.batches.len()), batch);
            }
            Err(error) => self.settle_batch(batch, Outcome::Failed(error)),
        }
    }

    fn verdict(&self, batch: &Pending) -> Verdict {
        match self.identity {
            Identity::Plain => Verdict::Next(self.expected.unwrap_or(0)),
            Identity::Idempotent { .. } => judge(self.expected, batch.base_sequence, batch.records),
        }
    }

    fn write(&self, bytes: &Bytes, first: u64, skip: u32, io: &mut Io<'_>) -> Result<Vec<SentEntry>, ProduceError> {
        let State::Ready { id, name } = &self.state else { return Err(ProduceError::Pulsar(PulsarError::Closed)) };
        let max_message_size = io.pulsar.max_message_size().ok_or(ProduceError::Pulsar(PulsarError::Disconnected))?;
        let batch = KafkaBatch::parse(bytes).map_err(ProduceError::Batch)?;
        let params = SendParams {
            producer_id: id.0,
            producer_name: name,
            sequence_id: first,
            publish_time: io.now.unix,
            max_message_size,
            decompressed_max: io.shared.config.max_decompressed_bytes,
            max_entry_records: match io.shared.config.offsets {
                OffsetMode::Index => u32::MAX,
                OffsetMode::MessageId => message_id::MAX_BATCH,
            },
            skip_records: skip,
            one_entry_per_key: io.shared.config.entry_per_key,
        };
        let mut entries = Vec::with_capacity(1);
        write_sends(&batch, &params, &mut io.shared.scratch, io.pulsar.out(), &mut entries)
            .map_err(ProduceError::Batch)?;
        Ok(entries)
    }
}
