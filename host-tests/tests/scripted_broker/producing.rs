//! Producers, SENDs and their receipts.

use super::*;

#[test]
fn a_send_is_stored_byte_for_byte_and_its_receipt_names_the_entry() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.send(0, 3);
    assert_eq!(receipts(&world.hear(world.client)), [(0, at_entry(10, 0))]);
    let (_, entry) = world.broker.log(TOPIC).unwrap().entries().next().unwrap();
    assert_eq!(entry.section, send(0, 3).1);
    assert_eq!(entry.index, Some(2), "that of its last message");

    let messages = world.broker.messages("t-partition-0").unwrap();
    let read: Vec<_> = messages.iter().map(|m| (m.batch_index, m.index, m.value.clone().unwrap())).collect();
    let expected = [(0, "0"), (1, "1"), (2, "2")];
    assert_eq!(read, expected.map(|(at, value)| (at, Some(u64::from(at)), Bytes::from(value))));
}

#[test]
fn a_duplicate_is_answered_at_once_with_minus_one_and_a_gap_is_never_looked_for() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.send(0, 5);
    world.send(10, 5);
    world.hear(world.client);
    world.send(0, 5);
    world.send(5, 5);
    assert_eq!(receipts(&world.hear(world.client)), [(0, Position::EARLIEST), (5, Position::EARLIEST)]);
    assert_eq!(world.positions().len(), 2);
}

#[test]
fn what_is_still_being_written_cannot_be_judged() {
    let mut world = World::with(BrokerConfig { write_delay: SECOND, ..BrokerConfig::default() });
    world.produce_as(world.client, "p");
    world.send(0, 5);
    world.send(0, 5);
    assert_eq!(errors(&world.hear(world.client)), [ServerError::PersistenceError]);
    world.wait(SECOND);
    assert_eq!(receipts(&world.hear(world.client)), [(0, at_entry(10, 0))]);
}

#[test]
fn last_sequence_id_is_what_was_pushed_and_minus_one_without_deduplication() {
    let last = |frames: &[Frame]| frames[0].command.producer_success.as_ref().unwrap().last_sequence_id();
    for (deduplication, expected) in [(true, 4), (false, -1)] {
        let mut world = World::with(BrokerConfig { deduplication, ..BrokerConfig::default() });
        assert_eq!(last(&world.produce_as(world.client, "p")), -1);
        world.send(0, 5);
        world.ask(command::close_producer(1, 9));
        assert_eq!(last(&world.produce_as(world.client, "p")), expected);
    }
}

#[test]
fn a_name_in_use_is_busy_and_free_once_its_connection_is_gone_for_long_enough() {
    let mut world = World::with(BrokerConfig { producer_linger: SECOND, ..BrokerConfig::default() });
    let other = world.second_client();
    world.produce_as(other, "p");
    assert_eq!(errors(&world.produce_as(world.client, "p")), [ServerError::ProducerBusy]);
    world.broker.disconnect(other, world.now);
    assert_eq!(errors(&world.produce_as(world.client, "p")), [ServerError::ProducerBusy]);
    world.wait(SECOND);
    assert_eq!(kinds(&world.produce_as(world.client, "p")), [Type::ProducerSuccess]);
}

#[test]
fn a_send_to_an_unknown_producer_closes() {
    let mut world = World::new();
    world.send(0, 1);
    assert!(world.broker.is_closed(world.client));
}

#[test]
fn a_wrong_checksum_is_an_error_of_that_send_alone() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    let (command, section) = send(0, 1);
    let mut section = section.to_vec();
    *section.last_mut().unwrap() ^= 1;
    let mut bytes = Vec::new();
    write_command_with_section(&command, &section, &mut bytes);
    world.broker.on_bytes(world.client, &bytes, world.now);
    assert_eq!(errors(&world.hear(world.client)), [ServerError::ChecksumError]);
    world.send(0, 1);
    assert_eq!(receipts(&world.hear(world.client)).len(), 1);
}

#[test]
fn closing_a_producer_waits_for_its_writes() {
    let mut world = World::with(BrokerConfig { write_delay: SECOND, ..BrokerConfig::default() });
    world.produce_as(world.client, "p");
    world.send(0, 1);
    assert_eq!(kinds(&world.ask(command::close_producer(1, 9))), []);
    world.wait(SECOND);
    assert_eq!(kinds(&world.hear(world.client)), [Type::SendReceipt, Type::Success]);
    assert_eq!(world.broker.attached().producers, 0);
}

#[test]
fn an_unload_closes_producers_and_consumers_and_later_sends_vanish() {
    let mut world = World::new();
    world.produce_as(world.client, "p");
    world.subscribe(Position::EARLIEST, 1);
    world.send(0, 5);
    world.hear(world.client);
    world.broker.unload(TOPIC, world.now);
    let heard = world.hear(world.client);
    assert_eq!(kinds(&heard), [Type::CloseProducer, Type::CloseConsumer]);
    assert_eq!(heard[0].command.close_producer.as_ref().unwrap().request_id, u64::MAX);
    world.send(5, 5);
    assert_eq!(kinds(&world.hear(world.client)), []);
    assert!(!world.broker.is_closed(world.client));

    // A new ledger, the index goes on, and deduplication knows what is stored.
    world.produce_as(world.client, "p");
    world.send(0, 5);
    world.send(5, 5);
    assert_eq!(receipts(&world.hear(world.client)), [(0, Position::EARLIEST), (5, at_entry(11, 0))]);
    assert_eq!(world.broker.log(TOPIC).unwrap().last_index(), Some(9));

    world.broker.unload(TOPIC, world.now);
    world.hear(world.client);
    world.wait(31 * SECOND);
    world.send(10, 1);
    assert!(world.broker.is_closed(world.client), "30 s later the producer is unknown");
}
