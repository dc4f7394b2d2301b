//! Fetch: a long poll over the readers of the partitions asked for.
//!
//! Served one at a time, in request order: two fetches of one connection would take from the same readers.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::FetchRequest;

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started};
use crate::error::fetch_code;
use crate::fetch::reader::Status;
use crate::fetch::response::{PartitionPart, TopicPart, write};
use crate::ids::Offset;
use crate::kafka::header::RequestHeader;
use crate::sync::order::Response;
use crate::time::Instant;
use crate::topics::name::{KafkaTopic, PulsarTopic};
use crate::topics::partitions::CountPartitions;

/// How long data that is there waits for partitions that still look for theirs, or for the rest of a backlog.
const GATHER: Duration = Duration::from_millis(500);

/// What a partition may take beyond `max_wait_ms` to find out where it stands: a first fetch has to look for its offset.
const SETTLE_GRACE: Duration = Duration::from_secs(10);

/// Begins to answer.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: FetchRequest = request.decode()?;
    let config = &context.io.shared.config;
    let max_wait = u64::try_from(body.max_wait_ms).unwrap_or(0).min(config.max_fetch_wait_ms.into());
    let max_bytes = usize::try_from(body.max_bytes).unwrap_or(0).min(config.max_fetch_bytes);
    let min_bytes = usize::try_from(body.min_bytes).unwrap_or(0).min(max_bytes);
    // Sessions are declined by answering id 0 (KIP-227 allows it: a broker whose session cache is full does so).
    // Requests of a session that was never given are refused as Kafka refuses them.
    let error_code = match (body.session_id, body.session_epoch) {
        (_, -1 | 0) => 0,
        (_, _) => ResponseError::FetchSessionIdNotFound.code(),
    };
    let topics = if error_code == 0 { body.topics } else { Vec::new() };
    let topics = topics
        .into_iter()
        .map(|topic| {
            let name = topic.topic.0;
            let kafka = KafkaTopic::new(&name).ok();
            let count = kafka.as_ref().map(|topic| CountPartitions::new(topic, &mut context.io));
            let partitions = topic
                .partitions
                .into_iter()
                .map(|partition| Partition {
                    index: partition.partition,
                    offset: partition.fetch_offset,
                    max_bytes: usize::try_from(partition.partition_max_bytes).unwrap_or(0),
                    state: if kafka.is_some() {
                        State::Counting
                    } else {
                        State::Failed(ResponseError::UnknownTopicOrPartition)
                    },
                })
                .collect();
            Topic { name: name.into_bytes(), kafka, count, partitions }
        })
        .collect();
    let wait_until = context.io.now.instant + Duration::from_millis(max_wait);
    let exchange = Fetch {
        header: request.header,
        error_code,
        min_bytes,
        max_bytes,
        wait_until,
        began: None,
        wake: Some(wait_until),
        topics,
    };
    Ok(Started { exchange: Box::new(exchange), deadline: wait_until + SETTLE_GRACE })
}

struct Fetch {
    header: RequestHeader,
    error_code: i16,
    min_bytes: usize,
    max_bytes: usize,
    wait_until: Instant,
    /// When the fetch came to the head of its connection.
    began: Option<Instant>,
    /// When to look again although nothing came.
    wake: Option<Instant>,
    topics: Vec<Topic>,
}

struct Topic {
    name: Bytes,
    kafka: Option<KafkaTopic>,
    count: Option<CountPartitions>,
    partitions: Vec<Partition>,
}

struct Partition {
    index: i32,
    offset: i64,
    max_bytes: usize,
    state: State,
}

/// ```text
/// Counting ──▶ Reading | Failed
/// ```
enum State {
    Counting,
    Reading(PulsarTopic),
    Failed(ResponseError),
}

/// What all partitions together come to.
#[derive(Default)]
struct Sum {
    bytes: usize,
    unsettled: bool,
    filling: bool,
    failed: bool,
}

impl Topic {
    fn poll(&mut self, sum: &mut Sum, context: &mut Context<'_>) {
        for partition in &mut self.partitions {
            if let State::Counting = partition.state {
                let Some(counted) = self.count.as_mut().and_then(|count| count.poll(&mut context.io)) else {
                    sum.unsettled = true;
                    continue;
                };
                partition.state = match (counted, &self.kafka) {
                    (Ok(partitions), Some(kafka)) => {
                        let topic = partitions.topic(&context.io.shared.config, kafka, partition.index);
                        partition.open(topic, context)
                    }
                    (Err(error), _) => State::Failed(error.kafka_code()),
                    (Ok(_), None) => State::Failed(ResponseError::UnknownTopicOrPartition),
                };
            }
            match &partition.state {
                State::Counting => {}
                State::Failed(_) => sum.failed = true,
                State::Reading(topic) => match context.readers.get(topic) {
                    None => sum.failed = true,
                    Some(reader) => {
                        reader.poll(true, &mut context.io);
                        sum.filling |= reader.is_filling(partition.max_bytes);
                        match reader.status() {
                            Status::Unsettled => sum.unsettled = true,
                            Status::Data(bytes) => {
                                sum.bytes = sum.bytes.saturating_add(bytes.min(partition.max_bytes.max(1)))
                            }
                            Status::CaughtUp => {}
                            Status::Failed(_) => sum.failed = true,
                        }
                    }
                },
            }
        }
    }
}

impl Partition {
    fn open(&self, topic: Option<PulsarTopic>, context: &mut Context<'_>) -> State {
        match (topic, Offset::new(self.offset)) {
            (None, _) => State::Failed(ResponseError::UnknownTopicOrPartition),
            (Some(_), None) => State::Failed(ResponseError::OffsetOutOfRange),
            (Some(topic), Some(offset)) => {
                context.readers.open(&topic, offset, &mut context.io);
                State::Reading(topic)
            }
        }
    }

    /// `late`: there is no more time to find out where the partition stands.
    fn part(&self, left: &mut usize, first: &mut bool, late: bool, context: &mut Context<'_>) -> PartitionPart {
        let part = PartitionPart { index: self.index, high_watermark: -1, log_start: -1, ..PartitionPart::default() };
        let failed = |code: ResponseError| PartitionPart { error_code: fetch_code(code).code(), ..part.clone() };
        let topic = match &self.state {
            State::Counting if late => return failed(ResponseError::KafkaStorageError),
            State::Counting => return part,
            State::Failed(code) => return failed(*code),
            State::Reading(topic) => topic,
        };
        let Some(reader) = context.readers.get(topic) else { return failed(ResponseError::NotLeaderOrFollower) };
        match reader.status() {
            Status::Failed(error) => {
                context.readers.close(topic, &mut context.io);
                failed(error.kafka_code())
            }
            Status::Unsettled if late => failed(ResponseError::KafkaStorageError),
            // An end that is not certain must not be told: a high watermark equal to the position means "end reached" to clients.
            Status::Unsettled => part,
            Status::Data(_) | Status::CaughtUp => {
                let mut records = Vec::new();
                let allowed = self.max_bytes.min(*left);
                let taken = reader.take(allowed, *first, &mut records, &mut context.io);
                *left = left.saturating_sub(taken);
                *first &= taken == 0;
                PartitionPart {
                    high_watermark: reader.high_watermark().value(),
                    log_start: reader.log_start().value(),
                    records,
                    ..part
                }
            }
        }
    }
}

impl Fetch {
    fn answer(&self, late: bool, context: &mut Context<'_>) -> Answer {
        let (mut left, mut first) = (self.max_bytes, true);
        let topics: Vec<TopicPart> = self
            .topics
            .iter()
            .map(|topic| TopicPart {
                name: topic.name.clone(),
                partitions: topic
                    .partitions
                    .iter()
                    .map(|partition| partition.part(&mut left, &mut first, late, context))
                    .collect(),
            })
            .collect();
        for topic in &topics {
            let Ok(name) = std::str::from_utf8(&topic.name) else { continue };
            for part in topic.partitions.iter().filter(|part| part.high_watermark >= 0) {
                let partition = u32::try_from(part.index).unwrap_or(0);
                context.io.shared.lag.saw_end(name, partition, part.high_watermark);
            }
        }
        let failed = self.error_code != 0
            || topics.iter().flat_map(|topic| &topic.partitions).any(|partition| partition.error_code != 0);
        let mut segments = write(self.header.api_version, self.error_code, topics, BytesMut::new());
        let body_bytes: usize = segments.iter().map(Bytes::len).sum();
        let mut head = BytesMut::with_capacity(16);
        let tagged = self.header.api_key.response_header_version(self.header.api_version) >= 1;
        let Ok(length) = i32::try_from(body_bytes.saturating_add(4).saturating_add(usize::from(tagged))) else {
            return Answer::Close("a fetch response of more than 2 GiB".into());
        };
        head.put_i32(length);
        head.put_i32(self.header.correlation_id);
        if tagged {
            head.put_u8(0);
        }
        segments.insert(0, head.freeze());
        Answer::Respond(Response { segments, failed })
    }
}

impl Exchange for Fetch {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let now = context.io.now.instant;
        if !context.is_head {
            self.wake = Some(self.wait_until).filter(|at| *at > now);
            return None;
        }
        let mut sum = Sum::default();
        for topic in &mut self.topics {
            topic.poll(&mut sum, context);
        }
        let began = *self.began.get_or_insert(now);
        let gathered = !sum.unsettled && !sum.filling;
        let in_hurry = sum.bytes > 0 && now >= began + GATHER;
        let enough = sum.bytes > 0 && sum.bytes >= self.max_bytes;
        let satisfied = sum.failed || sum.bytes >= self.min_bytes || now >= self.wait_until;
        let gathering = (sum.bytes > 0 && !gathered).then(|| began + GATHER);
        // What is past was looked at just now: only an event changes anything then.
        self.wake = gathering.into_iter().chain([self.wait_until]).filter(|at| *at > now).min();
        let ready = self.error_code != 0 || enough || (satisfied && (gathered || in_hurry));
        ready.then(|| self.answer(false, context))
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        self.answer(true, context)
    }

    fn next_wake(&self) -> Option<Instant> {
        self.wake
    }
}
