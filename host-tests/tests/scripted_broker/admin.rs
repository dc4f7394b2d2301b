//! The admin REST.

use super::*;

#[test]
fn an_index_is_found_by_rest_with_the_quirks_of_its_first_entry_and_its_end() {
    let mut world = filled();
    let found = |world: &mut World, index: u64| {
        let (status, body) = world.get(&format!("t-partition-0/getMessageIdByIndex?index={index}"));
        (status, body["ledgerId"].as_i64(), body["entryId"].as_i64())
    };
    assert_eq!(found(&mut world, 0), (200, Some(-1), Some(-1)));
    assert_eq!(found(&mut world, 1), (200, Some(-1), Some(-1)));
    assert_eq!(found(&mut world, 2), (200, Some(10), Some(0)));
    assert_eq!(found(&mut world, 3), (200, Some(10), Some(1)));
    assert_eq!(found(&mut world, 4), (200, Some(10), Some(2)));
    assert_eq!(found(&mut world, 6).0, 404);
    assert_eq!(world.get("t/getMessageIdByIndex?index=0").0, 405);
    assert_eq!(world.get("none/getMessageIdByIndex?index=0").0, 404);
}

#[test]
fn while_the_first_entry_has_no_index_rest_finds_none() {
    let mut world = World::new();
    world.broker.append_without_index(TOPIC, send(0, 1).1, world.now);
    world.broker.append(TOPIC, send(1, 1).1, 1, world.now);
    assert_eq!(world.get("t-partition-0/getMessageIdByIndex?index=0").0, 412);
}

#[test]
fn internal_stats_tell_the_index_as_of_the_last_change_of_ledgers() {
    let mut world = filled();
    let stats = world.get("t-partition-0/internalStats").1;
    assert_eq!(stats["properties"]["index"], json!("-1"));
    assert_eq!(stats["lastConfirmedEntry"], json!("10:2"));
    assert_eq!(stats["ledgers"][0]["entries"], json!(0), "the open ledger counts none yet");
    world.broker.unload(TOPIC, world.now);
    let stats = world.get("t-partition-0/internalStats").1;
    assert_eq!(stats["properties"]["index"], json!("5"));
    assert_eq!(stats["ledgers"][0]["entries"], json!(3));
}

#[test]
fn a_partition_whose_data_was_all_trimmed_keeps_its_last_index() {
    let mut world = filled();
    world.broker.unload(TOPIC, world.now);
    world.broker.trim_ledgers(TOPIC, 1);
    world.broker.unload(TOPIC, world.now);
    let stats = world.get("t-partition-0/internalStats").1;
    assert_eq!(stats["properties"]["index"], json!("5"));
    assert_eq!(stats["lastConfirmedEntry"], json!("12:-1"));
}

#[test]
fn topics_are_created_grown_and_deleted_by_rest() {
    let mut world = World::new();
    let path = "/admin/v2/persistent/public/default/new/partitions";
    assert_eq!(world.http("PUT", path, "2").status, 204);
    assert_eq!(world.http("PUT", path, "2").status, 409);
    assert_eq!(world.http("PUT", "/admin/v2/persistent/public/default/zero/partitions", "0").status, 406);
    assert_eq!(world.http("PUT", "/admin/v2/persistent/public/default/x-partition-1/partitions", "1").status, 412);
    assert_eq!(world.http("PUT", "/admin/v2/persistent/public/none/x/partitions", "1").status, 404);
    assert_eq!(world.http("POST", path, "1").status, 422);
    assert_eq!(world.http("POST", path, "3").status, 204);
    assert_eq!(world.get("new/partitions").1["partitions"], json!(3));
    assert_eq!(world.http("DELETE", path, "").status, 204);
    assert_eq!(world.http("DELETE", path, "").status, 404);
}

#[test]
fn a_topic_in_use_is_deleted_by_force_alone_and_its_clients_are_told() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    let path = "/admin/v2/persistent/public/default/t/partitions";
    assert_eq!(world.http("DELETE", path, "").status, 412);
    assert_eq!(world.http("DELETE", &format!("{path}?force=true"), "").status, 204);
    assert_eq!(kinds(&world.hear(world.client)), [Type::CloseProducer]);
}

#[test]
fn namespace_policies_are_shown_and_deduplication_obeys_them() {
    let mut world = World::new();
    let path = "/admin/v2/namespaces/public/default";
    assert_eq!(world.http("POST", &format!("{path}/deduplication"), "false").status, 204);
    let policies: Value = serde_json::from_slice(&world.http("GET", path, "").body).unwrap();
    assert_eq!(policies["deduplicationEnabled"], json!(false));
    assert_eq!(policies["retention_policies"]["retentionTimeInMinutes"], json!(-1));
    world.produce_as(world.client, "p");
    world.send(0, 1);
    world.send(0, 1);
    assert_eq!(world.positions().len(), 2);
}

#[test]
fn a_rule_of_the_script_fails_a_rest_call() {
    let mut world = World::new();
    let contains = "GET /admin/v2/namespaces".to_string();
    world.broker.http_fault(HttpFault { contains, times: 1, answer: Some(HttpAnswer::empty(503)) });
    assert_eq!(world.http("GET", "/admin/v2/namespaces/public/default", "").status, 503);
    assert_eq!(world.http("GET", "/admin/v2/namespaces/public/default", "").status, 200);
    assert!(world.broker.faults_are_spent());
}

#[test]
fn a_call_is_redirected_as_often_as_the_script_says_and_whoever_begins_anew_goes_round_again() {
    let mut world = World::new();
    world.broker.redirect_admin(2);
    let path = "/admin/v2/namespaces/public/default";
    let repeated = format!("{path}?authoritative=true");
    let mut asked = |path: &str| world.http("GET", path, "").status;
    assert_eq!([asked(path), asked(path), asked(&repeated), asked(&repeated)], [307, 307, 307, 200]);
    assert_eq!([asked(path), asked(&repeated), asked(&repeated)], [307, 307, 200]);
}
