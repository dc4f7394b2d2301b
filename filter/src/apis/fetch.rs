//! Fetch: a long poll over the readers of the partitions asked for.
//!
//! Served one at a time, in request order: two fetches of one connection would take from the same readers.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::FetchRequest;

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started};
use crate::error::{PulsarError, fetch_code};
use crate::fetch::reader::Status;
use crate::fetch::readers::ReaderId;
use crate::fetch::response::{PartitionPart, TopicPart, write};
use crate::fetch::sum::{Look, Sum};
use crate::ids::Offset;
use crate::kafka::header::RequestHeader;
use crate::sync::order::Response;
use crate::time::Instant;
use crate::topics::name::{KafkaTopic, PulsarTopic};
use crate::topics::partitions::{CountTopics, Partitions};

/// How long data that is there waits for partitions that still look for theirs, or for the rest of a backlog.
const GATHER: Duration = Duration::from_millis(500);

/// How often a fetch looks whether a partition has learned where it stands.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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
    let mut counts = CountTopics::new(&context.io);
    let topics = topics
        .into_iter()
        .enumerate()
        .map(|(place, topic)| {
            let name = topic.topic.0;
            let kafka = KafkaTopic::new(&name).ok();
            if let Some(topic) = &kafka {
                counts.ask(place, topic, &mut context.io);
            }
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
                    seen: Look::default(),
                })
                .collect();
            Topic { name: name.into_bytes(), kafka, partitions }
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
        counts,
        sum: Sum::default(),
        places: BTreeMap::new(),
        looked_at_all: context.io.now.instant,
        floors_news: 0,
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
    counts: CountTopics,
    sum: Sum,
    /// Of the partitions that are read.
    places: BTreeMap<ReaderId, Place>,
    /// When every partition was looked at last, and what was known of floors.
    looked_at_all: Instant,
    floors_news: u64,
}

struct Topic {
    name: Bytes,
    kafka: Option<KafkaTopic>,
    partitions: Vec<Partition>,
}

struct Partition {
    index: i32,
    offset: i64,
    max_bytes: usize,
    state: State,
    seen: Look,
}

/// ```text
/// Counting ──▶ Reading | Failed
/// ```
enum State {
    Counting,
    Reading(ReaderId),
    Failed(ResponseError),
}

impl Partition {
    fn open(&self, topic: Option<PulsarTopic>, context: &mut Context<'_>) -> State {
        match (topic, Offset::new(self.offset)) {
            (None, _) => State::Failed(ResponseError::UnknownTopicOrPartition),
            (Some(_), None) => State::Failed(ResponseError::OffsetOutOfRange),
            (Some(topic), Some(offset)) => State::Reading(context.readers.open(&topic, offset, &mut context.io)),
        }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let look = Look::default();
        self.seen = match self.state {
            State::Counting => Look { unsettled: true, ..look },
            State::Failed(_) => Look { failed: true, ..look },
            State::Reading(id) => match context.readers.poll_needed(id, &mut context.io) {
                None => Look { failed: true, ..look },
                Some(reader) => {
                    let look = Look { filling: reader.is_filling(self.max_bytes), gated: reader.is_gated(), ..look };
                    match reader.status() {
                        Status::Unsettled => Look { unsettled: true, ..look },
                        Status::Data(bytes) => Look { bytes: bytes.min(self.max_bytes.max(1)), ..look },
                        Status::CaughtUp => look,
                        Status::Failed(_) => Look { failed: true, ..look },
                    }
                }
            },
        };
    }

    /// `late`: there is no more time to find out where the partition stands.
    fn part(&self, left: &mut usize, first: &mut bool, late: bool, context: &mut Context<'_>) -> PartitionPart {
        let part = PartitionPart { index: self.index, high_watermark: -1, log_start: -1, ..PartitionPart::default() };
        let failed = |code: ResponseError| PartitionPart { error_code: fetch_code(code).code(), ..part.clone() };
        let id = match &self.state {
            State::Counting if late => return failed(ResponseError::KafkaStorageError),
            State::Counting => return part,
            State::Failed(code) => return failed(*code),
            State::Reading(id) => *id,
        };
        let Some(reader) = context.readers.get(id) else { return failed(ResponseError::NotLeaderOrFollower) };
        match reader.status() {
            Status::Failed(error) => {
                context.readers.close(id, &mut context.io);
                failed(error.kafka_code())
            }
            Status::Unsettled if late => failed(ResponseError::KafkaStorageError),
            // An end that is not certain must not be told: a high watermark equal to the position means "end reached" to clients.
            Status::Unsettled => part,
            Status::Data(_) | Status::CaughtUp => {
                let mut records = Vec::new();
                let allowed = self.max_bytes.min(*left);
                let (high_watermark, log_start) = (reader.high_watermark().value(), reader.log_start().value());
                let taken = context.readers.take(id, allowed, *first, &mut records, &mut context.io);
                *left = left.saturating_sub(taken);
                *first &= taken == 0;
                PartitionPart { high_watermark, log_start, records, ..part }
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

/// Where a reader's partition stands in the request.
#[derive(Clone, Copy)]
struct Place {
    topic: usize,
    partition: usize,
}

impl Fetch {
    /// Reads from the partitions of a topic, of which it is known by now how many there are.
    fn open_topic(&mut self, at: usize, counted: &Result<Partitions, PulsarError>, context: &mut Context<'_>) {
        let Some(topic) = self.topics.get_mut(at) else { return };
        for (partition, found) in topic.partitions.iter_mut().enumerate() {
            found.state = match (counted, &topic.kafka) {
                (Ok(partitions), Some(kafka)) => {
                    let topic = partitions.topic(&context.io.shared.config, kafka, found.index);
                    found.open(topic, context)
                }
                (Err(error), _) => State::Failed(error.kafka_code()),
                (Ok(_), None) => State::Failed(ResponseError::UnknownTopicOrPartition),
            };
            if let State::Reading(id) = found.state {
                self.places.insert(id, Place { topic: at, partition });
            }
            self.sum.subtract(found.seen);
            found.look(context);
            self.sum.add(found.seen);
        }
    }

    /// Looks at every partition: nothing tells of time, of floors, and of memory that others give back.
    fn look_at_all(&mut self, context: &mut Context<'_>) {
        context.readers.take_changed();
        self.sum = Sum::default();
        for partition in self.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.look(context);
            self.sum.add(partition.seen);
        }
        self.floors_news = context.io.shared.floors.asking.news();
        self.looked_at_all = context.io.now.instant;
    }

    /// Looks at the partitions whose readers were polled, of which there are few.
    fn look_at_changed(&mut self, context: &mut Context<'_>) {
        for id in context.readers.take_changed() {
            let Some(place) = self.places.get(&id) else { continue };
            let topic = self.topics.get_mut(place.topic);
            let Some(partition) = topic.and_then(|topic| topic.partitions.get_mut(place.partition)) else { continue };
            self.sum.subtract(partition.seen);
            partition.look(context);
            self.sum.add(partition.seen);
        }
    }

    fn must_look_at_all(&self, context: &Context<'_>) -> bool {
        self.began.is_none()
            || self.wake.is_some_and(|at| at <= context.io.now.instant)
            || context.readers.is_starving()
            || (self.sum.unsettled > 0 && context.io.now.instant >= self.looked_at_all + LOOK_AGAIN)
            || (self.sum.gated > 0 && self.floors_news != context.io.shared.floors.asking.news())
    }

    /// Whether to answer now.
    fn is_ready(&self, began: Instant, now: Instant) -> bool {
        let enough = self.sum.bytes > 0 && self.sum.bytes >= self.max_bytes as u64;
        let satisfied = self.sum.failed > 0 || self.sum.bytes >= self.min_bytes as u64 || now >= self.wait_until;
        let gathered = self.sum.unsettled == 0 && self.sum.filling == 0;
        let in_hurry = self.sum.bytes > 0 && now >= began + GATHER;
        self.error_code != 0 || enough || (satisfied && (gathered || in_hurry))
    }

    /// When to look again although nothing came.
    fn next_look(&self, began: Instant, now: Instant) -> Option<Instant> {
        let gathered = self.sum.unsettled == 0 && self.sum.filling == 0;
        let gathering = (self.sum.bytes > 0 && !gathered).then(|| began + GATHER);
        let settling = (self.sum.unsettled > 0).then(|| match self.looked_at_all + LOOK_AGAIN {
            due if due > now => due,
            _ => now + LOOK_AGAIN,
        });
        // A past end of gathering was looked at: only an event changes anything then.
        gathering.into_iter().chain(settling).chain([self.wait_until]).filter(|at| *at > now).min()
    }
}

impl Exchange for Fetch {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let now = context.io.now.instant;
        if !context.is_head {
            self.wake = Some(self.wait_until).filter(|at| *at > now);
            return None;
        }
        for (topic, counted) in self.counts.poll(&mut context.io) {
            self.open_topic(topic, &counted, context);
        }
        let all = self.must_look_at_all(context);
        let began = *self.began.get_or_insert(now);
        if all {
            self.look_at_all(context);
        } else {
            self.look_at_changed(context);
            if self.is_ready(began, now) {
                // What is handed out is looked at, whatever came for it.
                self.look_at_all(context);
            }
        }
        self.wake = self.next_look(began, now);
        self.is_ready(began, now).then(|| self.answer(false, context))
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        if self.began.is_some() {
            self.look_at_all(context);
        }
        self.answer(true, context)
    }

    fn next_wake(&self) -> Option<Instant> {
        self.wake
    }
}
