//! Requests of consumer groups.

use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};

use crate::kafka::shape::*;

impl Guarded for JoinGroupRequest {
    const SHAPE: Shape = Shape::flexible(
        6,
        &[
            string("GroupId"),
            int32("SessionTimeoutMs"),
            int32("RebalanceTimeoutMs").since(1),
            string("MemberId"),
            string("GroupInstanceId").since(5).nullable(),
            string("ProtocolType"),
            array("Protocols", &[string("Name"), bytes("Metadata")]),
            string("Reason").since(8).nullable(),
        ],
    );
}

impl Guarded for SyncGroupRequest {
    const SHAPE: Shape = Shape::flexible(
        4,
        &[
            string("GroupId"),
            int32("GenerationId"),
            string("MemberId"),
            string("GroupInstanceId").since(3).nullable(),
            string("ProtocolType").since(5).nullable(),
            string("ProtocolName").since(5).nullable(),
            array("Assignments", &[string("MemberId"), bytes("Assignment")]),
        ],
    );
}

impl Guarded for HeartbeatRequest {
    const SHAPE: Shape = Shape::flexible(
        4,
        &[string("GroupId"), int32("GenerationId"), string("MemberId"), string("GroupInstanceId").since(3).nullable()],
    );
}

impl Guarded for LeaveGroupRequest {
    const SHAPE: Shape = Shape::flexible(
        4,
        &[
            string("GroupId"),
            string("MemberId").until(2),
            array(
                "Members",
                &[string("MemberId"), string("GroupInstanceId").nullable(), string("Reason").since(5).nullable()],
            )
            .since(3),
        ],
    );
}

impl Guarded for OffsetCommitRequest {
    const SHAPE: Shape = Shape::flexible(
        8,
        &[
            string("GroupId"),
            int32("GenerationIdOrMemberEpoch"),
            string("MemberId"),
            string("GroupInstanceId").since(7).nullable(),
            int64("RetentionTimeMs").until(4),
            array(
                "Topics",
                &[
                    string("Name").until(9),
                    array(
                        "Partitions",
                        &[
                            int32("PartitionIndex"),
                            int64("CommittedOffset"),
                            int32("CommittedLeaderEpoch").since(6),
                            string("CommittedMetadata").nullable(),
                        ],
                    ),
                ],
            ),
        ],
    );
}

impl Guarded for OffsetFetchRequest {
    const SHAPE: Shape = Shape::flexible(
        6,
        &[
            string("GroupId").until(7),
            array("Topics", &[string("Name"), array_of("PartitionIndexes", &Kind::Int32)]).until(7).nullable_since(2),
            array(
                "Groups",
                &[
                    string("GroupId"),
                    string("MemberId").since(9).nullable(),
                    int32("MemberEpoch").since(9),
                    array("Topics", &[string("Name"), array_of("PartitionIndexes", &Kind::Int32)]).nullable(),
                ],
            )
            .since(8),
            boolean("RequireStable").since(7),
        ],
    );
}

impl Guarded for DescribeGroupsRequest {
    const SHAPE: Shape =
        Shape::flexible(5, &[array_of("Groups", &Kind::String), boolean("IncludeAuthorizedOperations").since(3)]);
}

impl Guarded for ListGroupsRequest {
    const SHAPE: Shape = Shape::flexible(
        3,
        &[array_of("StatesFilter", &Kind::String).since(4), array_of("TypesFilter", &Kind::String).since(5)],
    );
}

impl Guarded for DeleteGroupsRequest {
    const SHAPE: Shape = Shape::flexible(2, &[array_of("GroupsNames", &Kind::String)]);
}

impl Guarded for OffsetDeleteRequest {
    const SHAPE: Shape = Shape::fixed(&[
        string("GroupId"),
        array("Topics", &[string("Name"), array("Partitions", &[int32("PartitionIndex")])]),
    ]);
}
