//! A batch between its arrival and its outcome.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use super::outcome::Ticket;
use super::readback::Readback;
use crate::ids::Position;
use crate::records::SentEntry;
use crate::time::Instant;

/// A batch and those who wait for its outcome.
#[derive(Debug)]
pub struct Pending {
    /// A retry on the same connection joins the first try. Empty: the client has given up.
    pub tickets: Vec<Ticket>,
    /// Kafka's sequence of the first record; -1 without producer id.
    pub base_sequence: i32,
    /// How many.
    pub records: u32,
    /// When its client is told that time is up.
    pub deadline: Instant,
    /// How far it got.
    pub progress: Progress,
}

/// ```text
/// Held ──SEND──▶ Sent ──all receipts──▶ Stored ──offset known──▶ settled
///  ▲               ├──dropped as a duplicate──▶ ReadingBack ──▶ settled
///  └──"cannot determine", pause──┘   └──SEND_ERROR──▶ settled
/// ```
#[derive(Debug)]
pub enum Progress {
    /// Waits for the producer, for room, or for batches before it.
    Held {
        /// As the client sent it.
        bytes: Bytes,
        /// The broker asked for patience until then.
        not_before: Option<Instant>,
    },
    /// SENDs are on their way.
    Sent {
        /// Sequence of the first record, unwrapped.
        first: u64,
        /// Records at the front that were not sent: stored already.
        skipped: u32,
        /// To be sent again, for a batch that was pushed before.
        bytes: Bytes,
        /// Whether it was pushed before: nothing may pass it until it is settled.
        repeated: bool,
        /// SENDs without receipt.
        entries: VecDeque<SentEntry>,
        /// Where the first of them was stored, once known.
        stored: Option<Position>,
    },
    /// Stored; the offset is looked for.
    Stored {
        /// Sequence of the first record.
        first: u64,
        /// Records at the front that were stored earlier.
        skipped: u32,
        /// The entry of the first record that was sent.
        position: Position,
    },
    /// The broker dropped it as a duplicate; its offset is looked for in the log.
    ReadingBack {
        /// Sequence of the first record.
        first: u64,
        /// The search.
        search: Box<Readback>,
    },
}

impl Pending {
    /// Whether this is the batch from `wanted` on, sent and not settled.
    pub fn is_in_flight_from(&self, wanted: u64) -> bool {
        self.first() == Some(wanted)
    }

    /// Sequence of the first record, once it was sent.
    pub fn first(&self) -> Option<u64> {
        match self.progress {
            Progress::Held { .. } => None,
            Progress::Sent { first, .. } | Progress::Stored { first, .. } | Progress::ReadingBack { first, .. } => {
                Some(first)
            }
        }
    }

    /// Sequences of all its records, once it was sent.
    pub fn sequences(&self) -> Option<Range<u64>> {
        self.first().map(|first| first..first.saturating_add(self.records.into()))
    }

    /// Whether the broker has stored something of it.
    pub fn is_stored(&self) -> bool {
        match &self.progress {
            Progress::Held { .. } => false,
            Progress::Sent { stored, .. } => stored.is_some(),
            Progress::Stored { .. } | Progress::ReadingBack { .. } => true,
        }
    }

    /// Bytes that wait to be sent.
    pub fn held_bytes(&self) -> usize {
        match &self.progress {
            Progress::Held { bytes, .. } => bytes.len(),
            Progress::Sent { .. } | Progress::Stored { .. } | Progress::ReadingBack { .. } => 0,
        }
    }

    /// Whether it waits to be sent.
    pub fn is_held(&self) -> bool {
        matches!(self.progress, Progress::Held { .. })
    }

    /// Whether later batches must wait: it was pushed before, or its client gave it up unanswered.
    pub fn bars_the_way(&self) -> bool {
        match &self.progress {
            Progress::Sent { repeated, .. } => *repeated || self.tickets.is_empty(),
            Progress::Held { .. } | Progress::Stored { .. } | Progress::ReadingBack { .. } => false,
        }
    }

    /// Whether one of its SENDs holds the record with `sequence`.
    pub fn has_sent(&self, sequence: u64) -> bool {
        match &self.progress {
            Progress::Sent { entries, .. } => {
                entries.iter().any(|entry| (entry.first_sequence_id..=entry.last_sequence_id).contains(&sequence))
            }
            Progress::Held { .. } | Progress::Stored { .. } | Progress::ReadingBack { .. } => false,
        }
    }
}
