//! Kafka batches on their way into Pulsar.

mod records_support;

use isthmus::records::BatchError;
use records_support::kafka::{Batch, Record, batch};
use records_support::pulsar::{KeyValue, frames, property};
use records_support::{NOW, params, send};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The one message that one record becomes, with the frame it came in.
fn message_of(record: Record) -> (records_support::pulsar::SingleMessageMetadata, Vec<u8>) {
    let (out, _) = send(&batch(&[record]), &params()).unwrap();
    frames(&out)[0].messages().remove(0)
}

fn properties_of(record: Record) -> Vec<KeyValue> {
    message_of(record).0.properties
}

#[test]
fn a_batch_becomes_one_send_whose_command_and_metadata_agree() {
    let records = [Record::new("k", "a"), Record::new(None, "b"), Record::new("z", "c")];
    let (out, sent) = send(&batch(&records), &params()).unwrap();

    let frames = frames(&out);
    assert_eq!(frames.len(), 1);
    let (send, metadata) = (&frames[0].send, &frames[0].metadata);
    assert_eq!((send.producer_id, send.sequence_id, send.highest_sequence_id), (7, 100, Some(102)));
    assert_eq!(send.num_messages, Some(3));
    assert_eq!((metadata.sequence_id, metadata.highest_sequence_id), (100, Some(102)));
    assert_eq!(metadata.producer_name, "isthmus-7");
    assert_eq!(metadata.publish_time, NOW as u64);
    assert_eq!(metadata.num_messages_in_batch, Some(3));
    assert_eq!(metadata.compression, None);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].first_sequence_id, sent[0].last_sequence_id, sent[0].records), (100, 102, 3));
    assert_eq!(sent[0].frame_bytes, out.len());
}

#[test]
fn the_first_messages_key_stands_at_the_batch_as_pulsars_clients_put_it() {
    let (out, _) = send(&batch(&[Record::new("first", "a"), Record::new("second", "b")]), &params()).unwrap();
    let metadata = &frames(&out)[0].metadata;
    assert_eq!(metadata.partition_key.as_deref(), Some(&b"first"[..]));
    assert_eq!(metadata.partition_key_b64_encoded, None);
}

#[test]
fn a_single_record_is_a_wrapped_batch_of_one() {
    let (out, _) = send(&batch(&[Record::new(None, "only")]), &params()).unwrap();
    let frame = &frames(&out)[0];
    assert_eq!(frame.metadata.num_messages_in_batch, Some(1));
    assert_eq!(frame.messages()[0].1, b"only");
}

#[test]
fn no_key_and_an_empty_key_stay_apart() {
    assert_eq!(message_of(Record::new(None, "v")).0.partition_key, None);
    assert_eq!(message_of(Record::new("", "v")).0.partition_key.as_deref(), Some(&b""[..]));
}

#[test]
fn a_key_that_is_not_utf8_is_written_in_base64_and_flagged() {
    let record = Record { key: Some(vec![0xff, 0xfe, 0x00]), ..Record::new(None, "v") };
    let (out, _) = send(&batch(&[record]), &params()).unwrap();
    let frame = &frames(&out)[0];
    let message = &frame.messages()[0].0;
    assert_eq!(message.partition_key.as_deref(), Some(&b"//4A"[..]));
    assert_eq!(message.partition_key_b64_encoded, Some(true));
    assert_eq!(frame.metadata.partition_key.as_deref(), Some(&b"//4A"[..]));
    assert_eq!(frame.metadata.partition_key_b64_encoded, Some(true));
}

#[test]
fn a_null_value_is_flagged_and_an_empty_one_is_not() {
    let (null, payload) = message_of(Record::new("k", None));
    assert_eq!((null.null_value, payload.len()), (Some(true), 0));
    let (empty, payload) = message_of(Record::new("k", ""));
    assert_eq!((empty.null_value, payload.len()), (None, 0));
}

#[test]
fn the_timestamp_is_the_event_time() {
    assert_eq!(message_of(Record::new(None, "v").at(1)).0.event_time, Some(1));
    assert_eq!(message_of(Record::new(None, "v").at(i64::MAX)).0.event_time, Some(i64::MAX as u64));
}

#[test]
fn a_timestamp_that_is_not_positive_is_kept_in_a_property() {
    for (timestamp, decimal) in [(0, "0"), (-1, "-1"), (i64::MIN, "-9223372036854775808")] {
        let (message, _) = message_of(Record::new(None, "v").at(timestamp));
        assert_eq!(message.event_time, None);
        assert_eq!(message.properties, [property("__isthmus.timestamp", decimal)]);
    }
}

#[test]
fn headers_are_properties_in_their_order() {
    let record = Record::new(None, "v").header("b", Some(b"2")).header("a", Some("\u{e9}".as_bytes()));
    assert_eq!(properties_of(record), [property("b", "2"), property("a", "\u{e9}")]);
}

#[test]
fn a_header_that_properties_cannot_carry_keeps_the_whole_section() {
    let record = Record::new(None, "v").header("good", Some(b"1")).header("null", None);
    // count 2, "good" "1", "null" null, in zig-zag lengths
    assert_eq!(properties_of(record), [property("good", "1"), property("__isthmus.headers", "BAhnb29kAjEIbnVsbAE=")]);

    let record = Record::new(None, "v").header("bytes", Some(&[0xff]));
    assert_eq!(properties_of(record), [property("__isthmus.headers", "AgpieXRlcwL/")]);
}

#[test]
fn repeated_names_are_all_written_and_the_section_too() {
    let record = Record::new(None, "v").header("a", Some(b"1")).header("a", Some(b"2"));
    let properties = properties_of(record);
    assert_eq!(properties[..2], [property("a", "1"), property("a", "2")]);
    assert_eq!(properties[2].key, b"__isthmus.headers");
    assert_eq!(properties.len(), 3);
}

#[test]
fn a_header_with_one_of_the_formats_own_names_is_only_in_the_section() {
    let record = Record::new(None, "v").header("__isthmus.timestamp", Some(b"5"));
    let properties = properties_of(record);
    assert_eq!(properties.len(), 1);
    assert_eq!(properties[0].key, b"__isthmus.headers");
}

#[test]
fn more_headers_than_are_compared_keep_the_section() {
    let record = |count: usize| {
        (0..count).fold(Record::new(None, "v"), |record, index| record.header(&format!("h{index}"), Some(b"x")))
    };
    assert_eq!(properties_of(record(16)).len(), 16);
    assert_eq!(properties_of(record(17)).len(), 18);
}

#[test]
fn records_already_stored_are_left_out_and_the_others_keep_their_sequence_ids() {
    let records = [Record::new("a", "1"), Record::new("b", "2"), Record::new("c", "3")];
    let mut params = params();
    params.skip_records = 2;
    let (out, sent) = send(&batch(&records), &params).unwrap();
    let frame = &frames(&out)[0];
    assert_eq!((frame.send.sequence_id, frame.send.highest_sequence_id), (102, Some(102)));
    assert_eq!(frame.metadata.partition_key.as_deref(), Some(&b"c"[..]));
    assert_eq!(frame.messages().len(), 1);
    assert_eq!(sent[0].records, 1);

    params.skip_records = 3;
    let (out, sent) = send(&batch(&records), &params).unwrap();
    assert!(out.is_empty() && sent.is_empty());
}

#[test]
fn what_is_appended_stands_behind_what_was_there() {
    use isthmus::records::{KafkaBatch, Scratch, write_sends};
    let bytes = batch(&[Record::new(None, "v")]);
    let parsed = KafkaBatch::parse(&bytes).unwrap();
    let (mut out, mut sent) = (b"before".to_vec(), Vec::new());
    write_sends(&parsed, &params(), &mut Scratch::new(), &mut out, &mut sent).unwrap();
    assert_eq!(out[..6], *b"before");
    assert_eq!(frames(&out[6..]).len(), 1);
}

#[test]
fn a_wrong_checksum_leaves_nothing_behind() {
    use isthmus::records::{KafkaBatch, Scratch, write_sends};
    let mut bytes = batch(&[Record::new("key", "value")]);
    bytes[20] ^= 1;
    let parsed = KafkaBatch::parse(&bytes).unwrap();
    let (mut out, mut sent) = (b"before".to_vec(), Vec::new());
    let result = write_sends(&parsed, &params(), &mut Scratch::new(), &mut out, &mut sent);
    assert_eq!(result, Err(BatchError::ChecksumMismatch));
    assert_eq!(out, b"before");
    assert!(sent.is_empty());
}

#[test]
fn a_damaged_record_is_corrupt_and_a_badly_built_one_is_invalid() {
    // The length of the record is changed without the checksum: damage.
    let mut damaged = batch(&[Record::new("key", "value")]);
    damaged[61] = 0x7e;
    assert_eq!(send(&damaged, &params()).unwrap_err(), BatchError::ChecksumMismatch);

    // The same with the right checksum: the client's doing.
    let mut built = Batch::of(&[Record::new("key", "value")]);
    built.records[0] = 0x7e;
    assert_eq!(send(&built.encode(), &params()).unwrap_err(), BatchError::MalformedRecord);
}

#[test]
fn records_must_be_numbered_without_gaps_and_as_many_as_counted() {
    let records = [Record::new(None, "a"), Record::new(None, "b")];
    let mut gap = Batch::of(&records[..1]);
    records_support::kafka::put_record(&records[1], 5, NOW, &mut gap.records);
    (gap.count, gap.last_offset_delta) = (2, 1);
    assert_eq!(send(&gap.encode(), &params()).unwrap_err(), BatchError::MalformedRecord);

    let mut more = Batch::of(&records);
    (more.count, more.last_offset_delta) = (1, 0);
    assert_eq!(send(&more.encode(), &params()).unwrap_err(), BatchError::MalformedRecord);

    let mut fewer = Batch::of(&records);
    (fewer.count, fewer.last_offset_delta) = (3, 2);
    assert_eq!(send(&fewer.encode(), &params()).unwrap_err(), BatchError::MalformedRecord);
}

#[test]
fn the_header_is_held_to_what_a_producer_may_say() {
    use kafka_protocol::error::ResponseError::{
        CorruptMessage, InvalidRecord, InvalidTimestamp, UnsupportedCompressionType,
    };
    let good = Batch::of(&[Record::new(None, "a")]);
    let refused = |change: fn(&mut Batch)| {
        let mut batch = good.clone();
        change(&mut batch);
        send(&batch.encode(), &params()).unwrap_err().kafka_error()
    };
    assert_eq!(refused(|batch| batch.base_offset = 1), InvalidRecord);
    assert_eq!(refused(|batch| batch.magic = 1), InvalidRecord);
    assert_eq!(refused(|batch| batch.count = 0), InvalidRecord);
    assert_eq!(refused(|batch| batch.count = -1), InvalidRecord);
    assert_eq!(refused(|batch| batch.last_offset_delta = 1), InvalidRecord);
    assert_eq!(refused(|batch| batch.attributes = 1 << 5), InvalidRecord);
    assert_eq!(refused(|batch| batch.producer_id = 4), InvalidRecord);
    assert_eq!(refused(|batch| batch.attributes = 1 << 3), InvalidTimestamp);
    assert_eq!(refused(|batch| batch.attributes = 5), UnsupportedCompressionType);
    assert_eq!(refused(|batch| (batch.count, batch.last_offset_delta) = (i32::MAX, i32::MAX - 1)), InvalidRecord);

    let bytes = good.encode();
    assert_eq!(send(&[], &params()).unwrap_err().kafka_error(), InvalidRecord);
    assert_eq!(send(&bytes[..60], &params()).unwrap_err().kafka_error(), InvalidRecord);
    assert_eq!(send(&bytes[..bytes.len() - 1], &params()).unwrap_err().kafka_error(), InvalidRecord);
    assert_eq!(send(&[&bytes[..], &bytes[..]].concat(), &params()).unwrap_err(), BatchError::MoreThanOneBatch);
    let mut short = bytes.clone();
    short[8..12].copy_from_slice(&48_i32.to_be_bytes());
    assert_eq!(send(&short, &params()).unwrap_err().kafka_error(), CorruptMessage);
}

#[test]
fn a_header_damaged_on_the_way_is_corrupt_whatever_it_seems_to_say() {
    let mut bytes = batch(&[Record::new(None, "a")]);
    bytes[60] ^= 2;
    assert_eq!(send(&bytes, &params()).unwrap_err(), BatchError::ChecksumMismatch);
}
