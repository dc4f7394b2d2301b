//! Requests as tests write them, and what they read out of the answers.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, MetadataRequest, ProduceRequest,
    ProduceResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record, RecordBatchDecoder,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

/// An idempotent producer's place in its batch: id, epoch, first sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Producer id.
    pub id: i64,
    /// Producer epoch.
    pub epoch: i16,
    /// Sequence of the batch's first record.
    pub sequence: i32,
}

/// A record as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value.
    pub value: Option<Bytes>,
}

/// A batch of values without keys.
pub fn batch(values: &[&str], identity: Option<Identity>) -> Bytes {
    let records: Vec<_> = values.iter().map(|value| (None, Some(*value))).collect();
    batch_of(&records, identity)
}

/// A batch of keys and values; no value is a tombstone.
pub fn keyed(records: &[(&str, Option<&str>)]) -> Bytes {
    let records: Vec<_> = records.iter().map(|(key, value)| (Some(*key), *value)).collect();
    batch_of(&records, None)
}

fn batch_of(records: &[(Option<&str>, Option<&str>)], identity: Option<Identity>) -> Bytes {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let identity = identity.unwrap_or(Identity { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH, sequence: NO_SEQUENCE });
    let records: Vec<Record> = (0_i32..)
        .zip(records)
        .map(|(at, (key, value))| Record {
            transactional: false,
            control: false,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            producer_id: identity.id,
            producer_epoch: identity.epoch,
            timestamp_type: TimestampType::Creation,
            offset: at.into(),
            // The encoder begins a new batch where sequences do not follow offsets, even where there are none.
            sequence: identity.sequence + at,
            timestamp: 1_700_000_000_000,
            key: key.map(bytes),
            value: value.map(bytes),
            headers: Default::default(),
            delete_horizon: false,
        })
        .collect();
    let mut encoded = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut encoded, &records, &options).expect("records are encodable");
    encoded.freeze()
}

/// Produce of one batch to one partition, acks all.
pub fn produce(topic: &str, partition: i32, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

/// Error code and base offset of a produce response with one partition.
pub fn produced(response: &ProduceResponse) -> (i16, i64) {
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

/// Fetch of one partition from `offset`; at least one byte within `max_wait_ms`.
pub fn fetch(topic: &str, partition: i32, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition =
        FetchPartition::default().with_partition(partition).with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(50 << 20)
        .with_topics(vec![topic])
}

/// Error code, high watermark and records of a fetch response with one partition. Records before `from`, which a batch may begin
/// with, and control records are left out, as clients do.
pub fn fetched(response: &FetchResponse, from: i64) -> (i16, i64, Vec<Read>) {
    let partition = &response.responses[0].partitions[0];
    let mut records = Vec::new();
    let mut bytes = partition.records.clone().unwrap_or_default();
    if !bytes.is_empty() {
        for set in RecordBatchDecoder::decode_all(&mut bytes).expect("record batches") {
            for record in set.records.into_iter().filter(|record| record.offset >= from && !record.control) {
                records.push(Read { offset: record.offset, key: record.key, value: record.value });
            }
        }
    }
    (partition.error_code, partition.high_watermark, records)
}

/// Where a consumer goes on after a fetch response with one partition: behind its last batch, `None` if there is none.
pub fn next_offset(response: &FetchResponse) -> Option<i64> {
    const LENGTH_END: usize = 12;
    let mut rest = response.responses[0].partitions[0].records.clone().unwrap_or_default();
    let mut next = None;
    while rest.len() > LENGTH_END {
        let word = |at: usize| i32::from_be_bytes(rest[at..at + 4].try_into().expect("four bytes"));
        let base = i64::from_be_bytes(rest[..8].try_into().expect("eight bytes"));
        next = Some(base + i64::from(word(23)) + 1);
        let length = LENGTH_END + usize::try_from(word(8)).expect("a length");
        rest = rest.split_off(length);
    }
    next
}

/// ListOffsets of one partition: -1 latest, -2 earliest, -3 max timestamp, else by time.
pub fn list_offsets(topic: &str, partition: i32, timestamp: i64) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
}

/// Metadata of `topics`, created where the filter may.
pub fn metadata(topics: &[&str]) -> MetadataRequest {
    let topic = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    MetadataRequest::default()
        .with_topics(Some(topics.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(true)
}

/// As kafka-protocol wants it.
pub fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_string()))
}

/// What clients ask first.
pub fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("pair"))
        .with_client_software_version(StrBytes::from_static_str("1"))
}
