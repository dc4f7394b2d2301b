//! Whether a response tells of an error anywhere in it, for the counters.

use kafka_protocol::messages::{
    ApiVersionsResponse, CreatePartitionsResponse, CreateTopicsResponse, DeleteTopicsResponse, DescribeClusterResponse,
    DescribeConfigsResponse, InitProducerIdResponse, ListOffsetsResponse, MetadataResponse, ProduceResponse,
};

/// A response that can tell of errors.
pub trait Failed {
    /// Whether any error code in it is not 0.
    fn failed(&self) -> bool;
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

impl Failed for InitProducerIdResponse {
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

impl Failed for ProduceResponse {
    fn failed(&self) -> bool {
        self.responses.iter().flat_map(|topic| &topic.partition_responses).any(|partition| partition.error_code != 0)
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
