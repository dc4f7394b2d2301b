//! Produce: each partition's record batch becomes SENDs; the response tells each its base offset.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, deadline_of, poll_all, respond, text};
use crate::kafka::header::RequestHeader;
use crate::produce::outcome::{Outcome, ProduceError, Ticket};
use crate::produce::producers::Producers;
use crate::records::KafkaBatch;
use crate::time::Instant;
use crate::topics::name::KafkaTopic;
use crate::topics::partitions::CountPartitions;

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
    let topics = body
        .topic_data
        .into_iter()
        .map(|topic| {
            let name = topic.name.0.to_string();
            let kafka = KafkaTopic::new(&name).map_err(|_| ResponseError::InvalidTopicException);
            let count = kafka.as_ref().ok().map(|topic| CountPartitions::new(topic, &mut context.io));
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
            Topic { name, kafka: kafka.ok(), count, partitions }
        })
        .collect();
    let acks = acks.unwrap_or(Acks::Stored);
    Ok(Started { exchange: Box::new(Produce { header: request.header, acks, deadline, topics }), deadline })
}

struct Produce {
    header: RequestHeader,
    acks: Acks,
    deadline: Instant,
    topics: Vec<Topic>,
}

struct Topic {
    name: String,
    kafka: Option<KafkaTopic>,
    count: Option<CountPartitions>,
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
    /// Whether every partition is settled.
    fn poll(&mut self, deadline: Instant, context: &mut Context<'_>) -> bool {
        let mut settled = true;
        for partition in &mut self.partitions {
            if matches!(partition.state, State::Counting(_)) {
                let Some(counted) = self.count.as_mut().and_then(|count| count.poll(&mut context.io)) else {
                    settled = false;
                    continue;
                };
                let State::Counting(bytes) = std::mem::replace(&mut partition.state, State::Stored(-1)) else {
                    continue;
                };
                partition.state = match (counted, &self.kafka) {
                    (Ok(partitions), Some(kafka)) => {
                        match partitions.topic(&context.io.shared.config, kafka, partition.index) {
                            Some(topic) => submit(&topic, bytes, deadline, context),
                            None => State::Failed(ResponseError::UnknownTopicOrPartition, None),
                        }
                    }
                    (Err(error), _) => State::Failed(error.kafka_code(), None),
                    (Ok(_), None) => State::Failed(ResponseError::InvalidTopicException, None),
                };
            }
            if let State::Sent(ticket) = partition.state {
                match context.producers.take(ticket) {
                    None => settled = false,
                    Some(outcome) => partition.state = settle(outcome),
                }
            }
        }
        settled
    }

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

fn submit(
    topic: &crate::topics::name::PulsarTopic,
    bytes: Bytes,
    deadline: Instant,
    context: &mut Context<'_>,
) -> State {
    let submitted = KafkaBatch::parse(&bytes).map_err(ProduceError::Batch).and_then(|batch| {
        if batch.is_transactional() {
            return Ok(None);
        }
        context.producers.submit(topic, &batch, bytes.clone(), deadline, &mut context.io).map(Some)
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
        let deadline = self.deadline;
        let settled = poll_all(&mut self.topics, |topic| topic.poll(deadline, context));
        settled.then(|| self.answer())
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
