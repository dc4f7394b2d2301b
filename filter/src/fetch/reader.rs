//! One partition being read: Pulsar entries in, Kafka record batches out, in offset order without a gap.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::flow::Flow;
use crate::error::PulsarError;
use crate::ids::{ConsumerId, Offset, RequestId};
use crate::offsets::locate::Locate;
use crate::offsets::tail::{End, FindEnd};
use crate::offsets::{OffsetError, base_offset};
use crate::records::chunks::{ChunkAssembler, ChunkLimits, ChunkStep};
use crate::records::{Entry, ReadOptions, write_kafka_batch};
use crate::session::inboxes::Message;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::name::PulsarTopic;
use crate::worker::metrics::Counter;

/// A fetch with so much need not wait for more.
const FILL_BYTES: usize = 512 * 1024;

/// Kafka's batch header, and what small messages grow by.
const BATCH_OVERHEAD_BYTES: usize = 256;

/// How old the known end of a partition with a backlog may be before it is asked for again.
const END_FRESH: Duration = Duration::from_secs(1);

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
    Locating(Locate),
    Subscribing(ConsumerId, RequestId),
    Streaming { consumer: ConsumerId, asking_end: Option<FindEnd> },
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
    chunks: ChunkAssembler,
    /// First offset that the client has not been given.
    wanted: Offset,
    /// First offset behind the queue.
    next: Offset,
    log_start: Offset,
    end: Offset,
    end_asked: Instant,
    caught_up: bool,
    used: Instant,
}

impl Reader {
    /// Begins to look for `offset`.
    pub fn new(topic: &PulsarTopic, offset: Offset, io: &mut Io<'_>) -> Self {
        Self {
            topic: topic.clone(),
            state: State::Locating(Locate::new(topic, offset, io)),
            queue: VecDeque::new(),
            queued_bytes: 0,
            flow: Flow::default(),
            chunks: ChunkAssembler::new(ChunkLimits {
                messages: MAX_CHUNKED_MESSAGES,
                bytes: io.shared.config.max_decompressed_bytes,
            }),
            wanted: offset,
            next: offset,
            log_start: Offset::ZERO,
            end: Offset::ZERO,
            end_asked: io.now.instant,
            caught_up: false,
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
                    self.learn_end(start.end, io.now.instant);
                    let unique = io.shared.random.next_u64();
                    let (consumer, request) = io.pulsar.subscribe(
                        self.topic.as_str(),
                        start.position,
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
                Some(Ok(_)) => self.state = State::Streaming { consumer, asking_end: None },
            }
        }
        self.stream(needed, io);
    }

    fn stream(&mut self, needed: bool, io: &mut Io<'_>) {
        let State::Streaming { consumer, .. } = self.state else { return };
        loop {
            match io.pulsar.take_message(consumer) {
                Ok(None) => break,
                Ok(Some(message)) => {
                    if let Err(error) = self.on_message(&message, io) {
                        return self.fail(error, io);
                    }
                }
                Err(error) => return self.fail(error.into(), io),
            }
        }
        if let Err(error) = self.watch_end(consumer, needed, io) {
            return self.fail(error, io);
        }
        if needed && self.queue.is_empty() && !self.caught_up {
            self.flow.on_drained_behind();
        }
        let permits = self.flow.grant(self.queued_bytes, needed, &mut io.shared.prefetch);
        io.pulsar.flow(consumer, permits);
    }

    fn on_message(&mut self, message: &Message, io: &mut Io<'_>) -> Result<(), OffsetError> {
        // The checksum is verified with the payload, byte by byte only once.
        let entry = Entry::parse_checksum_due(&message.section)?;
        self.flow.on_entry(message.section.len(), entry.num_messages(), &mut io.shared.prefetch);
        let base = base_offset(io.shared.config.offsets, message.position, &entry)?;
        let after = base.plus(entry.num_messages());
        io.shared.entries.observe(&self.topic, message.position, entry.num_messages(), entry.index());
        if after <= self.next {
            // The subscription began at an entry before the wanted offset.
            return Ok(());
        }
        if entry.chunk().is_none() {
            self.enqueue(&entry, base, io)?;
        } else {
            let held_bytes = self.chunks.held_bytes();
            let step = self.chunks.add(&entry)?;
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
        self.advance(after);
        Ok(())
    }

    /// Translates an entry and puts it behind the others.
    fn enqueue(&mut self, entry: &Entry<'_>, base: Offset, io: &mut Io<'_>) -> Result<(), OffsetError> {
        let options = ReadOptions { decompressed_max: io.shared.config.max_decompressed_bytes };
        let mut bytes = Vec::with_capacity(entry.payload_bytes().saturating_add(BATCH_OVERHEAD_BYTES));
        let span = write_kafka_batch(entry, base.value(), &options, &mut io.shared.scratch, &mut bytes)?;
        if span.records > 0
            && let Some(last) = Offset::new(span.last_offset)
            && last >= self.wanted
        {
            let bytes = Bytes::from(bytes);
            self.queued_bytes = self.queued_bytes.saturating_add(bytes.len());
            io.shared.prefetch.take(bytes.len());
            self.queue.push_back(Batch { last, records: span.records, bytes });
        }
        Ok(())
    }

    fn advance(&mut self, after: Offset) {
        if after > self.next {
            self.next = after;
            self.caught_up = false;
        }
    }

    /// Settles whether the end is reached, and keeps the high watermark from growing old while there is a backlog.
    fn watch_end(&mut self, consumer: ConsumerId, needed: bool, io: &mut Io<'_>) -> Result<(), OffsetError> {
        let State::Streaming { asking_end, .. } = &mut self.state else { return Ok(()) };
        if let Some(find) = asking_end {
            let Some(end) = find.poll(io) else { return Ok(()) };
            *asking_end = None;
            self.learn_end(end?, io.now.instant);
            return Ok(());
        }
        let settled = self.caught_up || !self.queue.is_empty() || self.end > self.next;
        let stale = io.now.instant.since(self.end_asked) >= END_FRESH;
        if needed && (!settled || (stale && !self.caught_up)) {
            self.end_asked = io.now.instant;
            *asking_end = Some(FindEnd::through(consumer, &self.topic, io));
        }
        Ok(())
    }

    fn learn_end(&mut self, end: End, now: Instant) {
        self.end = end.offset;
        self.end_asked = now;
        // Whatever is appended later is pushed, and clears this again.
        self.caught_up = self.next >= end.offset;
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
        matches!(self.state, State::Streaming { .. })
            && self.end > self.next
            && self.flow.allows_more()
            && self.queued_bytes < max_bytes.min(FILL_BYTES)
    }

    /// What a fetch finds now.
    pub fn status(&self) -> Status {
        if self.queued_bytes > 0 {
            return Status::Data(self.queued_bytes);
        }
        match &self.state {
            State::Failed(error) => Status::Failed(error.clone()),
            State::Streaming { .. } if self.caught_up => Status::CaughtUp,
            State::Streaming { .. } | State::Locating(_) | State::Subscribing(..) => Status::Unsettled,
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
        taken
    }

    /// One past the last offset known to exist.
    pub fn high_watermark(&self) -> Offset {
        self.end.max(self.next)
    }

    /// First offset there is, as far as known.
    pub fn log_start(&self) -> Offset {
        self.log_start
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
            State::Streaming { consumer, asking_end } => {
                if let Some(find) = asking_end {
                    find.abandon(io);
                }
                io.pulsar.close_consumer(*consumer, io.now.instant);
            }
            State::Failed(_) => {}
        }
        io.shared.prefetch.give_back(self.chunks.held_bytes());
        self.chunks.clear();
        self.flow.close(&mut io.shared.prefetch);
    }
}
