//! Topics, looked up and listed.

use super::*;

fn partitions(world: &mut World, topic: &str, auto_create: bool) -> Result<u32, ServerError> {
    let heard = world.ask(command::partitioned_metadata(topic.into(), 1, auto_create));
    let response = heard[0].command.partition_metadata_response.as_ref().unwrap();
    response.partitions.ok_or_else(|| response.error())
}

#[test]
fn partitioned_metadata_tells_partitioned_plain_and_missing_topics_apart() {
    let mut world = World::new();
    world.broker.create_topic("many", 3);
    world.broker.create_topic("plain", 0);
    assert_eq!(partitions(&mut world, "persistent://public/default/many", false), Ok(3));
    assert_eq!(partitions(&mut world, "persistent://public/default/plain", false), Ok(0));
    assert_eq!(partitions(&mut world, "persistent://public/default/none", false), Err(ServerError::TopicNotFound));
}

#[test]
fn partitioned_metadata_creates_by_the_brokers_policy_and_only_where_it_is_asked_to() {
    let mut world = World::with(BrokerConfig { auto_create: AutoCreate::Partitioned(4), ..BrokerConfig::default() });
    let topic = "persistent://public/default/new";
    assert_eq!(partitions(&mut world, topic, true), Ok(4));
    assert_eq!(partitions(&mut world, topic, false), Ok(4));
    assert!(!world.broker.topics().iter().any(|t| t.contains("new")), "a partition comes with its first user");

    let mut world = World::with(BrokerConfig { auto_create: AutoCreate::Off, ..BrokerConfig::default() });
    assert_eq!(partitions(&mut world, topic, true), Err(ServerError::TopicNotFound));
}

#[test]
fn a_lookup_answers_under_the_listener_it_names() {
    let mut world = World::new();
    let heard = world.ask(command::lookup(TOPIC.into(), 1, false, Some("kafka".into())));
    let response = heard[0].command.lookup_topic_response.as_ref().unwrap();
    assert_eq!(response.broker_service_url.as_deref(), Some("pulsar://127.0.0.1:9092"));
    let heard = world.ask(command::lookup(TOPIC.into(), 1, false, Some("nosuch".into())));
    assert_eq!(errors(&heard), [ServerError::ServiceNotReady]);
}

#[test]
fn a_topic_of_another_broker_is_looked_up_there_and_refused_here() {
    let mut world = World::new();
    let listeners = [("kafka".to_string(), "pulsar://kafka-b.test:19091".to_string())].into();
    world.broker.set_owner(TOPIC, Some(listeners), world.now);
    let heard = world.ask(command::lookup(TOPIC.into(), 1, false, Some("kafka".into())));
    let response = heard[0].command.lookup_topic_response.as_ref().unwrap();
    assert_eq!(response.broker_service_url.as_deref(), Some("pulsar://kafka-b.test:19091"));
    assert_eq!(errors(&world.produce_as(world.client, "p")), [ServerError::ServiceNotReady]);
    assert!(!world.broker.is_closed(world.client));
}

#[test]
fn the_namespaces_topics_are_listed_partition_by_partition_without_system_topics() {
    let mut world = World::new();
    world.broker.create_topic("__change_events", 0);
    let heard = world.ask(command::get_topics_of_namespace("public/default".into(), 1));
    let topics = &heard[0].command.get_topics_of_namespace_response.as_ref().unwrap().topics;
    assert_eq!(topics, &[TOPIC.to_string()]);
}
