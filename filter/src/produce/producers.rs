//! The producers of one connection, and the outcomes of the batches given to them.
//!
//! There may be thousands, and an event is about few: a producer is polled when it was given something, when what it asked for has
//! come, when there is room again, or when it is time. Whoever gave a batch is woken by its outcome.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::counts::{Counted, Counts};
use super::outcome::{Outcome, ProduceError, Ticket};
use super::producer::{Identity, Producer};
use crate::ids::ProducerId;
use crate::records::KafkaBatch;
use crate::session::io::Io;
use crate::session::producer_events::ProducerEvent;
use crate::session::wake::{WakeList, Waker};
use crate::time::Instant;
use crate::topics::name::{KafkaTopic, PulsarTopic};

/// SENDs without receipt on one connection. At 1000 the broker stops reading the connection until 500 are left
/// (`maxPendingPublishRequestsPerConnection`), and everything behind them would wait too.
const MAX_SENDS_IN_FLIGHT: usize = 500;

/// A producer nobody wrote to for so long is closed.
const IDLE: Duration = Duration::from_secs(600);

type Key = (PulsarTopic, Identity);

/// One of the producers that a connection had so far; never another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(usize);

#[derive(Debug)]
struct Member {
    key: Key,
    producer: Producer,
    /// It waits for room among the SENDs in flight.
    is_in_line: bool,
}

#[derive(Debug)]
struct Awaited {
    outcome: Option<Outcome>,
    asker: Option<Waker>,
}

/// By partition and identity.
#[derive(Debug, Default)]
pub struct Producers {
    counts: Counts,
    members: BTreeMap<Place, Member>,
    by_key: BTreeMap<Key, Place>,
    by_id: BTreeMap<ProducerId, Place>,
    last_place: usize,
    woken: WakeList,
    /// Those that have more to send than there is room for, first come first served.
    line: VecDeque<Place>,
    sends_in_flight: usize,
    held_bytes: usize,
    /// No producer has work before it that nothing wakes it for.
    not_before: Option<Instant>,
    outcomes: BTreeMap<Ticket, Awaited>,
    /// Outcomes that wait to be taken.
    news: usize,
    last_ticket: u64,
}

impl Producers {
    /// Asks how many partitions a topic has, for batches that are to be submitted then.
    pub fn count(&mut self, topic: &KafkaTopic, io: &mut Io<'_>) -> Counted {
        self.counts.ask(topic, io)
    }

    /// Takes a batch whose header is in order; its outcome is asked for with the ticket.
    pub fn submit(
        &mut self,
        topic: &PulsarTopic,
        batch: &KafkaBatch<'_>,
        bytes: Bytes,
        deadline: Instant,
        io: &mut Io<'_>,
    ) -> Result<Ticket, ProduceError> {
        let identity = match batch.producer_id() {
            id if id >= 0 => Identity::Idempotent { id, epoch: batch.producer_epoch() },
            _ => Identity::Plain,
        };
        self.refuse_stale_epoch(topic, identity)?;
        self.refuse_epoch_that_begins_late(topic, identity, batch.base_sequence())?;
        let key = (topic.clone(), identity);
        let place = match self.by_key.get(&key) {
            Some(place) => *place,
            None => self.add(key, io)?,
        };
        self.last_ticket = self.last_ticket.wrapping_add(1);
        let ticket = Ticket(self.last_ticket);
        self.outcomes.insert(ticket, Awaited { outcome: None, asker: io.asker() });
        self.act(place, io, |producer, _, io| producer.submit(ticket, bytes, batch, deadline, io));
        self.wake(place);
        Ok(ticket)
    }

    fn add(&mut self, key: Key, io: &mut Io<'_>) -> Result<Place, ProduceError> {
        let bound = io.shared.config.max_producers_per_connection as usize;
        if self.members.len() >= bound && !self.close_longest_idle(io) {
            return Err(ProduceError::Overloaded);
        }
        self.last_place = self.last_place.wrapping_add(1);
        let place = Place(self.last_place);
        let producer = Producer::new(key.0.clone(), key.1, io.now.instant);
        self.by_key.insert(key.clone(), place);
        self.members.insert(place, Member { key, producer, is_in_line: false });
        Ok(place)
    }

    fn refuse_stale_epoch(&self, topic: &PulsarTopic, identity: Identity) -> Result<(), ProduceError> {
        let Identity::Idempotent { id, epoch } = identity else { return Ok(()) };
        let newest = (topic.clone(), Identity::Idempotent { id, epoch: i16::MAX });
        let own = (topic.clone(), identity);
        let newer = self.by_key.range(own..=newest).any(|((_, other), _)| match other {
            Identity::Idempotent { epoch: other, .. } => *other > epoch,
            Identity::Plain => false,
        });
        if newer { Err(ProduceError::StaleEpoch) } else { Ok(()) }
    }

    /// A new epoch begins at sequence 0 (`ProducerAppendInfo.checkSequence`), where the epoch before it is known.
    fn refuse_epoch_that_begins_late(
        &self,
        topic: &PulsarTopic,
        identity: Identity,
        base_sequence: i32,
    ) -> Result<(), ProduceError> {
        let Identity::Idempotent { id, .. } = identity else { return Ok(()) };
        let oldest = (topic.clone(), Identity::Idempotent { id, epoch: 0 });
        let own = (topic.clone(), identity);
        let begins = !self.by_key.contains_key(&own) && self.by_key.range(oldest..own).next().is_some();
        if begins && base_sequence != 0 { Err(ProduceError::OutOfOrderSequence) } else { Ok(()) }
    }

    fn close_longest_idle(&mut self, io: &mut Io<'_>) -> bool {
        let idle = self.members.iter().filter(|(_, member)| member.producer.is_idle());
        let Some(place) = idle.min_by_key(|(_, member)| member.producer.used()).map(|(place, _)| *place) else {
            return false;
        };
        self.close(place, io);
        true
    }

    /// Closes one that is idle, which has nothing in flight.
    fn close(&mut self, place: Place, io: &mut Io<'_>) {
        self.act(place, io, |producer, _, io| producer.close(io));
        if let Some(member) = self.members.remove(&place) {
            self.by_key.remove(&member.key);
        }
    }

    /// Takes an outcome; `None` while it is awaited.
    pub fn take(&mut self, ticket: Ticket) -> Option<Outcome> {
        match self.outcomes.get(&ticket) {
            Some(Awaited { outcome: None, .. }) => None,
            Some(Awaited { outcome: Some(_), .. }) => self.remove(ticket),
            None => Some(Outcome::Failed(ProduceError::TimedOut)),
        }
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Outcome> {
        let outcome = self.outcomes.remove(&ticket)?.outcome?;
        self.news = self.news.saturating_sub(1);
        Some(outcome)
    }

    /// Whether an outcome waits to be taken.
    pub fn has_news(&self) -> bool {
        self.news > 0
    }

    /// Whether the batch still waits to be sent to the broker.
    pub fn is_held(&self, ticket: Ticket) -> bool {
        self.members.values().any(|member| member.producer.is_held(ticket))
    }

    /// Nobody will ask for this outcome.
    pub fn forget(&mut self, ticket: Ticket) {
        self.remove(ticket);
    }

    /// Lets every producer with something to do go on, after telling each what happened.
    pub fn poll(&mut self, io: &mut Io<'_>) {
        while let Some(event) = io.pulsar.poll_event() {
            self.on_event(event, io);
        }
        self.counts.poll(io);
        self.serve_line(io);
        let mut woken = self.woken.take();
        woken.sort_unstable();
        woken.dedup();
        if self.not_before.is_some_and(|at| at <= io.now.instant) {
            self.not_before = None;
            for place in self.members.keys().copied().collect::<Vec<_>>() {
                self.poll_one(place, io);
            }
        } else {
            for place in woken.into_iter().map(Place) {
                self.poll_one(place, io);
            }
        }
    }

    /// What receipts made room for is for those that wait, before whoever got the receipts.
    fn serve_line(&mut self, io: &mut Io<'_>) {
        for _ in 0..self.line.len() {
            if self.sends_in_flight >= MAX_SENDS_IN_FLIGHT {
                break;
            }
            let Some(place) = self.line.pop_front() else { break };
            if let Some(member) = self.members.get_mut(&place) {
                member.is_in_line = false;
                self.poll_one(place, io);
            }
        }
    }

    fn poll_one(&mut self, place: Place, io: &mut Io<'_>) {
        self.act(
            place,
            io,
            |producer, sends_allowed, io| {
                if producer.is_idle() { producer.on_idle(io) } else { producer.poll(sends_allowed, io) }
            },
        );
    }

    fn on_event(&mut self, event: ProducerEvent, io: &mut Io<'_>) {
        let Some(place) = self.by_id.get(&event.producer()).copied() else { return };
        self.act(place, io, |producer, _, io| match event {
            ProducerEvent::Receipt { sequence_id, position, .. } => producer.on_receipt(sequence_id, position, io),
            ProducerEvent::Refused { sequence_id, error, .. } => producer.on_refusal(sequence_id, error, io),
            ProducerEvent::Closed(_) => producer.on_closed(io),
        });
        self.wake(place);
    }

    fn wake(&self, place: Place) {
        self.woken.waker(place.0).wake();
    }

    /// Has a producer do something, told how many SENDs it may have in flight, and keeps what is known of all in step.
    fn act(&mut self, place: Place, io: &mut Io<'_>, act: impl FnOnce(&mut Producer, usize, &mut Io<'_>)) {
        let Some(Member { producer, is_in_line, .. }) = self.members.get_mut(&place) else { return };
        let (id, sends, held_bytes) = (producer.id(), producer.sends_in_flight(), producer.held_bytes());
        let others = self.sends_in_flight.saturating_sub(sends);
        io.asked_by(self.woken.waker(place.0), |io| act(producer, MAX_SENDS_IN_FLIGHT.saturating_sub(others), io));
        self.sends_in_flight = others.saturating_add(producer.sends_in_flight());
        self.held_bytes = self.held_bytes.saturating_sub(held_bytes).saturating_add(producer.held_bytes());
        if producer.id() != id {
            id.map(|id| self.by_id.remove(&id));
            producer.id().map(|id| self.by_id.insert(id, place));
        }
        self.not_before = self.not_before.into_iter().chain(producer.next_deadline()).min();
        let has_no_room = self.sends_in_flight >= MAX_SENDS_IN_FLIGHT && producer.held_bytes() > 0;
        if has_no_room && !std::mem::replace(is_in_line, true) {
            self.line.push_back(place);
        }
        for (ticket, outcome) in producer.take_settled() {
            // Outcomes whose requester is gone are dropped.
            let Some(awaited) = self.outcomes.get_mut(&ticket) else { continue };
            self.news = self.news.saturating_add(usize::from(awaited.outcome.is_none()));
            awaited.outcome = Some(outcome);
            awaited.asker.iter().for_each(Waker::wake);
        }
    }

    /// Closes what nobody uses.
    pub fn on_time(&mut self, io: &mut Io<'_>) {
        let now = io.now.instant;
        let is_unused = |producer: &Producer| producer.is_idle() && now.since(producer.used()) >= IDLE;
        let unused = self.members.iter().filter(|(_, member)| is_unused(&member.producer));
        for place in unused.map(|(place, _)| *place).collect::<Vec<_>>() {
            self.close(place, io);
        }
    }

    /// Bytes that wait to be sent.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// When [`Producers::poll`] may have work next, events aside, and no later than it has.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.not_before
    }

    /// Gives back everything: the connection is gone.
    pub fn close_all(&mut self, io: &mut Io<'_>) {
        for member in self.members.values_mut() {
            member.producer.release(io);
        }
        *self = Self::default();
    }

    /// Outcomes that somebody waits for or has not fetched.
    pub fn open_tickets(&self) -> usize {
        self.outcomes.len()
    }
}
