//! Finding records by their timestamps, for ListOffsets.

mod records_support;

use isthmus::records::{Entry, ReadOptions, Scratch, TimedOffset, first_at_or_after, greatest};
use records_support::pulsar::{MessageMetadata, SingleMessageMetadata, batch_payload, entry, metadata};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const OPTIONS: ReadOptions = ReadOptions { decompressed_max: 1 << 20 };

/// A batch of messages with these timestamps; those that are `None` were compacted out.
fn section(timestamps: &[Option<u64>]) -> Vec<u8> {
    let message = |timestamp: &Option<u64>| {
        let metadata = SingleMessageMetadata {
            event_time: *timestamp,
            compacted_out: timestamp.is_none().then_some(true),
            ..SingleMessageMetadata::default()
        };
        (metadata, &b""[..])
    };
    let messages: Vec<_> = timestamps.iter().map(message).collect();
    let metadata = MessageMetadata { num_messages_in_batch: Some(timestamps.len() as i32), ..metadata() };
    entry(&metadata, &batch_payload(&messages))
}

fn first(section: &[u8], timestamp: i64) -> Option<(i64, i64)> {
    let entry = Entry::parse(section).unwrap();
    first_at_or_after(&entry, 100, 0, timestamp, &OPTIONS, &mut Scratch::new()).unwrap().map(pair)
}

fn pair(found: TimedOffset) -> (i64, i64) {
    (found.offset, found.timestamp)
}

#[test]
fn the_first_record_not_before_a_time_is_found_where_compaction_left_it() {
    let section = section(&[Some(10), None, Some(30), Some(20), Some(30)]);
    assert_eq!(first(&section, i64::MIN), Some((100, 10)));
    assert_eq!(first(&section, 10), Some((100, 10)));
    assert_eq!(first(&section, 11), Some((102, 30)));
    assert_eq!(first(&section, 30), Some((102, 30)));
    assert_eq!(first(&section, 31), None);
}

#[test]
fn the_greatest_timestamp_is_that_of_the_first_record_that_has_it() {
    let of = |timestamps: &[Option<u64>]| {
        let section = section(timestamps);
        let entry = Entry::parse(&section).unwrap();
        greatest(&entry, 100, 0, &OPTIONS, &mut Scratch::new()).unwrap().map(pair)
    };
    assert_eq!(of(&[Some(10), Some(30), Some(20), Some(30)]), Some((101, 30)));
    assert_eq!(of(&[None, Some(5)]), Some((101, 5)));
    assert_eq!(of(&[None, None]), None);
}
