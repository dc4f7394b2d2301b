//! What a replica writes: one entry in flight, epochs that decide what became of lost ones.

use std::collections::VecDeque;

use bytes::Bytes;
use prost::Message;

use crate::group::groups::AskId;
use crate::group::log::entry::{Base, Entry, Event, FORMAT, Kind};
use crate::group::state::Log;
use crate::group::state::limits::ENTRY_EVENTS_MAX;
use crate::time::{Instant, Now};

/// Bound of an entry of several events; a larger event goes alone.
const MAX_ENTRY_BYTES: usize = 1024 * 1024;

/// Room for Pulsar's metadata and our own header in a message.
const HEADER_BYTES: usize = 64 * 1024;

/// Bounds of what waits to be written.
const MAX_QUEUED: usize = 10_000;
const MAX_QUEUED_BYTES: usize = 8 * 1024 * 1024;

/// Bound of entries whose fate is open. Past it the oldest count as lost to those that wait for them.
const MAX_UNDECIDED: usize = 16;

/// An event to be written, and who waits for it.
#[derive(Clone, Debug)]
pub struct Item {
    /// What.
    pub event: Event,
    /// Whoever is told what it did; a proposal nobody waits for is not written again.
    pub ask: Option<AskId>,
}

impl Item {
    /// One that somebody waits for.
    pub fn asked(kind: Kind, ask: AskId) -> Self {
        Self { event: kind.into(), ask: Some(ask) }
    }

    /// One that nobody waits for.
    pub fn own(kind: Kind) -> Self {
        Self { event: kind.into(), ask: None }
    }
}

/// An entry that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Grows with every entry this replica sends, over all epochs.
    pub number: u64,
    /// When.
    pub at: Instant,
    /// What.
    pub entry: Entry,
    /// Its length.
    pub bytes: usize,
    /// SEND's sequence id.
    pub sequence_id: u64,
    /// Who waits for each of its events.
    pub asks: Vec<Option<AskId>>,
}

/// The producer of the carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producer {
    /// None.
    Closed,
    /// PRODUCER waits for its answer.
    Opening {
        /// See above.
        since: Instant,
    },
    /// Takes payloads of so many bytes.
    Open {
        /// See above.
        max_bytes: usize,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Appender {
    writer: u64,
    epoch: u64,
    seq: u64,
    number: u64,
    /// An entry of this epoch was applied: everything older is decided.
    epoch_is_open: bool,
    producer: Producer,
    queue: VecDeque<Item>,
    queued_bytes: usize,
    in_flight: Option<Sent>,
    undecided: VecDeque<Sent>,
}

impl Appender {
    /// Nothing was written yet.
    pub fn new(writer: u64) -> Self {
        Self {
            writer,
            epoch: 0,
            seq: 0,
            number: 0,
            epoch_is_open: false,
            producer: Producer::Closed,
            queue: VecDeque::new(),
            queued_bytes: 0,
            in_flight: None,
            undecided: VecDeque::new(),
        }
    }

    /// Where the producer stands.
    pub fn producer(&self) -> Producer {
        self.producer
    }

    /// Whether an own entry of the current epoch was applied.
    pub fn epoch_is_open(&self) -> bool {
        self.epoch_is_open
    }

    /// Since when the entry in flight waits.
    pub fn in_flight_since(&self) -> Option<Instant> {
        self.in_flight.as_ref().map(|sent| sent.at)
    }

    /// Since when PRODUCER waits for its answer.
    pub fn opening_since(&self) -> Option<Instant> {
        match self.producer {
            Producer::Opening { since } => Some(since),
            Producer::Closed | Producer::Open { .. } => None,
        }
    }

    /// The number of the next entry to be sent: what is asked now is answered for certain when that is applied.
    pub fn next_number(&self) -> u64 {
        self.number.saturating_add(1)
    }

    /// Whether nothing waits to be written.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_none()
    }

    /// Whether something waits to be written.
    pub fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Adds an event; `false` at the bound.
    pub fn push(&mut self, item: Item) -> bool {
        let bytes = item.event.encoded_len();
        let fits = self.queue.len() < MAX_QUEUED
            && (self.queue.is_empty() || self.queued_bytes.saturating_add(bytes) <= MAX_QUEUED_BYTES);
        if fits {
            self.queued_bytes = self.queued_bytes.saturating_add(bytes);
            self.queue.push_back(item);
        }
        fits
    }

    /// Nobody waits for these any more: what is not sent yet never will be, what is lost will not be sent again.
    pub fn forget(&mut self, is_forgotten: impl Fn(AskId) -> bool) {
        self.queue.retain(|item| !item.ask.is_some_and(&is_forgotten));
        self.queued_bytes = self.queue.iter().map(|item| item.event.encoded_len()).sum();
        for sent in self.in_flight.iter_mut().chain(&mut self.undecided) {
            for ask in &mut sent.asks {
                ask.take_if(|ask| is_forgotten(*ask));
            }
        }
    }

    /// PRODUCER is sent.
    pub fn opening(&mut self, now: Instant) {
        self.producer = Producer::Opening { since: now };
    }

    /// The producer is open: a new epoch begins.
    pub fn opened(&mut self, max_bytes: usize) {
        self.epoch = self.epoch.saturating_add(1);
        self.seq = 0;
        self.epoch_is_open = false;
        self.producer = Producer::Open { max_bytes };
    }

    /// The producer is gone: the entry in flight may be lost without an error, or land late.
    pub fn closed(&mut self) {
        self.producer = Producer::Closed;
        self.epoch_is_open = false;
        if let Some(sent) = self.in_flight.take()
            && !sent.entry.events.is_empty()
        {
            self.undecide(sent);
        }
    }

    /// The next entry to be sent; `wanted`: also without events. An event that fits no message is given back.
    pub fn next(&mut self, wanted: bool, log: &Log, at: Now) -> Option<Result<(u64, Bytes), Item>> {
        let Producer::Open { max_bytes } = self.producer else { return None };
        if self.in_flight.is_some() || (self.queue.is_empty() && !wanted) {
            return None;
        }
        // Also where the state knows the writer no more.
        let open = log.epoch_of(self.writer) != Some(self.epoch);
        // While the fate of older entries is open, an epoch begins alone: what they lost comes behind it.
        let alone = open && !self.undecided.is_empty();
        let items = if alone { Vec::new() } else { self.take_items() };
        let largest = max_bytes.saturating_sub(HEADER_BYTES);
        if let [item] = items.as_slice()
            && item.event.encoded_len() > largest
        {
            return items.into_iter().next().map(Err);
        }
        self.seq = self.seq.saturating_add(1);
        self.number = self.number.saturating_add(1);
        let (mut events, asks): (Vec<_>, Vec<_>) = items.into_iter().map(|item| (item.event, item.ask)).unzip();
        if events.is_empty() && !alone {
            events.push(Kind::Nop(crate::group::log::entry::Nop {}).into());
        }
        let entry = Entry {
            format: FORMAT,
            writer: self.writer,
            epoch: self.epoch,
            seq: self.seq,
            open,
            seen: log.applied.map(Into::into),
            base: log.base().map(|base| base.position().into()),
            bare: matches!(log.base(), Some(Base::Origin(_))),
            time_ms: at.unix.0,
            events,
        };
        let payload = Bytes::from(entry.encode_to_vec());
        let (number, sequence_id) = (self.number, self.seq);
        self.in_flight = Some(Sent { number, at: at.instant, entry, bytes: payload.len(), sequence_id, asks });
        Some(Ok((sequence_id, payload)))
    }

    fn take_items(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut bytes = 0usize;
        while let Some(item) = self.queue.front() {
            let more = bytes.saturating_add(item.event.encoded_len());
            if items.len() >= ENTRY_EVENTS_MAX || (!items.is_empty() && more > MAX_ENTRY_BYTES) {
                break;
            }
            bytes = more;
            let may_end_the_group = matches!(item.event.kind, Some(Kind::Delete(_) | Kind::ExpireOffsets(_)));
            items.extend(self.queue.pop_front());
            // What stands behind such an event in its entry may not count.
            if may_end_the_group {
                break;
            }
        }
        self.queued_bytes = self.queued_bytes.saturating_sub(bytes);
        items
    }

    /// Takes out the entry in flight, if the receipt of `sequence_id` is its.
    pub fn take_in_flight(&mut self, sequence_id: u64) -> Option<Sent> {
        self.in_flight.take_if(|sent| sent.sequence_id == sequence_id)
    }

    /// Whether an entry is one of this writer's.
    pub fn wrote(&self, entry: &Entry) -> bool {
        entry.writer == self.writer
    }

    /// Takes out what was sent as this entry, if it is one of this writer's.
    pub fn take_sent(&mut self, entry: &Entry) -> Option<Sent> {
        if !self.wrote(entry) {
            return None;
        }
        let is_it = |sent: &Sent| sent.entry.epoch == entry.epoch && sent.entry.seq == entry.seq;
        if self.in_flight.as_ref().is_some_and(is_it) {
            return self.in_flight.take();
        }
        let index = self.undecided.iter().position(is_it)?;
        self.undecided.remove(index)
    }

    /// An own entry was applied. Once it is of the current epoch, what is still undecided is void for ever, and is written again
    /// for whoever still waits.
    pub fn applied(&mut self, entry: &Entry) {
        if entry.epoch != self.epoch || self.epoch_is_open {
            return;
        }
        self.epoch_is_open = true;
        self.write_again(None);
    }

    /// An own entry landed behind the end of the group that it was written for: it and all that was sent before it is void for
    /// ever, and is written again for whoever still waits.
    pub fn outlived(&mut self, sent: Sent) {
        if sent.entry.epoch != self.epoch {
            return self.undecide(sent);
        }
        self.epoch_is_open = true;
        self.write_again(Some(sent));
    }

    fn write_again(&mut self, last: Option<Sent>) {
        let undecided = std::mem::take(&mut self.undecided);
        self.queue_first(undecided.into_iter().chain(last).flat_map(still_wanted).collect());
    }

    fn queue_first(&mut self, items: Vec<Item>) {
        for item in items.into_iter().rev() {
            self.queued_bytes = self.queued_bytes.saturating_add(item.event.encoded_len());
            self.queue.push_front(item);
        }
    }

    /// An own entry was refused although it was sent: its writer was forgotten, and opens again.
    pub fn refused(&mut self, sent: Sent) {
        self.producer = Producer::Closed;
        self.epoch_is_open = false;
        self.queue_first(still_wanted(sent));
    }

    /// What became of an own entry is open, or it is void: it is written again when the current epoch is open.
    pub fn undecide(&mut self, sent: Sent) {
        if self.undecided.len() >= MAX_UNDECIDED {
            self.undecided.pop_front();
        }
        self.undecided.push_back(sent);
    }

    /// Everything that waits, sent or not, is given up.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
        self.in_flight = None;
        self.undecided.clear();
    }
}

fn still_wanted(sent: Sent) -> Vec<Item> {
    let items = sent.entry.events.into_iter().zip(sent.asks);
    items.filter(|(_, ask)| ask.is_some()).map(|(event, ask)| Item { event, ask }).collect()
}
