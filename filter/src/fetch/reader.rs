//! One partition being read: Pulsar entries in, Kafka record batches out, in offset order without a gap.

use std::collections::VecDeque;

use bytes::Bytes;

use super::ahead::{Ahead, Stand};
use super::flow::Flow;
use super::gate::Gate;
use super::unplaced::Unplaced;
use crate::error::PulsarError;
use crate::ids::{ConsumerId, Offset, Position, RequestId};
use crate::offsets::locate::Locate;
use crate::offsets::{OffsetError, base_offset};
use crate::records::chunks::{ChunkAssembler, ChunkLimits, ChunkStep};
use crate::records::{Entry, ReadOptions, pass_batch, write_kafka_batch};
use crate::session::inboxes::Message;
use crate::session::io::Io;
use crate::session::subscriptions::Start;
use crate::time::Instant;
use crate::topics::name::PulsarTopic;
use crate::worker::metrics::Counter;

/// A fetch with so much need not wait for more.
const FILL_BYTES: usize = 512 * 1024;

/// Kafka's batch header, and something to spare.
const BATCH_OVERHEAD_BYTES: usize = 256;

/// What a message grows by at most, as a rule: lengths and deltas instead of Pulsar's metadata.
const MESSAGE_OVERHEAD_BYTES: usize = 12;

/// Chunked messages of which one reader holds parts: as many producers may write chunks between each other's.
const MAX_CHUNKED_MESSAGES: usize = 8;

/// A Kafka record batch, ready to be sent.
#[derive(Debug)]
struct Batch {
    last: Offset,
    records: u32,
    bytes: Bytes,
}

/// ```text
/// Locating ──▶ Subscribing ──▶ Streaming ──CLOSE_CONSUMER, unreadable entry──▶ Failed
///     └────────────┴── error ─────────────────────────────────────────────────────┘
/// ```
#[derive(Debug)]
enum State {
    Locating(Box<Locate>),
    Subscribing(ConsumerId, RequestId),
    Streaming(ConsumerId),
    Failed(OffsetError),
}

/// What a fetch finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is not known yet whether there is anything.
    Unsettled,
    /// At least these bytes are there.
    Data(usize),
    /// At the end of the partition, for certain.
    CaughtUp,
    /// This and nothing more.
    Failed(OffsetError),
}

/// A reader that begins at one offset and goes on from there.
#[derive(Debug)]
pub struct Reader {
    topic: PulsarTopic,
    state: State,
    queue: VecDeque<Batch>,
    queued_bytes: usize,
    flow: Flow,
    gate: Gate,
    chunks: ChunkAssembler,
    unplaced: Unplaced,
    /// Since when what comes next may have had to wait for permits.
    starved: Option<Instant>,
    /// First offset that the client has not been given.
    wanted: Offset,
    /// First offset behind what was read.
    next: Offset,
    /// First offset behind the batches in the queue, or that were taken: so far a client can come.
    passable: Offset,
    log_start: Offset,
    ahead: Ahead,
    used: Instant,
}

impl Reader {
    /// Begins to look for `offset`.
    pub fn new(topic: &PulsarTopic, offset: Offset, io: &mut Io<'_>) -> Self {
        Self {
            topic: topic.clone(),
            state: State::Locating(Box::new(Locate::new(topic, offset, io))),
            queue: VecDeque::new(),
            queued_bytes: 0,
            flow: Flow::default(),
            gate: Gate::new(topic),
            chunks: ChunkAssembler::new(ChunkLimits {
                messages: MAX_CHUNKED_MESSAGES,
                bytes: io.shared.config.max_decompressed_bytes,
            }),
            unplaced: Unplaced::default(),
            starved: None,
            wanted: offset,
            next: offset,
            passable: offset,
            log_start: Offset::ZERO,
            ahead: Ahead::new(io.now.instant),
            used: io.now.instant,
        }
    }

    /// Whether a fetch from `offset` can go on with this reader; drops what lies below.
    pub fn seek(&mut self, offset: Offset, io: &mut Io<'_>) -> bool {
        if matches!(self.state, State::Failed(_)) || offset < self.wanted || offset > self.next {
            return false;
        }
        while self.queue.front().is_some_and(|batch| batch.last < offset) {
            self.pop(io);
        }
        self.wanted = offset;
        self.passable = self.passable.max(offset);
        self.ahead.on_fetch(io.now.instant.since(self.used), io.now.instant);
        self.used = io.now.instant;
        true
    }

    fn pop(&mut self, io: &mut Io<'_>) -> Option<Batch> {
        let batch = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(batch.bytes.len());
        io.shared.prefetch.give_back(batch.bytes.len());
        Some(batch)
    }

    /// Goes on as far as it can. `needed`: a fetch waits for this partition.
    pub fn poll(&mut self, needed: bool, io: &mut Io<'_>) {
        if let State::Locating(locate) = &mut self.state {
            match locate.poll(io) {
                None => return,
                Some(Err(error)) => return self.fail(error, io),
                Some(Ok(start)) => {
                    self.log_start = start.log_start;
                    self.gate.open(start.floors);
                    self.ahead.located(&start, self.next, io.now.instant);
                    let unique = io.shared.random.next_u64();
                    let (consumer, request) = io.pulsar.subscribe(
                        self.topic.as_str(),
                        Start::compacted(start.position),
                        &io.client.id,
                        None,
                        unique,
                        io.now.instant,
                    );
                    self.state = State::Subscribing(consumer, request);
                }
            }
        }
        if let State::Subscribing(consumer, request) = self.state {
            match io.pulsar.take(request) {
                None => return,
                Some(Err(error)) => return self.fail(error.into(), io),
                Some(Ok(_)) => self.state = State::Streaming(consumer),
            }
        }
        self.stream(needed, io);
        if needed {
            self.keep_above_floor(io);
        }
    }

    /// Whether the client has something to come for.
    fn is_behind(&self) -> bool {
        !self.queue.is_empty() || !self.unplaced.is_empty() || self.ahead.end() > self.next
    }

    fn note(&mut self, io: &Io<'_>) {
        self.gate.note(self.is_behind(), self.starved.unwrap_or(io.now.instant));
    }

    /// What DeleteRecords took away since the reader began is handed out no more.
    fn keep_above_floor(&mut self, io: &mut Io<'_>) {
        let State::Streaming { .. } = self.state else { return };
        let Some(floor) = self.gate.look(io) else { return };
        let high_watermark = self.high_watermark();
        if floor > self.wanted && floor > high_watermark {
            // It was raised to an end that is not known here, or is of another topic that had the name before: that shows when the
            // place is looked for anew.
            self.close(io);
            *self = Self::new(&self.topic.clone(), self.wanted, io);
            return;
        }
        self.log_start = self.log_start.max(floor);
        if floor > self.wanted {
            while self.pop(io).is_some() {}
            self.fail(OffsetError::OutOfRange { log_start: floor, high_watermark }, io);
        }
    }

    fn stream(&mut self, needed: bool, io: &mut Io<'_>) {
        let State::Streaming(consumer) = self.state else { return };
        loop {
            match io.pulsar.take_message(consumer) {
                Ok(None) => break,
                Ok(Some(message)) => {
                    if let Err(error) = self.on_message(message, io) {
                        return self.fail(error, io);
                    }
                }
                Err(error) => return self.fail(error.into(), io),
            }
        }
        let was_caught_up = self.is_caught_up();
        if let Err(error) = self.place_waiting(io).and_then(|()| self.look_ahead(consumer, needed, io)) {
            return self.fail(error, io);
        }
        if needed && self.queue.is_empty() && !self.is_caught_up() {
            self.flow.on_drained_behind();
        }
        let held_bytes = self.queued_bytes.saturating_add(self.unplaced.bytes());
        let permits = self.flow.grant(held_bytes, needed, &mut io.shared.prefetch);
        io.pulsar.flow(consumer, permits);
        if !self.flow.allows_more() {
            self.starved.get_or_insert(io.now.instant);
        } else if !was_caught_up && self.is_caught_up() {
            self.starved = None;
        }
        self.note(io);
    }

    fn on_message(&mut self, message: Message, io: &mut Io<'_>) -> Result<(), OffsetError> {
        // The checksum is verified with the payload, byte by byte only once.
        let entry = Entry::parse_checksum_due(&message.section)?;
        self.flow.on_entry(message.section.len(), entry.num_messages(), &mut io.shared.prefetch);
        let base = base_offset(io.shared.config.offsets, message.position, &entry);
        let new = !base.as_ref().is_ok_and(|base| base.plus(entry.num_messages()) <= self.next);
        self.ahead.on_entry(message.position, new);
        match base {
            Ok(base) if self.unplaced.is_empty() => self.place(&entry, message.position, base, io),
            Ok(_) | Err(OffsetError::NoIndex) => {
                self.unplaced.push(message, io);
                self.place_waiting(io)
            }
            Err(error) => Err(error),
        }
    }

    fn place_waiting(&mut self, io: &mut Io<'_>) -> Result<(), OffsetError> {
        while let Some((message, base)) = self.unplaced.next(&self.topic, io)? {
            self.place(&Entry::parse_checksum_due(&message.section)?, message.position, base, io)?;
        }
        Ok(())
    }

    /// Takes in the next entry, whose first message has the offset `base`.
    fn place(
        &mut self,
        entry: &Entry<'_>,
        position: Position,
        base: Offset,
        io: &mut Io<'_>,
    ) -> Result<(), OffsetError> {
        let after = base.plus(entry.num_messages());
        io.shared.entries.observe(&self.topic, position, entry.num_messages(), entry.index());
        if after <= self.next {
            // The subscription began at an entry before the wanted offset.
            return Ok(());
        }
        if entry.chunk().is_none() {
            self.enqueue(entry, base, io)?;
        } else {
            let held_bytes = self.chunks.held_bytes();
            let step = self.chunks.add(entry)?;
            io.shared.prefetch.give_back(held_bytes);
            io.shared.prefetch.take(self.chunks.held_bytes());
            match step {
                // A chunked message has the offset of its last chunk.
                ChunkStep::Complete(message) => self.enqueue(&message.entry()?, base, io)?,
                ChunkStep::Held | ChunkStep::Repeated => {}
                ChunkStep::Orphan => io.shared.log.warn(format!(
                    "{}: the message whose chunk lies at offset {} is left out: its first chunks were not read",
                    self.topic,
                    base.value()
                )),
            }
        }
        self.next = after;
        Ok(())
    }

    /// Translates an entry and puts it behind the others.
    fn enqueue(&mut self, entry: &Entry<'_>, base: Offset, io: &mut Io<'_>) -> Result<(), OffsetError> {
        let options = ReadOptions { decompressed_max: io.shared.config.max_decompressed_bytes };
        let messages = usize::try_from(entry.num_messages()).unwrap_or(usize::MAX);
        let growth = messages.saturating_mul(MESSAGE_OVERHEAD_BYTES).min(entry.payload_bytes());
        let room = entry.payload_bytes().saturating_add(growth).saturating_add(BATCH_OVERHEAD_BYTES);
        let mut bytes = Vec::with_capacity(room);
        let span = write_kafka_batch(entry, base.value(), &options, &mut io.shared.scratch, &mut bytes)?;
        if span.records > 0
            && let Some(last) = Offset::new(span.last_offset)
            && last >= self.wanted
        {
            let bytes = Bytes::from(bytes);
            self.push(Batch { last, records: span.records, bytes }, io);
            self.note(io);
        }
        Ok(())
    }

    fn push(&mut self, batch: Batch, io: &mut Io<'_>) {
        self.queued_bytes = self.queued_bytes.saturating_add(batch.bytes.len());
        io.shared.prefetch.take(batch.bytes.len());
        self.passable = self.passable.max(batch.last.plus(1));
        self.queue.push_back(batch);
    }

    /// Settles whether the end is reached. Where nothing is left to read below it, the client must pass all the same: many wait until
    /// their position is the high watermark.
    fn look_ahead(&mut self, consumer: ConsumerId, needed: bool, io: &mut Io<'_>) -> Result<(), OffsetError> {
        let stand = Stand {
            consumer,
            next: self.next,
            drained: self.queue.is_empty(),
            needed: needed && self.unplaced.is_empty(),
        };
        self.ahead.poll(stand, &self.topic, io)?;
        if self.is_caught_up() {
            self.next = self.high_watermark();
            // A position behind chunks that were read would lose their message if the reader had to begin anew there.
            let is_whole = self.chunks.held_bytes() == 0;
            if let Some(last) = self.next.previous().filter(|last| is_whole && *last >= self.passable) {
                self.push(Batch { last, records: 0, bytes: pass_batch(last.value()) }, io);
            }
        }
        Ok(())
    }

    fn is_caught_up(&self) -> bool {
        self.ahead.is_caught_up() && self.unplaced.is_empty()
    }

    fn fail(&mut self, error: OffsetError, io: &mut Io<'_>) {
        if let Some(advice) = error.advice() {
            io.shared.log.error(format!("{}: reading stops at offset {}: {advice}", self.topic, self.next.value()));
        }
        self.release(io);
        if matches!(error, OffsetError::Pulsar(PulsarError::Closed | PulsarError::Refused { .. })) {
            io.shared.leaders.forget(&self.topic);
        }
        self.state = State::Failed(error);
    }

    /// Whether more is on its way that a fetch of up to `max_bytes` should take along: Kafka answers with all there is.
    /// Where memory is short nothing more was allowed, and waiting would be for nothing.
    pub fn is_filling(&self, max_bytes: usize) -> bool {
        matches!(self.state, State::Streaming(_))
            && self.ahead.end() > self.next
            && self.flow.allows_more()
            && self.queued_bytes < max_bytes.min(FILL_BYTES)
    }

    /// Whether it hands out nothing before it knows what DeleteRecords may have taken away.
    pub fn is_gated(&self) -> bool {
        self.gate.is_waiting() && matches!(self.state, State::Streaming { .. })
    }

    /// What a fetch finds now.
    pub fn status(&self) -> Status {
        if self.is_gated() {
            return Status::Unsettled;
        }
        if self.queued_bytes > 0 {
            return Status::Data(self.queued_bytes);
        }
        match &self.state {
            State::Failed(error) => Status::Failed(error.clone()),
            State::Streaming(_) if self.is_caught_up() => Status::CaughtUp,
            State::Streaming(_) | State::Locating(_) | State::Subscribing(..) => Status::Unsettled,
        }
    }

    /// Takes batches up to `max_bytes`; the first one whatever its size, if `at_least_one`.
    pub fn take(&mut self, max_bytes: usize, at_least_one: bool, into: &mut Vec<Bytes>, io: &mut Io<'_>) -> usize {
        let mut taken = 0usize;
        while let Some(batch) = self.queue.front() {
            let fits = taken.saturating_add(batch.bytes.len()) <= max_bytes;
            let is_owed = at_least_one && taken == 0;
            if !fits && !is_owed {
                break;
            }
            if let Some(batch) = self.pop(io) {
                taken = taken.saturating_add(batch.bytes.len());
                io.shared.metrics.count(Counter::RecordsOut, batch.records as usize);
                self.wanted = batch.last.plus(1);
                into.push(batch.bytes);
            }
        }
        self.note(io);
        taken
    }

    /// One past the last offset known to exist.
    pub fn high_watermark(&self) -> Offset {
        self.ahead.end().max(self.next)
    }

    /// First offset there is, as far as known.
    pub fn log_start(&self) -> Offset {
        self.log_start
    }

    /// What it reads.
    pub fn topic(&self) -> &PulsarTopic {
        &self.topic
    }

    /// When a fetch last asked for it.
    pub fn used(&self) -> Instant {
        self.used
    }

    /// Closes the reader on the broker and gives back what it holds.
    pub fn close(&mut self, io: &mut Io<'_>) {
        self.release(io);
        while self.pop(io).is_some() {}
    }

    fn release(&mut self, io: &mut Io<'_>) {
        match &mut self.state {
            State::Locating(locate) => locate.abandon(io),
            State::Subscribing(consumer, _) => io.pulsar.close_consumer(*consumer, io.now.instant),
            State::Streaming(consumer) => io.pulsar.close_consumer(*consumer, io.now.instant),
            State::Failed(_) => {}
        }
        self.ahead.abandon(io);
        self.unplaced.close(io);
        io.shared.prefetch.give_back(self.chunks.held_bytes());
        self.chunks.clear();
        self.flow.close(&mut io.shared.prefetch);
    }
}
