//! The producers of one connection, and the outcomes of the batches given to them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::outcome::{Outcome, ProduceError, Ticket};
use super::producer::{Identity, Producer};
use crate::ids::ProducerId;
use crate::records::KafkaBatch;
use crate::session::io::Io;
use crate::session::producer_events::ProducerEvent;
use crate::time::Instant;
use crate::topics::name::PulsarTopic;

/// SENDs without receipt on one connection. At 1000 the broker stops reading the connection until 500 are left
/// (`maxPendingPublishRequestsPerConnection`), and everything behind them would wait too.
const MAX_SENDS_IN_FLIGHT: usize = 500;

/// A producer nobody wrote to for so long is closed.
const IDLE: Duration = Duration::from_secs(600);

type Key = (PulsarTopic, Identity);

/// By partition and identity.
#[derive(Debug, Default)]
pub struct Producers {
    producers: BTreeMap<Key, Producer>,
    by_id: BTreeMap<ProducerId, Key>,
    outcomes: BTreeMap<Ticket, Option<Outcome>>,
    last_ticket: u64,
}

impl Producers {
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
        if !self.producers.contains_key(&key) {
            if self.producers.len() >= io.shared.config.max_producers_per_connection as usize
                && !self.close_longest_idle(io)
            {
                return Err(ProduceError::Overloaded);
            }
            self.producers.insert(key.clone(), Producer::new(topic.clone(), identity, io.now.instant));
        }
        let Some(producer) = self.producers.get_mut(&key) else { return Err(ProduceError::Overloaded) };
        self.last_ticket = self.last_ticket.wrapping_add(1);
        let ticket = Ticket(self.last_ticket);
        self.outcomes.insert(ticket, None);
        producer.submit(ticket, bytes, batch, deadline, io);
        Ok(ticket)
    }

    fn refuse_stale_epoch(&self, topic: &PulsarTopic, identity: Identity) -> Result<(), ProduceError> {
        let Identity::Idempotent { id, epoch } = identity else { return Ok(()) };
        let newest = (topic.clone(), Identity::Idempotent { id, epoch: i16::MAX });
        let own = (topic.clone(), identity);
        let newer = self.producers.range(own..=newest).any(|((_, other), _)| match other {
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
        let begins = !self.producers.contains_key(&own) && self.producers.range(oldest..own).next().is_some();
        if begins && base_sequence != 0 { Err(ProduceError::OutOfOrderSequence) } else { Ok(()) }
    }

    fn close_longest_idle(&mut self, io: &mut Io<'_>) -> bool {
        let idle = self.producers.iter().filter(|(_, producer)| producer.is_idle());
        let Some(key) = idle.min_by_key(|(_, producer)| producer.used()).map(|(key, _)| key.clone()) else {
            return false;
        };
        self.close(&key, io);
        true
    }

    fn close(&mut self, key: &Key, io: &mut Io<'_>) {
        if let Some(mut producer) = self.producers.remove(key) {
            if let Some(id) = producer.id() {
                self.by_id.remove(&id);
            }
            producer.close(io);
        }
    }

    /// Takes an outcome; `None` while it is awaited.
    pub fn take(&mut self, ticket: Ticket) -> Option<Outcome> {
        match self.outcomes.get(&ticket) {
            Some(None) => None,
            Some(Some(_)) => self.outcomes.remove(&ticket).flatten(),
            None => Some(Outcome::Failed(ProduceError::TimedOut)),
        }
    }

    /// Whether an outcome waits to be taken.
    pub fn has_news(&self) -> bool {
        self.outcomes.values().any(Option::is_some)
    }

    /// Whether the batch still waits to be sent to the broker.
    pub fn is_held(&self, ticket: Ticket) -> bool {
        self.producers.values().any(|producer| producer.is_held(ticket))
    }

    /// Nobody will ask for this outcome.
    pub fn forget(&mut self, ticket: Ticket) {
        self.outcomes.remove(&ticket);
    }

    /// Lets every producer with something to do go on, after telling each what happened.
    pub fn poll(&mut self, io: &mut Io<'_>) {
        while let Some(event) = io.pulsar.poll_event() {
            self.on_event(event, io);
        }
        let mut in_flight: usize = self.producers.values().map(Producer::sends_in_flight).sum();
        for (key, producer) in &mut self.producers {
            let before = producer.id();
            if producer.is_idle() {
                producer.on_idle(io);
            } else {
                let others = in_flight.saturating_sub(producer.sends_in_flight());
                producer.poll(MAX_SENDS_IN_FLIGHT.saturating_sub(others), io);
                in_flight = others.saturating_add(producer.sends_in_flight());
            }
            if producer.id() != before {
                if let Some(id) = before {
                    self.by_id.remove(&id);
                }
                if let Some(id) = producer.id() {
                    self.by_id.insert(id, key.clone());
                }
            }
            record(&mut self.outcomes, producer.take_settled());
        }
    }

    fn on_event(&mut self, event: ProducerEvent, io: &mut Io<'_>) {
        let id = event.producer();
        let Some(producer) = self.by_id.get(&id).and_then(|key| self.producers.get_mut(key)) else { return };
        match event {
            ProducerEvent::Receipt { sequence_id, position, .. } => producer.on_receipt(sequence_id, position, io),
            ProducerEvent::Refused { sequence_id, error, .. } => producer.on_refusal(sequence_id, error, io),
            ProducerEvent::Closed(_) => {
                producer.on_closed(io);
                self.by_id.remove(&id);
            }
        }
        record(&mut self.outcomes, producer.take_settled());
    }

    /// Closes what nobody uses.
    pub fn on_time(&mut self, io: &mut Io<'_>) {
        let now = io.now.instant;
        let idle: Vec<Key> = self
            .producers
            .iter()
            .filter(|(_, producer)| producer.is_idle() && now.since(producer.used()) >= IDLE)
            .map(|(key, _)| key.clone())
            .collect();
        for key in idle {
            self.close(&key, io);
        }
    }

    /// Bytes that wait to be sent.
    pub fn held_bytes(&self) -> usize {
        self.producers.values().map(Producer::held_bytes).sum()
    }

    /// When [`Producers::poll`] has work next, events aside.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.producers.values().filter_map(Producer::next_deadline).min()
    }

    /// Gives back everything: the connection is gone.
    pub fn close_all(&mut self, io: &mut Io<'_>) {
        for producer in self.producers.values_mut() {
            producer.release(io);
        }
        self.producers.clear();
        self.by_id.clear();
        self.outcomes.clear();
    }

    /// Outcomes that somebody waits for or has not fetched.
    pub fn open_tickets(&self) -> usize {
        self.outcomes.len()
    }
}

/// Outcomes whose requester is gone are dropped.
fn record(outcomes: &mut BTreeMap<Ticket, Option<Outcome>>, settled: Vec<(Ticket, Outcome)>) {
    for (ticket, outcome) in settled {
        if let Some(slot) = outcomes.get_mut(&ticket) {
            *slot = Some(outcome);
        }
    }
}
