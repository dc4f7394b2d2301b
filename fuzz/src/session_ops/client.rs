//! A Kafka client's half: requests of every served API, mostly such as clients send, and what must be true of the answers.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use isthmus::apis::APIS;
use isthmus::frame::Splitter;
use isthmus::records::crc::crc32c;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::source::Source;
use super::{configs, groups};

pub const TOPICS: [&str; 5] = ["t", "u", "v-partition-1", "", "t"];

const RESPONSE_BYTES_MAX: usize = 64 << 20;

/// Ids of requests that were sent whole and have an answer to come, and what came.
pub struct Client {
    last_correlation_id: i32,
    awaited: VecDeque<i32>,
    answers: Splitter,
    /// Bytes that are no requests went in: nothing is known of the answers but that they are frames.
    pub garbled: bool,
}

impl Client {
    pub fn new() -> Self {
        Self {
            last_correlation_id: 0,
            awaited: VecDeque::new(),
            answers: Splitter::new(RESPONSE_BYTES_MAX),
            garbled: false,
        }
    }

    /// Answers that are still to come.
    pub fn awaited(&self) -> usize {
        self.awaited.len()
    }

    /// Responses leave in the order of their requests.
    pub fn on_bytes(&mut self, bytes: Bytes) {
        self.answers.push(bytes);
        while let Some(frame) = self.answers.next_frame().expect("responses are frames") {
            let id = i32::from_be_bytes(frame[..4].try_into().expect("a response begins with its correlation id"));
            if !self.garbled {
                assert_eq!(Some(id), self.awaited.pop_front(), "a response out of its turn");
            }
        }
    }

    /// The next request, as a frame.
    pub fn request(&mut self, source: &mut Source<'_>) -> Vec<u8> {
        let api = source.pick(APIS);
        let versions = usize::try_from(api.max - api.min).unwrap_or(0) + 2;
        let version = api.min + i16::try_from(source.below(versions)).unwrap_or(0);
        self.last_correlation_id += 1;
        let id = self.last_correlation_id;
        let header = RequestHeader::default()
            .with_request_api_key(api.key as i16)
            .with_request_api_version(version)
            .with_correlation_id(id)
            .with_client_id(Some(StrBytes::from_static_str("fuzz")));
        let mut frame = BytesMut::new();
        let encodable = header.encode(&mut frame, api.key.request_header_version(version)).is_ok();
        let answered = match body(api.key, version, source, &mut frame) {
            Some(answered) if encodable => answered,
            // Not every version has every field.
            Some(_) | None => return Vec::new(),
        };
        if answered {
            self.awaited.push_back(id);
        }
        let size = u32::try_from(frame.len()).expect("a request fits a frame");
        [&size.to_be_bytes(), frame.as_ref()].concat()
    }
}

/// Writes the body of a request; whether it has an answer, `None` if it cannot be written.
fn body(key: ApiKey, version: i16, source: &mut Source<'_>, out: &mut BytesMut) -> Option<bool> {
    let name = |source: &mut Source<'_>| TopicName(StrBytes::from_static_str(TOPICS[source.below(TOPICS.len())]));
    let mut answered = true;
    #[allow(clippy::wildcard_enum_match_arm, reason = "Kafka has many more")]
    let written = match key {
        ApiKey::Produce => {
            let acks = *source.pick(&[-1, 1, 0, 3]);
            answered = acks != 0;
            let partitions = (0..source.below(3)).map(|_| {
                let index = *source.pick(&[0, 0, 0, 1, -1]);
                PartitionProduceData::default().with_index(index).with_records(records(source))
            });
            let data = partitions.collect();
            let topic = TopicProduceData::default().with_name(name(source)).with_partition_data(data);
            let request = ProduceRequest::default().with_acks(acks).with_timeout_ms(source.int32());
            request.with_topic_data(vec![topic]).encode(out, version)
        }
        ApiKey::Fetch => {
            let partitions = (0..source.below(3)).map(|_| {
                FetchPartition::default()
                    .with_partition(*source.pick(&[0, 0, 1]))
                    .with_fetch_offset(source.int())
                    .with_partition_max_bytes(source.int32())
            });
            let partitions = partitions.collect();
            let topic = FetchTopic::default().with_topic(name(source)).with_partitions(partitions);
            FetchRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_max_wait_ms(source.int32())
                .with_min_bytes(source.int32())
                .with_max_bytes(source.int32())
                .with_session_epoch(-1)
                .with_topics(vec![topic])
                .encode(out, version)
        }
        ApiKey::ListOffsets => {
            let timestamp = *source.pick(&[-1_i64, -2, -3, -4, 0, 1_700_000_000_000]);
            let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
            let topic = ListOffsetsTopic::default().with_name(name(source)).with_partitions(vec![partition]);
            ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]).encode(out, version)
        }
        ApiKey::Metadata => {
            let topics = (source.below(2) == 0).then(|| {
                let topic = MetadataRequestTopic::default().with_name(Some(name(source)));
                vec![topic]
            });
            let topics = if version == 0 { Some(topics.unwrap_or_default()) } else { topics };
            MetadataRequest::default().with_topics(topics).encode(out, version)
        }
        ApiKey::ApiVersions => ApiVersionsRequest::default().encode(out, version),
        ApiKey::CreateTopics => {
            let partitions = source.int32();
            let topic = CreatableTopic::default().with_name(name(source)).with_num_partitions(partitions);
            let topic = topic.with_replication_factor(*source.pick(&[1, -1, 2]));
            let configs = (0..source.below(3)).map(|_| {
                let name = configs::text(source, &configs::CONFIGS);
                CreatableTopicConfig::default().with_name(name).with_value(configs::value(source))
            });
            let configs = configs.collect();
            let topic = topic.with_configs(configs);
            let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(source.int32());
            request.with_validate_only(source.below(4) == 3).encode(out, version)
        }
        ApiKey::DeleteTopics => {
            let (topic, timeout) = (name(source), source.int32());
            let state = DeleteTopicState::default().with_name(Some(topic.clone()));
            let request = DeleteTopicsRequest::default().with_timeout_ms(timeout);
            if version >= 6 { request.with_topics(vec![state]) } else { request.with_topic_names(vec![topic]) }
                .encode(out, version)
        }
        ApiKey::DeleteRecords => {
            let row = DeleteRecordsPartition::default().with_partition_index(source.below(3) as i32);
            let offset = *source.pick(&[-1, 0, 1, 3, 5, 1 << 40]);
            let topic =
                DeleteRecordsTopic::default().with_name(name(source)).with_partitions(vec![row.with_offset(offset)]);
            let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(source.int32());
            request.encode(out, version)
        }
        ApiKey::InitProducerId => InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(source.int32())
            .encode(out, version),
        ApiKey::CreatePartitions => {
            let topic = CreatePartitionsTopic::default().with_name(name(source)).with_count(source.int32());
            let topic = topic.with_assignments(None);
            let request = CreatePartitionsRequest::default().with_topics(vec![topic]);
            request.with_timeout_ms(source.int32()).encode(out, version)
        }
        ApiKey::DescribeCluster => DescribeClusterRequest::default().encode(out, version),
        _ => {
            return configs::body(key, version, source, out).unwrap_or_else(|| groups::body(key, version, source, out));
        }
    };
    written.ok().map(|()| answered)
}

/// A batch of small records, good but for what the fuzzer chooses; or its bytes as they are.
fn records(source: &mut Source<'_>) -> Option<Bytes> {
    let kind = source.byte();
    if kind >= 240 {
        let count = source.below(64);
        return (kind < 250).then(|| source.bytes(count).into());
    }
    let count = 1 + source.below(4);
    let size = *source.pick(&[1_usize, 60, 60, 0]);
    let producer = if kind.is_multiple_of(2) { -1 } else { 1 + i64::from(kind % 4 / 3) };
    let sequence = if producer < 0 { -1 } else { source.int32() };
    let mut records = Vec::new();
    for delta in 0..count {
        let mut record = vec![0, 0, zigzag(delta), 1, zigzag(size)];
        record.extend(std::iter::repeat_n(b'x', size));
        record.push(0);
        records.extend(varint(record.len()));
        records.extend(record);
    }
    let mut body = Vec::new();
    body.extend(i16::from(kind >= 230).to_be_bytes());
    body.extend(u32::try_from(count - 1).unwrap_or(0).to_be_bytes());
    body.extend(1_700_000_000_000_i64.to_be_bytes());
    body.extend(1_700_000_000_000_i64.to_be_bytes());
    body.extend(producer.to_be_bytes());
    body.extend(if producer < 0 { -1_i16 } else { i16::from(kind % 8 == 7) }.to_be_bytes());
    body.extend(sequence.to_be_bytes());
    body.extend(u32::try_from(count).unwrap_or(0).to_be_bytes());
    body.extend(records);
    let mut batch = vec![0; 8];
    batch.extend(u32::try_from(body.len() + 9).unwrap_or(0).to_be_bytes());
    batch.extend([0, 0, 0, 0, 2]);
    batch.extend(crc32c(&body).to_be_bytes());
    batch.extend(body);
    Some(batch.into())
}

fn zigzag(value: usize) -> u8 {
    u8::try_from(value * 2).expect("one byte of a varint")
}

/// Zigzag, up to 2^13.
fn varint(value: usize) -> Vec<u8> {
    match u8::try_from(value * 2) {
        Ok(byte @ 0..=127) => vec![byte],
        Ok(_) | Err(_) => vec![(value * 2 % 128) as u8 | 0x80, (value * 2 / 128) as u8],
    }
}
