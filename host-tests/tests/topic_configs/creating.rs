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

fn because(status: u16, reason: &str) -> Option<HttpAnswer> {
    Some(HttpAnswer::json(status, &json!({ "reason": reason })))
}

/// A refusal with 412, in Pulsar's words.
const QUOTA: &str =
    "Retention Quota must exceed configured backlog quota for topic. Please increase retention quota and retry";

/// 412 that is no refusal, in Pulsar's words.
const UNOWNED: [&str; 3] = [
    "Failed to find ownership for topic:persistent://public/default/new-partition-0",
    "Can't find owner for topic persistent://public/default/new-partition-0",
    "Topic policies cache have not init.",
];

#[test]
fn a_topic_that_pulsar_does_not_let_be_configured_is_taken_back() {
    let cases = [
        (because(400, "because"), INVALID_CONFIG),
        (because(401, "because"), TOPIC_AUTHORIZATION_FAILED),
        (because(403, "because"), TOPIC_AUTHORIZATION_FAILED),
        (because(405, "because"), INVALID_CONFIG),
        (because(412, QUOTA), INVALID_CONFIG),
        (because(422, "because"), INVALID_CONFIG),
    ];
    for (answer, expected) in cases {
        let mut scene = scene();
        scene.fault("POST", 1, answer.clone());
        let (code, _, _) = scene.create("new", &[("retention.ms", "60000")]);
        assert_eq!(code, expected, "{answer:?}");
        assert_eq!(scene.described(TOPIC, "new").unwrap_err().0, UNKNOWN_TOPIC_OR_PARTITION, "{answer:?}");
        scene.is_at_rest();
    }
}

#[test]
fn a_topic_that_can_neither_be_configured_nor_taken_back_is_told_as_what_it_is() {
    let mut scene = scene();
    scene.fault("POST", 1, because(412, QUOTA));
    scene.fault("DELETE", 1, Some(HttpAnswer::empty(403)));
    let (code, words, _) = scene.create("new", &[("retention.ms", "60000")]);
    assert_eq!(code, INVALID_CONFIG);
    assert!(words.starts_with("created, but without its configurations: "), "{words}");
}

/// What is no refusal: silence, errors that pass, redirects, a topic without an owner.
fn troubles() -> Vec<Option<HttpAnswer>> {
    let statuses = [307, 404, 409, 412, 429, 500, 503, 504].map(|status| Some(HttpAnswer::empty(status)));
    statuses.into_iter().chain(UNOWNED.map(|words| because(412, words))).chain([None]).collect()
}

#[test]
fn trouble_of_several_seconds_is_sat_out() {
    for answer in troubles() {
        let mut scene = scene();
        // More than there are attempts at one call.
        scene.fault("POST", 10, answer.clone());
        scene.fault("GET /admin/v2/persistent/public/default/new/retention", 5, answer.clone());
        let (code, words, told) = scene.create("new", &[("retention.ms", "60000"), ("max.message.bytes", "1000")]);
        assert_eq!((code, words.as_str()), (NONE, ""), "{answer:?}");
        assert_eq!(told["retention.ms"], is("60000", DYNAMIC_TOPIC), "{answer:?}");
        assert_eq!(told, scene.described(TOPIC, "new").unwrap(), "{answer:?}");
        scene.is_at_rest();
    }
}

#[test]
fn in_trouble_that_does_not_end_a_topic_stays_with_what_others_wrote_to_it() {
    for answer in troubles() {
        let mut scene = scene();
        scene.fault("POST", 1000, answer.clone());
        let topic = new_topic("new", &[("retention.ms", "60000"), ("compression.type", "producer")]);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(20_000);
        let asked = scene.pair.now().instant;
        let made = scene.pair.send(scene.client, &request, 7);
        scene.pair.run_for(Duration::from_secs(1));
        let other = scene.pair.connect();
        let written = scene.pair.ask(other, &produce("new", 0, batch(&["a"], None)), 9, PATIENCE).unwrap();
        assert_eq!(produced(&written), (NONE, 0), "{answer:?}");

        let row = scene.pair.wait(made, PATIENCE).unwrap().topics.remove(0);
        assert_eq!(row.error_code, REQUEST_TIMED_OUT, "{answer:?}");
        let words = row.error_message.unwrap();
        let exists = "the topic exists, but Pulsar did not take all its configurations in time: retention.ms; ";
        assert!(words.starts_with(exists), "{words}");
        assert!(words.contains("Pulsar's admin REST "), "{words}");
        assert_eq!(scene.pair.now().instant.since(asked).as_secs(), 20, "{answer:?}");
        let read = scene.pair.ask(other, &fetch("new", 0, 0, 100), 11, PATIENCE).unwrap();
        assert_eq!(fetched(&read, 0).2.len(), 1, "{answer:?}");
    }
}

#[test]
fn a_refusal_that_comes_after_seconds_takes_nothing_back() {
    let mut scene = scene();
    scene.fault("POST", 7, because(412, UNOWNED[0]));
    scene.fault("POST", 1, Some(HttpAnswer::empty(403)));
    let (code, words, _) = scene.create("new", &[("retention.ms", "60000")]);
    assert_eq!(code, TOPIC_AUTHORIZATION_FAILED);
    assert!(words.starts_with("created, but without its configurations: "), "{words}");
    assert!(scene.described(TOPIC, "new").is_ok());
    scene.is_at_rest();
}
