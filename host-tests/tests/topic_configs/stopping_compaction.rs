//! `cleanup.policy` set back to `delete`: nothing of Pulsar's compaction holds records back any more.

use isthmus_host_tests::pair::records::{batch, produce, produced};

use super::*;

const PARTITIONS: [&str; 2] = ["t-partition-0", "t-partition-1"];
const REMOVAL: &str = "DELETE /admin/v2/persistent/public/default/t/subscription/__compaction";
const WHAT_TO_DO: &str = "Set cleanup.policy once more";

/// A topic that a client had compacted, and that Pulsar did compact.
fn compacted() -> Scene {
    let mut scene = scene();
    assert_eq!(scene.set("cleanup.policy", "compact"), (NONE, String::new()));
    for partition in PARTITIONS {
        scene.pair.broker.compact(partition);
    }
    assert_eq!(held(&scene), PARTITIONS);
    scene
}

fn held(scene: &Scene) -> Vec<&'static str> {
    let is_held = |partition: &&str| scene.pair.broker.has_subscription(partition, "__compaction");
    PARTITIONS.into_iter().filter(is_held).collect()
}

fn nothing_held() -> Vec<&'static str> {
    Vec::new()
}

/// The removal is refused as long as Pulsar is compacting.
fn is_refused_for_now((code, words): (i16, String)) {
    assert_eq!(code, REQUEST_TIMED_OUT, "{words}");
    assert!(words.contains(WHAT_TO_DO), "{words}");
}

#[test]
fn retention_drops_again_what_compaction_held() {
    let mut scene = scene();
    scene.set("cleanup.policy", "compact,delete");
    for value in ["a", "b"] {
        let response = scene.pair.ask(scene.client, &produce("t", 0, batch(&[value], None)), 9, SOON).unwrap();
        assert_eq!(produced(&response).0, NONE);
        scene.pair.broker.roll_ledger(PARTITIONS[0]);
    }
    let left = |scene: &mut Scene| {
        scene.pair.broker.trim_unneeded(PARTITIONS[0]);
        scene.pair.broker.log(PARTITIONS[0]).unwrap().entries().count()
    };
    assert_eq!(left(&mut scene), 2);

    assert_eq!(scene.set("cleanup.policy", "delete"), (NONE, String::new()));

    assert_eq!(left(&mut scene), 0);
    assert_eq!(held(&scene), nothing_held());
    assert_eq!(scene.seen("cleanup.policy"), is("delete", DYNAMIC_TOPIC));
    scene.is_at_rest();
}

#[test]
fn whatever_takes_compaction_away_takes_its_subscription_away() {
    let deleted: fn(&mut Scene) -> i16 = |scene| scene.alter(&[(DELETE, "cleanup.policy", None)]).0;
    let emptied: fn(&mut Scene) -> i16 = |scene| scene.set("cleanup.policy", "").0;
    let replaced: fn(&mut Scene) -> i16 = |scene| scene.replace(&[("retention.ms", "60000")]);
    for take_away in [deleted, emptied, replaced] {
        let mut scene = compacted();
        assert_eq!(take_away(&mut scene), NONE);
        assert_eq!(held(&scene), nothing_held());
    }
}

#[test]
fn a_topic_that_is_still_compacted_keeps_it() {
    let mut scene = compacted();
    assert_eq!(scene.set("cleanup.policy", "compact,delete").0, NONE);
    assert_eq!(scene.set("retention.ms", "60000").0, NONE);
    assert_eq!(scene.alter_each("t", &[(SET, "cleanup.policy", Some("delete"))], true).0, NONE);
    assert_eq!(held(&scene), PARTITIONS);

    scene.pair.broker.set_namespace_policy("compaction_threshold", json!(500));
    scene.pair.run_for(SOON);
    assert_eq!(scene.alter(&[(DELETE, "cleanup.policy", None)]).0, NONE);
    assert_eq!(held(&scene), PARTITIONS, "the namespace has it compacted");
}

#[test]
fn a_compaction_under_way_is_waited_for() {
    let mut scene = compacted();
    scene.pair.broker.begin_compaction(PARTITIONS[1]);
    let request = altered(TOPIC, "t", &[(SET, "cleanup.policy", Some("delete"))]);
    let ticket = scene.pair.send(scene.client, &request, 1);
    scene.pair.run_for(Duration::from_secs(10));
    assert_eq!(held(&scene), [PARTITIONS[1]], "partition 0, which has none any more, says nothing of partition 1");

    scene.pair.broker.compact(PARTITIONS[1]);

    assert_eq!(scene.pair.wait(ticket, SOON).unwrap().responses[0].error_code, NONE);
    assert_eq!(held(&scene), nothing_held());
    scene.is_at_rest();
}

#[test]
fn a_compaction_that_goes_on_is_told_and_the_same_alteration_tries_again() {
    let again: fn(&mut Scene) -> i16 = |scene| scene.set("cleanup.policy", "delete").0;
    let deleted: fn(&mut Scene) -> i16 = |scene| scene.alter(&[(DELETE, "cleanup.policy", None)]).0;
    let replaced: fn(&mut Scene) -> i16 = |scene| scene.replace(&[]);
    for alter_again in [again, deleted, replaced] {
        let mut scene = compacted();
        scene.pair.broker.begin_compaction(PARTITIONS[0]);
        is_refused_for_now(scene.set("cleanup.policy", "delete"));
        assert_eq!(held(&scene), [PARTITIONS[0]]);
        assert_eq!(scene.policy("compactionThreshold"), None, "the policy is set all the same");

        scene.pair.broker.compact(PARTITIONS[0]);
        assert_eq!(alter_again(&mut scene), NONE);
        assert_eq!(held(&scene), nothing_held());
        assert_ne!(scene.pair.broker.properties("t").get("kafka.cleanup.policy"), Some(&"compact".to_string()));
        scene.is_at_rest();
    }
}

#[test]
fn a_request_whose_time_is_up_says_what_is_left_to_do() {
    let config = Config { request_timeout_ms: 5_000, ..Config::default() };
    let mut scene = Scene::new(config, BrokerConfig::default());
    scene.set("cleanup.policy", "compact");
    scene.pair.broker.begin_compaction(PARTITIONS[0]);
    is_refused_for_now(scene.set("cleanup.policy", "delete"));
}

#[test]
fn a_topic_that_was_never_compacted_is_only_looked_at() {
    let mut scene = scene();
    scene.fault(REMOVAL, 1, Some(HttpAnswer::empty(403)));
    assert_eq!(scene.set("cleanup.policy", "delete"), (NONE, String::new()));
    assert!(!scene.pair.broker.faults_are_spent(), "it was asked to be removed");
}

#[test]
fn what_pulsar_says_against_the_removal_is_told() {
    for (answer, code) in [
        (HttpAnswer::empty(403), TOPIC_AUTHORIZATION_FAILED),
        (HttpAnswer::json(500, &json!({"reason": "the last compaction failed"})), REQUEST_TIMED_OUT),
    ] {
        let mut scene = compacted();
        scene.fault(REMOVAL, 8, Some(answer));
        let (told, words) = scene.set("cleanup.policy", "delete");
        assert_eq!(told, code, "{words}");
        assert!(words.contains(WHAT_TO_DO), "{words}");
    }
}

#[test]
fn a_topic_without_partitions_is_freed_like_any_other() {
    let mut scene = scene();
    scene.pair.broker.create_topic("plain", 0);
    assert_eq!(scene.alter_each("plain", &[(SET, "cleanup.policy", Some("compact"))], false).0, NONE);
    assert!(scene.pair.broker.has_subscription("plain", "__compaction"));
    assert_eq!(scene.alter_each("plain", &[(SET, "cleanup.policy", Some("delete"))], false).0, NONE);
    assert!(!scene.pair.broker.has_subscription("plain", "__compaction"));
}
