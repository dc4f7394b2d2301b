//! CreateTopics with configurations.

use super::*;

#[test]
fn a_topic_begins_with_its_policies_and_is_told_with_them() {
    let mut scene = scene();
    let (code, _, told) = scene.create("new", &[("cleanup.policy", "compact"), ("max.message.bytes", "1000")]);
    assert_eq!(code, NONE);
    assert_eq!(told["cleanup.policy"], is("compact", DYNAMIC_TOPIC));
    assert_eq!(told["max.message.bytes"], is("1000", DYNAMIC_TOPIC));
    assert_eq!(told["min.insync.replicas"], is("1", DEFAULT));
    assert_eq!(told, scene.described(TOPIC, "new").unwrap());
    assert_eq!(scene.pair.broker.topic_policy("new", "compactionThreshold"), Some(&json!(THRESHOLD)));
    assert_eq!(scene.pair.broker.properties("new")["kafka.cleanup.policy"], "compact");
    scene.is_at_rest();
}

#[test]
fn a_topic_for_records_that_the_filter_would_not_take_is_not_made() {
    let config = Config { max_request_bytes: 100_000, ..Config::default() };
    let mut scene = Scene::new(config, BrokerConfig::default());
    let (code, words, _) = scene.create("new", &[("max.message.bytes", "100001")]);
    assert_eq!(code, INVALID_CONFIG);
    assert!(words.contains("the max_request_bytes of the filter"), "{words}");
    assert_eq!(scene.described(TOPIC, "new").unwrap_err().0, UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(scene.create("new", &[("max.message.bytes", "100000")]).0, NONE);
}

#[test]
fn a_policy_that_a_former_topic_of_the_name_left_behind_is_taken_away() {
    let mut scene = scene();
    scene.pair.broker.set_topic_policy("new", "compactionThreshold", Some(json!(7)));
    assert_eq!(scene.create("new", &[("max.message.bytes", "1000"), ("retention.ms", "60000")]).0, NONE);
    assert_eq!(scene.pair.broker.topic_policy("new", "compactionThreshold"), None);
    assert_eq!(scene.described(TOPIC, "new").unwrap()["max.message.bytes"], is("1000", DYNAMIC_TOPIC));
    scene.is_at_rest();
}

#[test]
fn whoever_is_told_that_a_topic_exists_finds_it_configured_also_while_another_client_makes_it() {
    let slow = BrokerConfig { policies_lag: Duration::from_millis(300), ..BrokerConfig::default() };
    let mut scene = Scene::new(Config::default(), slow);
    let second = scene.pair.connect();
    let request = CreateTopicsRequest::default().with_topics(vec![new_topic("new", &[("cleanup.policy", "compact")])]);
    let made = scene.pair.send(scene.client, &request.clone().with_timeout_ms(20_000), 7);
    let found = scene.pair.send(second, &request.with_timeout_ms(20_000), 7);

    assert_eq!(scene.pair.wait(found, PATIENCE).unwrap().topics[0].error_code, TOPIC_ALREADY_EXISTS);
    assert_eq!(scene.described(TOPIC, "new").unwrap()["cleanup.policy"], is("compact", DYNAMIC_TOPIC));
    assert_eq!(scene.pair.wait(made, PATIENCE).unwrap().topics[0].error_code, NONE);
    scene.is_at_rest();
}

#[test]
fn a_topic_that_pulsars_tools_took_a_policy_of_is_told_to_exist_after_a_while() {
    let mut scene = scene();
    assert_eq!(scene.create("new", &[("cleanup.policy", "compact")]).0, NONE);
    scene.pair.broker.set_topic_policy("new", "compactionThreshold", None);
    let began = scene.pair.now().instant;
    assert_eq!(scene.create_within("new", &[], 30_000).0, TOPIC_ALREADY_EXISTS);
    assert!(scene.pair.now().instant.since(began) < Duration::from_secs(21));
}

#[test]
fn a_topic_that_pulsar_does_not_let_be_configured_is_taken_back() {
    let mut scene = scene();
    scene.fault("POST", 1, Some(HttpAnswer::empty(412)));
    let (code, _, _) = scene.create("new", &[("retention.ms", "60000")]);
    assert_eq!(code, INVALID_CONFIG);
    assert_eq!(scene.described(TOPIC, "new").unwrap_err().0, UNKNOWN_TOPIC_OR_PARTITION);
    scene.is_at_rest();
}

#[test]
fn a_topic_that_can_neither_be_configured_nor_taken_back_is_told_as_what_it_is() {
    let mut scene = scene();
    scene.fault("POST", 1, Some(HttpAnswer::empty(412)));
    scene.fault("DELETE", 1, Some(HttpAnswer::empty(403)));
    let (code, words, _) = scene.create("new", &[("retention.ms", "60000")]);
    assert_eq!(code, INVALID_CONFIG);
    assert!(words.starts_with("created, but without its configurations: "), "{words}");
}

#[test]
fn a_topic_that_is_not_configured_by_the_requests_own_timeout_is_told_as_what_it_is() {
    let mut scene = scene();
    scene.fault("POST", 8, Some(HttpAnswer::empty(503)));
    let (code, words, _) = scene.create_within("new", &[("retention.ms", "60000")], 1000);
    assert_eq!(code, REQUEST_TIMED_OUT);
    assert_eq!(words, "created, but Pulsar did not take its configurations in time");
}
