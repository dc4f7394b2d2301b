//! Requests about the cluster: what it speaks, who is in it, who leads what, who may do what.

use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeAclsRequest, DescribeClientQuotasRequest, DescribeClusterRequest,
    DescribeLogDirsRequest, DescribeUserScramCredentialsRequest, ElectLeadersRequest, FindCoordinatorRequest,
    ListConfigResourcesRequest, ListPartitionReassignmentsRequest, MetadataRequest,
};

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

impl Guarded for DescribeAclsRequest {
    const SHAPE: Shape = Shape::flexible(
        2,
        &[
            int8("ResourceTypeFilter"),
            string("ResourceNameFilter").nullable(),
            int8("PatternTypeFilter").since(1),
            string("PrincipalFilter").nullable(),
            string("HostFilter").nullable(),
            int8("Operation"),
            int8("PermissionType"),
        ],
    );
}

impl Guarded for DescribeClientQuotasRequest {
    const SHAPE: Shape = Shape::flexible(
        1,
        &[
            array("Components", &[string("EntityType"), int8("MatchType"), string("Match").nullable()]),
            boolean("Strict"),
        ],
    );
}

impl Guarded for ElectLeadersRequest {
    const SHAPE: Shape = Shape::flexible(
        2,
        &[
            int8("ElectionType").since(1),
            array("TopicPartitions", &[string("Topic"), array_of("Partitions", &Kind::Int32)]).nullable(),
            int32("TimeoutMs"),
        ],
    );
}

impl Guarded for ListPartitionReassignmentsRequest {
    const SHAPE: Shape = Shape::flexible(
        0,
        &[
            int32("TimeoutMs"),
            array("Topics", &[string("Name"), array_of("PartitionIndexes", &Kind::Int32)]).nullable(),
        ],
    );
}

impl Guarded for ListConfigResourcesRequest {
    const SHAPE: Shape = Shape::flexible(0, &[array_of("ResourceTypes", &Kind::Int8).since(1)]);
}

impl Guarded for DescribeLogDirsRequest {
    const SHAPE: Shape =
        Shape::flexible(2, &[array("Topics", &[string("Topic"), array_of("Partitions", &Kind::Int32)]).nullable()]);
}

impl Guarded for DescribeUserScramCredentialsRequest {
    const SHAPE: Shape = Shape::flexible(0, &[array("Users", &[string("Name")]).nullable()]);
}
