//! Pulsar entries on their way to Kafka.

mod records_support;

use isthmus::records::{BatchSpan, Entry, EntryError, ReadOptions, Scratch, first_at_or_after, write_kafka_batch};
use records_support::kafka::{Decoded, Record, batch, decode};
use records_support::pulsar::{
    BrokerEntryMetadata, EncryptionKeys, MessageMetadata, SingleMessageMetadata, batch_payload, covered, entry,
    metadata, property, with_broker_metadata,
};
use records_support::{NOW, random_bytes};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const OPTIONS: ReadOptions = ReadOptions { decompressed_max: 1 << 20 };

fn read(section: &[u8], base_offset: i64) -> Result<(BatchSpan, Vec<u8>), EntryError> {
    let mut out = Vec::new();
    let entry = Entry::parse(section)?;
    let span = write_kafka_batch(&entry, base_offset, &OPTIONS, &mut Scratch::new(), &mut out)?;
    // Whoever leaves the checksum to the translation gets the same.
    let mut again = Vec::new();
    let due = Entry::parse_checksum_due(section)?;
    assert_eq!(write_kafka_batch(&due, base_offset, &OPTIONS, &mut Scratch::new(), &mut again), Ok(span));
    assert_eq!(again, out);
    Ok((span, out))
}

fn decoded(section: &[u8]) -> Decoded {
    decode(&read(section, 0).unwrap().1)
}

/// The only record of an unbatched message.
fn record_of(metadata: &MessageMetadata, payload: &[u8]) -> Record {
    decoded(&entry(metadata, payload)).records.remove(0).1
}

fn single() -> SingleMessageMetadata {
    SingleMessageMetadata { event_time: Some(NOW as u64), ..SingleMessageMetadata::default() }
}

fn batch_entry(messages: &[(SingleMessageMetadata, &[u8])]) -> Vec<u8> {
    let metadata = MessageMetadata { num_messages_in_batch: Some(messages.len() as i32), ..metadata() };
    entry(&metadata, &batch_payload(messages))
}

#[test]
fn a_batch_of_messages_becomes_one_record_batch() {
    let large = random_bytes(1, 3000);
    let section = batch_entry(&[
        (SingleMessageMetadata { partition_key: Some(b"k".to_vec()), ..single() }, b"one"),
        (SingleMessageMetadata { event_time: Some(NOW as u64 + 20), ..single() }, &large),
        (SingleMessageMetadata { event_time: Some(NOW as u64 - 5), ..single() }, b""),
    ]);
    let (span, out) = read(&section, 1000).unwrap();

    let batch = decode(&out);
    assert_eq!((batch.base_offset, batch.last_offset_delta), (1000, 2));
    assert_eq!((batch.base_timestamp, batch.max_timestamp), (NOW, NOW + 20));
    assert_eq!((batch.leader_epoch, batch.producer_id, batch.attributes), (0, -1, 0));
    let expected = [
        (1000, Record::new("k", "one")),
        (1001, Record::of_value(large).at(NOW + 20)),
        (1002, Record::new(None, "").at(NOW - 5)),
    ];
    assert_eq!(batch.records, expected);
    let expected = BatchSpan {
        base_offset: 1000,
        last_offset: 1002,
        records: 3,
        first_timestamp: NOW,
        max_timestamp: NOW + 20,
        bytes: out.len(),
    };
    assert_eq!(span, expected);
}

#[test]
fn a_message_outside_a_batch_is_a_batch_of_one() {
    let metadata = MessageMetadata {
        partition_key: Some(b"key".to_vec()),
        event_time: Some(NOW as u64 + 1),
        properties: vec![property("name", "value")],
        ..metadata()
    };
    let record = record_of(&metadata, b"payload");
    assert_eq!(record, Record::new("key", "payload").at(NOW + 1).header("name", Some(b"value")));
}

#[test]
fn a_null_value_is_null_and_an_empty_payload_is_empty() {
    let null = MessageMetadata { null_value: Some(true), ..metadata() };
    assert_eq!(record_of(&null, b"").value, None);
    assert_eq!(record_of(&metadata(), b"").value, Some(Vec::new()));
    let batch = batch_entry(&[(SingleMessageMetadata { null_value: Some(true), ..single() }, b"")]);
    assert_eq!(decoded(&batch).records[0].1.value, None);
}

#[test]
fn keys_come_as_text_base64_or_not_at_all() {
    let key = |key: &[u8], base64: bool, null: bool| {
        let metadata = MessageMetadata {
            partition_key: Some(key.to_vec()),
            partition_key_b64_encoded: Some(base64),
            null_partition_key: Some(null),
            ..metadata()
        };
        record_of(&metadata, b"v").key
    };
    assert_eq!(key(b"plain", false, false), Some(b"plain".to_vec()));
    assert_eq!(key(b"", false, false), Some(Vec::new()));
    assert_eq!(key(b"//4A", true, false), Some(vec![0xff, 0xfe, 0x00]));
    assert_eq!(key(b"", true, false), Some(Vec::new()));
    assert_eq!(key(b"not base64!", true, false), Some(b"not base64!".to_vec()));
    assert_eq!(key(b"", false, true), None);
    assert_eq!(record_of(&metadata(), b"v").key, None);
}

#[test]
fn the_timestamp_is_event_time_else_the_brokers_else_the_producers() {
    let timestamp = |event_time, broker_timestamp| {
        let metadata = MessageMetadata { event_time, publish_time: 30, ..metadata() };
        let broker = BrokerEntryMetadata { broker_timestamp, index: Some(0) };
        decoded(&with_broker_metadata(&broker, &entry(&metadata, b"v"))).records[0].1.timestamp
    };
    assert_eq!(timestamp(Some(10), Some(20)), 10);
    assert_eq!(timestamp(Some(0), Some(20)), 20);
    assert_eq!(timestamp(None, Some(20)), 20);
    assert_eq!(timestamp(None, None), 30);
}

#[test]
fn the_timestamp_property_wins_and_is_no_header() {
    let metadata =
        MessageMetadata { event_time: Some(9), properties: vec![property("__isthmus.timestamp", "-1")], ..metadata() };
    let record = record_of(&metadata, b"v");
    assert_eq!((record.timestamp, record.headers.len()), (-1, 0));
}

#[test]
fn somebody_elses_property_of_the_formats_names_is_a_header() {
    for (name, value) in
        [("__isthmus.timestamp", "yesterday"), ("__isthmus.headers", "?"), ("__isthmus.headers", "Ag==")]
    {
        let properties = vec![property("a", "1"), property(name, value), property("b", "2")];
        let record = record_of(&MessageMetadata { properties, ..metadata() }, b"v");
        let headers: Vec<_> = record.headers.iter().map(|(name, _)| name.as_slice()).collect();
        assert_eq!(headers, [b"a", name.as_bytes(), b"b"]);
    }
}

#[test]
fn properties_that_are_not_utf8_come_through_as_bytes() {
    let mut odd = property("", [0xff, 0x00]);
    odd.key = vec![0xfe];
    let record = record_of(&MessageMetadata { properties: vec![odd], ..metadata() }, b"v");
    assert_eq!(record.headers, [(vec![0xfe], Some(vec![0xff, 0x00]))]);
}

#[test]
fn what_compaction_took_out_leaves_its_offsets_behind() {
    let gone = SingleMessageMetadata { compacted_out: Some(true), ..single() };
    let section = batch_entry(&[
        (gone.clone(), b""),
        (single(), b"b"),
        (gone.clone(), b""),
        (single(), b"d"),
        (gone.clone(), b""),
    ]);
    let (span, out) = read(&section, 50).unwrap();
    let batch = decode(&out);
    assert_eq!((batch.base_offset, batch.last_offset_delta), (50, 4));
    let offsets: Vec<_> = batch.records.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [51, 53]);
    assert_eq!((span.records, span.last_offset), (2, 54));

    let (span, out) = read(&batch_entry(&[(gone.clone(), b""), (gone, b"")]), 50).unwrap();
    assert_eq!((span.records, span.last_offset, span.bytes), (0, 49, 0));
    assert!(out.is_empty());
}

#[test]
fn the_entry_tells_what_the_session_asks() {
    let metadata = MessageMetadata {
        num_messages_in_batch: Some(3),
        highest_sequence_id: Some(9),
        txnid_least_bits: Some(1),
        txnid_most_bits: Some(2),
        ..metadata()
    };
    let broker = BrokerEntryMetadata { broker_timestamp: Some(77), index: Some(41) };
    let section = with_broker_metadata(&broker, &entry(&metadata, b""));
    let entry = Entry::parse(&section).unwrap();
    assert_eq!((entry.index(), entry.broker_timestamp(), entry.publish_time()), (Some(41), Some(77), NOW as u64));
    assert_eq!((entry.num_messages(), entry.is_batch(), entry.is_transactional()), (3, true, true));
    assert_eq!(
        (entry.producer_name(), entry.sequence_id(), entry.highest_sequence_id()),
        (&b"pulsar-client"[..], 5, 9)
    );
    assert_eq!((entry.is_encrypted(), entry.is_marker(), entry.chunk()), (false, false, None));
}

#[test]
fn an_entry_without_a_checksum_is_read_as_it_is() {
    let section = covered(&metadata(), b"v");
    assert_eq!(decoded(&section).records[0].1.value, Some(b"v".to_vec()));
    let entry = Entry::parse(&section).unwrap();
    assert_eq!((entry.index(), entry.num_messages(), entry.is_batch()), (None, 1, false));
}

#[test]
fn damage_is_found_by_either_way_of_parsing() {
    let good = batch_entry(&[(single(), b"short"), (single(), &random_bytes(2, 500))]);
    for at in 2..good.len() {
        let mut section = good.clone();
        section[at] ^= 0x10;
        assert!(Entry::parse(&section).is_err(), "byte {at}");
        let mut out = b"before".to_vec();
        let result = Entry::parse_checksum_due(&section)
            .and_then(|entry| write_kafka_batch(&entry, 0, &OPTIONS, &mut Scratch::new(), &mut out));
        assert!(matches!(result, Err(EntryError::ChecksumMismatch | EntryError::Malformed)), "byte {at}: {result:?}");
        assert_eq!(out, b"before");
    }
}

#[test]
fn an_encrypted_entry_is_an_error_and_a_marker_is_nothing() {
    let keys = vec![EncryptionKeys { key: "k".into(), value: vec![1] }];
    let encrypted = entry(&MessageMetadata { encryption_keys: keys, ..metadata() }, b"secret");
    assert_eq!(read(&encrypted, 0).unwrap_err(), EntryError::Encrypted);

    let marker = entry(&MessageMetadata { marker_type: Some(21), ..metadata() }, b"whatever");
    assert!(Entry::parse(&marker).unwrap().is_marker());
    assert_eq!(read(&marker, 7).unwrap().0.records, 0);
}

#[test]
fn a_compression_nobody_knows_is_an_error_of_reading_only() {
    let section = entry(&MessageMetadata { compression: Some(9), uncompressed_size: Some(1), ..metadata() }, b"?");
    assert_eq!(Entry::parse(&section).unwrap().sequence_id(), 5);
    assert_eq!(read(&section, 0).unwrap_err(), EntryError::UnknownCompression);
}

#[test]
fn what_kop_kept_in_kafkas_own_format_is_an_error_and_not_two_empty_records() {
    let kop = |properties| MessageMetadata { num_messages_in_batch: Some(2), properties, ..metadata() };
    let payload = batch(&[Record::new("k", "one"), Record::new("k", "two")]);
    let section = entry(&kop(vec![property("entry.format", "kafka")]), &payload);
    assert_eq!(read(&section, 0).unwrap_err(), EntryError::KafkaRecords);
    let found = first_at_or_after(&Entry::parse(&section).unwrap(), 0, 0, NOW, &OPTIONS, &mut Scratch::new());
    assert_eq!(found.unwrap_err(), EntryError::KafkaRecords);

    let messages = batch_payload(&[(single(), b"one"), (single(), b"two")]);
    for other in [property("entry.format", "pulsar"), property("format", "kafka")] {
        assert_eq!(read(&entry(&kop(vec![other]), &messages), 0).unwrap().0.records, 2);
    }
    let go = kop(vec![property("entry.format", "kafka")]);
    assert_eq!(read(&entry(&go, &messages), 0).unwrap().0.records, 2, "Go's client puts a message's properties there");
    let own = MessageMetadata { properties: vec![property("entry.format", "kafka")], ..metadata() };
    assert_eq!(record_of(&own, b"a message").headers, [(b"entry.format".to_vec(), Some(b"kafka".to_vec()))]);
}

#[test]
fn a_count_beyond_what_is_there_is_malformed() {
    let payload = batch_payload(&[(single(), b"only")]);
    for count in [2, i32::MAX] {
        let metadata = MessageMetadata { num_messages_in_batch: Some(count), ..metadata() };
        assert_eq!(read(&entry(&metadata, &payload), 0).unwrap_err(), EntryError::Malformed);
    }
    let negative = MessageMetadata { num_messages_in_batch: Some(-1), ..metadata() };
    assert_eq!(read(&entry(&negative, &payload), 0).unwrap_err(), EntryError::Malformed);
}
