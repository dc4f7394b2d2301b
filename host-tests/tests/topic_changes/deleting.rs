//! DeleteTopics.

use super::*;

#[test]
fn a_deleted_topic_is_gone_when_the_client_is_told() {
    let (mut pair, client) = pair();
    for (name, count) in [("partitioned", 3), ("plain", 0)] {
        pair.broker.create_topic(name, count);
        assert_eq!(partitions(&mut pair, client, name), Ok(usize::try_from(count.max(1)).unwrap()));
        assert_eq!(delete_one(&mut pair, client, name), (NONE, None));
        assert_eq!(partitions(&mut pair, client, name), Err(UNKNOWN_TOPIC_OR_PARTITION));
    }
    assert_eq!(pair.broker.topics(), Vec::<String>::new());
    is_at_rest(&mut pair);
}

#[test]
fn every_served_version_deletes() {
    let (mut pair, client) = pair();
    for version in 1..=6 {
        pair.broker.create_topic("t", 1);
        let request = if version < 6 {
            DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text("t"))]).with_timeout_ms(PATIENCE_MS)
        } else {
            deletion(&["t"])
        };
        let response = pair.ask(client, &request, version, SOON).unwrap();
        assert_eq!(response.responses[0].error_code, NONE, "version {version}");
    }
}

#[test]
fn a_topic_can_be_made_again_at_once_and_is_empty() {
    let (mut pair, client) = pair();
    for round in 0..5 {
        assert_eq!(create_one(&mut pair, client, topic("t", 2)), (NONE, None), "round {round}");
        let response = pair.ask(client, &produce("t", 0, batch(&["a"], None)), 9, SOON).unwrap();
        assert_eq!(produced(&response), (NONE, 0), "round {round}");
        assert_eq!(delete_one(&mut pair, client, "t"), (NONE, None), "round {round}");
    }
}

#[test]
fn a_topic_is_deleted_while_it_is_consumed_and_produced_to() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("t", 1);
    let (producer, consumer) = (pair.connect(), pair.connect());
    pair.ask(producer, &produce("t", 0, batch(&["a"], None)), 9, SOON).unwrap();
    let waiting = pair.send(consumer, &fetch("t", 0, 1, 3000), 11);
    pair.run_for(Duration::from_millis(500));

    assert_eq!(delete_one(&mut pair, client, "t"), (NONE, None));

    assert_eq!(partitions(&mut pair, client, "t"), Err(UNKNOWN_TOPIC_OR_PARTITION));
    assert!(pair.wait(waiting, SOON).is_ok());
    is_at_rest(&mut pair);
}

#[test]
fn what_is_not_there_is_unknown() {
    let (mut pair, client) = pair();
    for name in ["t", "a b", "x-partition-3", "__change_events"] {
        assert_eq!(delete_one(&mut pair, client, name), (UNKNOWN_TOPIC_OR_PARTITION, None));
    }
}

#[test]
fn ids_are_unknown_and_a_topic_is_called_in_one_way() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("t", 1);
    pair.broker.create_topic("twice", 1);
    let mut request = deletion(&["twice", "t", "twice"]);
    let by_id = |name: Option<&str>, id: u8| {
        let id = format!("00000000-0000-0000-0000-00000000000{id}").parse().unwrap();
        DeleteTopicState::default().with_name(name.map(|name| TopicName(text(name)))).with_topic_id(id)
    };
    request.topics.extend([by_id(None, 7), by_id(None, 0), by_id(Some("t"), 9), by_id(None, 8), by_id(None, 8)]);
    let response = pair.ask(client, &request, 6, SOON).unwrap();
    let told: Vec<_> = response.responses.iter().map(|row| row.error_code).collect();
    assert_eq!(told, [INVALID_REQUEST, NONE, UNKNOWN_TOPIC_ID, INVALID_REQUEST, INVALID_REQUEST, INVALID_REQUEST]);
    assert_eq!(partitions(&mut pair, client, "twice"), Ok(1));
}

#[test]
fn what_passes_is_tried_again() {
    let (mut pair, client) = pair();
    for status in [307, 409, 412, 500, 503] {
        pair.broker.create_topic("t", 1);
        pair.broker.http_fault(http_fault("DELETE", 3, Some(HttpAnswer::empty(status))));
        assert_eq!(delete_one(&mut pair, client, "t"), (NONE, None), "{status}");
    }
    is_at_rest(&mut pair);
}

#[test]
fn a_deletion_whose_answer_was_lost_counts() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("t", 1);
    pair.broker.http_fault(http_fault("DELETE", 1, Some(HttpAnswer::empty(500))));
    pair.broker.http_fault(http_fault("DELETE", 1, Some(HttpAnswer::empty(404))));
    let missing = Effect::Refuse(ServerError::TopicNotFound, "gone".into());
    pair.broker.fault(Fault::on(Type::PartitionedMetadata, missing).after(1));
    assert_eq!(delete_one(&mut pair, client, "t"), (NONE, None));
    is_at_rest(&mut pair);
}

#[test]
fn a_refusal_that_lasts_is_told_before_the_client_gives_up() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("t", 1);
    pair.broker.http_fault(http_fault("DELETE", 8, Some(HttpAnswer::empty(503))));
    assert_eq!(delete_one(&mut pair, client, "t").0, REQUEST_TIMED_OUT);
    pair.broker.http_fault(http_fault("DELETE", 1, Some(HttpAnswer::empty(403))));
    assert_eq!(delete_one(&mut pair, client, "t").0, TOPIC_AUTHORIZATION_FAILED);
    assert_eq!(partitions(&mut pair, client, "t"), Ok(1));
    is_at_rest(&mut pair);
}
