//! Whether a response tells of an error anywhere in it, for the counters.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use kafka_protocol::messages::{
    AlterConfigsResponse, ApiVersionsResponse, CreatePartitionsResponse, CreateTopicsResponse, DeleteGroupsResponse,
    DeleteRecordsResponse, DeleteTopicsResponse, DescribeAclsResponse, DescribeClientQuotasResponse,
    DescribeClusterResponse, DescribeConfigsResponse, DescribeGroupsResponse, DescribeLogDirsResponse,
    DescribeUserScramCredentialsResponse, ElectLeadersResponse, FindCoordinatorResponse, HeartbeatResponse,
    IncrementalAlterConfigsResponse, InitProducerIdResponse, JoinGroupResponse, LeaveGroupResponse,
    ListConfigResourcesResponse, ListGroupsResponse, ListOffsetsResponse, ListPartitionReassignmentsResponse,
    MetadataResponse, OffsetCommitResponse, OffsetDeleteResponse, OffsetFetchResponse, ProduceResponse,
    SyncGroupResponse,
};

/// A response that can tell of errors.
pub trait Failed {
    /// Whether any error code in it is not 0.
    fn failed(&self) -> bool;
}

impl Failed for AlterConfigsResponse {
    fn failed(&self) -> bool {
        self.responses.iter().any(|resource| resource.error_code != 0)
    }
}

impl Failed for IncrementalAlterConfigsResponse {
    fn failed(&self) -> bool {
        self.responses.iter().any(|resource| resource.error_code != 0)
    }
}

impl Failed for ApiVersionsResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
    }
}

impl Failed for CreatePartitionsResponse {
    fn failed(&self) -> bool {
        self.results.iter().any(|topic| topic.error_code != 0)
    }
}

impl Failed for CreateTopicsResponse {
    fn failed(&self) -> bool {
        self.topics.iter().any(|topic| topic.error_code != 0)
    }
}

impl Failed for DeleteGroupsResponse {
    fn failed(&self) -> bool {
        self.results.iter().any(|group| group.error_code != 0)
    }
}

impl Failed for DeleteRecordsResponse {
    fn failed(&self) -> bool {
        self.topics.iter().flat_map(|topic| &topic.partitions).any(|partition| partition.error_code != 0)
    }
}

impl Failed for DeleteTopicsResponse {
    fn failed(&self) -> bool {
        self.responses.iter().any(|topic| topic.error_code != 0)
    }
}

impl Failed for DescribeClusterResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
    }
}

impl Failed for DescribeConfigsResponse {
    fn failed(&self) -> bool {
        self.results.iter().any(|resource| resource.error_code != 0)
    }
}

impl Failed for DescribeGroupsResponse {
    fn failed(&self) -> bool {
        self.groups.iter().any(|group| group.error_code != 0)
    }
}

impl Failed for FindCoordinatorResponse {
    fn failed(&self) -> bool {
        self.error_code != 0 || self.coordinators.iter().any(|coordinator| coordinator.error_code != 0)
    }
}

impl Failed for HeartbeatResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
    }
}

impl Failed for InitProducerIdResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
    }
}

impl Failed for JoinGroupResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
    }
}

impl Failed for LeaveGroupResponse {
    fn failed(&self) -> bool {
        self.error_code != 0 || self.members.iter().any(|member| member.error_code != 0)
    }
}

impl Failed for ListGroupsResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
    }
}

impl Failed for ListOffsetsResponse {
    fn failed(&self) -> bool {
        self.topics.iter().flat_map(|topic| &topic.partitions).any(|partition| partition.error_code != 0)
    }
}

impl Failed for MetadataResponse {
    fn failed(&self) -> bool {
        self.topics
            .iter()
            .any(|topic| topic.error_code != 0 || topic.partitions.iter().any(|partition| partition.error_code != 0))
    }
}

impl Failed for OffsetCommitResponse {
    fn failed(&self) -> bool {
        self.topics.iter().flat_map(|topic| &topic.partitions).any(|partition| partition.error_code != 0)
    }
}

impl Failed for OffsetDeleteResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
            || self.topics.iter().flat_map(|topic| &topic.partitions).any(|partition| partition.error_code != 0)
    }
}

impl Failed for OffsetFetchResponse {
    fn failed(&self) -> bool {
        let group_failed = |group: &OffsetFetchResponseGroup| {
            group.error_code != 0
                || group.topics.iter().flat_map(|topic| &topic.partitions).any(|partition| partition.error_code != 0)
        };
        self.error_code != 0
            || self.groups.iter().any(group_failed)
            || self.topics.iter().flat_map(|topic| &topic.partitions).any(|partition| partition.error_code != 0)
    }
}

impl Failed for ProduceResponse {
    fn failed(&self) -> bool {
        self.responses.iter().flat_map(|topic| &topic.partition_responses).any(|partition| partition.error_code != 0)
    }
}

impl Failed for SyncGroupResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
    }
}

impl Failed for DescribeAclsResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
    }
}

impl Failed for DescribeClientQuotasResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
    }
}

impl Failed for ListConfigResourcesResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
    }
}

impl Failed for ListPartitionReassignmentsResponse {
    fn failed(&self) -> bool {
        self.error_code != 0
    }
}

/// That no election is needed is no failure.
impl Failed for ElectLeadersResponse {
    fn failed(&self) -> bool {
        let mut partitions = self.replica_election_results.iter().flat_map(|topic| &topic.partition_result);
        let fine = [0, ResponseError::ElectionNotNeeded.code()];
        self.error_code != 0 || partitions.any(|partition| !fine.contains(&partition.error_code))
    }
}

impl Failed for DescribeLogDirsResponse {
    fn failed(&self) -> bool {
        self.error_code != 0 || self.results.iter().any(|directory| directory.error_code != 0)
    }
}

impl Failed for DescribeUserScramCredentialsResponse {
    fn failed(&self) -> bool {
        self.error_code != 0 || self.results.iter().any(|user| user.error_code != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};

    #[test]
    fn one_failed_partition_among_others_is_a_failed_response() {
        let response = |codes: &[i16]| {
            let partitions = codes.iter().map(|code| PartitionProduceResponse::default().with_error_code(*code));
            let topic = TopicProduceResponse::default().with_partition_responses(partitions.collect());
            ProduceResponse::default().with_responses(vec![topic])
        };
        assert!(!response(&[0, 0]).failed());
        assert!(response(&[0, 6]).failed());
    }
}
