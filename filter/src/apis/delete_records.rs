//! DeleteRecords: the log start of partitions is moved up, at once for every client; Pulsar drops what lies below it in its own time.

use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse, TopicName};

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, deadline_of, respond};
use crate::kafka::header::RequestHeader;
use crate::offsets::floors::raise::{RaiseFloors, Raised};
use crate::offsets::floors::signal;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::change::{Changes, Refused};
use crate::topics::name::KafkaTopic;

/// What a partition is answered whose log start is not told (`DeleteRecordsResponse.INVALID_LOW_WATERMARK`).
const NO_LOW_WATERMARK: i64 = -1;

const NOT_IN_TIME: &str = "Pulsar did not answer in time";

/// Begins to answer.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: DeleteRecordsRequest = request.decode()?;
    let deadline = deadline_of(body.timeout_ms, context);
    let mut changes = Changes::default();
    for topic in body.topics {
        let wanted: Vec<_> = topic.partitions.iter().map(|row| (row.partition_index, row.offset)).collect();
        let partitions = wanted.iter().map(|(partition, _)| *partition).collect();
        // No topic has a name that cannot be.
        let change = KafkaTopic::new(&topic.name)
            .map(|name| RaiseFloors::new(name, wanted.into_iter()))
            .map_err(|_| Refused::unknown_topic());
        changes.push(Key { name: topic.name, partitions }, change);
    }
    let exchange = DeleteRecords { header: request.header, phase: Phase::Raising(changes) };
    Ok(Started { exchange: Box::new(exchange), deadline })
}

/// A topic of the request, for its answer.
#[derive(Debug)]
struct Key {
    name: TopicName,
    partitions: Vec<i32>,
}

struct DeleteRecords {
    header: RequestHeader,
    phase: Phase,
}

/// ```text
/// Raising ──others are to be told──▶ Signalling ──▶ answered
///    └──nothing to tell──────────────────────────────▲
/// ```
enum Phase {
    Raising(Changes<Key, RaiseFloors>),
    Signalling(Vec<DeleteRecordsTopicResult>, signal::Raise),
}

/// The rows of the answer, and whether others are to be told.
fn rows(changes: &mut Changes<Key, RaiseFloors>, io: &mut Io<'_>) -> (Vec<DeleteRecordsTopicResult>, bool) {
    let mut any_to_tell = false;
    let topics = changes.take(io).map(|(key, outcome)| {
        let results = match outcome {
            Ok(Raised { partitions, to_tell }) => {
                any_to_tell |= to_tell;
                partitions
            }
            Err(refused) => key.partitions.iter().map(|partition| (*partition, Err(refused.code))).collect(),
        };
        let partitions = results.into_iter().map(|(partition, result)| {
            let (low_watermark, code) = match result {
                Ok(start) => (start.value(), 0),
                Err(code) => (NO_LOW_WATERMARK, code.code()),
            };
            DeleteRecordsPartitionResult::default()
                .with_partition_index(partition)
                .with_low_watermark(low_watermark)
                .with_error_code(code)
        });
        DeleteRecordsTopicResult::default().with_name(key.name).with_partitions(partitions.collect())
    });
    let topics = topics.collect();
    (topics, any_to_tell)
}

impl DeleteRecords {
    fn answer(&self, topics: Vec<DeleteRecordsTopicResult>) -> Answer {
        respond(&self.header, &DeleteRecordsResponse::default().with_topics(topics))
    }
}

impl Exchange for DeleteRecords {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let io = &mut context.io;
        loop {
            match &mut self.phase {
                Phase::Raising(changes) => {
                    if !changes.poll(io) {
                        return None;
                    }
                    let (topics, any_to_tell) = rows(changes, io);
                    if !any_to_tell {
                        return Some(self.answer(topics));
                    }
                    self.phase = Phase::Signalling(topics, signal::Raise::new(io));
                }
                Phase::Signalling(topics, signal) => {
                    let done = signal.poll(io)?;
                    let topics = std::mem::take(topics);
                    if let Err(error) = done {
                        unsignalled(&error.message(), io);
                    }
                    return Some(self.answer(topics));
                }
            }
        }
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        let io = &mut context.io;
        let topics = match &mut self.phase {
            Phase::Raising(changes) => {
                let (topics, any_to_tell) = rows(changes, io);
                if any_to_tell {
                    signal::send(io);
                    unsignalled(NOT_IN_TIME, io);
                }
                topics
            }
            Phase::Signalling(topics, _) => {
                unsignalled(NOT_IN_TIME, io);
                std::mem::take(topics)
            }
        };
        self.answer(topics)
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Raising(changes) => changes.next_wake(),
            Phase::Signalling(_, signal) => signal.next_wake(),
        }
    }
}

/// The records are deleted: who looks finds that. Only clients of other workers that are reading them now go on.
fn unsignalled(reason: &str, io: &mut Io<'_>) {
    io.shared.log.warn(format!(
        "records were deleted; clients that read them through other workers may go on with what they read: {reason}"
    ));
}
