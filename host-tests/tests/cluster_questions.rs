//! What tools ask a cluster about besides topics: sizes, elections, reassignments, quotas, users, ACLs, what can be configured.

use std::time::Duration;

use bytes::Bytes;
use isthmus::config::Config;
use isthmus_host_tests::codes::{
    ELECTION_NOT_NEEDED, KAFKA_STORAGE_ERROR, RESOURCE_NOT_FOUND, SECURITY_DISABLED, UNKNOWN_TOPIC_OR_PARTITION,
    UNSUPPORTED_VERSION,
};
use isthmus_host_tests::http::HttpAnswer;
use isthmus_host_tests::pair::records::{batch, metadata, produce};
use isthmus_host_tests::pair::{ClientId, NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, HttpFault, ScriptedBroker};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{
    DescribeAclsRequest, DescribeClientQuotasRequest, DescribeLogDirsRequest, DescribeUserScramCredentialsRequest,
    ElectLeadersRequest, ListConfigResourcesRequest, ListPartitionReassignmentsRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

const SOON: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker with a topic `t` of two partitions, and a client.
fn pair() -> (Pair<NativeFilter>, ClientId) {
    let mut pair = Pair::new(NativeFilter::new(Config::default(), 7), ScriptedBroker::new(BrokerConfig::default()));
    pair.broker.create_topic("t", 2);
    let client = pair.connect();
    (pair, client)
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

mod sizes {
    use super::*;

    fn directory(
        pair: &mut Pair<NativeFilter>,
        client: ClientId,
        request: &DescribeLogDirsRequest,
    ) -> DescribeLogDirsResult {
        let [directory] = pair.ask(client, request, 4, PATIENCE).unwrap().results.try_into().unwrap();
        assert_eq!((directory.log_dir.as_str(), directory.total_bytes), ("pulsar", -1));
        directory
    }

    /// Topic, partition and size, of all that is told.
    fn told(directory: &DescribeLogDirsResult) -> Vec<(String, i32, i64)> {
        let topics = directory.topics.iter();
        topics
            .flat_map(|topic| {
                topic.partitions.iter().map(|row| (topic.name.to_string(), row.partition_index, row.partition_size))
            })
            .collect()
    }

    fn these(topics: &[(&str, &[i32])]) -> DescribeLogDirsRequest {
        let topics = topics.iter().map(|(name, partitions)| {
            DescribableLogDirTopic::default().with_topic(TopicName(text(name))).with_partitions(partitions.to_vec())
        });
        DescribeLogDirsRequest::default().with_topics(Some(topics.collect()))
    }

    #[test]
    fn every_partition_is_told_with_its_bytes() {
        let (mut pair, client) = pair();
        pair.ask(client, &produce("t", 1, batch(&["hello"], None)), 9, SOON).unwrap();
        let all = DescribeLogDirsRequest::default().with_topics(None);
        let told = told(&directory(&mut pair, client, &all));
        assert_eq!(told[0], ("t".into(), 0, 0));
        assert!(matches!(&told[1], (name, 1, size) if name == "t" && *size > 5), "{told:?}");
    }

    #[test]
    fn only_what_is_asked_for_and_is_there_is_told() {
        let (mut pair, client) = pair();
        let asked = these(&[("t", &[1, 7]), ("none", &[0]), ("a b", &[0])]);
        assert_eq!(told(&directory(&mut pair, client, &asked)), [("t".into(), 1, 0)]);
    }

    #[test]
    fn what_cannot_be_measured_is_an_error_of_the_directory() {
        for answer in [Some(HttpAnswer::empty(503)), Some(HttpAnswer::empty(200)), None] {
            let (mut pair, client) = pair();
            pair.broker.http_fault(HttpFault { contains: "partitioned-stats".into(), times: 8, answer });
            let directory = directory(&mut pair, client, &these(&[("t", &[0])]));
            assert_eq!(directory.error_code, KAFKA_STORAGE_ERROR);
            assert_eq!(told(&directory), []);
        }
    }
}

#[test]
fn no_partition_needs_another_leader() {
    let (mut pair, client) = pair();
    let asked = |name: &str, partitions: &[i32]| {
        TopicPartitions::default().with_topic(TopicName(text(name))).with_partitions(partitions.to_vec())
    };
    let request = ElectLeadersRequest::default()
        .with_topic_partitions(Some(vec![asked("t", &[1, 7]), asked("none", &[0]), asked("a b", &[0])]))
        .with_timeout_ms(5000);
    for version in [1, 2] {
        let response = pair.ask(client, &request, version, SOON).unwrap();
        let told = response.replica_election_results.iter().flat_map(|topic| {
            topic.partition_result.iter().map(|row| (row.error_code, row.error_message.as_ref().unwrap().to_string()))
        });
        let none = |words: &str| (UNKNOWN_TOPIC_OR_PARTITION, words.to_string());
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                (ELECTION_NOT_NEEDED, "Leader election not needed for topic partition.".to_string()),
                none("No such partition as t-7"),
                none("No such topic as none"),
                none("No such topic as a b"),
            ]
        );
    }
    let all = ElectLeadersRequest::default().with_topic_partitions(None);
    assert_eq!(pair.ask(client, &all, 2, SOON).unwrap().replica_election_results, []);
}

#[test]
fn nothing_is_reassigned_nobody_has_quotas_or_credentials_and_acls_are_off() {
    let (mut pair, client) = pair();
    let reassignments = pair.ask(client, &ListPartitionReassignmentsRequest::default(), 0, SOON).unwrap();
    assert_eq!((reassignments.error_code, reassignments.topics), (0, vec![]));
    for version in [0, 1] {
        let quotas = pair.ask(client, &DescribeClientQuotasRequest::default(), version, SOON).unwrap();
        assert_eq!((quotas.error_code, quotas.entries), (0, Some(vec![])));
    }
    for version in [1, 3] {
        let request = DescribeAclsRequest::default().with_pattern_type_filter(1);
        assert_eq!(pair.ask(client, &request, version, SOON).unwrap().error_code, SECURITY_DISABLED);
    }
    let everybody = DescribeUserScramCredentialsRequest::default().with_users(None);
    let users = pair.ask(client, &everybody, 0, SOON).unwrap();
    assert_eq!((users.error_code, users.results), (0, vec![]));
    let one = everybody.with_users(Some(vec![UserName::default().with_name(text("alice"))]));
    assert_eq!(pair.ask(client, &one, 0, SOON).unwrap().results[0].error_code, RESOURCE_NOT_FOUND);
}

#[test]
fn topics_and_brokers_can_be_configured_and_nothing_else() {
    let (mut pair, client) = pair();
    let node = pair.ask(client, &metadata(&[]), 9, SOON).unwrap().controller_id.0.to_string();
    let mut listed = |version, types: &[i8]| {
        let request = ListConfigResourcesRequest::default().with_resource_types(types.to_vec());
        let response = pair.ask(client, &request, version, SOON).unwrap();
        let found = response.config_resources.into_iter();
        (
            response.error_code,
            found.map(|found| (found.resource_type, found.resource_name.to_string())).collect::<Vec<_>>(),
        )
    };
    assert_eq!(listed(1, &[]), (0, vec![(2, "t".into()), (4, node)]));
    assert_eq!(listed(1, &[2]), (0, vec![(2, "t".into())]));
    assert_eq!(listed(1, &[16, 32]), (0, vec![]));
    assert_eq!(listed(1, &[99]), (UNSUPPORTED_VERSION, vec![]));
    assert_eq!(listed(0, &[]), (0, vec![]));
}

/// An empty body where fields should be.
#[test]
fn a_request_that_ends_early_closes_the_connection_and_no_other() {
    let (mut pair, client) = pair();
    let other = pair.connect();
    let header = Bytes::from_static(b"\0\0\0\x0b\0\x2b\0\x01\0\0\0\x01\0\x01x");
    pair.send_bytes(client, &header);
    pair.run_for(SOON);
    assert!(pair.is_closed(client));
    assert!(pair.ask(other, &metadata(&["t"]), 9, SOON).is_ok());
}
