use super::*;

#[test]
fn what_cannot_be_deleted_is_refused_partition_by_partition() {
    let mut scene = scene();
    let told = scene.delete_all(&[("t", 0, 11), ("t", 0, -2), ("t", 7, 1), ("none", 0, 1), ("a b", 0, 1), ("t", 0, 1)]);
    assert_eq!(
        told,
        [
            refused(OFFSET_OUT_OF_RANGE),
            refused(OFFSET_OUT_OF_RANGE),
            refused(UNKNOWN_TOPIC_OR_PARTITION),
            refused(UNKNOWN_TOPIC_OR_PARTITION),
            refused(UNKNOWN_TOPIC_OR_PARTITION),
            (NONE, 1),
        ]
    );
    scene.is_at_rest();
}

#[test]
fn a_start_never_falls() {
    let mut scene = scene();
    assert_eq!(scene.delete(6), (NONE, 6));
    for lower in [6, 3, 0] {
        assert_eq!(scene.delete(lower), (NONE, 6));
    }
    assert_eq!(scene.floors(), ["0=6"]);
}

#[test]
fn a_topic_that_is_only_compacted_keeps_its_records() {
    for (policy, told) in [("compact", refused(POLICY_VIOLATION)), ("compact,delete", (NONE, 4)), ("", (NONE, 4))] {
        let mut scene = scene();
        scene.pair.broker.set_property("t", "kafka.cleanup.policy", policy);
        let threshold = serde_json::json!(if policy.is_empty() { 0 } else { 1000 });
        scene.pair.broker.set_topic_policy("t", "compactionThreshold", Some(threshold));
        assert_eq!(scene.delete(4), told, "{policy}");
    }
}

#[test]
fn a_topic_that_pulsars_tools_made_another_again_is_judged_by_what_is_in_force() {
    let mut scene = scene();
    scene.pair.broker.set_property("t", "kafka.cleanup.policy", "compact");
    assert_eq!(scene.delete(4), (NONE, 4));
}
