//! An idempotent producer as clients are: pipelined, and stubborn until every batch is acknowledged.

use crate::codes::{DUPLICATE_SEQUENCE_NUMBER, NETWORK_EXCEPTION, OUT_OF_ORDER_SEQUENCE_NUMBER};
use std::collections::VecDeque;
use std::time::Duration;

use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest, ProducerId};

use super::records::{Identity, api_versions, batch, produce, produced};
use super::{ClientId, Filter, NoAnswer, Pair, Ticket};

/// `max.in.flight.requests.per.connection` of an idempotent producer.
const IN_FLIGHT_MAX: usize = 5;

/// A client gives up on a connection that is silent for so long (`request.timeout.ms`, and time to spare).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// `retry.backoff.ms`.
const RETRY_BACKOFF: Duration = Duration::from_millis(100);

/// Rounds of retries before the producer is said to get nowhere.
const ROUNDS_MAX: u32 = 40;

/// Errors that clients retry: UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT,
/// NETWORK_EXCEPTION, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND, KAFKA_STORAGE_ERROR.
const RETRIABLE: [i16; 8] = [3, 5, 6, 7, 13, 19, 20, 56];

/// What became of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged, at this base offset; -1 for a duplicate whose offset was not told.
    Stored(i64),
    /// Given up with an error that no client retries: the application was told.
    Failed(i16),
}

/// Why a producer got nowhere: the filter is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// A connection stayed silent.
    Silent,
    /// An answer was no good one.
    Broken(NoAnswer),
    /// No producer id was given.
    NoProducerId(i16),
    /// Retries without an end.
    NoProgress {
        /// What the last ones were answered with, by sequence.
        errors: Vec<(i32, i16)>,
    },
}

/// Writes `batches` of values to partition 0 of `topic` as one idempotent producer. Like Kafka's Java client it retries what can be
/// retried, in order, and where a batch fails for good it goes on under the next epoch.
pub fn produce_all<F: Filter>(pair: &mut Pair<F>, topic: &str, batches: &[Vec<String>]) -> Result<Vec<Outcome>, Stuck> {
    let mut producer = Producer { client: greet(pair), id: -1, epoch: -1, next_sequence: 0 };
    producer.new_epoch(pair)?;
    let mut outcomes = vec![None; batches.len()];
    // Batch and, once it was sent, its sequence.
    let mut waiting: VecDeque<(usize, Option<i32>)> = (0..batches.len()).map(|at| (at, None)).collect();
    let mut errors = Vec::new();
    for _ in 0..ROUNDS_MAX {
        if waiting.is_empty() {
            return Ok(outcomes.into_iter().flatten().collect());
        }
        let window: Vec<_> = waiting.drain(..waiting.len().min(IN_FLIGHT_MAX)).collect();
        let sent: Vec<_> =
            window.into_iter().map(|(at, known)| producer.send(pair, topic, at, &batches[at], known)).collect();
        let round = producer.collect(pair, sent)?;
        for (at, outcome) in round.settled {
            outcomes[at] = Some(outcome);
        }
        let bumps = round.failed_for_good;
        errors = round.errors;
        for Retry { at, sequence, error } in round.retried.into_iter().rev() {
            match error {
                _ if !bumps => waiting.push_front((at, Some(sequence))),
                OUT_OF_ORDER_SEQUENCE_NUMBER => waiting.push_front((at, None)),
                // It may be stored, and under another epoch nobody would know it again: the application is told.
                in_doubt => outcomes[at] = Some(Outcome::Failed(in_doubt)),
            }
        }
        if round.closed {
            producer.client = greet(pair);
        }
        if bumps {
            producer.new_epoch(pair)?;
        }
        if !waiting.is_empty() && !errors.is_empty() {
            pair.run_for(RETRY_BACKOFF);
        }
    }
    Err(Stuck::NoProgress { errors })
}

/// A connection on which the API versions were asked for, as clients begin; whether that was answered shows soon enough.
fn greet<F: Filter>(pair: &mut Pair<F>) -> ClientId {
    let client = pair.connect();
    let _ = pair.ask(client, &api_versions(), 3, REQUEST_TIMEOUT);
    client
}

struct Producer {
    client: ClientId,
    id: i64,
    epoch: i16,
    next_sequence: i32,
}

struct Sent {
    at: usize,
    sequence: i32,
    ticket: Ticket<ProduceRequest>,
}

/// What came of one window.
#[derive(Default)]
struct Round {
    settled: Vec<(usize, Outcome)>,
    retried: Vec<Retry>,
    errors: Vec<(i32, i16)>,
    failed_for_good: bool,
    closed: bool,
}

struct Retry {
    at: usize,
    sequence: i32,
    error: i16,
}

impl Producer {
    /// Asks for an id, or for the next epoch of the one it has.
    fn new_epoch<F: Filter>(&mut self, pair: &mut Pair<F>) -> Result<(), Stuck> {
        self.next_sequence = 0;
        for _ in 0..ROUNDS_MAX {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(None)
                .with_producer_id(ProducerId(self.id))
                .with_producer_epoch(self.epoch);
            match pair.ask(self.client, &request, 3, REQUEST_TIMEOUT) {
                Ok(response) if response.error_code == 0 => {
                    (self.id, self.epoch) = (response.producer_id.0, response.producer_epoch);
                    return Ok(());
                }
                Ok(response) => return Err(Stuck::NoProducerId(response.error_code)),
                Err(NoAnswer::Closed) => self.client = greet(pair),
                Err(NoAnswer::TimedOut) => return Err(Stuck::Silent),
                Err(error @ NoAnswer::Broken(_)) => return Err(Stuck::Broken(error)),
            }
        }
        Err(Stuck::NoProgress { errors: vec![] })
    }

    fn send<F: Filter>(
        &mut self,
        pair: &mut Pair<F>,
        topic: &str,
        at: usize,
        values: &[String],
        known: Option<i32>,
    ) -> Sent {
        let sequence = known.unwrap_or(self.next_sequence);
        self.next_sequence = self.next_sequence.max(sequence + i32::try_from(values.len()).expect("a small batch"));
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let batch = batch(&values, Some(Identity { id: self.id, epoch: self.epoch, sequence }));
        Sent { at, sequence, ticket: pair.send(self.client, &produce(topic, 0, batch), 9) }
    }

    fn collect<F: Filter>(&mut self, pair: &mut Pair<F>, sent: Vec<Sent>) -> Result<Round, Stuck> {
        let mut round = Round::default();
        for Sent { at, sequence, ticket } in sent {
            let outcome = if round.closed { Err(NoAnswer::Closed) } else { pair.wait(ticket, REQUEST_TIMEOUT) };
            let follows_failure = !round.retried.is_empty() || round.failed_for_good;
            match outcome.map(|response| produced(&response)) {
                Ok((0 | DUPLICATE_SEQUENCE_NUMBER, offset)) => round.settled.push((at, Outcome::Stored(offset))),
                Ok((error, _))
                    if RETRIABLE.contains(&error) || (error == OUT_OF_ORDER_SEQUENCE_NUMBER && follows_failure) =>
                {
                    round.errors.push((sequence, error));
                    round.retried.push(Retry { at, sequence, error });
                }
                Ok((error, _)) => {
                    round.failed_for_good = true;
                    round.settled.push((at, Outcome::Failed(error)));
                }
                Err(NoAnswer::Closed) => {
                    round.closed = true;
                    round.retried.push(Retry { at, sequence, error: NETWORK_EXCEPTION });
                }
                Err(NoAnswer::TimedOut) => return Err(Stuck::Silent),
                Err(error @ NoAnswer::Broken(_)) => return Err(Stuck::Broken(error)),
            }
        }
        Ok(round)
    }
}
