//! What the logs of consumer groups need of a broker: plain topics that PRODUCER makes, and a durable Failover subscription that
//! only holds back trimming.

use super::*;

const LOG: &str = "persistent://public/default/__kafka_group_g.g";
const GUARD: u64 = 9;

impl World {
    /// A log with a producer, `ledgers` closed ledgers of two entries each, and an open one.
    fn with_log(ledgers: u64) -> Self {
        let mut world = Self::with(BrokerConfig { max_entries_per_ledger: Some(2), ..BrokerConfig::default() });
        world.ask(command::producer(LOG.into(), 1, 7, None, vec![]));
        for sequence_id in 0..2 * ledgers {
            world.send(sequence_id, 1);
        }
        world.hear(world.client);
        world
    }

    /// `conn` attaches to the guard.
    fn attach(&mut self, conn: Conn) -> Vec<Frame> {
        let subscribe = CommandSubscribe {
            topic: LOG.into(),
            subscription: "kafka-group".into(),
            sub_type: command_subscribe::SubType::Failover.into(),
            consumer_id: GUARD,
            request_id: 20,
            durable: Some(true),
            initial_position: Some(command_subscribe::InitialPosition::Earliest.into()),
            force_topic_creation: Some(false),
            ..CommandSubscribe::default()
        };
        self.say(conn, &subscribe.into());
        self.hear(conn)
    }

    fn acknowledge(&mut self, conn: Conn, position: Position) {
        self.say(conn, &command::ack_cumulative(GUARD, position.to_wire(None, None)));
        assert_eq!(self.hear(conn), []);
    }

    /// Where the guard stands.
    fn mark(&mut self, conn: Conn) -> Position {
        self.say(conn, &command::get_last_message_id(GUARD, 21));
        let heard = self.hear(conn);
        let response = heard[0].command.get_last_message_id_response.as_ref().unwrap();
        Position::from_wire(response.consumer_mark_delete_position.as_ref().unwrap())
    }

    fn unsubscribe(&mut self, conn: Conn) -> Vec<Frame> {
        let unsubscribe = CommandUnsubscribe { consumer_id: GUARD, request_id: 22, ..CommandUnsubscribe::default() };
        self.say(conn, &unsubscribe.into());
        self.hear(conn)
    }

    /// What the guard's consumer of `conn` was told: that it is active, or that it is not.
    fn told_active(&mut self, conn: Conn) -> Vec<bool> {
        let heard = self.hear(conn);
        heard.iter().filter_map(|frame| frame.command.active_consumer_change.as_ref()?.is_active).collect()
    }

    fn ledgers(&self) -> Vec<i64> {
        self.broker.log(LOG).unwrap().ledgers().map(|(id, _)| id).collect()
    }
}

#[test]
fn a_producer_makes_a_plain_topic_where_a_subscription_does_not() {
    let mut world = World::with(BrokerConfig { auto_create: AutoCreate::Partitioned(4), ..BrokerConfig::default() });
    assert_eq!(errors(&world.attach(world.client)), [ServerError::TopicNotFound]);

    assert_eq!(kinds(&world.ask(command::producer(LOG.into(), 1, 7, None, vec![]))), [Type::ProducerSuccess]);

    assert!(world.broker.topics().contains(&LOG.to_string()));
    assert_eq!(kinds(&world.attach(world.client)), [Type::Success]);
}

#[test]
fn a_brokers_refusal_to_create_topics_holds_for_producers_too() {
    let mut world = World::with(BrokerConfig { auto_create: AutoCreate::Off, ..BrokerConfig::default() });
    assert_eq!(errors(&world.ask(command::producer(LOG.into(), 1, 7, None, vec![]))), [ServerError::TopicNotFound]);
}

#[test]
fn logs_of_groups_are_listed_with_the_other_topics() {
    let mut world = World::with_log(0);
    world.broker.create_topic("x__transaction_pending_ack", 0);
    let heard = world.ask(command::get_topics_of_namespace("public/default".into(), 1));
    let topics = &heard[0].command.get_topics_of_namespace_response.as_ref().unwrap().topics;
    assert_eq!(topics, &[LOG.to_string(), TOPIC.to_string()]);
}

#[test]
fn what_is_not_to_be_replicated_says_so_to_whoever_reads_it() {
    let mut world = World::with_log(0);
    let metadata = MessageMetadata { replicate_to: vec!["__local__".into()], ..MessageMetadata::default() };
    let section = build_section(&metadata, b"entry");
    world.broker.append(LOG, section.clone(), 1, world.now);

    world.attach(world.client);
    world.wait(SECOND);
    let heard = world.ask(command::flow(GUARD, 1).unwrap());

    assert!(heard.last().unwrap().section.ends_with(&section), "{heard:?}");
}

#[test]
fn several_may_attach_to_a_failover_subscription_and_are_told_a_second_later_which_one_is_active() {
    let mut world = World::with_log(0);
    let second = world.second_client();
    assert_eq!(kinds(&world.attach(world.client)), [Type::Success]);
    world.wait(SECOND);
    assert_eq!(world.told_active(world.client), [true]);

    assert_eq!(kinds(&world.attach(second)), [Type::Success]);
    world.wait(SECOND);
    assert_eq!((world.told_active(world.client), world.told_active(second)), (vec![false], vec![true]));

    world.broker.disconnect(second, world.now);
    world.wait(SECOND);
    assert_eq!(world.told_active(world.client), [true]);
}

#[test]
fn whoever_left_is_told_nothing_any_more() {
    let mut world = World::with_log(0);
    world.attach(world.client);
    world.ask(command::close_consumer(GUARD, 23));
    world.wait(SECOND);
    assert_eq!(world.hear(world.client), []);
}

#[test]
fn a_consumer_may_acknowledge_without_permits_and_without_being_active() {
    let mut world = World::with_log(2);
    let second = world.second_client();
    world.attach(world.client);
    world.attach(second);
    world.acknowledge(world.client, at_entry(12, 0));
    assert_eq!(world.mark(second), at_entry(12, 0));
}

#[test]
fn an_acknowledgement_beyond_the_end_or_backwards_does_nothing() {
    let mut world = World::with_log(2);
    world.attach(world.client);
    let first = at_entry(11, -1);
    world.acknowledge(world.client, at_entry(99, 0));
    assert_eq!(world.mark(world.client), first);
    world.acknowledge(world.client, at_entry(12, 0));
    world.acknowledge(world.client, at_entry(11, 1));
    assert_eq!(world.mark(world.client), at_entry(12, 0));
}

#[test]
fn a_guard_holds_back_trimming_while_nobody_is_attached() {
    let mut world = World::with_log(3);
    assert_eq!(world.ledgers(), [11, 12, 13, 14]);
    world.attach(world.client);
    world.acknowledge(world.client, at_entry(12, -1));
    world.ask(command::close_consumer(GUARD, 23));
    world.broker.unload(LOG, world.now);

    world.broker.trim_unneeded(LOG);

    assert_eq!(world.ledgers()[..2], [12, 13]);
}

#[test]
fn a_guard_at_the_end_of_a_closed_ledger_lets_it_go() {
    let mut world = World::with_log(3);
    world.attach(world.client);
    world.acknowledge(world.client, at_entry(13, 1));
    world.broker.trim_unneeded(LOG);
    assert_eq!(world.ledgers(), [14]);
}

#[test]
fn without_a_guard_every_closed_ledger_goes() {
    let mut world = World::with_log(3);
    world.broker.trim_unneeded(LOG);
    assert_eq!(world.ledgers(), [14]);
}

#[test]
fn a_subscription_is_deleted_by_its_only_consumer_alone() {
    let mut world = World::with_log(0);
    let second = world.second_client();
    world.attach(world.client);
    world.attach(second);
    for conn in [world.client, second] {
        assert_eq!(errors(&world.unsubscribe(conn)), [ServerError::MetadataError]);
    }
    world.ask(command::close_consumer(GUARD, 23));
    assert_eq!(kinds(&world.unsubscribe(second)), [Type::Success]);
    assert_eq!(errors(&world.unsubscribe(second)), [ServerError::MetadataError], "there is no such consumer now");
}

#[test]
fn a_topic_that_nobody_uses_is_deleted_unless_its_namespace_retains_for_ever() {
    let mut world = World::with_log(1);
    world.attach(world.client);
    world.ask(command::close_consumer(GUARD, 23));
    let retention = r#"{"retentionTimeInMinutes": 0, "retentionSizeInMB": 0}"#;
    let here = |world: &mut World| {
        world.broker.delete_inactive();
        world.broker.topics().contains(&LOG.to_string())
    };

    world.http("POST", "/admin/v2/namespaces/public/default/retention", retention);
    world.ask(command::close_producer(1, 24));
    assert!(here(&mut world), "the guard is a subscription");

    world.attach(world.client);
    world.unsubscribe(world.client);
    world.http("POST", "/admin/v2/namespaces/public/default/retention", r#"{"retentionTimeInMinutes": -1}"#);
    assert!(here(&mut world), "its data is to be kept");

    world.http("POST", "/admin/v2/namespaces/public/default/retention", retention);
    assert!(!here(&mut world));
}

#[test]
fn a_topic_with_policies_of_its_own_is_deleted_once_its_subscriptions_are_caught_up_and_consumers_are_sent_away() {
    let mut world = World::with_log(1);
    let policy = |world: &mut World, name: &str, value: &str| {
        world.http("POST", &format!("/admin/v2/persistent/public/default/__kafka_group_g.g/{name}"), value);
    };
    policy(&mut world, "retention", r#"{"retentionTimeInMinutes": 0, "retentionSizeInMB": 0}"#);
    policy(
        &mut world,
        "inactiveTopicPolicies",
        r#"{"inactiveTopicDeleteMode": "delete_when_subscriptions_caught_up"}"#,
    );
    let here = |world: &mut World| {
        world.broker.delete_inactive();
        world.broker.topics().contains(&LOG.to_string())
    };
    world.attach(world.client);
    let last = world.broker.log(LOG).unwrap().last_confirmed();
    world.acknowledge(world.client, last);
    assert!(here(&mut world), "a producer is attached");

    world.send(2, 1);
    world.ask(command::close_producer(1, 24));
    assert!(here(&mut world), "the guard has a backlog");

    let last = world.broker.log(LOG).unwrap().last_confirmed();
    world.acknowledge(world.client, last);
    assert!(!here(&mut world));
    assert_eq!(kinds(&world.hear(world.client)), [Type::CloseConsumer]);
}
