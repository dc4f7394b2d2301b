//! ListOffsets: earliest, latest, by timestamp, max timestamp.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsTopic;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse, TopicName};

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, default_deadline, respond};
use crate::ids::Offset;
use crate::kafka::header::RequestHeader;
use crate::offsets::OffsetError;
use crate::offsets::by_time::FindByTime;
use crate::offsets::newest::FindNewest;
use crate::offsets::start::FindStart;
use crate::offsets::tail::FindEnd;
use crate::session::io::Io;
use crate::session::wake::Parts;
use crate::topics::name::{KafkaTopic, PulsarTopic};
use crate::topics::partitions::{CountPartitions, Partitions};

/// Begins to answer.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: ListOffsetsRequest = request.decode()?;
    let version = request.header.api_version;
    let mut topics = Parts::new(&context.io);
    for topic in body.topics {
        topics.push(&mut context.io, |io| Topic::new(topic, version, io));
    }
    let deadline = default_deadline(context);
    Ok(Started { exchange: Box::new(ListOffsets { header: request.header, topics }), deadline })
}

/// What the timestamp field asks for (`ListOffsetsRequest.json`).
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Earliest,
    Latest,
    Newest,
    At(i64),
}

impl Wanted {
    fn of(timestamp: i64, version: i16) -> Option<Self> {
        match timestamp {
            -1 => Some(Self::Latest),
            -2 => Some(Self::Earliest),
            -3 if version >= 7 => Some(Self::Newest),
            _ if timestamp >= 0 => Some(Self::At(timestamp)),
            _ => None,
        }
    }
}

struct ListOffsets {
    header: RequestHeader,
    topics: Parts<Topic>,
}

struct Topic {
    name: TopicName,
    count: Count,
    partitions: Parts<Partition>,
}

enum Count {
    Asking(KafkaTopic, CountPartitions),
    Known(KafkaTopic, Partitions),
    Failed(ResponseError),
}

struct Partition {
    index: i32,
    state: State,
}

/// ```text
/// Counting ──▶ Start | End | Newest | ByTime ──▶ Found | Failed
/// ```
enum State {
    Counting(Wanted),
    Start(FindStart),
    End(FindEnd),
    Newest(FindNewest),
    ByTime(FindByTime),
    /// Offset and timestamp; -1 for what does not apply or does not exist.
    Found(i64, i64),
    Failed(ResponseError),
}

impl State {
    fn begin(wanted: Wanted, topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        match wanted {
            Wanted::Earliest => Self::Start(FindStart::new(topic, io)),
            Wanted::Latest => Self::End(FindEnd::new(topic, io)),
            Wanted::Newest => Self::Newest(FindNewest::new(topic, io)),
            Wanted::At(timestamp) => Self::ByTime(FindByTime::new(topic, timestamp, io)),
        }
    }

    /// Whether the partition is settled.
    fn poll(&mut self, io: &mut Io<'_>) -> bool {
        let found = match self {
            Self::Found(..) | Self::Failed(_) => return true,
            Self::Counting(_) => return false,
            Self::Start(find) => find.poll(io).map(|start| start.map(|start| Some((start.visible, -1)))),
            Self::End(find) => find.poll(io).map(|end| end.map(|end| Some((end.offset, -1)))),
            Self::Newest(find) => find.poll(io),
            Self::ByTime(find) => find.poll(io),
        };
        let Some(found) = found else { return false };
        *self = Self::settled(found, io);
        true
    }

    fn settled(found: Result<Option<(Offset, i64)>, OffsetError>, io: &mut Io<'_>) -> Self {
        match found {
            Ok(Some((offset, timestamp))) => Self::Found(offset.value(), timestamp),
            Ok(None) => Self::Found(-1, -1),
            Err(error) => {
                if let Some(advice) = error.advice() {
                    io.shared.log.warn(format!("an offset cannot be told: {advice}"));
                }
                Self::Failed(error.kafka_code())
            }
        }
    }

    fn abandon(&mut self, io: &mut Io<'_>) {
        match self {
            Self::Start(find) => find.abandon(io),
            Self::End(find) => find.abandon(io),
            Self::Newest(find) => find.abandon(io),
            Self::ByTime(find) => find.abandon(io),
            Self::Counting(_) | Self::Found(..) | Self::Failed(_) => {}
        }
    }
}

impl Partition {
    fn poll(&mut self, count: &Count, io: &mut Io<'_>) -> bool {
        if let State::Counting(wanted) = self.state {
            self.state = match count {
                Count::Asking(..) => return false,
                Count::Failed(code) => State::Failed(*code),
                Count::Known(kafka, partitions) => match partitions.topic(&io.shared.config, kafka, self.index) {
                    Some(topic) => State::begin(wanted, &topic, io),
                    None => State::Failed(ResponseError::UnknownTopicOrPartition),
                },
            };
        }
        self.state.poll(io)
    }
}

impl Topic {
    fn new(topic: ListOffsetsTopic, version: i16, io: &mut Io<'_>) -> Self {
        let count = match KafkaTopic::new(&topic.name) {
            Ok(kafka) => {
                let count = CountPartitions::new(&kafka, io);
                Count::Asking(kafka, count)
            }
            Err(_) => Count::Failed(ResponseError::UnknownTopicOrPartition),
        };
        let mut partitions = Parts::new(io);
        for partition in topic.partitions {
            let state = match Wanted::of(partition.timestamp, version) {
                Some(wanted) => State::Counting(wanted),
                None => State::Failed(ResponseError::UnsupportedVersion),
            };
            partitions.push(io, |_| Partition { index: partition.partition_index, state });
        }
        Self { name: topic.name, count, partitions }
    }

    fn poll(&mut self, io: &mut Io<'_>) -> bool {
        if let Count::Asking(kafka, count) = &mut self.count {
            self.count = match count.poll(io) {
                None => return false,
                Some(Ok(partitions)) => Count::Known(kafka.clone(), partitions),
                Some(Err(error)) => Count::Failed(error.kafka_code()),
            };
        }
        let count = &self.count;
        self.partitions.poll(io, |partition, io| partition.poll(count, io))
    }

    fn response(&self) -> ListOffsetsTopicResponse {
        let partitions = self.partitions.iter().map(|partition| {
            let response = ListOffsetsPartitionResponse::default()
                .with_partition_index(partition.index)
                .with_timestamp(-1)
                .with_offset(-1)
                .with_leader_epoch(-1);
            match &partition.state {
                State::Found(offset, timestamp) => {
                    response.with_offset(*offset).with_timestamp(*timestamp).with_leader_epoch(0)
                }
                State::Failed(code) => response.with_error_code(code.code()),
                State::Counting(_) | State::Start(_) | State::End(_) | State::Newest(_) | State::ByTime(_) => {
                    response.with_error_code(ResponseError::RequestTimedOut.code())
                }
            }
        });
        ListOffsetsTopicResponse::default().with_name(self.name.clone()).with_partitions(partitions.collect())
    }
}

impl ListOffsets {
    fn answer(&self) -> Answer {
        let response = ListOffsetsResponse::default().with_topics(self.topics.iter().map(Topic::response).collect());
        let response = if self.header.api_version < 4 { without_epochs(response) } else { response };
        respond(&self.header, &response)
    }
}

/// Versions before 4 cannot carry a leader epoch.
fn without_epochs(mut response: ListOffsetsResponse) -> ListOffsetsResponse {
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.leader_epoch = -1;
    }
    response
}

impl Exchange for ListOffsets {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        self.topics.poll(&mut context.io, Topic::poll).then(|| self.answer())
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        for partition in self.topics.iter_mut().flat_map(|topic| topic.partitions.iter_mut()) {
            partition.state.abandon(&mut context.io);
        }
        self.answer()
    }
}
