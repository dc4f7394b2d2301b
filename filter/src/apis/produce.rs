//! Produce: each partition's record batch becomes SENDs; the response tells each its base offset.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, deadline_of, respond, text};
use crate::error::PulsarError;
use crate::kafka::header::RequestHeader;
use crate::produce::counts::Counted;
use crate::produce::outcome::{Outcome, ProduceError, Ticket};
use crate::produce::producers::Producers;
use crate::records::KafkaBatch;
use crate::session::io::Io;
use crate::session::wake::{Parts, WakeList};
use crate::time::Instant;
use crate::topics::name::{KafkaTopic, PulsarTopic};
use crate::topics::partitions::Partitions;

/// `acks` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acks {
    /// No response; an error closes the connection.
    None,
    /// 1 and all mean the same here: Pulsar acknowledges what its ack quorum has.
    Stored,
}

/// Begins to answer.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: ProduceRequest = request.decode()?;
    let acks = match body.acks {
        0 => Ok(Acks::None),
        1 | -1 => Ok(Acks::Stored),
        _ => Err(ResponseError::InvalidRequiredAcks),
    };
    let deadline = deadline_of(body.timeout_ms, context);
    // Until there are transactions, a transactional id is refused with what clients take as fatal.
    let refused = match (&acks, &body.transactional_id) {
        (Err(code), _) => Some(*code),
        (Ok(_), Some(_)) => Some(ResponseError::TransactionalIdAuthorizationFailed),
        (Ok(_), None) => None,
    };
    let mut counts = Parts::new(&context.io);
    let topics = body
        .topic_data
        .into_iter()
        .enumerate()
        .map(|(place, topic)| {
            let name = topic.name.0.to_string();
            let kafka = KafkaTopic::new(&name).map_err(|_| ResponseError::InvalidTopicException);
            if let (Ok(topic), None) = (&kafka, refused) {
                let Context { io, producers, .. } = &mut *context;
                counts.push(io, |io| (place, producers.count(topic, io)));
            }
            let partitions = topic
                .partition_data
                .into_iter()
                .map(|partition| Partition {
                    index: partition.index,
                    state: match (refused, &kafka) {
                        (Some(code), _) => State::Failed(code, None),
                        (None, Err(code)) => State::Failed(*code, None),
                        (None, Ok(_)) => State::Counting(partition.records.unwrap_or_default()),
                    },
                })
                .collect();
            Topic { name, kafka: kafka.ok(), partitions }
        })
        .collect();
    let acks = acks.unwrap_or(Acks::Stored);
    let exchange = Produce {
        header: request.header,
        acks,
        deadline,
        topics,
        counts,
        stored: WakeList::default(),
        sent: Vec::new(),
        open: 0,
    };
    Ok(Started { exchange: Box::new(exchange), deadline })
}

struct Produce {
    header: RequestHeader,
    acks: Acks,
    deadline: Instant,
    topics: Vec<Topic>,
    /// How many partitions a topic has, by where it stands in the request.
    counts: Parts<(usize, Counted)>,
    /// Of `sent`, those with an outcome.
    stored: WakeList,
    /// Partitions that were sent, in that order.
    sent: Vec<Sent>,
    /// How many of them have none yet.
    open: usize,
}

/// A partition whose outcome is awaited, by where it stands in the request.
#[derive(Clone, Copy)]
struct Sent {
    topic: usize,
    partition: usize,
}

struct Topic {
    name: String,
    kafka: Option<KafkaTopic>,
    partitions: Vec<Partition>,
}

struct Partition {
    index: i32,
    state: State,
}

/// ```text
/// Counting ──▶ Sent ──▶ Stored | Failed
/// ```
enum State {
    /// The number of partitions is awaited.
    Counting(Bytes),
    Sent(Ticket),
    /// The base offset; -1 where nobody knows it any more.
    Stored(i64),
    Failed(ResponseError, Option<&'static str>),
}

impl Partition {
    fn is_unsent(&self, producers: &Producers) -> bool {
        match &self.state {
            State::Counting(_) => true,
            State::Sent(ticket) => producers.is_held(*ticket),
            State::Stored(_) | State::Failed(..) => false,
        }
    }
}

impl Topic {
    fn response(&self) -> TopicProduceResponse {
        let partitions = self.partitions.iter().map(|partition| {
            let response = PartitionProduceResponse::default()
                .with_index(partition.index)
                .with_base_offset(-1)
                .with_log_append_time_ms(-1)
                .with_log_start_offset(-1);
            match &partition.state {
                State::Stored(offset) => response.with_base_offset(*offset),
                State::Failed(code, message) => {
                    response.with_error_code(code.code()).with_error_message(message.map(text))
                }
                State::Counting(_) | State::Sent(_) => response.with_error_code(ResponseError::RequestTimedOut.code()),
            }
        });
        TopicProduceResponse::default()
            .with_name(TopicName(text(self.name.clone())))
            .with_partition_responses(partitions.collect())
    }
}

fn submit(topic: &PulsarTopic, bytes: Bytes, deadline: Instant, producers: &mut Producers, io: &mut Io<'_>) -> State {
    let submitted = KafkaBatch::parse(&bytes).map_err(ProduceError::Batch).and_then(|batch| {
        if batch.is_transactional() {
            return Ok(None);
        }
        producers.submit(topic, &batch, bytes.clone(), deadline, io).map(Some)
    });
    match submitted {
        Ok(Some(ticket)) => State::Sent(ticket),
        Ok(None) => State::Failed(ResponseError::TransactionalIdAuthorizationFailed, None),
        Err(error) => State::Failed(error.kafka_code(), None),
    }
}

fn settle(outcome: Outcome) -> State {
    match outcome {
        Outcome::Stored(offset) => State::Stored(offset.value()),
        // Success to every client, without an offset.
        Outcome::Duplicate => State::Failed(ResponseError::DuplicateSequenceNumber, None),
        Outcome::Failed(error) => State::Failed(error.kafka_code(), None),
    }
}

impl Produce {
    /// Its partitions are known by now.
    fn send_topic(&mut self, at: usize, counted: &Result<Partitions, PulsarError>, context: &mut Context<'_>) {
        let Some(topic) = self.topics.get_mut(at) else { return };
        for (partition, found) in topic.partitions.iter_mut().enumerate() {
            let State::Counting(bytes) = &mut found.state else { continue };
            let bytes = std::mem::take(bytes);
            found.state = match (counted, &topic.kafka) {
                (Ok(partitions), Some(kafka)) => {
                    match partitions.topic(&context.io.shared.config, kafka, found.index) {
                        Some(topic) => {
                            let asker = self.stored.waker(self.sent.len());
                            let Context { io, producers, .. } = context;
                            io.asked_by(asker, |io| submit(&topic, bytes, self.deadline, producers, io))
                        }
                        None => State::Failed(ResponseError::UnknownTopicOrPartition, None),
                    }
                }
                (Err(error), _) => State::Failed(error.kafka_code(), None),
                (Ok(_), None) => State::Failed(ResponseError::InvalidTopicException, None),
            };
            if let State::Sent(_) = found.state {
                self.sent.push(Sent { topic: at, partition });
                self.open = self.open.saturating_add(1);
            }
        }
    }

    fn answer(&self) -> Answer {
        match self.acks {
            Acks::Stored => {
                let responses = self.topics.iter().map(Topic::response).collect();
                respond(&self.header, &ProduceResponse::default().with_responses(responses))
            }
            Acks::None => {
                let failed = |partition: &Partition| match &partition.state {
                    State::Failed(ResponseError::DuplicateSequenceNumber, _) | State::Stored(_) => false,
                    State::Failed(..) | State::Counting(_) | State::Sent(_) => true,
                };
                if self.topics.iter().any(|topic| topic.partitions.iter().any(failed)) {
                    // The only way to tell, and what Apache Kafka does (`KafkaApis.handleProduceRequest`).
                    Answer::Close("a batch sent with acks=0 was not stored".into())
                } else {
                    Answer::Silent
                }
            }
        }
    }
}

impl Exchange for Produce {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let mut counted = Vec::new();
        let all_counted = self.counts.poll(&mut context.io, |(topic, count), _| {
            let known = count.get();
            let is_known = known.is_some();
            counted.extend(known.map(|known| (*topic, known)));
            is_known
        });
        for (topic, known) in counted {
            self.send_topic(topic, &known, context);
        }
        for index in self.stored.take() {
            let Some(sent) = self.sent.get(index) else { continue };
            let topic = self.topics.get_mut(sent.topic);
            let Some(partition) = topic.and_then(|topic| topic.partitions.get_mut(sent.partition)) else { continue };
            if let State::Sent(ticket) = partition.state
                && let Some(outcome) = context.producers.take(ticket)
            {
                partition.state = settle(outcome);
                self.open = self.open.saturating_sub(1);
            }
        }
        (all_counted && self.open == 0).then(|| self.answer())
    }

    fn unsent_and_unanswered(&self, producers: &Producers) -> Vec<(&str, usize)> {
        match self.acks {
            Acks::Stored => Vec::new(),
            Acks::None => {
                let lost =
                    |topic: &Topic| topic.partitions.iter().filter(|partition| partition.is_unsent(producers)).count();
                self.topics
                    .iter()
                    .map(|topic| (topic.name.as_str(), lost(topic)))
                    .filter(|(_, lost)| *lost > 0)
                    .collect()
            }
        }
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        for partition in self.topics.iter().flat_map(|topic| &topic.partitions) {
            if let State::Sent(ticket) = partition.state {
                context.producers.forget(ticket);
            }
        }
        self.answer()
    }
}
