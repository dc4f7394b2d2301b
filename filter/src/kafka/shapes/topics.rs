//! Requests that create, grow, configure and delete topics.

use kafka_protocol::messages::{
    AlterConfigsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest,
};

use crate::kafka::shape::*;

impl Guarded for CreateTopicsRequest {
    const SHAPE: Shape = Shape::flexible(
        5,
        &[
            array(
                "Topics",
                &[
                    string("Name"),
                    int32("NumPartitions"),
                    int16("ReplicationFactor"),
                    array("Assignments", &[int32("PartitionIndex"), array_of("BrokerIds", &Kind::Int32)]),
                    array("Configs", &[string("Name"), string("Value").nullable()]),
                ],
            ),
            int32("TimeoutMs"),
            boolean("ValidateOnly"),
        ],
    );
}

impl Guarded for DeleteTopicsRequest {
    const SHAPE: Shape = Shape::flexible(
        4,
        &[
            array("Topics", &[string("Name").nullable(), uuid("TopicId")]).since(6),
            array_of("TopicNames", &Kind::String).until(5),
            int32("TimeoutMs"),
        ],
    );
}

impl Guarded for DescribeConfigsRequest {
    const SHAPE: Shape = Shape::flexible(
        4,
        &[
            array(
                "Resources",
                &[
                    int8("ResourceType"),
                    string("ResourceName"),
                    array_of("ConfigurationKeys", &Kind::String).nullable(),
                ],
            ),
            boolean("IncludeSynonyms").since(1),
            boolean("IncludeDocumentation").since(3),
        ],
    );
}

impl Guarded for CreatePartitionsRequest {
    const SHAPE: Shape = Shape::flexible(
        2,
        &[
            array(
                "Topics",
                &[
                    string("Name"),
                    int32("Count"),
                    array("Assignments", &[array_of("BrokerIds", &Kind::Int32)]).nullable(),
                ],
            ),
            int32("TimeoutMs"),
            boolean("ValidateOnly"),
        ],
    );
}

impl Guarded for AlterConfigsRequest {
    const SHAPE: Shape = Shape::flexible(
        2,
        &[
            array(
                "Resources",
                &[
                    int8("ResourceType"),
                    string("ResourceName"),
                    array("Configs", &[string("Name"), string("Value").nullable()]),
                ],
            ),
            boolean("ValidateOnly"),
        ],
    );
}

impl Guarded for IncrementalAlterConfigsRequest {
    const SHAPE: Shape = Shape::flexible(
        1,
        &[
            array(
                "Resources",
                &[
                    int8("ResourceType"),
                    string("ResourceName"),
                    array("Configs", &[string("Name"), int8("ConfigOperation"), string("Value").nullable()]),
                ],
            ),
            boolean("ValidateOnly"),
        ],
    );
}
