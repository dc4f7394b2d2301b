//! A Kafka client's bytes: frames, headers, guard, decoding.

use bytes::Bytes;
use isthmus::frame::Splitter;
use isthmus::kafka::guard::{GuardError, decode};
use isthmus::kafka::header::{RequestHeader, parse_request};
use isthmus::kafka::shape::Guarded;
use kafka_protocol::messages::*;

const MAX_FRAME_BYTES: usize = 1 << 20;

/// The first byte of `input` is the size of the chunks in which the rest arrives; 0: all at once.
pub fn run(input: &[u8]) {
    let Some((chunk_size, stream)) = input.split_first() else { return };
    let chunk_size = if *chunk_size == 0 { usize::MAX } else { usize::from(*chunk_size) };
    let mut splitter = Splitter::new(MAX_FRAME_BYTES);
    for chunk in stream.chunks(chunk_size) {
        splitter.push(Bytes::copy_from_slice(chunk));
        loop {
            match splitter.next_frame() {
                Ok(Some(frame)) => request(frame),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// Decodes a request, and panics if the guard let through what does not decode.
pub type Decodes = fn(&RequestHeader, Bytes);

/// Every request with a shape.
pub const REQUESTS: [(ApiKey, Decodes); 32] = [
    (ApiKey::AlterConfigs, decodes::<AlterConfigsRequest>),
    (ApiKey::ApiVersions, decodes::<ApiVersionsRequest>),
    (ApiKey::CreatePartitions, decodes::<CreatePartitionsRequest>),
    (ApiKey::CreateTopics, decodes::<CreateTopicsRequest>),
    (ApiKey::DeleteGroups, decodes::<DeleteGroupsRequest>),
    (ApiKey::DeleteRecords, decodes::<DeleteRecordsRequest>),
    (ApiKey::DeleteTopics, decodes::<DeleteTopicsRequest>),
    (ApiKey::DescribeAcls, decodes::<DescribeAclsRequest>),
    (ApiKey::DescribeClientQuotas, decodes::<DescribeClientQuotasRequest>),
    (ApiKey::DescribeCluster, decodes::<DescribeClusterRequest>),
    (ApiKey::DescribeConfigs, decodes::<DescribeConfigsRequest>),
    (ApiKey::DescribeGroups, decodes::<DescribeGroupsRequest>),
    (ApiKey::DescribeLogDirs, decodes::<DescribeLogDirsRequest>),
    (ApiKey::DescribeUserScramCredentials, decodes::<DescribeUserScramCredentialsRequest>),
    (ApiKey::ElectLeaders, decodes::<ElectLeadersRequest>),
    (ApiKey::Fetch, decodes::<FetchRequest>),
    (ApiKey::FindCoordinator, decodes::<FindCoordinatorRequest>),
    (ApiKey::Heartbeat, decodes::<HeartbeatRequest>),
    (ApiKey::IncrementalAlterConfigs, decodes::<IncrementalAlterConfigsRequest>),
    (ApiKey::InitProducerId, decodes::<InitProducerIdRequest>),
    (ApiKey::JoinGroup, decodes::<JoinGroupRequest>),
    (ApiKey::LeaveGroup, decodes::<LeaveGroupRequest>),
    (ApiKey::ListConfigResources, decodes::<ListConfigResourcesRequest>),
    (ApiKey::ListGroups, decodes::<ListGroupsRequest>),
    (ApiKey::ListOffsets, decodes::<ListOffsetsRequest>),
    (ApiKey::ListPartitionReassignments, decodes::<ListPartitionReassignmentsRequest>),
    (ApiKey::Metadata, decodes::<MetadataRequest>),
    (ApiKey::OffsetCommit, decodes::<OffsetCommitRequest>),
    (ApiKey::OffsetDelete, decodes::<OffsetDeleteRequest>),
    (ApiKey::OffsetFetch, decodes::<OffsetFetchRequest>),
    (ApiKey::Produce, decodes::<ProduceRequest>),
    (ApiKey::SyncGroup, decodes::<SyncGroupRequest>),
];

fn request(frame: Bytes) {
    let Ok((header, body)) = parse_request(frame) else { return };
    if let Some((_, decodes)) = REQUESTS.iter().find(|(api_key, _)| *api_key == header.api_key) {
        decodes(&header, body);
    }
}

fn decodes<T: Guarded>(header: &RequestHeader, body: Bytes) {
    if let Err(error @ GuardError::Shape(_)) = decode::<T>(header.api_version, body) {
        panic!("{:?} v{}: {error}", header.api_key, header.api_version);
    }
}
