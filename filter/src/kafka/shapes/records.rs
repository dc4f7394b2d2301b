//! Requests that carry records and ask for them.

use kafka_protocol::messages::{FetchRequest, InitProducerIdRequest, ProduceRequest};

use crate::kafka::shape::*;

impl Guarded for ProduceRequest {
    const SHAPE: Shape = Shape::flexible(
        9,
        &[
            string("TransactionalId").nullable(),
            int16("Acks"),
            int32("TimeoutMs"),
            array(
                "TopicData",
                &[
                    string("Name").until(12),
                    uuid("TopicId").since(13),
                    array("PartitionData", &[int32("Index"), bytes("Records").nullable()]),
                ],
            ),
        ],
    );
}

impl Guarded for FetchRequest {
    const SHAPE: Shape = Shape::flexible(
        12,
        &[
            string("ClusterId").since(12).nullable().tag(0),
            int32("ReplicaId").until(14),
            structure("ReplicaState", &[int32("ReplicaId"), int64("ReplicaEpoch")]).since(15).tag(1),
            int32("MaxWaitMs"),
            int32("MinBytes"),
            int32("MaxBytes"),
            int8("IsolationLevel"),
            int32("SessionId").since(7),
            int32("SessionEpoch").since(7),
            array(
                "Topics",
                &[
                    string("Topic").until(12),
                    uuid("TopicId").since(13),
                    array(
                        "Partitions",
                        &[
                            int32("Partition"),
                            int32("CurrentLeaderEpoch").since(9),
                            int64("FetchOffset"),
                            int32("LastFetchedEpoch").since(12),
                            int64("LogStartOffset").since(5),
                            int32("PartitionMaxBytes"),
                            uuid("ReplicaDirectoryId").since(17).tag(0),
                            int64("HighWatermark").since(18).tag(1),
                        ],
                    ),
                ],
            ),
            array(
                "ForgottenTopicsData",
                &[string("Topic").until(12), uuid("TopicId").since(13), array_of("Partitions", &Kind::Int32)],
            )
            .since(7),
            string("RackId").since(11),
        ],
    );
}

impl Guarded for InitProducerIdRequest {
    const SHAPE: Shape = Shape::flexible(
        2,
        &[
            string("TransactionalId").nullable(),
            int32("TransactionTimeoutMs"),
            int64("ProducerId").since(3),
            int16("ProducerEpoch").since(3),
        ],
    );
}
