//! DescribeConfigs.

use super::*;

#[test]
fn a_topic_without_policies_has_its_namespaces() {
    let mut scene = scene();
    assert_eq!(scene.seen("retention.ms"), is("-1", STATIC_BROKER));
    assert_eq!(scene.seen("cleanup.policy"), is("delete", DEFAULT));
    assert_eq!(scene.seen("max.message.bytes"), is("5242880", DEFAULT));
    assert_eq!(scene.seen("segment.ms"), is("14400000", DEFAULT));
}

#[test]
fn what_the_namespace_leaves_open_is_the_brokers() {
    let mut scene = scene();
    scene.pair.broker.set_namespace_policy("retention_policies", json!(null));
    assert_eq!(scene.seen("retention.ms"), is("0", DEFAULT));
}

#[test]
fn what_pulsars_tools_set_is_shown() {
    let mut scene = scene();
    scene.pair.broker.set_topic_policy(
        "t",
        "retention",
        Some(json!({"retentionTimeInMinutes": 3, "retentionSizeInMB": 2})),
    );
    scene.pair.broker.set_topic_policy("t", "maxMessageSize", Some(json!(1000)));
    assert_eq!(scene.seen("retention.ms"), is("180000", DYNAMIC_TOPIC));
    assert_eq!(scene.seen("retention.bytes"), is("2097152", DYNAMIC_TOPIC));
    assert_eq!(scene.seen("max.message.bytes"), is("1000", DYNAMIC_TOPIC));
}

#[test]
fn a_broker_without_a_right_to_its_configuration_is_not_guessed_at() {
    let mut scene = scene();
    scene.pair.broker.set_namespace_policy("retention_policies", json!(null));
    // The policies of the namespace are looked at once for each worker, too.
    scene.fault("configuration/runtime", 2, Some(HttpAnswer::empty(403)));
    let told = scene.described(TOPIC, "t").unwrap();
    assert!(!told.contains_key("retention.ms") && !told.contains_key("cleanup.policy"));
    assert!(told.contains_key("min.insync.replicas"));
}

#[test]
fn topics_that_cannot_be_or_are_not_are_told_so() {
    let mut scene = scene();
    for (name, code) in [
        ("none", UNKNOWN_TOPIC_OR_PARTITION),
        ("a b", INVALID_TOPIC_EXCEPTION),
        ("__kafka_group_x", INVALID_TOPIC_EXCEPTION),
    ] {
        assert_eq!(scene.described(TOPIC, name).unwrap_err().0, code, "{name}");
    }
}

#[test]
fn a_broker_is_told_what_the_filter_is_set_to() {
    let mut scene = Scene::new(Config { default_partitions: 3, ..Config::default() }, BrokerConfig::default());
    let node = scene.pair.ask(scene.client, &metadata(&[]), 9, SOON).unwrap().controller_id.0.to_string();
    let told = scene.described(BROKER, &node).unwrap();
    assert_eq!(told["num.partitions"], is("3", STATIC_BROKER));
    assert_eq!(told["broker.id"], is(&node, STATIC_BROKER));
    assert_eq!(scene.described(BROKER, "").unwrap(), BTreeMap::new());
    assert_eq!(scene.described(BROKER, "987").unwrap_err().0, INVALID_REQUEST);
    assert_eq!(scene.described(BROKER, "x").unwrap_err().1, "Broker id must be an integer, but it is: x");
}

#[test]
fn loggers_client_metrics_and_groups_have_no_configurations() {
    let mut scene = scene();
    let node = scene.pair.ask(scene.client, &metadata(&[]), 9, SOON).unwrap().controller_id.0.to_string();
    for (kind, name) in [(BROKER_LOGGER, node.as_str()), (CLIENT_METRICS, "m"), (GROUP, "g")] {
        assert_eq!(scene.described(kind, name), Ok(BTreeMap::new()));
    }
    for (kind, words) in [
        (BROKER_LOGGER, "Broker id must not be empty"),
        (CLIENT_METRICS, "Client metrics subscription name must not be empty"),
        (GROUP, "Group name must not be empty"),
    ] {
        assert_eq!(scene.described(kind, ""), Err((INVALID_REQUEST, words.to_owned())));
    }
    assert_eq!(scene.described(BROKER_LOGGER, "987").unwrap_err().0, INVALID_REQUEST);
    assert_eq!(scene.described(3, "x"), Err((INVALID_REQUEST, "Unknown resource type 3".to_owned())));
}

#[test]
fn only_what_is_asked_for_is_told() {
    let mut scene = scene();
    let resource = |keys: &[&str]| {
        let keys = keys.iter().map(|key| text(key)).collect();
        DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text("t"))
            .with_configuration_keys(Some(keys))
    };
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource(&["retention.ms", "nope"])])
        .with_include_synonyms(true);
    let documented = request.clone().with_include_documentation(true);
    let response = scene.pair.ask(scene.client, &documented, 3, SOON).unwrap();
    let [config] = response.results[0].configs.clone().try_into().unwrap();
    assert_eq!(config.config_type, 5);
    assert!(config.documentation.unwrap().contains("minutes"));
    let [synonym] = config.synonyms.try_into().unwrap();
    assert_eq!((synonym.name.as_str(), synonym.source), ("log.retention.ms", STATIC_BROKER));

    let plain = scene.pair.ask(scene.client, &request.with_include_synonyms(false), 3, SOON).unwrap();
    assert_eq!(plain.results[0].configs[0].synonyms, []);
    assert_eq!(plain.results[0].configs[0].documentation, None);
}

#[test]
fn the_admin_rest_down_refusing_silent_or_garbled_is_an_error_in_time() {
    for (answer, code) in [
        (Some(HttpAnswer::empty(503)), REQUEST_TIMED_OUT),
        (Some(HttpAnswer::empty(401)), TOPIC_AUTHORIZATION_FAILED),
        (Some(HttpAnswer { body: b"<html>".to_vec(), ..HttpAnswer::empty(200) }), -1),
        (None, REQUEST_TIMED_OUT),
    ] {
        let mut scene = scene();
        scene.fault("persistent/public/default/t/retention", 8, answer.clone());
        assert_eq!(scene.described(TOPIC, "t").unwrap_err().0, code, "{answer:?}");
        let began = scene.pair.now().instant;
        assert!(scene.pair.ask(scene.client, &metadata(&["t"]), 9, SOON).is_ok(), "the connection goes on");
        assert!(scene.pair.now().instant.since(began) < SOON);
    }
}
