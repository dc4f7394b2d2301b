//! Requests about the cluster: what it speaks, who is in it, who leads what.

use kafka_protocol::messages::{ApiVersionsRequest, DescribeClusterRequest, FindCoordinatorRequest, MetadataRequest};

use crate::kafka::shape::*;

impl Guarded for ApiVersionsRequest {
    const SHAPE: Shape =
        Shape::flexible(3, &[string("ClientSoftwareName").since(3), string("ClientSoftwareVersion").since(3)]);
}

impl Guarded for MetadataRequest {
    const SHAPE: Shape = Shape::flexible(
        9,
        &[
            array("Topics", &[uuid("TopicId").since(10), string("Name").nullable_since(10)]).nullable_since(1),
            boolean("AllowAutoTopicCreation").since(4),
            boolean("IncludeClusterAuthorizedOperations").since(8).until(10),
            boolean("IncludeTopicAuthorizedOperations").since(8),
        ],
    );
}

impl Guarded for DescribeClusterRequest {
    const SHAPE: Shape = Shape::flexible(
        0,
        &[
            boolean("IncludeClusterAuthorizedOperations"),
            int8("EndpointType").since(1),
            boolean("IncludeFencedBrokers").since(2),
        ],
    );
}

impl Guarded for FindCoordinatorRequest {
    const SHAPE: Shape = Shape::flexible(
        3,
        &[string("Key").until(3), int8("KeyType").since(1), array_of("CoordinatorKeys", &Kind::String).since(4)],
    );
}
