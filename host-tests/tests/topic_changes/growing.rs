//! CreatePartitions.

use super::*;

#[test]
fn a_topic_grows_and_its_new_partitions_can_be_used_at_once() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("t", 1);
    assert_eq!(partitions(&mut pair, client, "t"), Ok(1));
    assert_eq!(grow_one(&mut pair, client, growth("t", 3)), (NONE, None));
    assert_eq!(partitions(&mut pair, client, "t"), Ok(3));
    let response = pair.ask(client, &produce("t", 2, batch(&["a"], None)), 9, SOON).unwrap();
    assert_eq!(produced(&response), (NONE, 0));
    is_at_rest(&mut pair);
}

#[test]
fn every_served_version_grows() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("t", 1);
    for (version, count) in (0..=3).zip(2..) {
        let request =
            CreatePartitionsRequest::default().with_topics(vec![growth("t", count)]).with_timeout_ms(PATIENCE_MS);
        let response = pair.ask(client, &request, version, SOON).unwrap();
        assert_eq!(response.results[0].error_code, NONE, "version {version}");
    }
}

#[test]
fn what_is_no_increase_is_refused_in_kafkas_words() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("t", 5);
    assert_eq!(
        grow_one(&mut pair, client, growth("t", 5)),
        with(INVALID_PARTITIONS, "Topic already has 5 partition(s).")
    );
    for count in [4, 0, -1] {
        let words = format!("The topic t currently has 5 partition(s); {count} would not be an increase.");
        assert_eq!(grow_one(&mut pair, client, growth("t", count)), with(INVALID_PARTITIONS, &words));
    }
}

#[test]
fn more_partitions_than_fit_one_request_are_refused() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("t", 1);
    assert_eq!(grow_one(&mut pair, client, growth("t", i32::MAX)).0, POLICY_VIOLATION);
}

#[test]
fn a_topic_that_does_not_exist_does_not_grow() {
    let (mut pair, client) = pair();
    for name in ["t", "a b", "x-partition-3"] {
        assert_eq!(grow_one(&mut pair, client, growth(name, 2)), (UNKNOWN_TOPIC_OR_PARTITION, None));
    }
}

#[test]
fn a_topic_without_partitions_gets_none() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("plain", 0);
    let (code, words) = grow_one(&mut pair, client, growth("plain", 2));
    assert_eq!(code, INVALID_PARTITIONS);
    assert!(words.unwrap().contains("without partitions"));
}

#[test]
fn growth_that_is_only_validated_does_not_happen() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("t", 1);
    let request = CreatePartitionsRequest::default()
        .with_topics(vec![growth("t", 3), growth("t2", 3)])
        .with_timeout_ms(PATIENCE_MS)
        .with_validate_only(true);
    let response = pair.ask(client, &request, 3, SOON).unwrap();
    let codes: Vec<_> = response.results.iter().map(|row| row.error_code).collect();
    assert_eq!(codes, [NONE, UNKNOWN_TOPIC_OR_PARTITION]);
    assert_eq!(partitions(&mut pair, client, "t"), Ok(1));
}

#[test]
fn without_an_admin_rest_validation_refuses_what_growth_would() {
    let (mut pair, client) = pair_with(Config { admin_cluster: String::new(), ..Config::default() });
    pair.broker.create_topic("t", 2);
    let asked = |validate_only| {
        CreatePartitionsRequest::default()
            .with_topics(vec![growth("t", 3), growth("none", 3)])
            .with_timeout_ms(PATIENCE_MS)
            .with_validate_only(validate_only)
    };
    let validated = pair.ask(client, &asked(true), 3, SOON).unwrap();
    assert_eq!(validated, pair.ask(client, &asked(false), 3, SOON).unwrap());
    let codes: Vec<_> = validated.results.iter().map(|row| row.error_code).collect();
    assert_eq!(codes, [POLICY_VIOLATION, UNKNOWN_TOPIC_OR_PARTITION]);
    assert!(validated.results[0].error_message.as_ref().unwrap().contains("set admin_cluster"));
    assert_eq!(
        grow_one(&mut pair, client, growth("t", 2)).0,
        INVALID_PARTITIONS,
        "what is wrong anyway is told as ever"
    );
}

#[test]
fn as_many_assignments_as_new_partitions_are_taken() {
    let (mut pair, client) = pair();
    pair.broker.create_topic("t", 1);
    let node = pair.ask(client, &metadata(&[]), 9, SOON).unwrap().controller_id.0;
    let mut to = |count, lists: &[&[i32]]| {
        let assignments = lists.iter().map(|list| {
            CreatePartitionsAssignment::default().with_broker_ids(list.iter().map(|id| BrokerId(*id)).collect())
        });
        let topic = growth("t", count).with_assignments(Some(assignments.collect()));
        grow_one(&mut pair, client, topic)
    };
    assert_eq!(
        to(3, &[&[node]]),
        with(
            INVALID_REPLICA_ASSIGNMENT,
            "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."
        )
    );
    assert_eq!(to(2, &[&[987]]).0, INVALID_REPLICA_ASSIGNMENT);
    assert_eq!(to(3, &[&[node], &[node]]), (NONE, None));
}
