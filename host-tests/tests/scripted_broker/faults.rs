//! Faults that a script may order.

use super::*;

#[test]
fn a_refused_send_is_not_stored_and_its_retry_behind_a_later_one_is_taken_for_a_duplicate() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    let refuse = Effect::Refuse(ServerError::NotAllowedError, "no".into());
    world.broker.fault(Fault::on(Type::Send, refuse).of_sequence(0));
    world.send(0, 5);
    world.send(5, 5);
    world.send(0, 5);
    let heard = world.hear(world.client);
    assert_eq!(errors(&heard), [ServerError::NotAllowedError]);
    assert_eq!(receipts(&heard), [(5, at_entry(10, 0)), (0, Position::EARLIEST)]);
    assert_eq!(world.positions().len(), 1, "acknowledged and lost: what the filter has to prevent");
}

#[test]
fn a_send_can_vanish_or_be_stored_without_an_answer() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.broker.fault(Fault::on(Type::Send, Effect::Ignore));
    world.broker.fault(Fault::on(Type::Send, Effect::LoseAnswer));
    world.send(0, 1);
    world.send(1, 1);
    assert_eq!(kinds(&world.hear(world.client)), []);
    assert_eq!(world.broker.messages(TOPIC).unwrap().len(), 1);
    assert!(world.broker.faults_are_spent());
}

#[test]
fn a_failed_write_fails_what_waits_behind_it_and_closes_the_topics_producers() {
    let mut world = World::with(BrokerConfig { write_delay: SECOND, ..BrokerConfig::default() });
    world.produce_as(world.client, "p");
    world.broker.fault(Fault::on(Type::Send, Effect::FailWrite));
    world.send(0, 1);
    world.send(1, 1);
    world.wait(SECOND);
    let heard = world.hear(world.client);
    assert_eq!(kinds(&heard), [Type::SendError, Type::SendError, Type::CloseProducer]);
    assert_eq!(world.positions(), []);
    world.produce_as(world.client, "p");
    world.send(0, 1);
    world.wait(SECOND);
    assert_eq!(receipts(&world.hear(world.client)).len(), 1, "nothing pushed was kept");
}

#[test]
fn a_delayed_receipt_is_behind_what_can_already_be_read() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.subscribe(Position::EARLIEST, 5);
    world.broker.fault(Fault::on(Type::Send, Effect::DelayAnswer(SECOND)));
    world.send(0, 1);
    assert_eq!(kinds(&world.hear(world.client)), [Type::Message]);
    assert_eq!(world.broker.poll_timeout(), Some(Instant::from_millis(1000)));
    world.wait(SECOND);
    assert_eq!(kinds(&world.hear(world.client)), [Type::SendReceipt]);
}

#[test]
fn a_topic_can_be_unloaded_under_a_send_and_a_connection_closed_after_one() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.broker.fault(Fault::on(Type::Send, Effect::Unload));
    world.send(0, 1);
    assert_eq!(kinds(&world.hear(world.client)), [Type::CloseProducer]);
    assert_eq!(world.positions(), []);

    world.produce_as(world.client, "p");
    world.broker.fault(Fault::on(Type::Send, Effect::CloseAfter));
    world.send(0, 1);
    assert!(world.broker.is_closed(world.client));
    assert_eq!(world.positions().len(), 1);
}

#[test]
fn a_producer_is_refused_as_often_as_the_rule_says() {
    let mut world = World::new();
    let refuse = Effect::Refuse(ServerError::ServiceNotReady, "loading".into());
    world.broker.fault(Fault::on(Type::Producer, refuse).of_topic(TOPIC).times(2));
    for _ in 0..2 {
        assert_eq!(errors(&world.produce_as(world.client, "p")), [ServerError::ServiceNotReady]);
    }
    assert_eq!(kinds(&world.produce_as(world.client, "p")), [Type::ProducerSuccess]);
}

#[test]
fn noise_reorders_answers_but_not_those_of_one_producer() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    let noise = |break_order| Noise { seed: 3, max_delay: SECOND, of: [].into(), break_order };
    let mut run = |break_order, first: u64| {
        world.broker.set_noise(Some(noise(break_order)));
        let lookup = |id| command::lookup(TOPIC.into(), id, false, None);
        for id in 0..20 {
            world.say(world.client, &lookup(id));
            world.send(first + id, 1);
        }
        let mut heard = Vec::new();
        while let Some(due) = world.broker.poll_timeout().filter(|due| *due < Instant::from_millis(29_000)) {
            let wait = due.since(world.now.instant) + Duration::from_millis(1);
            world.wait(wait);
            heard.extend(world.hear(world.client));
        }
        let lookups: Vec<_> =
            heard.iter().filter_map(|f| Some(f.command.lookup_topic_response.as_ref()?.request_id)).collect();
        let sends: Vec<_> = receipts(&heard).into_iter().map(|(sequence, _)| sequence).collect();
        (lookups.len(), lookups.is_sorted(), sends.len(), sends.is_sorted())
    };
    assert_eq!(run(false, 0), (20, false, 20, true));
    assert_eq!(run(true, 100), (20, false, 20, false));
}
