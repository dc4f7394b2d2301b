//! CreateTopics.

use super::*;

#[test]
fn a_created_topic_can_be_used_at_once() {
    let (mut pair, client) = pair();
    let response = pair.ask(client, &creation(vec![topic("t", 3)]), 7, SOON).unwrap();
    let row = &response.topics[0];
    assert_eq!((row.error_code, row.num_partitions, row.replication_factor), (NONE, 3, 1));
    assert!(row.error_message.is_none() && row.topic_id.is_nil());
    assert_eq!(partitions(&mut pair, client, "t"), Ok(3));
    let response = pair.ask(client, &produce("t", 2, batch(&["a"], None)), 9, SOON).unwrap();
    assert_eq!(produced(&response), (NONE, 0));
    is_at_rest(&mut pair);
}

#[test]
fn every_served_version_creates() {
    let (mut pair, client) = pair();
    for version in 2..=7 {
        let request = creation(vec![topic(&format!("t{version}"), 1)]);
        let response = pair.ask(client, &request, version, SOON).unwrap();
        assert_eq!(response.topics[0].error_code, NONE, "version {version}");
    }
}

#[test]
fn a_topic_without_numbers_gets_the_defaults() {
    let (mut pair, client) = pair();
    let request = creation(vec![topic("t", -1).with_replication_factor(-1)]);
    let row = pair.ask(client, &request, 7, SOON).unwrap().topics.remove(0);
    assert_eq!((row.error_code, row.num_partitions, row.replication_factor), (NONE, 4, 1));
    assert_eq!(partitions(&mut pair, client, "t"), Ok(4));
}

#[test]
fn several_topics_are_answered_in_the_order_of_the_request() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("t1", 1);
    let topics: Vec<_> = (0..100).rev().map(|number| topic(&format!("t{number}"), 1)).collect();
    let told = create(&mut pair, client, topics);
    let expected: Vec<_> = (0..100).rev().map(|number| format!("t{number}")).collect();
    assert_eq!(told.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), expected);
    let failed: Vec<_> = told.into_iter().filter(|(_, (code, _))| *code != NONE).collect();
    assert_eq!(failed, [("t1".into(), with(TOPIC_ALREADY_EXISTS, "Topic 't1' already exists."))]);
    is_at_rest(&mut pair);
}

#[test]
fn a_topic_that_exists_is_not_created_again_with_or_without_partitions() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("partitioned", 2);
    pair.broker.create_topic("plain", 0);
    for name in ["partitioned", "plain"] {
        let exists = with(TOPIC_ALREADY_EXISTS, &format!("Topic '{name}' already exists."));
        assert_eq!(create_one(&mut pair, client, topic(name, 1)), exists);
        // That goes before whatever else is wrong.
        assert_eq!(create_one(&mut pair, client, topic(name, 0)), exists);
        assert_eq!(create_one(&mut pair, client, configured(name, "nope", Some("1"))), exists);
    }
}

#[test]
fn validation_creates_nothing_and_refuses_what_would_be_refused() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("there", 1);
    let asked = ["there", "new", "a/b"].map(|name| topic(name, 2));
    let request = creation(asked.into()).with_validate_only(true);
    let told: Vec<_> = told_of(&mut pair, client, &request).into_iter().map(|(_, (code, _))| code).collect();
    assert_eq!(told, [TOPIC_ALREADY_EXISTS, NONE, INVALID_TOPIC_EXCEPTION]);
    assert_eq!(partitions(&mut pair, client, "new"), Err(UNKNOWN_TOPIC_OR_PARTITION));
}

#[test]
fn without_an_admin_rest_validation_refuses_what_creation_would() {
    let (mut pair, client) = pair_with(Config { admin_cluster: String::new(), ..Config::default() });
    pair.broker.create_topic("there", 1);
    let asked = || ["there", "new", "a/b"].map(|name| topic(name, 2)).into_iter();
    let wrong = || asked().chain([topic("none", 0), configured("odd", "nope", Some("1"))]).collect();
    let told = told_of(&mut pair, client, &creation(wrong()).with_validate_only(true));
    assert_eq!(told, create(&mut pair, client, wrong()));
    let codes: Vec<_> = told.iter().map(|(_, (code, _))| *code).collect();
    assert_eq!(
        codes,
        [TOPIC_ALREADY_EXISTS, POLICY_VIOLATION, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_CONFIG]
    );
    assert!(told[1].1.1.as_deref().unwrap().contains("set admin_cluster"));
}

#[test]
fn a_name_that_stands_there_twice_is_refused_once() {
    let (mut pair, client) = pair();
    let told = create(&mut pair, client, vec![topic("a", 1), topic("b", 1), topic("a", 1)]);
    assert_eq!(told, [("a".into(), with(INVALID_REQUEST, "Duplicate topic name.")), ("b".into(), (NONE, None))]);
    assert_eq!(partitions(&mut pair, client, "a"), Err(UNKNOWN_TOPIC_OR_PARTITION));
}

#[test]
fn names_that_cannot_be_are_refused_with_words() {
    let (mut pair, client) = pair();
    for name in ["", ".", "..", "a b", "a/b", "x-partition-3", "__change_events", &"n".repeat(250)] {
        let (code, words) = create_one(&mut pair, client, topic(name, 1));
        assert_eq!(code, INVALID_TOPIC_EXCEPTION, "{name}");
        assert!(words.unwrap().starts_with("Topic name is invalid: "), "{name}");
    }
}

#[test]
fn a_name_that_pulsar_would_not_give_partitions_is_refused_unless_it_exists() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("x-partition-a", 0);
    assert_eq!(create_one(&mut pair, client, topic("x-partition-a", 1)).0, TOPIC_ALREADY_EXISTS);
    assert_eq!(create_one(&mut pair, client, topic("x-partition-b", 1)).0, INVALID_TOPIC_EXCEPTION);
    assert_eq!(partitions(&mut pair, client, "x-partition-a"), Ok(1));
}

#[test]
fn numbers_that_make_no_sense_are_refused_in_kafkas_words() {
    let (mut pair, client) = pair();
    for partitions in [0, -2] {
        assert_eq!(
            create_one(&mut pair, client, topic("t", partitions)),
            with(INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value.")
        );
    }
    for factor in [0, -2] {
        assert_eq!(
            create_one(&mut pair, client, topic("t", 1).with_replication_factor(factor)),
            with(
                INVALID_REPLICATION_FACTOR,
                "Replication factor must be larger than 0, or -1 to use the default value."
            )
        );
    }
    let (code, words) = create_one(&mut pair, client, topic("t", 1).with_replication_factor(3));
    assert_eq!(code, INVALID_REPLICATION_FACTOR);
    assert!(words.unwrap().starts_with("Unable to replicate the partition 3 time(s): "));
}

#[test]
fn the_operator_may_let_clients_ask_for_more_copies() {
    let (mut pair, client) = pair_with(Config { max_replication_factor: 3, ..Config::default() });
    assert_eq!(create_one(&mut pair, client, topic("t", 1).with_replication_factor(3)), (NONE, None));
    let (code, _) = create_one(&mut pair, client, topic("u", 1).with_replication_factor(4));
    assert_eq!(code, INVALID_REPLICATION_FACTOR);
}

#[test]
fn more_partitions_than_kafka_takes_in_one_request_are_refused_for_all_topics() {
    let (mut pair, client) = pair();
    let told = create(&mut pair, client, vec![topic("a", 9_999), topic("b", 2)]);
    let refused = with(POLICY_VIOLATION, "Excessively large number of partitions per request.");
    assert_eq!(told, [("a".into(), refused.clone()), ("b".into(), refused)]);
}

#[test]
fn a_topic_whose_configurations_cannot_be_is_not_made() {
    let (mut pair, client) = pair();
    for (config, value) in [("retention.ms", Some("x")), ("min.insync.replicas", Some("2")), ("nope", None)] {
        let (code, words) = create_one(&mut pair, client, configured("u", config, value));
        assert_eq!(code, INVALID_CONFIG);
        assert!(words.unwrap().contains(config));
    }
    assert_eq!(partitions(&mut pair, client, "u"), Err(UNKNOWN_TOPIC_OR_PARTITION));
}

#[test]
fn an_assignment_to_the_one_broker_makes_as_many_partitions() {
    let (mut pair, client) = pair();
    let node = pair.ask(client, &metadata(&[]), 9, SOON).unwrap().controller_id.0;
    assert_eq!(create_one(&mut pair, client, assigned("t", &[(0, &[node]), (1, &[node])])), (NONE, None));
    assert_eq!(partitions(&mut pair, client, "t"), Ok(2));

    let (code, _) = create_one(&mut pair, client, assigned("u", &[(0, &[node, 987])]));
    assert_eq!(code, INVALID_REPLICA_ASSIGNMENT);
    let beside = assigned("u", &[(0, &[node])]).with_num_partitions(1);
    assert_eq!(
        create_one(&mut pair, client, beside),
        with(INVALID_REQUEST, "A manual partition assignment was specified, but numPartitions was not set to -1.")
    );
    is_at_rest(&mut pair);
}

#[test]
fn a_topic_is_answered_when_this_broker_sees_it() {
    let (mut pair, client) = pair();
    let missing = Effect::Refuse(ServerError::TopicNotFound, "not here yet".into());
    pair.broker.fault(Fault::on(Type::PartitionedMetadata, missing).times(3));
    assert_eq!(create_one(&mut pair, client, topic("t", 2)), (NONE, None));
    assert_eq!(partitions(&mut pair, client, "t"), Ok(2));
    is_at_rest(&mut pair);
}

#[test]
fn what_the_admin_rest_refuses_is_told_with_its_reason() {
    let (mut pair, client) = pair();
    let cases = [
        (401, TOPIC_AUTHORIZATION_FAILED),
        (403, TOPIC_AUTHORIZATION_FAILED),
        (404, POLICY_VIOLATION),
        (406, INVALID_PARTITIONS),
        (412, POLICY_VIOLATION),
        (500, REQUEST_TIMED_OUT),
    ];
    for (status, code) in cases {
        let answer = HttpAnswer::json(status, &serde_json::json!({ "reason": "because" }));
        pair.broker.http_fault(http_fault("PUT", 1, Some(answer)));
        let words = format!("Pulsar's admin REST answered {status}: because");
        assert_eq!(create_one(&mut pair, client, topic("t", 1)), with(code, &words));
    }
    is_at_rest(&mut pair);
}

#[test]
fn an_admin_rest_that_cannot_be_reached_is_an_error_that_passes() {
    let (mut pair, client) = pair();
    // No answer at all, and Envoy's own.
    for answer in [None, Some(HttpAnswer::empty(503))] {
        pair.broker.http_fault(http_fault("PUT", 1, answer));
        let (code, words) = create_one(&mut pair, client, topic("t", 1));
        assert_eq!(code, REQUEST_TIMED_OUT);
        assert!(words.unwrap().contains("check the admin_cluster"));
    }
    assert_eq!(create_one(&mut pair, client, topic("t", 1)), (NONE, None));
}

#[test]
fn a_redirect_is_tried_again_and_given_up_with_advice() {
    let (mut pair, client) = pair();
    pair.broker.http_fault(http_fault("PUT", 2, Some(HttpAnswer::empty(307))));
    assert_eq!(create_one(&mut pair, client, topic("t", 1)), (NONE, None));

    // Five at once, each of eight times.
    pair.broker.http_fault(http_fault("PUT", 40, Some(HttpAnswer::empty(307))));
    let (code, words) = create_one(&mut pair, client, topic("u", 1));
    assert_eq!(code, REQUEST_TIMED_OUT);
    assert!(words.unwrap().contains("admin_cluster must reach every broker"));
    is_at_rest(&mut pair);
}

#[test]
fn a_request_is_answered_at_its_own_timeout() {
    let (mut pair, client) = pair();
    let silence = Effect::Refuse(ServerError::MetadataError, "busy".into());
    pair.broker.fault(Fault::on(Type::PartitionedMetadata, silence).times(1000));
    let asked = pair.now().instant;
    let request = creation(vec![topic("t", 1)]).with_timeout_ms(1500);
    assert_eq!(told_of(&mut pair, client, &request)[0].1.0, REQUEST_TIMED_OUT);
    let waited = pair.now().instant.since(asked).as_millis();
    assert!((1500..1700).contains(&waited), "{waited}");
}
