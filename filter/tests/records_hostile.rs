//! Bytes that nobody means well with: nothing panics, nothing is left behind on an error.

mod records_support;

use isthmus::records::{
    ChunkAssembler, ChunkLimits, Entry, KafkaBatch, ReadOptions, Scratch, SendParams, first_at_or_after,
    write_kafka_batch, write_sends,
};
use records_support::kafka::{Batch, Record, batch, crc32c};
use records_support::pulsar::{
    BrokerEntryMetadata, MessageMetadata, SingleMessageMetadata, batch_payload, entry, metadata, property,
    with_broker_metadata,
};
use records_support::{Random, params, random_bytes};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const OPTIONS: ReadOptions = ReadOptions { decompressed_max: 1 << 20 };

fn kafka_batch() -> Vec<u8> {
    batch(&[
        Record::new("key", "value").header("a", Some(b"1")).header("a", None),
        Record { key: Some(vec![0xff, 0x80]), ..Record::of_value(random_bytes(1, 100)) },
        Record::new(None, None).at(-1),
    ])
}

fn pulsar_entry() -> Vec<u8> {
    let single = SingleMessageMetadata {
        partition_key: Some(b"//4A".to_vec()),
        partition_key_b64_encoded: Some(true),
        properties: vec![property("a", "1"), property("__isthmus.headers", "AgpieXRlcwL/")],
        event_time: Some(5),
        ..SingleMessageMetadata::default()
    };
    let payload = batch_payload(&[(single, b"value"), (SingleMessageMetadata::default(), &random_bytes(1, 100))]);
    let metadata = MessageMetadata {
        num_messages_in_batch: Some(2),
        uuid: Some("u".into()),
        num_chunks_from_msg: Some(1),
        partition_key: Some(b"k".to_vec()),
        ..metadata()
    };
    with_broker_metadata(
        &BrokerEntryMetadata { broker_timestamp: Some(1), index: Some(2) },
        &entry(&metadata, &payload),
    )
}

/// Sends what may be no batch; on an error everything must be as it was.
fn try_send(bytes: &[u8], scratch: &mut Scratch) {
    let (mut out, mut sent) = (b"before".to_vec(), Vec::new());
    let Ok(batch) = KafkaBatch::parse(bytes) else { return };
    for params in [params(), SendParams { max_message_size: 200, skip_records: 1, one_entry_per_key: true, ..params() }]
    {
        if write_sends(&batch, &params, scratch, &mut out, &mut sent).is_err() {
            assert!(
                out.starts_with(b"before")
                    && sent.iter().map(|entry| entry.frame_bytes).sum::<usize>() + 6 == out.len()
            );
        }
    }
}

/// Reads what may be no entry, in every way there is.
fn try_read(bytes: &[u8], scratch: &mut Scratch) {
    let mut out = b"before".to_vec();
    for entry in [Entry::parse(bytes), Entry::parse_checksum_due(bytes)] {
        let Ok(entry) = entry else { continue };
        match write_kafka_batch(&entry, i64::MAX - 1, &OPTIONS, scratch, &mut out) {
            Ok(span) => assert_eq!(out.len(), 6 + span.bytes),
            Err(_) => assert_eq!(out.len(), 6),
        }
        out.truncate(6);
        let _ = first_at_or_after(&entry, 0, 0, i64::MAX, &OPTIONS, scratch);
        let mut assembler = ChunkAssembler::new(ChunkLimits { messages: 2, bytes: 1000 });
        let _ = assembler.add(&entry);
    }
}

/// Makes the checksum right again, so that what is wrong is met behind it.
fn with_right_crc(mut batch: Vec<u8>) -> Vec<u8> {
    if batch.len() > 21 {
        let crc = crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        let length = batch.len() as i32 - 12;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
    }
    batch
}

/// An entry's part behind the checksum, which then comes without one.
fn without_checksum(section: &[u8]) -> &[u8] {
    let magic = section.windows(2).position(|bytes| bytes == [0x0e, 0x01]).unwrap();
    &section[magic + 6..]
}

#[test]
fn a_batch_cut_anywhere_is_refused() {
    let whole = kafka_batch();
    let mut scratch = Scratch::new();
    for length in 0..whole.len() {
        assert!(KafkaBatch::parse(&whole[..length]).is_err(), "{length}");
        try_send(&with_right_crc(whole[..length].to_vec()), &mut scratch);
    }
}

#[test]
fn an_entry_cut_anywhere_is_refused() {
    let whole = pulsar_entry();
    let mut scratch = Scratch::new();
    for length in 0..whole.len() {
        assert!(Entry::parse(&whole[..length]).is_err(), "{length}");
        try_read(&whole[..length], &mut scratch);
    }
    let bare = without_checksum(&whole);
    for length in 0..bare.len() {
        try_read(&bare[..length], &mut scratch);
    }
}

#[test]
fn batches_with_random_changes_do_no_harm() {
    let whole = kafka_batch();
    let mut random = Random::new(1);
    let mut scratch = Scratch::new();
    for _ in 0..30_000 {
        let mut bytes = whole.clone();
        change(&mut bytes, &mut random);
        if random.below(8) > 0 {
            bytes = with_right_crc(bytes);
        }
        try_send(&bytes, &mut scratch);
    }
}

#[test]
fn entries_with_random_changes_do_no_harm() {
    let whole = pulsar_entry();
    let bare = without_checksum(&whole).to_vec();
    let mut random = Random::new(2);
    let mut scratch = Scratch::new();
    for round in 0..30_000 {
        let mut bytes = if round % 4 == 0 { whole.clone() } else { bare.clone() };
        change(&mut bytes, &mut random);
        try_read(&bytes, &mut scratch);
    }
}

fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_within(at..),
            2 => bytes.insert(at, random.next() as u8),
            3 => bytes[at..].iter_mut().take(5).for_each(|byte| *byte = 0xff),
            _ => bytes[at] = random.next() as u8,
        }
        if bytes.is_empty() {
            return;
        }
    }
}

#[test]
fn random_bytes_do_no_harm() {
    let mut random = Random::new(3);
    let mut scratch = Scratch::new();
    for round in 0..20_000 {
        let bytes = random_bytes(round, random.below(200));
        try_read(&bytes, &mut scratch);
        let mut built = Batch::of(&[Record::new(None, "x")]);
        built.count = random.below(40) as i32;
        built.last_offset_delta = built.count - 1;
        built.attributes = random.below(5) as i16;
        built.records = bytes;
        try_send(&built.encode(), &mut scratch);
    }
}

#[test]
fn a_huge_count_of_records_reserves_nothing() {
    let mut built = Batch::of(&[Record::new(None, "x")]).compressed(2, records_support::compress::snappy);
    (built.count, built.last_offset_delta) = (i32::MAX, i32::MAX - 1);
    let mut scratch = Scratch::new();
    try_send(&built.encode(), &mut scratch);
    assert!(scratch.held_bytes() < 10_000);
}

#[test]
fn headers_that_grow_as_properties_do_not_grow_beyond_the_entry() {
    // Two bytes each here, six each as properties, and once more in base64.
    let headers = vec![(Vec::new(), Some(Vec::new())); 200_000];
    let bytes = batch(&[Record { headers, ..Record::new(None, "x") }]);
    let parsed = KafkaBatch::parse(&bytes).unwrap();
    let (mut out, mut sent) = (Vec::new(), Vec::new());
    let params = SendParams { max_message_size: 1 << 20, ..params() };
    let result = write_sends(&parsed, &params, &mut Scratch::new(), &mut out, &mut sent);
    assert!(result.is_err());
    assert!(out.capacity() < 2 << 20, "{}", out.capacity());
}
