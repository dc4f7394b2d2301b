//! Requests of consumer groups, mostly such as members send: few groups and members, so that they meet.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::client::TOPICS;
use super::source::Source;

const GROUPS: [&str; 4] = ["g", "h-partition-1", "", "g"];
const MEMBERS: [&str; 4] = ["", "fuzz-1", "fuzz-2", "x"];
const PROTOCOLS: [&str; 2] = ["range", "sticky"];

/// Writes the body of a request, all of which have answers; `None` if it cannot be written.
pub fn body(key: ApiKey, version: i16, source: &mut Source<'_>, out: &mut BytesMut) -> Option<bool> {
    let group = GroupId(text(source, &GROUPS));
    let member = text(source, &MEMBERS);
    let generation = source.int32();
    #[allow(clippy::wildcard_enum_match_arm, reason = "Kafka has many more")]
    let written = match key {
        ApiKey::FindCoordinator => {
            let request = FindCoordinatorRequest::default();
            let request = if version >= 1 { request.with_key_type(*source.pick(&[0, 0, 0, 1, 2])) } else { request };
            match version {
                0..4 => request.with_key(group.0),
                _ => request.with_coordinator_keys(vec![group.0, member]),
            }
            .encode(out, version)
        }
        ApiKey::JoinGroup => {
            let protocols = (0..source.below(3)).map(|_| {
                let metadata = source.bytes(4).into();
                JoinGroupRequestProtocol::default().with_name(text(source, &PROTOCOLS)).with_metadata(metadata)
            });
            let protocols = protocols.collect();
            JoinGroupRequest::default()
                .with_group_id(group)
                .with_session_timeout_ms(*source.pick(&[10_000, 6_000, 45_000, 0]))
                .with_rebalance_timeout_ms(*source.pick(&[10_000, 60_000, -1, i32::MAX]))
                .with_member_id(member)
                .with_group_instance_id(instance(5, version, source))
                .with_protocol_type(text(source, &["consumer", "consumer", "connect", ""]))
                .with_protocols(protocols)
                .encode(out, version)
        }
        ApiKey::SyncGroup => {
            let assigned = (0..source.below(3)).map(|_| {
                let bytes = Bytes::from(source.bytes(4));
                SyncGroupRequestAssignment::default().with_member_id(text(source, &MEMBERS)).with_assignment(bytes)
            });
            let assigned = assigned.collect();
            let named = version >= 5 && source.below(8) < 7;
            SyncGroupRequest::default()
                .with_group_id(group)
                .with_generation_id(generation)
                .with_member_id(member)
                .with_group_instance_id(instance(3, version, source))
                .with_protocol_type(named.then(|| text(source, &["consumer", "connect"])))
                .with_protocol_name(named.then(|| text(source, &PROTOCOLS)))
                .with_assignments(assigned)
                .encode(out, version)
        }
        ApiKey::Heartbeat => HeartbeatRequest::default()
            .with_group_id(group)
            .with_generation_id(generation)
            .with_member_id(member)
            .with_group_instance_id(instance(3, version, source))
            .encode(out, version),
        ApiKey::LeaveGroup => {
            let request = LeaveGroupRequest::default().with_group_id(group);
            match version {
                0..3 => request.with_member_id(member),
                _ => {
                    let leaver = MemberIdentity::default().with_member_id(member);
                    let leaver = leaver.with_group_instance_id(instance(3, version, source));
                    request.with_members(vec![leaver; source.below(3)])
                }
            }
            .encode(out, version)
        }
        ApiKey::OffsetCommit => {
            let partitions = (0..source.below(3)).map(|_| {
                OffsetCommitRequestPartition::default()
                    .with_partition_index(source.int32())
                    .with_committed_offset(source.int())
                    .with_committed_metadata(
                        (source.below(2) == 1).then(|| "m".repeat(*source.pick(&[0, 5, 5_000])).into()),
                    )
            });
            let partitions = partitions.collect();
            let topic = OffsetCommitRequestTopic::default().with_name(topic(source)).with_partitions(partitions);
            OffsetCommitRequest::default()
                .with_group_id(group)
                .with_generation_id_or_member_epoch(generation)
                .with_member_id(member)
                .with_group_instance_id(instance(7, version, source))
                .with_topics(vec![topic])
                .encode(out, version)
        }
        ApiKey::OffsetFetch => {
            let (topic, partitions) = (topic(source), vec![source.int32(); source.below(3)]);
            let all = version >= 2 && source.below(2) == 1;
            let request = OffsetFetchRequest::default().with_require_stable(version >= 7 && source.below(2) == 1);
            match version {
                0..8 => {
                    let topic = OffsetFetchRequestTopic::default().with_name(topic).with_partition_indexes(partitions);
                    request.with_group_id(group).with_topics((!all).then(|| vec![topic]))
                }
                _ => {
                    let topic = OffsetFetchRequestTopics::default().with_name(topic).with_partition_indexes(partitions);
                    let topics = (!all).then(|| vec![topic]);
                    let group = OffsetFetchRequestGroup::default().with_group_id(group).with_topics(topics);
                    request.with_groups(vec![group; source.below(40)])
                }
            }
            .encode(out, version)
        }
        ApiKey::DescribeGroups => DescribeGroupsRequest::default()
            .with_groups(vec![group; source.below(40)])
            .with_include_authorized_operations(version >= 3 && source.below(2) == 1)
            .encode(out, version),
        ApiKey::ListGroups => {
            let states = if version >= 4 { vec![text(source, &["Stable", "empty"]); source.below(2)] } else { vec![] };
            ListGroupsRequest::default().with_states_filter(states).encode(out, version)
        }
        ApiKey::DeleteGroups => {
            let names = (0..source.below(4)).map(|_| GroupId(text(source, &GROUPS)));
            DeleteGroupsRequest::default().with_groups_names(names.collect()).encode(out, version)
        }
        ApiKey::OffsetDelete => {
            let partition = OffsetDeleteRequestPartition::default().with_partition_index(source.int32());
            let topic = OffsetDeleteRequestTopic::default().with_name(topic(source)).with_partitions(vec![partition]);
            OffsetDeleteRequest::default().with_group_id(group).with_topics(vec![topic]).encode(out, version)
        }
        _ => panic!("{key:?} is served and not fuzzed"),
    };
    written.ok().map(|()| true)
}

fn text(source: &mut Source<'_>, of: &[&'static str]) -> StrBytes {
    StrBytes::from_static_str(of[source.below(of.len())])
}

fn topic(source: &mut Source<'_>) -> TopicName {
    TopicName(text(source, &TOPICS))
}

fn instance(since: i16, version: i16, source: &mut Source<'_>) -> Option<StrBytes> {
    (version >= since && source.below(3) == 2).then(|| text(source, &["i", "k"]))
}
