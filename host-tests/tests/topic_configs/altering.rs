//! IncrementalAlterConfigs and AlterConfigs.

use super::*;

#[test]
fn retention_is_rounded_up_and_told_back_as_it_was_given() {
    let mut scene = scene();
    assert_eq!(scene.set("retention.ms", "90000"), (NONE, String::new()));
    assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": 2, "retentionSizeInMB": -1})));
    assert_eq!(scene.seen("retention.ms"), is("90000", DYNAMIC_TOPIC));
    assert_eq!(scene.seen("retention.bytes"), is("-1", STATIC_BROKER));
    assert_eq!(scene.pair.broker.properties("t"), [("kafka.retention.ms".to_string(), "90000".to_string())].into());
    scene.is_at_rest();
}

#[test]
fn a_deleted_value_leaves_neither_policy_nor_property() {
    let mut scene = scene();
    scene.set("retention.ms", "90000");
    assert_eq!(scene.alter(&[(DELETE, "retention.ms", None)]), (NONE, String::new()));
    assert_eq!(scene.policy("retention"), None);
    assert_eq!(scene.pair.broker.properties("t"), BTreeMap::new());
    assert_eq!(scene.seen("retention.ms"), is("-1", STATIC_BROKER));
}

#[test]
fn a_compacted_topic_is_compacted_by_pulsar_and_keeps_everything_else() {
    let mut scene = scene();
    scene
        .pair
        .broker
        .set_namespace_policy("retention_policies", json!({"retentionTimeInMinutes": 9, "retentionSizeInMB": 9}));
    assert_eq!(scene.set("cleanup.policy", "compact"), (NONE, String::new()));
    assert_eq!(scene.policy("compactionThreshold"), Some(json!(THRESHOLD)));
    assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": -1, "retentionSizeInMB": -1})));
    assert_eq!(scene.seen("cleanup.policy"), is("compact", DYNAMIC_TOPIC));
    assert_eq!(scene.seen("retention.ms"), is("-1", DEFAULT));

    scene.alter(&[(APPEND, "cleanup.policy", Some("delete")), (SET, "retention.ms", Some("60000"))]);
    assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": 1, "retentionSizeInMB": 9})));
    assert_eq!(scene.seen("cleanup.policy"), is("compact,delete", DYNAMIC_TOPIC));
}

#[test]
fn a_topic_that_pulsars_tools_stopped_compacting_is_no_longer_told_to_be() {
    let mut scene = scene();
    scene.set("cleanup.policy", "compact");
    scene.pair.broker.set_topic_policy("t", "compactionThreshold", None);
    assert_eq!(scene.seen("cleanup.policy"), is("delete", DEFAULT));
}

#[test]
fn all_policies_come_about_although_the_broker_reads_its_own_changes_late() {
    let mut scene = Scene::new(
        Config::default(),
        BrokerConfig { policies_lag: Duration::from_millis(300), ..BrokerConfig::default() },
    );
    let all = [
        (SET, "retention.ms", Some("60000")),
        (SET, "cleanup.policy", Some("compact,delete")),
        (SET, "max.message.bytes", Some("1000")),
    ];
    assert_eq!(scene.alter(&all), (NONE, String::new()));
    assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": 1, "retentionSizeInMB": -1})));
    assert_eq!(scene.policy("compactionThreshold"), Some(json!(THRESHOLD)));
    assert_eq!(scene.policy("maxMessageSize"), Some(json!(1000)));
    assert_eq!(scene.seen("max.message.bytes"), is("1000", DYNAMIC_TOPIC), "and it is seen at once");
    scene.is_at_rest();
}

#[test]
fn validation_changes_nothing_and_refuses_what_would_be_refused() {
    let mut scene = scene();
    assert_eq!(scene.alter_each("t", &[(SET, "retention.ms", Some("5"))], true), (NONE, String::new()));
    assert_eq!(scene.alter_each("t", &[(SET, "retention.ms", Some("-5"))], true).0, INVALID_CONFIG);
    assert_eq!(scene.alter_each("none", &[(SET, "retention.ms", Some("5"))], true).0, UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(scene.policy("retention"), None);
    assert_eq!(scene.pair.broker.properties("t"), BTreeMap::new());
}

#[test]
fn a_request_with_one_impossible_value_changes_nothing() {
    let mut scene = scene();
    let told = scene.alter(&[(SET, "retention.ms", Some("5")), (SET, "min.insync.replicas", Some("2"))]);
    assert_eq!(told.0, INVALID_CONFIG);
    assert_eq!(scene.policy("retention"), None);
}

#[test]
fn a_record_that_the_filter_would_not_take_is_not_promised() {
    let config = Config { max_request_bytes: 100_000, ..Config::default() };
    let mut scene = Scene::new(config.clone(), BrokerConfig::default());
    assert_eq!(scene.set("max.message.bytes", "100000"), (NONE, String::new()));
    let words = "Invalid value 100001 for configuration max.message.bytes: at most 100000, the max_request_bytes of the \
                 filter, which must be raised first";
    let refused = (INVALID_CONFIG, words.to_string());
    assert_eq!(scene.set("max.message.bytes", "100001"), refused);
    assert_eq!(scene.alter_each("t", &[(SET, "max.message.bytes", Some("100001"))], true), refused);
    assert_eq!(scene.replace(&[("max.message.bytes", "100001")]), INVALID_CONFIG);
    assert_eq!(scene.policy("maxMessageSize"), Some(json!(100_000)));

    let broker = BrokerConfig { max_message_bytes: 50_000, ..BrokerConfig::default() };
    let (code, words) = Scene::new(config.clone(), broker).set("max.message.bytes", "100001");
    assert_eq!(code, INVALID_CONFIG);
    assert!(words.contains("at most 50000, the maxMessageSize of the Pulsar brokers"), "{words}");

    let ignored_topic_configs = ["max.message.bytes".to_string()].into();
    let mut scene = Scene::new(Config { ignored_topic_configs, ..config }, BrokerConfig::default());
    assert_eq!(scene.set("max.message.bytes", "100001"), (NONE, String::new()));
    assert_eq!(scene.policy("maxMessageSize"), None);
}

#[test]
fn refusals_are_in_apache_kafkas_codes_and_words() {
    let mut scene = scene();
    assert_eq!(scene.set("nope", "1"), (INVALID_CONFIG, "Unknown topic config name: nope".into()));
    let null = (INVALID_REQUEST, "Null value not supported for : retention.ms".into());
    assert_eq!(scene.alter(&[(SET, "retention.ms", None)]), null);
    let twice = [(SET, "retention.ms", Some("1")), (DELETE, "retention.ms", None)];
    assert_eq!(scene.alter(&twice), (INVALID_REQUEST, "Error due to duplicate config keys".into()));
    let none = (UNKNOWN_TOPIC_OR_PARTITION, "The topic 'none' does not exist.".into());
    assert_eq!(scene.alter_each("none", &[], false), none);
    assert_eq!(scene.alter_each("__kafka_group_g", &[], false).0, INVALID_TOPIC_EXCEPTION);
}

#[test]
fn a_whole_set_of_values_takes_the_place_of_the_old_one() {
    let mut scene = scene();
    scene.set("max.message.bytes", "1000");
    assert_eq!(scene.replace(&[("retention.bytes", "1048577"), ("compression.type", "producer")]), NONE);
    assert_eq!(scene.policy("maxMessageSize"), None);
    assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": -1, "retentionSizeInMB": 2})));
    assert_eq!(scene.seen("compression.type"), is("producer", DYNAMIC_TOPIC));
    assert_eq!(scene.replace(&[]), NONE);
    assert_eq!(scene.pair.broker.properties("t"), BTreeMap::new());
    assert_eq!(scene.policy("retention"), None);
}

#[test]
fn what_the_operator_wants_ignored_is_taken_and_not_shown() {
    let config = Config { ignored_topic_configs: ["segment.bytes".to_string()].into(), ..Config::default() };
    let mut scene = Scene::new(config, BrokerConfig::default());
    assert_eq!(scene.set("segment.bytes", "52428800"), (NONE, String::new()));
    assert_eq!(scene.seen("segment.bytes"), is("2147483647", DEFAULT));
}

#[test]
fn changes_of_one_connection_follow_each_other() {
    let mut scene = scene();
    let first = altered(TOPIC, "t", &[(SET, "cleanup.policy", Some("compact"))]);
    let second = altered(TOPIC, "t", &[(APPEND, "cleanup.policy", Some("delete"))]);
    let tickets = [first, second].map(|request| scene.pair.send(scene.client, &request, 1));
    for ticket in tickets {
        assert_eq!(scene.pair.wait(ticket, SOON).unwrap().responses[0].error_code, NONE);
    }
    assert_eq!(scene.seen("cleanup.policy"), is("compact,delete", DYNAMIC_TOPIC));
}

#[test]
fn a_broker_cannot_be_altered() {
    let mut scene = scene();
    let node = scene.pair.ask(scene.client, &metadata(&[]), 9, SOON).unwrap().controller_id.0.to_string();
    let request = altered(BROKER, &node, &[(SET, "num.partitions", Some("2"))]);
    let [row] = scene.pair.ask(scene.client, &request, 1, SOON).unwrap().responses.try_into().unwrap();
    assert_eq!(row.error_code, INVALID_REQUEST);
    assert_eq!(row.error_message.unwrap().as_str(), "Cannot update these configs dynamically: [num.partitions]");
}

#[test]
fn a_passing_error_is_passed_over() {
    let mut scene = scene();
    scene.fault("POST", 3, Some(HttpAnswer::empty(500)));
    scene.fault("PUT", 1, Some(HttpAnswer::empty(409)));
    assert_eq!(scene.set("retention.ms", "60000"), (NONE, String::new()));
    scene.is_at_rest();
}

#[test]
fn what_pulsar_refuses_is_an_error_with_its_reason() {
    let mut scene = scene();
    let reason = HttpAnswer::json(412, &json!({"reason": "Retention Quota must exceed configured backlog quota"}));
    scene.fault("POST", 1, Some(reason));
    let (code, words) = scene.set("retention.ms", "60000");
    assert_eq!(code, INVALID_CONFIG);
    assert!(words.contains("Retention Quota must exceed"), "{words}");
    assert_eq!(scene.pair.broker.properties("t"), BTreeMap::new(), "nothing is remembered that is not there");
}

#[test]
fn an_admin_rest_that_is_silent_ends_in_an_error() {
    let mut scene = scene();
    scene.fault("POST", 8, None);
    assert_eq!(scene.set("retention.ms", "60000").0, REQUEST_TIMED_OUT);
    scene.is_at_rest();
}

#[test]
fn policies_of_topics_switched_off_are_named_as_the_reason() {
    let mut scene = Scene::new(Config::default(), BrokerConfig { topic_policies: false, ..BrokerConfig::default() });
    assert_eq!(scene.seen("retention.ms"), is("-1", STATIC_BROKER));
    let (code, words) = scene.set("retention.ms", "60000");
    assert_eq!(code, INVALID_CONFIG);
    assert!(words.contains("topicLevelPoliciesEnabled"), "{words}");
}
