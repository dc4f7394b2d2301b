//! Requests about offsets.

use kafka_protocol::messages::{DeleteRecordsRequest, ListOffsetsRequest};

use crate::kafka::shape::*;

impl Guarded for ListOffsetsRequest {
    const SHAPE: Shape = Shape::flexible(
        6,
        &[
            int32("ReplicaId"),
            int8("IsolationLevel").since(2),
            array(
                "Topics",
                &[
                    string("Name"),
                    array(
                        "Partitions",
                        &[int32("PartitionIndex"), int32("CurrentLeaderEpoch").since(4), int64("Timestamp")],
                    ),
                ],
            ),
            int32("TimeoutMs").since(10),
        ],
    );
}

impl Guarded for DeleteRecordsRequest {
    const SHAPE: Shape = Shape::flexible(
        2,
        &[
            array("Topics", &[string("Name"), array("Partitions", &[int32("PartitionIndex"), int64("Offset")])]),
            int32("TimeoutMs"),
        ],
    );
}
