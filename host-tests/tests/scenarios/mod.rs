//! Scenarios that hold for the native worker and for the module in its host alike.

use std::time::Duration;

use isthmus_host_tests::pair::records::{
    Identity, Read, api_versions, batch, fetch, fetched, list_offsets, metadata, produce, produced,
};
use isthmus_host_tests::pair::{ClientId, Filter, Pair};
use isthmus_host_tests::scripted::HttpFault;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{ApiKey, CreateTopicsRequest, CreateTopicsResponse, InitProducerIdRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

/// Hands the names of all scenarios to a macro that makes tests of them.
macro_rules! all {
    ($run:ident) => {
        $run!(
            a_client_learns_what_is_served,
            the_first_request_of_a_connection_may_be_any,
            a_named_topic_is_created_and_its_leader_told,
            what_is_produced_is_fetched_with_its_offsets,
            pipelined_batches_are_stored_once_and_in_order,
            a_fetch_at_the_end_waits_for_the_next_record,
            a_fetch_at_the_end_is_answered_empty_when_its_time_is_up,
            an_offset_past_the_end_is_out_of_range,
            the_offsets_of_a_partition_are_told,
            an_admin_answer_that_breaks_off_is_an_error_of_its_request_alone,
        );
    };
}
pub(super) use all;

const SOON: Duration = Duration::from_secs(5);

/// Nothing may be left when everyone is answered, and nothing may have happened that Envoy would not forgive.
pub(super) fn is_at_rest(pair: &mut Pair<impl Filter>) {
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.awaited(), 0, "requests without an answer");
    if let Some(left) = pair.filter.left_over() {
        assert_eq!(left, Default::default());
    }
    assert_eq!(pair.broker.attached().writes, 0);
    assert_eq!(pair.filter.misdeeds(), Vec::<String>::new());
}

/// A client that has asked for the API versions, as clients do first.
pub(super) fn greeted(pair: &mut Pair<impl Filter>) -> ClientId {
    let client = pair.connect();
    let response = pair.ask(client, &api_versions(), 3, SOON).unwrap();
    assert_eq!(response.error_code, 0);
    client
}

/// Produces one batch, which must succeed; its base offset.
pub(super) fn write(pair: &mut Pair<impl Filter>, client: ClientId, values: &[&str]) -> i64 {
    let response = pair.ask(client, &produce("t", 0, batch(values, None)), 9, SOON).unwrap();
    let (error, offset) = produced(&response);
    assert_eq!(error, 0);
    offset
}

/// The values of a partition as they stand in Pulsar.
pub(super) fn stored(pair: &Pair<impl Filter>, topic: &str) -> Vec<String> {
    let messages = pair.broker.messages(&format!("{topic}-partition-0")).unwrap();
    messages.into_iter().map(|message| String::from_utf8(message.value.unwrap().to_vec()).unwrap()).collect()
}

pub(super) fn a_client_learns_what_is_served(pair: &mut Pair<impl Filter>) {
    let client = pair.connect();
    let response = pair.ask(client, &api_versions(), 3, SOON).unwrap();
    assert_eq!(response.error_code, 0);
    let produce = response.api_keys.iter().find(|api| api.api_key == ApiKey::Produce as i16).unwrap();
    assert_eq!((produce.min_version, produce.max_version), (0, 11));
    is_at_rest(pair);
}

pub(super) fn the_first_request_of_a_connection_may_be_any(pair: &mut Pair<impl Filter>) {
    pair.broker.create_topic("t", 1);
    for _ in 0..2 {
        let client = pair.connect();
        let response = pair.ask(client, &produce("t", 0, batch(&["a"], None)), 9, SOON).unwrap();
        assert_eq!(produced(&response).0, 0);
        let client = pair.connect();
        let response = pair.ask(client, &metadata(&["t"]), 9, SOON).unwrap();
        assert_eq!(response.topics[0].error_code, 0);
    }
    is_at_rest(pair);
}

pub(super) fn a_named_topic_is_created_and_its_leader_told(pair: &mut Pair<impl Filter>) {
    let client = greeted(pair);
    let response = pair.ask(client, &metadata(&["t"]), 9, SOON).unwrap();
    let topic = &response.topics[0];
    assert_eq!((topic.error_code, topic.partitions.len()), (0, 1));
    let leader = response.brokers.iter().find(|broker| broker.node_id == topic.partitions[0].leader_id).unwrap();
    assert_eq!((leader.host.as_str(), leader.port), ("127.0.0.1", 9092));
    is_at_rest(pair);
}

pub(super) fn what_is_produced_is_fetched_with_its_offsets(pair: &mut Pair<impl Filter>) {
    pair.broker.create_topic("t", 1);
    let client = greeted(pair);
    assert_eq!(write(pair, client, &["a", "b", "c"]), 0);
    assert_eq!(write(pair, client, &["d"]), 3);
    assert_eq!(stored(pair, "t"), ["a", "b", "c", "d"]);

    for from in [0, 2, 3] {
        let response = pair.ask(client, &fetch("t", 0, from, 100), 11, SOON).unwrap();
        let (error, high_watermark, records) = fetched(&response, from);
        assert_eq!((error, high_watermark), (0, 4));
        assert_eq!(records.first().map(|record| record.offset), Some(from));
    }
    is_at_rest(pair);
}

pub(super) fn pipelined_batches_are_stored_once_and_in_order(pair: &mut Pair<impl Filter>) {
    pair.broker.create_topic("t", 1);
    let client = greeted(pair);
    let id = pair.ask(client, &InitProducerIdRequest::default().with_transactional_id(None), 3, SOON).unwrap();
    assert_eq!(id.error_code, 0);
    let mut tickets = Vec::new();
    for number in 0..10 {
        let identity = Identity { id: id.producer_id.0, epoch: id.producer_epoch, sequence: number * 2 };
        let values = [format!("{number}a"), format!("{number}b")];
        let batch = batch(&[&values[0], &values[1]], Some(identity));
        tickets.push(pair.send(client, &produce("t", 0, batch), 9));
    }
    for (number, ticket) in tickets.into_iter().enumerate() {
        let response = pair.wait(ticket, SOON).unwrap();
        assert_eq!(produced(&response), (0, i64::try_from(number * 2).unwrap()));
    }
    let expected: Vec<String> = (0..10).flat_map(|number| [format!("{number}a"), format!("{number}b")]).collect();
    assert_eq!(stored(pair, "t"), expected);
    is_at_rest(pair);
}

pub(super) fn a_fetch_at_the_end_waits_for_the_next_record(pair: &mut Pair<impl Filter>) {
    pair.broker.create_topic("t", 1);
    let (reader, writer) = (greeted(pair), greeted(pair));
    let waiting = pair.send(reader, &fetch("t", 0, 0, 10_000), 11);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.awaited(), 1);

    write(pair, writer, &["a"]);

    let response = pair.wait(waiting, SOON).unwrap();
    let (error, _, records) = fetched(&response, 0);
    assert_eq!(error, 0);
    assert_eq!(records, [Read { offset: 0, key: None, value: Some("a".into()) }]);
    is_at_rest(pair);
}

pub(super) fn a_fetch_at_the_end_is_answered_empty_when_its_time_is_up(pair: &mut Pair<impl Filter>) {
    pair.broker.create_topic("t", 1);
    let client = greeted(pair);
    write(pair, client, &["a"]);
    let asked = pair.now().instant;
    let response = pair.ask(client, &fetch("t", 0, 1, 500), 11, SOON).unwrap();
    assert_eq!(fetched(&response, 1), (0, 1, vec![]));
    let waited = pair.now().instant.since(asked);
    assert!((500..800).contains(&waited.as_millis()), "{waited:?}");
    is_at_rest(pair);
}

pub(super) fn an_offset_past_the_end_is_out_of_range(pair: &mut Pair<impl Filter>) {
    pair.broker.create_topic("t", 1);
    let client = greeted(pair);
    write(pair, client, &["a", "b"]);
    let response = pair.ask(client, &fetch("t", 0, 7, 100), 11, SOON).unwrap();
    const OFFSET_OUT_OF_RANGE: i16 = 1;
    assert_eq!(fetched(&response, 7).0, OFFSET_OUT_OF_RANGE);
    is_at_rest(pair);
}

pub(super) fn the_offsets_of_a_partition_are_told(pair: &mut Pair<impl Filter>) {
    pair.broker.create_topic("t", 1);
    let client = greeted(pair);
    write(pair, client, &["a", "b"]);
    for (timestamp, expected) in [(-2, 0), (-1, 2)] {
        let response = pair.ask(client, &list_offsets("t", 0, timestamp), 5, SOON).unwrap();
        let partition = &response.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.offset), (0, expected), "at {timestamp}");
    }
    is_at_rest(pair);
}

pub(super) fn an_admin_answer_that_breaks_off_is_an_error_of_its_request_alone(pair: &mut Pair<impl Filter>) {
    const REQUEST_TIMED_OUT: i16 = 7;
    let (client, beside) = (greeted(pair), greeted(pair));
    pair.broker.http_fault(HttpFault { contains: "PUT".into(), times: 1, answer: None });
    let wanted = CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_static_str("t")))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![wanted]).with_timeout_ms(5000);

    let told = |response: CreateTopicsResponse| response.topics.iter().map(|row| row.error_code).collect::<Vec<_>>();
    assert_eq!(told(pair.ask(client, &request, 5, SOON).unwrap()), [REQUEST_TIMED_OUT]);
    assert_eq!(told(pair.ask(client, &request, 5, SOON).unwrap()), [0]);
    write(pair, beside, &["a"]);
    is_at_rest(pair);
}
