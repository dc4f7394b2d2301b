//! One Pulsar producer: opens it, sends batches in order, settles each.

mod resolve;
mod send;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::history::History;
use super::outcome::{Outcome, ProduceError, Ticket};
use super::pending::{Pending, Progress};
use super::readback::Readback;
use crate::error::PulsarError;
use crate::ids::{Position, ProducerId, RequestId};
use crate::offsets::peek::Peek;
use crate::pulsar::proto::ServerError;
use crate::records::KafkaBatch;
use crate::session::io::Io;
use crate::session::requests::Reply;
use crate::time::Instant;
use crate::topics::name::PulsarTopic;

/// Pause before the broker is asked the same again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// An idempotent producer that is idle for so long gives its name back: a client that has moved to another connection needs it.
const NAME_KEPT: Duration = Duration::from_secs(1);

/// An unanswered SEND older than this has the producer opened anew.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Who writes: decides the Pulsar producer's name, thus what deduplication goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// No producer id: the broker makes a name, every batch is new.
    Plain,
    /// Kafka's idempotent producer.
    Idempotent {
        /// Producer id.
        id: i64,
        /// Producer epoch.
        epoch: i16,
    },
}

impl Identity {
    /// The same in every connection, worker and replica, so that a retry meets what the first try left.
    fn name(self) -> Option<String> {
        match self {
            Identity::Plain => None,
            Identity::Idempotent { id, epoch } => Some(format!("isthmus-{id}-{epoch}")),
        }
    }
}

/// ```text
/// Closed ──▶ Opening ──PRODUCER_SUCCESS──▶ Ready ──CLOSE_PRODUCER──▶ Closed
///               └─ProducerBusy─▶ Paused ──▶ Opening
/// ```
#[derive(Debug)]
enum State {
    Closed,
    Opening(ProducerId, RequestId),
    /// The broker still knows the name from a connection that is going away.
    Paused(Instant),
    Ready {
        id: ProducerId,
        name: String,
    },
}

/// The producer of one partition and identity.
#[derive(Debug)]
pub struct Producer {
    topic: PulsarTopic,
    identity: Identity,
    state: State,
    batches: VecDeque<Pending>,
    history: History,
    /// Next sequence; `None` while the producer is unknown.
    expected: Option<u64>,
    /// Behind the highest sequence that the broker has seen: what lies before it may be stored already.
    pushed: u64,
    /// A batch that the broker has seen before and has refused now: nothing behind it is sent before it.
    in_doubt: Option<u64>,
    peek: Option<(Position, Peek)>,
    settled: Vec<(Ticket, Outcome)>,
    used: Instant,
    sends_in_flight: usize,
}

impl Producer {
    /// A producer that opens with its first batch.
    pub fn new(topic: PulsarTopic, identity: Identity, now: Instant) -> Self {
        Self {
            topic,
            identity,
            state: State::Closed,
            batches: VecDeque::new(),
            history: History::default(),
            expected: None,
            pushed: 0,
            in_doubt: None,
            peek: None,
            settled: Vec::new(),
            used: now,
            sends_in_flight: 0,
        }
    }

    /// Takes a batch whose header is in order.
    pub fn submit(&mut self, ticket: Ticket, bytes: Bytes, batch: &KafkaBatch<'_>, deadline: Instant, io: &mut Io<'_>) {
        self.used = io.now.instant;
        io.shared.held.take(bytes.len());
        self.batches.push_back(Pending {
            tickets: vec![ticket],
            base_sequence: batch.base_sequence(),
            records: batch.record_count(),
            deadline,
            progress: Progress::Held { bytes, not_before: None },
        });
    }

    /// Whose receipts these are, while the producer is open.
    pub fn id(&self) -> Option<ProducerId> {
        match &self.state {
            State::Ready { id, .. } => Some(*id),
            State::Closed | State::Opening(..) | State::Paused(_) => None,
        }
    }

    /// Bytes that wait to be sent.
    pub fn held_bytes(&self) -> usize {
        self.batches.iter().map(Pending::held_bytes).sum()
    }

    /// Whether the batch is here and waits to be sent.
    pub fn is_held(&self, ticket: Ticket) -> bool {
        self.batches.iter().any(|batch| batch.is_held() && batch.tickets.contains(&ticket))
    }

    /// SENDs without receipt.
    pub fn sends_in_flight(&self) -> usize {
        self.sends_in_flight
    }

    /// Whether it could be closed without harm.
    pub fn is_idle(&self) -> bool {
        self.batches.is_empty()
    }

    /// When it was last written to.
    pub fn used(&self) -> Instant {
        self.used
    }

    /// Outcomes since the last call.
    pub fn take_settled(&mut self) -> Vec<(Ticket, Outcome)> {
        std::mem::take(&mut self.settled)
    }

    /// SEND_RECEIPT; `None` says that the broker dropped the SEND as a duplicate.
    pub fn on_receipt(&mut self, sequence_id: u64, position: Option<Position>, io: &mut Io<'_>) {
        let Some(index) = self.batches.iter().position(|batch| batch.has_sent(sequence_id)) else { return };
        let Some(batch) = self.batches.get_mut(index) else { return };
        let Progress::Sent { first, skipped, entries, stored, .. } = &mut batch.progress else { return };
        let Some(index) = entries.iter().position(|entry| entry.first_sequence_id == sequence_id) else { return };
        let Some(entry) = entries.remove(index) else { return };
        let (first, skipped) = (*first, *skipped);
        self.sends_in_flight = self.sends_in_flight.saturating_sub(1);
        if let Some(position) = position {
            io.shared.entries.observe(&self.topic, position, entry.records, None);
            if entry.first_sequence_id == first.saturating_add(u64::from(skipped)) {
                *stored = Some(position);
            }
            self.history.on_receipt(first);
        }
        if entries.is_empty() {
            batch.progress = match (*stored, &self.state) {
                (Some(position), _) => Progress::Stored { first, skipped, position },
                (None, State::Ready { name, .. }) => {
                    let sequences = first..first.saturating_add(batch.records.into());
                    let search = Readback::new(&self.topic, name, sequences, io);
                    Progress::ReadingBack { first, search: Box::new(search) }
                }
                (None, State::Closed | State::Opening(..) | State::Paused(_)) => {
                    return self.settle(first, Outcome::Failed(ProduceError::Pulsar(PulsarError::Closed)));
                }
            };
        }
    }

    /// SEND_ERROR; the sequence is the entry's last.
    pub fn on_refusal(&mut self, sequence_id: u64, error: PulsarError, io: &mut Io<'_>) {
        let now = io.now.instant;
        let Some(index) = self.batches.iter().position(|batch| batch.has_sent(sequence_id)) else { return };
        let error = ProduceError::Pulsar(error);
        let Some(batch) = self.batches.get_mut(index) else { return };
        let Progress::Sent { first, bytes, entries, repeated, .. } = &mut batch.progress else { return };
        let (first, repeated) = (*first, *repeated);
        self.sends_in_flight = self.sends_in_flight.saturating_sub(entries.len());
        if error.is_undetermined() && !bytes.is_empty() && now + RETRY_PAUSE < batch.deadline {
            let bytes = std::mem::take(bytes);
            io.shared.held.take(bytes.len());
            batch.progress = Progress::Held { bytes, not_before: Some(now + RETRY_PAUSE) };
            return;
        }
        let sequences = first..first.saturating_add(batch.records.into());
        let is_whole = entries.front().is_some_and(|entry| u64::from(entry.records) == u64::from(batch.records));
        match self.identity {
            // Its numbers are ours: none is used twice.
            Identity::Plain => {}
            // Its first try, or other entries of it, may be stored, whatever is said of this one. The client sends it again, the broker
            // and the log will tell, and what follows waits for it.
            Identity::Idempotent { .. } if repeated || !is_whole => {
                self.in_doubt = Some(self.in_doubt.map_or(first, |other| other.min(first)));
            }
            Identity::Idempotent { .. } => {
                let passed = self.batches.iter().skip(index.saturating_add(1)).any(Pending::is_stored);
                self.history.on_refusal(sequences, passed);
            }
        }
        self.settle(first, Outcome::Failed(error));
    }

    /// CLOSE_PRODUCER: what is in flight may be stored or not; the client's retry finds out.
    pub fn on_closed(&mut self, io: &mut Io<'_>) {
        self.be_closed();
        self.fail_in_flight(&PulsarError::Closed, io);
        io.shared.leaders.forget(&self.topic);
    }

    fn be_closed(&mut self) {
        self.state = State::Closed;
        self.expected = None;
        self.in_doubt = None;
        self.history.on_closed();
    }

    fn fail_in_flight(&mut self, error: &PulsarError, io: &mut Io<'_>) {
        self.sends_in_flight = 0;
        for batch in std::mem::take(&mut self.batches) {
            if let Progress::Held { bytes, .. } = &batch.progress {
                io.shared.held.give_back(bytes.len());
            }
            if let Progress::Stored { .. } | Progress::ReadingBack { .. } = batch.progress {
                // Stored is stored: only its offset is still looked for.
                self.batches.push_back(batch);
                continue;
            }
            let outcome = Outcome::Failed(ProduceError::Pulsar(error.clone()));
            self.settled.extend(batch.tickets.into_iter().map(|ticket| (ticket, outcome.clone())));
        }
    }

    /// Goes on as far as it can: opens, sends, looks for offsets, gives up what is overdue.
    pub fn poll(&mut self, sends_allowed: usize, io: &mut Io<'_>) {
        self.expire(io);
        self.open(io);
        self.end_pauses(io.now.instant);
        if self.sends_in_flight == 0
            && let Some(refused) = self.history.on_all_settled()
        {
            // Kafka's client sends the same sequence again.
            self.expected = Some(refused);
        }
        if let State::Ready { .. } = self.state {
            self.send(sends_allowed, io);
        }
        self.resolve(io);
    }

    fn open(&mut self, io: &mut Io<'_>) {
        match &self.state {
            State::Closed if self.batches.iter().any(Pending::is_held) => {
                self.ask_to_open(io);
            }
            State::Paused(until) if *until <= io.now.instant => self.ask_to_open(io),
            State::Closed | State::Paused(_) | State::Opening(..) | State::Ready { .. } => {}
        }
        let State::Opening(id, request) = self.state else { return };
        match io.pulsar.take(request) {
            None => {}
            Some(Ok(Reply::Producer { name, last_sequence_id })) => {
                self.expected = match self.identity {
                    Identity::Plain => Some(0),
                    Identity::Idempotent { .. } => last_sequence_id.and_then(|last| last.checked_add(1)),
                };
                self.pushed = self.expected.unwrap_or(0);
                self.state = State::Ready { id, name };
            }
            Some(Err(PulsarError::Refused { code: ServerError::ProducerBusy, .. })) => {
                self.state = State::Paused(io.now.instant + RETRY_PAUSE);
            }
            Some(Err(error)) => {
                if !matches!(error, PulsarError::Refused { .. }) {
                    // The broker may open it yet, and would hold its name busy for us.
                    io.pulsar.close_producer(id, io.now.instant);
                }
                self.be_closed();
                io.shared.leaders.forget(&self.topic);
                self.fail_in_flight(&error, io);
            }
            Some(Ok(_)) => {
                self.close(io);
                self.fail_in_flight(&PulsarError::Malformed("another answer to PRODUCER"), io);
            }
        }
    }

    fn ask_to_open(&mut self, io: &mut Io<'_>) {
        let (id, request) =
            io.pulsar.open_producer(self.topic.as_str(), self.identity.name(), &io.client.id, io.now.instant);
        self.state = State::Opening(id, request);
    }

    fn end_pauses(&mut self, now: Instant) {
        for batch in &mut self.batches {
            if let Progress::Held { not_before, .. } = &mut batch.progress {
                not_before.take_if(|at| *at <= now);
            }
        }
    }

    fn settle(&mut self, wanted: u64, outcome: Outcome) {
        let Some(index) = self.batches.iter().position(|batch| batch.is_in_flight_from(wanted)) else { return };
        if let Some(batch) = self.batches.remove(index) {
            if let (Identity::Idempotent { .. }, Outcome::Stored(offset), Some(sequences)) =
                (self.identity, &outcome, batch.sequences())
            {
                self.history.on_stored(sequences, *offset);
            }
            self.settle_batch(batch, outcome);
        }
    }

    fn settle_batch(&mut self, batch: Pending, outcome: Outcome) {
        self.settled.extend(batch.tickets.into_iter().map(|ticket| (ticket, outcome.clone())));
    }

    fn expire(&mut self, io: &mut Io<'_>) {
        let now = io.now.instant;
        let mut stuck = false;
        let mut kept = VecDeque::new();
        for mut batch in std::mem::take(&mut self.batches) {
            if batch.deadline <= now {
                let outcome = Outcome::Failed(ProduceError::TimedOut);
                self.settled.extend(batch.tickets.drain(..).map(|ticket| (ticket, outcome.clone())));
                match &mut batch.progress {
                    Progress::Held { bytes, .. } => {
                        io.shared.held.give_back(bytes.len());
                        continue;
                    }
                    // Only its offset is missing: the client's retry asks for it again.
                    Progress::Stored { .. } => continue,
                    Progress::ReadingBack { search, .. } => {
                        search.abandon(io);
                        continue;
                    }
                    Progress::Sent { .. } => stuck |= now.since(batch.deadline) >= SETTLE_TIMEOUT,
                }
            }
            kept.push_back(batch);
        }
        self.batches = kept;
        if stuck {
            self.close(io);
            self.fail_in_flight(&PulsarError::TimedOut, io);
        }
    }

    /// When [`Producer::poll`] has work next, events aside.
    pub fn next_deadline(&self) -> Option<Instant> {
        let paused = match &self.state {
            State::Paused(until) => Some(*until),
            State::Closed | State::Opening(..) | State::Ready { .. } => None,
        };
        let batches = self.batches.iter().map(|batch| match &batch.progress {
            Progress::Held { not_before: Some(at), .. } => batch.deadline.min(*at),
            Progress::Held { not_before: None, .. } => batch.deadline,
            Progress::Sent { .. } | Progress::Stored { .. } | Progress::ReadingBack { .. } => {
                if batch.tickets.is_empty() { batch.deadline + SETTLE_TIMEOUT } else { batch.deadline }
            }
        });
        paused.into_iter().chain(batches).chain(self.gives_name_back_at()).min()
    }

    /// Takes the answer to a PRODUCER whose batches were given up meanwhile, and gives the name back where it may be wanted elsewhere;
    /// what is remembered stays.
    pub fn on_idle(&mut self, io: &mut Io<'_>) {
        match self.state {
            State::Opening(..) => self.open(io),
            State::Paused(_) => self.state = State::Closed,
            State::Closed | State::Ready { .. } => {}
        }
        if self.gives_name_back_at().is_some_and(|at| at <= io.now.instant) {
            self.close(io);
        }
    }

    fn gives_name_back_at(&self) -> Option<Instant> {
        let named = matches!(self.identity, Identity::Idempotent { .. });
        let open = matches!(self.state, State::Ready { .. });
        (named && open && self.batches.is_empty()).then(|| self.used + NAME_KEPT)
    }

    /// Closes the producer on the broker.
    pub fn close(&mut self, io: &mut Io<'_>) {
        if let Some((_, peek)) = &mut self.peek {
            peek.abandon(io);
            self.peek = None;
        }
        if let State::Opening(_, request) = self.state {
            io.pulsar.forget(request);
        }
        if let State::Ready { id, .. } | State::Opening(id, _) = self.state {
            io.pulsar.close_producer(id, io.now.instant);
        }
        self.be_closed();
    }

    /// Gives back what it holds: the connection is gone.
    pub fn release(&mut self, io: &mut Io<'_>) {
        self.fail_in_flight(&PulsarError::Disconnected, io);
    }
}
