//! Compaction, and readers that see what it left.

use prost::Message as _;

use super::*;

/// A batch of keys and values; an empty value is a tombstone.
fn keyed(records: &[(&'static str, &'static str)]) -> (Bytes, u64) {
    let mut payload = Vec::new();
    for (key, value) in records {
        let single = SingleMessageMetadata {
            partition_key: Some(Bytes::from_static(key.as_bytes())),
            payload_size: i32::try_from(value.len()).unwrap(),
            ..SingleMessageMetadata::default()
        };
        payload.extend_from_slice(&u32::try_from(single.encoded_len()).unwrap().to_be_bytes());
        single.encode_raw(&mut payload);
        payload.extend_from_slice(value.as_bytes());
    }
    let count = u64::try_from(records.len()).unwrap();
    let metadata = MessageMetadata {
        producer_name: "p".into(),
        num_messages_in_batch: Some(i32::try_from(count).unwrap()),
        ..MessageMetadata::default()
    };
    (build_section(&metadata, &payload), count)
}

/// Two batches, of which compaction leaves one message each, and a batch that it takes away.
fn compacted(config: BrokerConfig) -> World {
    let mut world = World::with(config);
    for records in [[("a", "1"), ("b", "1")], [("b", "2"), ("c", "1")], [("c", ""), ("d", "")]] {
        let (section, count) = keyed(&records);
        world.broker.append(TOPIC, section, count, world.now);
    }
    world.broker.compact(TOPIC);
    world
}

impl World {
    fn subscribe_compacted(&mut self, start: Position) -> Vec<Frame> {
        let mut command = subscribe(5, 8, start.to_wire(None, None));
        command.subscribe.as_mut().unwrap().read_compacted = Some(true);
        self.ask(command);
        self.ask(command::flow(5, 100).unwrap())
    }

    fn last_of(&mut self) -> MessageIdData {
        let heard = self.ask(command::get_last_message_id(5, 9));
        heard[0].command.get_last_message_id_response.clone().unwrap().last_message_id
    }
}

#[test]
fn a_compacted_reader_gets_what_is_left_with_placeholders_for_the_rest_and_others_get_everything() {
    let mut world = compacted(BrokerConfig::default());
    let heard = world.subscribe_compacted(Position::EARLIEST);
    assert_eq!(received(&heard), [at_entry(10, 0), at_entry(10, 1)]);
    assert_eq!(heard.iter().map(index_of).collect::<Vec<_>>(), [Some(1), Some(3)]);
    world.ask(command::close_consumer(5, 1));

    assert_eq!(world.subscribe(Position::EARLIEST, 100), [at_entry(10, 0), at_entry(10, 1), at_entry(10, 2)]);
}

#[test]
fn before_4_0_a_batch_that_is_written_anew_has_no_index() {
    let mut world = compacted(BrokerConfig { compaction_keeps_index: false, ..BrokerConfig::default() });
    let heard = world.subscribe_compacted(Position::EARLIEST);
    assert_eq!(heard.iter().map(index_of).collect::<Vec<_>>(), [None, None]);
}

#[test]
fn the_last_message_of_a_compacted_reader_is_the_last_that_is_left_until_more_comes() {
    let mut world = compacted(BrokerConfig::default());
    world.subscribe_compacted(at_entry(10, 2));
    assert_eq!(Position::from_wire(&world.last_of()), at_entry(10, 1));

    let (section, count) = keyed(&[("e", "1")]);
    world.broker.append(TOPIC, section, count, world.now);
    assert_eq!(received(&world.hear(world.client)), [at_entry(10, 3)]);
    assert_eq!(Position::from_wire(&world.last_of()), at_entry(10, 3));
}

#[test]
fn where_nothing_is_left_there_is_no_last_message() {
    let mut world = World::new();
    let (section, count) = keyed(&[("a", "")]);
    world.broker.append(TOPIC, section, count, world.now);
    world.broker.compact(TOPIC);
    assert_eq!(received(&world.subscribe_compacted(Position::EARLIEST)), []);
    assert_eq!(Position::from_wire(&world.last_of()), Position::EARLIEST);
}

#[test]
fn what_was_dropped_and_is_left_goes_to_who_begins_at_the_earliest_alone() {
    let mut world = compacted(BrokerConfig::default());
    world.broker.roll_ledger(TOPIC);
    world.broker.trim_ledgers(TOPIC, 1);
    assert_eq!(received(&world.subscribe_compacted(Position::EARLIEST)), [at_entry(10, 0), at_entry(10, 1)]);
    world.ask(command::close_consumer(5, 1));
    assert_eq!(received(&world.subscribe_compacted(at_entry(10, 0))), []);
}
