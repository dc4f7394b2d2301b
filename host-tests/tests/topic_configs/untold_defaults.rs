//! The defaults of the namespace and of the broker, while Pulsar's admin REST does not tell them.

use super::*;

const NAMESPACE: &str = "GET /admin/v2/namespaces/public/default";
const BROKER_CONFIG: &str = "/brokers/configuration/runtime";
const MANY: u32 = 1000;

/// A namespace that keeps 9 minutes and 9 MiB, or leaves it to the broker.
fn scene_of(keeps: Option<i64>) -> Scene {
    let mut scene = scene();
    let retention = keeps.map(|limit| json!({"retentionTimeInMinutes": limit, "retentionSizeInMB": limit}));
    scene.pair.broker.set_namespace_policy("retention_policies", json!(retention));
    scene
}

fn nothing_is_written(scene: &Scene) {
    for policy in ["retention", "compactionThreshold", "maxMessageSize"] {
        assert_eq!(scene.policy(policy), None);
    }
    assert_eq!(scene.pair.broker.properties("t"), BTreeMap::new());
}

#[test]
fn a_limit_whose_other_half_nobody_tells_is_refused_and_taken_once_it_is_told() {
    let troubles = [None, Some(HttpAnswer::empty(500)), Some(HttpAnswer::empty(503)), Some(HttpAnswer::empty(504))];
    for answer in troubles {
        for (path, keeps, size) in [(NAMESPACE, Some(9), 9), (BROKER_CONFIG, None, -1)] {
            let mut scene = scene_of(keeps);
            scene.fault(path, MANY, answer.clone());
            let (code, words) = scene.set("retention.ms", "60000");
            assert_eq!(code, REQUEST_TIMED_OUT, "{path} {answer:?} {words}");
            nothing_is_written(&scene);

            scene.pair.broker.clear_faults();
            assert_eq!(scene.set("retention.ms", "60000"), (NONE, String::new()));
            let expected = json!({"retentionTimeInMinutes": 1, "retentionSizeInMB": size});
            assert_eq!(scene.policy("retention"), Some(expected));
            scene.is_at_rest();
        }
    }
}

#[test]
fn passing_errors_are_passed_over() {
    let mut scene = scene_of(Some(9));
    scene.fault(NAMESPACE, 4, Some(HttpAnswer::empty(500)));
    scene.fault(BROKER_CONFIG, 4, Some(HttpAnswer::empty(429)));
    assert_eq!(scene.set("retention.ms", "60000"), (NONE, String::new()));
    let expected = json!({"retentionTimeInMinutes": 1, "retentionSizeInMB": 9});
    assert_eq!(scene.policy("retention"), Some(expected));
    scene.is_at_rest();
}

#[test]
fn what_may_not_be_told_is_no_trouble() {
    let mut scene = scene_of(None);
    scene.fault(BROKER_CONFIG, MANY, Some(HttpAnswer::empty(403)));
    assert_eq!(scene.set("retention.ms", "60000"), (NONE, String::new()));
    assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": 1, "retentionSizeInMB": -1})));
}

#[test]
fn what_needs_no_default_is_changed_and_told_all_the_same() {
    let mut scene = scene_of(Some(9));
    scene.fault(BROKER_CONFIG, MANY, Some(HttpAnswer::empty(500)));
    assert_eq!(scene.set("retention.ms", "60000"), (NONE, String::new()), "the namespace has its own");
    assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": 1, "retentionSizeInMB": 9})));

    scene.fault(NAMESPACE, MANY, Some(HttpAnswer::empty(500)));
    assert_eq!(scene.set("max.message.bytes", "1000"), (NONE, String::new()));
    let all = [
        (SET, "cleanup.policy", Some("delete")),
        (SET, "retention.ms", Some("120000")),
        (SET, "retention.bytes", Some("1048576")),
    ];
    assert_eq!(scene.alter(&all), (NONE, String::new()));
    assert_eq!(scene.policy("retention"), Some(json!({"retentionTimeInMinutes": 2, "retentionSizeInMB": 1})));
    assert_eq!(scene.alter(&[(DELETE, "retention.ms", None), (DELETE, "retention.bytes", None)]).0, NONE);
    assert_eq!(scene.policy("retention"), None);
    assert_eq!(scene.seen("max.message.bytes"), is("1000", DYNAMIC_TOPIC));
}

#[test]
fn a_topic_is_created_only_with_what_can_be_worked_out() {
    let mut scene = scene_of(None);
    scene.fault(BROKER_CONFIG, MANY, Some(HttpAnswer::empty(500)));
    assert_eq!(scene.create("new", &[("retention.ms", "60000")]).0, REQUEST_TIMED_OUT);
    assert_eq!(scene.described(TOPIC, "new").unwrap_err().0, UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(scene.create("new", &[("cleanup.policy", "compact")]).0, NONE);
    assert_eq!(scene.create("plain", &[]).0, NONE);
}

#[test]
fn neither_a_list_nor_a_value_is_held_against_a_default_that_is_not_told() {
    let mut scene = scene_of(None);
    scene.fault(BROKER_CONFIG, MANY, Some(HttpAnswer::empty(500)));
    assert_eq!(scene.alter(&[(APPEND, "cleanup.policy", Some("compact"))]).0, REQUEST_TIMED_OUT);
    assert_eq!(scene.alter(&[(DELETE, "cleanup.policy", None)]).0, REQUEST_TIMED_OUT);
    assert_eq!(scene.set("segment.ms", "14400000").0, REQUEST_TIMED_OUT);
    nothing_is_written(&scene);

    scene.pair.broker.clear_faults();
    assert_eq!(scene.alter(&[(APPEND, "cleanup.policy", Some("compact"))]).0, NONE);
    assert_eq!(scene.seen("cleanup.policy"), is("delete,compact", DYNAMIC_TOPIC));
    assert_eq!(scene.set("segment.ms", "14400000").0, NONE);
}
