//! Readers: where they start, what they are sent.

use super::*;

#[test]
fn permits_are_messages_but_reads_are_entries() {
    let mut world = filled();
    assert_eq!(world.subscribe(Position::EARLIEST, 1), [at_entry(10, 0)]);
    // 1 - 3 leaves -2: two more take it to 0, and one more to 1.
    assert_eq!(world.flow(2), []);
    assert_eq!(world.flow(1), [at_entry(10, 1)]);
    assert_eq!(world.flow(100), [at_entry(10, 2)]);
}

#[test]
fn two_permits_read_two_entries_whatever_is_in_them() {
    let mut world = filled();
    assert_eq!(world.subscribe(Position::EARLIEST, 2), [at_entry(10, 0), at_entry(10, 1)]);
}

#[test]
fn a_message_carries_the_index_of_its_entry_and_its_partition() {
    let mut world = filled();
    let subscribe = subscribe(5, 8, Position::EARLIEST.to_wire(None, None));
    world.ask(subscribe);
    let heard = world.ask(command::flow(5, 100).unwrap());
    assert_eq!(heard.iter().map(index_of).collect::<Vec<_>>(), [Some(2), Some(3), Some(5)]);
    assert_eq!(heard[0].command.message.as_ref().unwrap().message_id.partition, Some(0));
    assert!(heard[0].section.ends_with(&send(0, 3).1));
}

#[test]
fn without_the_interceptor_there_is_no_index() {
    let mut world = World::with(BrokerConfig { index: false, ..BrokerConfig::default() });
    world.produce_as(world.client, "p");
    world.send(0, 3);
    world.hear(world.client);
    world.ask(subscribe(5, 8, Position::EARLIEST.to_wire(None, None)));
    let heard = world.ask(command::flow(5, 1).unwrap());
    assert_eq!(heard[0].section, send(0, 3).1);
}

#[test]
fn a_start_id_is_inclusive_and_one_in_a_trimmed_ledger_leads_to_the_next_entry() {
    let mut world = filled();
    assert_eq!(world.subscribe(at_entry(10, 1), 1), [at_entry(10, 1)]);
    world.ask(command::close_consumer(5, 1));

    world.broker.roll_ledger(TOPIC);
    world.send(6, 1);
    world.hear(world.client);
    world.broker.trim_ledgers(TOPIC, 1);
    assert_eq!(world.subscribe(at_entry(10, 1), 1), [at_entry(11, 0)]);
}

#[test]
fn a_start_id_right_behind_the_end_waits_and_one_beyond_falls_to_the_initial_position() {
    let mut world = filled();
    assert_eq!(world.subscribe(at_entry(10, 3), 10), []);
    world.send(6, 1);
    assert_eq!(received(&world.hear(world.client)), [at_entry(10, 3)]);
    world.ask(command::close_consumer(5, 1));

    for (position, expected) in [
        (command_subscribe::InitialPosition::Latest, vec![]),
        (command_subscribe::InitialPosition::Earliest, vec![at_entry(10, 0)]),
    ] {
        let subscribe = CommandSubscribe {
            topic: TOPIC.into(),
            subscription: "r".into(),
            consumer_id: 5,
            durable: Some(false),
            start_message_id: Some(at_entry(10, 99).to_wire(None, None)),
            initial_position: Some(position.into()),
            ..CommandSubscribe::default()
        };
        world.ask(subscribe.into());
        assert_eq!(world.flow(1), expected);
        world.ask(command::close_consumer(5, 1));
    }
}

#[test]
fn a_waiting_reader_gets_what_another_client_sends() {
    let mut world = filled();
    assert_eq!(world.subscribe(at_entry(10, 3), 5), []);
    let position = world.broker.append(TOPIC, send(9, 2).1, 2, world.now);
    assert_eq!(received(&world.hear(world.client)), [position]);
}

#[test]
fn a_reader_that_does_not_take_its_bytes_is_not_sent_more() {
    let mut world = World::new();
    world.subscribe(Position::EARLIEST, 100_000);
    let metadata = MessageMetadata::default();
    for _ in 0..500 {
        world.broker.append(TOPIC, build_section(&metadata, &[0; 10_000]), 1, world.now);
    }
    let first = world.broker.poll_output(world.client, world.now).unwrap().len();
    assert!(first < 2_000_000, "{first}");
    assert!(world.broker.poll_output(world.client, world.now).is_some(), "the rest follows");
}

#[test]
fn zero_permits_close_the_connection_and_permits_for_nobody_do_nothing() {
    let mut world = World::new();
    world.ask(command::flow(99, 1).unwrap());
    assert!(!world.broker.is_closed(world.client));
    world.ask(CommandFlow { consumer_id: 99, message_permits: 0 }.into());
    assert!(world.broker.is_closed(world.client));
}

#[test]
fn an_exclusive_subscription_takes_one_consumer() {
    let mut world = World::new();
    world.subscribe(Position::EARLIEST, 1);
    let again = subscribe(6, 8, Position::EARLIEST.to_wire(None, None));
    assert_eq!(errors(&world.ask(again)), [ServerError::ConsumerBusy]);
}

#[test]
fn the_last_message_id_names_the_last_of_the_batch_and_the_cursors_mark() {
    let mut world = filled();
    world.subscribe(at_entry(10, 1), 1);
    let heard = world.ask(command::get_last_message_id(5, 3));
    let response = heard[0].command.get_last_message_id_response.as_ref().unwrap();
    assert_eq!(Position::from_wire(&response.last_message_id), at_entry(10, 2));
    assert_eq!(response.last_message_id.batch_index, Some(1));
    let mark = response.consumer_mark_delete_position.as_ref().unwrap();
    assert_eq!(Position::from_wire(mark), at_entry(10, 0));
}

#[test]
fn the_last_message_id_of_an_empty_topic_is_minus_one() {
    let mut world = World::new();
    world.subscribe(Position::EARLIEST, 1);
    let heard = world.ask(command::get_last_message_id(5, 3));
    let response = heard[0].command.get_last_message_id_response.as_ref().unwrap();
    assert_eq!(Position::from_wire(&response.last_message_id), Position::EARLIEST);
    assert_eq!(errors(&world.ask(command::get_last_message_id(77, 3))), [ServerError::MetadataError]);
}

#[test]
fn a_seek_closes_the_consumer_and_its_name_finds_the_new_place() {
    let mut world = filled();
    world.subscribe(Position::EARLIEST, 1);
    let heard = world.ask(command::seek(5, 4, at_entry(10, 2).to_wire(None, None)));
    assert_eq!(kinds(&heard), [Type::CloseConsumer, Type::Success]);
    assert_eq!(world.subscribe(Position::EARLIEST, 1), [at_entry(10, 2)]);
}

#[test]
fn a_marker_is_not_sent_but_takes_an_index() {
    let mut world = filled();
    let marker = MessageMetadata { marker_type: Some(21), ..MessageMetadata::default() };
    world.broker.append(TOPIC, build_section(&marker, b""), 1, world.now);
    let behind = world.broker.append(TOPIC, send(9, 1).1, 1, world.now);
    assert_eq!(world.subscribe(at_entry(10, 3), 1), [behind]);
    assert_eq!(world.broker.log(TOPIC).unwrap().at(behind).unwrap().index, Some(7));
}

#[test]
fn a_ledger_is_rolled_when_it_is_full() {
    let mut world = World::with(BrokerConfig { max_entries_per_ledger: Some(2), ..BrokerConfig::default() });
    world.produce_as(world.client, "p");
    for sequence_id in 0..5 {
        world.send(sequence_id, 1);
    }
    let expected = [(10, 0), (10, 1), (11, 0), (11, 1), (12, 0)].map(|(ledger, entry)| at_entry(ledger, entry));
    assert_eq!(world.positions(), expected);
}
