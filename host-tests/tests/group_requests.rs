//! Consumer groups by their requests: what one client after the other is told, from its first FindCoordinator to the group's end.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use isthmus::config::Config;
use isthmus_host_tests::codes::{
    GROUP_ID_NOT_FOUND, GROUP_SUBSCRIBED_TO_TOPIC, ILLEGAL_GENERATION, INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT,
    MEMBER_ID_REQUIRED, NON_EMPTY_GROUP, NONE, OFFSET_METADATA_TOO_LARGE, REBALANCE_IN_PROGRESS,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED, UNKNOWN_MEMBER_ID,
};
use isthmus_host_tests::http::HttpAnswer;
use isthmus_host_tests::pair::{ClientId, NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, HttpFault, ScriptedBroker};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

const SOON: Duration = Duration::from_secs(10);

/// A subscription to topic `t` as Java's consumer writes it, version 0.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff";

struct World {
    pair: Pair<NativeFilter>,
    client: ClientId,
}

/// The topic of `g`.
const LOG: &str = "__kafka_group_g.g";

/// Who a member is, from its last JoinGroup.
#[derive(Clone, Debug, PartialEq)]
struct Member {
    client: ClientId,
    id: StrBytes,
    generation: i32,
}

fn world() -> World {
    world_with(Config::default(), BrokerConfig::default())
}

fn world_with(config: Config, broker: BrokerConfig) -> World {
    let filter = NativeFilter::new(Config { group_initial_rebalance_delay_ms: 0, ..config }, 7);
    let mut pair = Pair::new(filter, ScriptedBroker::new(broker));
    let client = pair.connect();
    World { pair, client }
}

fn group() -> GroupId {
    GroupId("g".into())
}

fn topic(name: &'static str) -> TopicName {
    TopicName(name.into())
}

/// The listeners of another broker.
fn elsewhere() -> BTreeMap<String, String> {
    let urls = [("kafka", "pulsar://kafka-b.test:19091"), ("internal", "pulsar://b.test:6650")];
    urls.map(|(listener, url)| (listener.to_owned(), url.to_owned())).into()
}

fn join(member: &StrBytes) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name("range".into());
    JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(45_000)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(member.clone())
        .with_protocol_type("consumer".into())
        .with_protocols(vec![protocol.with_metadata(Bytes::from_static(SUBSCRIPTION))])
}

fn sync(member: &Member, assigned: &[(&StrBytes, &'static str)]) -> SyncGroupRequest {
    let assigned = assigned.iter().map(|(id, bytes)| {
        SyncGroupRequestAssignment::default()
            .with_member_id((*id).clone())
            .with_assignment(Bytes::from_static(bytes.as_bytes()))
    });
    SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(member.generation)
        .with_member_id(member.id.clone())
        .with_protocol_type(Some("consumer".into()))
        .with_protocol_name(Some("range".into()))
        .with_assignments(assigned.collect())
}

fn commit(partitions: &[(i32, i64, &'static str)]) -> OffsetCommitRequest {
    let partitions = partitions.iter().map(|(index, offset, metadata)| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(*index)
            .with_committed_offset(*offset)
            .with_committed_metadata(Some((*metadata).into()))
    });
    let topic = OffsetCommitRequestTopic::default().with_name(topic("t")).with_partitions(partitions.collect());
    OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

impl World {
    fn commit(&mut self, request: &OffsetCommitRequest) -> Vec<i16> {
        let response = self.pair.ask(self.client, request, 8, SOON).unwrap();
        response.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code).collect()
    }

    /// What is committed for partitions 0 and 1 of `t`.
    fn committed(&mut self) -> Vec<(i64, String)> {
        let topic = OffsetFetchRequestTopics::default().with_name(topic("t")).with_partition_indexes(vec![0, 1]);
        let wanted = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![topic]));
        let request = OffsetFetchRequest::default().with_groups(vec![wanted]);
        let response = self.pair.ask(self.client, &request, 8, SOON).unwrap();
        assert_eq!(response.groups[0].error_code, NONE);
        let told = response.groups[0].topics[0].partitions.iter();
        told.map(|told| (told.committed_offset, told.metadata.as_deref().unwrap_or("null").to_owned())).collect()
    }

    fn state(&mut self) -> (String, Vec<StrBytes>) {
        let request = DescribeGroupsRequest::default().with_groups(vec![group()]);
        let response = self.pair.ask(self.client, &request, 5, SOON).unwrap();
        let described = &response.groups[0];
        assert_eq!(described.error_code, NONE);
        let members = described.members.iter().map(|member| member.member_id.clone());
        (described.group_state.to_string(), members.collect())
    }

    fn listed(&mut self, states: &[&'static str]) -> Vec<(String, String)> {
        let states = states.iter().map(|state| (*state).into()).collect();
        let request = ListGroupsRequest::default().with_states_filter(states);
        let response = self.pair.ask(self.client, &request, 4, SOON).unwrap();
        assert_eq!(response.error_code, NONE);
        response.groups.iter().map(|group| (group.group_id.to_string(), group.group_state.to_string())).collect()
    }

    fn delete(&mut self, name: &'static str) -> i16 {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(name.into())]);
        self.pair.ask(self.client, &request, 2, SOON).unwrap().results[0].error_code
    }

    fn delete_offset(&mut self) -> (i16, Vec<i16>) {
        let partition = OffsetDeleteRequestPartition::default();
        let topic = OffsetDeleteRequestTopic::default().with_name(topic("t")).with_partitions(vec![partition]);
        let request = OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![topic]);
        let response = self.pair.ask(self.client, &request, 0, SOON).unwrap();
        let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
        (response.error_code, partitions.map(|partition| partition.error_code).collect())
    }

    fn heartbeat(&mut self, member: &Member) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(group())
            .with_generation_id(member.generation)
            .with_member_id(member.id.clone());
        self.pair.ask(member.client, &request, 4, SOON).unwrap().error_code
    }

    /// The id that a new member is to join with.
    fn issued(&mut self, client: ClientId) -> StrBytes {
        let response = self.pair.ask(client, &join(&StrBytes::default()), 9, SOON).unwrap();
        assert_eq!(response.error_code, MEMBER_ID_REQUIRED);
        response.member_id
    }

    /// A group of one member, with its assignment.
    fn alone(&mut self) -> Member {
        let client = self.pair.connect();
        let id = self.issued(client);
        let joined = self.pair.ask(client, &join(&id), 9, SOON).unwrap();
        assert_eq!((joined.error_code, &joined.leader, joined.members.len()), (NONE, &id, 1));
        let member = Member { client, id, generation: joined.generation_id };
        let synced = self.pair.ask(client, &sync(&member, &[(&member.id, "mine")]), 5, SOON).unwrap();
        assert_eq!((synced.error_code, synced.assignment), (NONE, Bytes::from_static(b"mine")));
        member
    }

    fn has_topic(&self) -> bool {
        self.pair.broker.topics().contains(&format!("persistent://public/default/{LOG}"))
    }

    fn is_at_rest(&mut self) {
        self.pair.run_for(Duration::from_secs(1));
        assert_eq!(self.pair.awaited(), 0, "requests without an answer");
    }
}

#[test]
fn the_coordinator_is_the_broker_that_owns_the_groups_log() {
    let mut world = world();
    world.pair.broker.set_owner("__kafka_group_g.g", Some(elsewhere()), world.pair.now());
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec!["g".into(), "".into()]);

    let response = world.pair.ask(world.client, &request, 4, SOON).unwrap();

    let [found, invalid] = response.coordinators.as_slice() else { panic!("{response:?}") };
    assert_eq!((found.host.as_str(), found.port, found.error_code), ("kafka-b.test", 19091, NONE));
    assert_eq!(invalid.error_code, INVALID_GROUP_ID);
}

#[test]
fn transactions_have_no_coordinator() {
    let mut world = world();
    let request = FindCoordinatorRequest::default().with_key("t".into()).with_key_type(1);
    let response = world.pair.ask(world.client, &request, 3, SOON).unwrap();
    assert_eq!(response.error_code, TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
}

#[test]
fn what_is_committed_without_membership_is_told_again() {
    let mut world = world();
    assert_eq!(world.committed(), [(-1, String::new()), (-1, String::new())], "there is no such group");
    assert_eq!(world.commit(&commit(&[(0, 7, "mine")])), [NONE]);
    assert_eq!(world.committed(), [(7, "mine".to_owned()), (-1, String::new())]);
    assert_eq!(world.listed(&[]), [("g".to_owned(), "Empty".to_owned())]);
    world.is_at_rest();
}

#[test]
fn a_fetch_of_all_offsets_tells_what_was_committed() {
    let mut world = world();
    world.commit(&commit(&[(0, 7, ""), (3, 9, "")]));
    for version in 2..8 {
        let request = OffsetFetchRequest::default().with_group_id(group()).with_topics(None);
        let response = world.pair.ask(world.client, &request, version, SOON).unwrap();
        let told = response.topics.iter().flat_map(|topic| &topic.partitions);
        let told: Vec<_> = told.map(|told| (told.partition_index, told.committed_offset)).collect();
        assert_eq!((response.error_code, told), (NONE, vec![(0, 7), (3, 9)]), "version {version}");
    }
}

#[test]
fn version_1_fetches_offsets_of_named_partitions() {
    let mut world = world();
    world.commit(&commit(&[(0, 7, "")]));
    let wanted = OffsetFetchRequestTopic::default().with_name(topic("t")).with_partition_indexes(vec![0]);
    let request = OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![wanted]));
    let response = world.pair.ask(world.client, &request, 1, SOON).unwrap();
    assert_eq!(response.topics[0].partitions[0].committed_offset, 7);
}

#[test]
fn too_much_metadata_is_refused_and_the_rest_is_committed() {
    let mut world = world_with(Config { offset_metadata_max_bytes: 4, ..Config::default() }, BrokerConfig::default());
    assert_eq!(world.commit(&commit(&[(0, 7, "fits"), (1, 8, "too much")])), [NONE, OFFSET_METADATA_TOO_LARGE]);
    assert_eq!(world.committed(), [(7, "fits".to_owned()), (-1, String::new())]);
}

#[test]
fn a_new_member_joins_with_the_id_it_is_given_and_leads() {
    let mut world = world();
    let member = world.alone();
    assert_eq!(world.heartbeat(&member), NONE);
    assert_eq!(world.state(), ("Stable".to_owned(), vec![member.id.clone()]));
    assert_eq!(world.heartbeat(&Member { generation: member.generation + 1, ..member.clone() }), ILLEGAL_GENERATION);
    assert_eq!(world.heartbeat(&Member { id: "x".into(), ..member }), UNKNOWN_MEMBER_ID);
}

#[test]
fn before_version_4_a_new_member_joins_at_once() {
    for version in 0..4 {
        let mut world = world();
        let joined = world.pair.ask(world.client, &join(&StrBytes::default()), version, SOON).unwrap();
        assert_eq!((joined.error_code, joined.generation_id), (NONE, 1), "version {version}");
        assert_eq!(joined.leader, joined.member_id);
    }
}

#[test]
fn what_cannot_be_joined_is_refused_at_once() {
    let mut world = world();
    let nameless = join(&StrBytes::default()).with_group_id(GroupId::default());
    assert_eq!(world.pair.ask(world.client, &nameless, 9, SOON).unwrap().error_code, INVALID_GROUP_ID);
    let hasty = join(&StrBytes::default()).with_session_timeout_ms(1);
    assert_eq!(world.pair.ask(world.client, &hasty, 9, SOON).unwrap().error_code, INVALID_SESSION_TIMEOUT);
    let unknown = world.pair.ask(world.client, &join(&"x".into()), 9, SOON).unwrap();
    assert_eq!((unknown.error_code, unknown.member_id.as_str()), (UNKNOWN_MEMBER_ID, "x"));
}

#[test]
fn a_second_member_makes_the_first_join_again_and_each_gets_its_part() {
    let mut world = world();
    let first = world.alone();
    let client = world.pair.connect();
    let id = world.issued(client);

    let joining = world.pair.send(client, &join(&id), 9);
    world.pair.run_for(Duration::from_secs(1));
    assert_eq!(world.heartbeat(&first), REBALANCE_IN_PROGRESS);
    let joined = world.pair.ask(first.client, &join(&first.id), 9, SOON).unwrap();
    let follower = world.pair.wait(joining, SOON).unwrap();

    assert_eq!((joined.generation_id, joined.members.len()), (2, 2));
    assert_eq!((follower.generation_id, follower.members.len(), &follower.leader), (2, 0, &first.id));

    let first = Member { generation: 2, ..first };
    let second = Member { client, id, generation: 2 };
    let waiting = world.pair.send(client, &sync(&second, &[]), 5);
    let led = world.pair.ask(first.client, &sync(&first, &[(&first.id, "a"), (&second.id, "b")]), 5, SOON).unwrap();
    assert_eq!((led.error_code, led.assignment), (NONE, Bytes::from_static(b"a")));
    let followed = world.pair.wait(waiting, SOON).unwrap();
    assert_eq!((followed.error_code, followed.assignment), (NONE, Bytes::from_static(b"b")));
    assert_eq!(followed.protocol_name.as_deref(), Some("range"));
    world.is_at_rest();
}

#[test]
fn members_leave_one_by_one_or_several_at_once() {
    let mut world = world();
    let member = world.alone();
    let leavers = [member.id.clone(), "x".into()].map(|id| MemberIdentity::default().with_member_id(id));
    let request = LeaveGroupRequest::default().with_group_id(group()).with_members(leavers.to_vec());
    let response = world.pair.ask(member.client, &request, 5, SOON).unwrap();
    let codes: Vec<_> = response.members.iter().map(|left| left.error_code).collect();
    assert_eq!((response.error_code, codes), (NONE, vec![NONE, UNKNOWN_MEMBER_ID]));
    assert_eq!(world.state(), ("Empty".to_owned(), vec![]));

    let again = LeaveGroupRequest::default().with_group_id(group()).with_member_id(member.id);
    assert_eq!(world.pair.ask(member.client, &again, 2, SOON).unwrap().error_code, UNKNOWN_MEMBER_ID);
}

#[test]
fn members_that_died_without_a_word_are_found_dead_by_whoever_only_lists_groups() {
    let mut world = world();
    let member = world.alone();
    world.pair.disconnect(member.client);
    world.client = world.pair.connect();

    let emptied = (0..24).find(|_| {
        world.pair.run_for(Duration::from_secs(5));
        world.listed(&[]) == [("g".to_owned(), "Empty".to_owned())]
    });
    assert!(emptied.is_some(), "its session of 45 s is over for long");
}

#[test]
fn a_group_with_members_keeps_what_it_has() {
    let mut world = world();
    let member = world.alone();
    let by_member =
        commit(&[(0, 7, "")]).with_member_id(member.id.clone()).with_generation_id_or_member_epoch(member.generation);
    assert_eq!(world.commit(&by_member), [NONE]);
    assert_eq!(world.commit(&commit(&[(0, 8, "")])), [UNKNOWN_MEMBER_ID], "not without membership");

    assert_eq!(world.delete("g"), NON_EMPTY_GROUP);
    assert_eq!(world.delete_offset(), (NONE, vec![GROUP_SUBSCRIBED_TO_TOPIC]));
    assert_eq!(world.committed()[0].0, 7);
    assert_eq!(world.listed(&["Empty"]), []);
    assert_eq!(world.listed(&["stable"]), [("g".to_owned(), "Stable".to_owned())]);
}

#[test]
fn offsets_and_groups_are_deleted_and_then_unknown() {
    let mut world = world();
    world.commit(&commit(&[(0, 7, "")]));
    assert_eq!(world.delete_offset(), (NONE, vec![NONE]));
    assert_eq!(world.committed()[0].0, -1);
    assert_eq!(world.delete("g"), NONE);

    assert_eq!(world.listed(&[]), []);
    assert_eq!(world.state(), ("Dead".to_owned(), vec![]));
    assert_eq!(world.delete("g"), GROUP_ID_NOT_FOUND);
    assert_eq!(world.delete("never"), GROUP_ID_NOT_FOUND);
    assert_eq!(world.delete_offset(), (GROUP_ID_NOT_FOUND, vec![]));
    world.is_at_rest();
}

#[test]
fn who_deletes_a_group_may_go_with_the_answer_and_pulsar_deletes_the_topic() {
    let mut world = world();
    world.commit(&commit(&[(0, 7, "")]));
    world.pair.broker.delete_inactive();
    assert!(world.has_topic(), "a group's topic stays");

    assert_eq!(world.delete("g"), NONE);
    world.pair.disconnect(world.client);
    world.pair.settle();
    world.pair.broker.delete_inactive();
    assert!(!world.has_topic());

    world.client = world.pair.connect();
    assert_eq!(world.committed()[0].0, -1);
    world.commit(&commit(&[(0, 8, "")]));
    assert_eq!(world.committed()[0].0, 8);
}

#[test]
fn a_deleted_groups_topic_goes_although_brokers_redirect_fail_and_are_slow_to_read_their_policies() {
    let broker = BrokerConfig { policies_lag: Duration::from_millis(300), ..BrokerConfig::default() };
    let mut world = world_with(Config::default(), broker);
    for (contains, status) in [("inactiveTopicPolicies", 307), ("retention", 500)] {
        let answer = Some(HttpAnswer::empty(status));
        world.pair.broker.http_fault(HttpFault { contains: contains.to_owned(), times: 2, answer });
    }
    world.commit(&commit(&[(0, 7, "")]));

    assert_eq!(world.delete("g"), NONE);
    assert!(world.pair.broker.faults_are_spent());
    world.pair.disconnect(world.client);
    world.pair.settle();
    world.pair.broker.delete_inactive();
    assert!(!world.has_topic());
}

#[test]
fn the_topic_of_a_group_that_is_used_again_at_once_stays() {
    let mut world = world();
    world.commit(&commit(&[(0, 7, "")]));
    assert_eq!(world.delete("g"), NONE);
    world.commit(&commit(&[(0, 8, "")]));

    world.pair.disconnect(world.client);
    world.pair.settle();
    world.pair.broker.delete_inactive();

    world.client = world.pair.connect();
    assert_eq!(world.committed()[0].0, 8);
}

#[test]
fn a_topic_whose_group_never_came_into_being_is_let_go_of_while_its_client_stays() {
    let mut world = world();
    let odd = join(&StrBytes::default()).with_group_instance_id(Some("i".into())).with_protocols(vec![]);
    world.pair.ask(world.client, &odd, 5, SOON).unwrap();
    assert!(world.has_topic());

    world.pair.run_for(Duration::from_secs(3));
    world.pair.broker.delete_inactive();
    assert!(!world.has_topic());
}

#[test]
fn groups_of_another_broker_are_not_listed() {
    let mut world = world();
    world.commit(&commit(&[(0, 7, "")]));
    world.pair.broker.create_topic("__kafka_group_h.g", 0);
    world.pair.broker.set_owner("__kafka_group_h.g", Some(elsewhere()), world.pair.now());
    assert_eq!(world.listed(&[]), [("g".to_owned(), "Empty".to_owned())]);
}

#[test]
fn more_groups_than_are_asked_at_a_time_are_all_listed_and_described() {
    let mut world = world();
    let names: Vec<String> = (0..40).map(|index| format!("group {index:02}")).collect();
    for name in &names {
        let request = commit(&[(0, 7, "")]).with_group_id(GroupId(StrBytes::from_string(name.clone())));
        assert_eq!(world.commit(&request), [NONE]);
    }
    let listed: Vec<String> = world.listed(&[]).into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, names);

    let asked = names.iter().map(|name| GroupId(StrBytes::from_string(name.clone()))).collect();
    let request = DescribeGroupsRequest::default().with_groups(asked);
    let response = world.pair.ask(world.client, &request, 5, SOON).unwrap();
    assert!(response.groups.iter().all(|group| group.group_state.as_str() == "Empty"), "{response:?}");
    assert_eq!(response.groups.len(), names.len());
}
