//! What Kafka's clients write they read back the same, whatever it is and however it is packed.
#![cfg(not(target_arch = "wasm32"))]

mod records_support;

use bytes::Bytes;
use isthmus::records::{Entry, ReadOptions, Scratch, SendParams, write_kafka_batch};
use kafka_protocol::records::{NO_PARTITION_LEADER_EPOCH, RecordBatchDecoder};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use records_support::compress::KAFKA_CODECS;
use records_support::kafka::{Batch, Record, decode};
use records_support::pulsar::frames;
use records_support::{NOW, params, send};

const OPTIONS: ReadOptions = ReadOptions { decompressed_max: 64 << 20 };

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..max),
        // Text, so that both forms of keys and headers come up.
        proptest::string::string_regex("[a-z\u{e9}]{0,12}").unwrap().prop_map(String::into_bytes),
    ]
}

fn header() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>)> {
    let name = prop_oneof![
        bytes(8),
        Just(b"repeated".to_vec()),
        Just(b"__isthmus.headers".to_vec()),
        Just(b"__isthmus.timestamp".to_vec()),
    ];
    (name, option::of(bytes(20)))
}

fn record() -> impl Strategy<Value = Record> {
    let timestamp = prop_oneof![Just(NOW), Just(-1), Just(0), NOW..NOW + 5000, any::<i64>()];
    let value = option::of(prop_oneof![4 => bytes(200), 1 => vec(any::<u8>(), 1000..3000)]);
    (option::of(bytes(30)), value, vec(header(), 0..5), timestamp).prop_map(|(key, value, headers, timestamp)| Record {
        key,
        value,
        headers,
        timestamp,
    })
}

/// Everything that was sent, read back entry by entry, the way the session does it.
fn read_back(sections: &[Vec<u8>], base_offset: i64) -> Vec<(i64, Record)> {
    let mut scratch = Scratch::new();
    let mut next = base_offset;
    let mut records = Vec::new();
    for section in sections {
        let entry = Entry::parse_checksum_due(section).unwrap();
        let mut out = Vec::new();
        let span = write_kafka_batch(&entry, next, &OPTIONS, &mut scratch, &mut out).unwrap();
        assert_eq!(span.bytes, out.len());
        let batch = decode(&out);
        assert_eq!(span.last_offset, batch.base_offset + i64::from(batch.last_offset_delta));
        assert_eq!(span.max_timestamp, batch.max_timestamp);
        assert_eq!(span.first_timestamp, batch.base_timestamp);
        records.extend(batch.records);
        next += i64::from(entry.num_messages());
    }
    records
}

proptest! {
    #[test]
    fn records_come_back_as_they_were(records in vec(record(), 1..20), codec in 0..KAFKA_CODECS.len(), base in 0_i64..1 << 40) {
        let (_, number, compress) = KAFKA_CODECS[codec];
        let batch = Batch::of(&records).compressed(number, compress).encode();
        let (out, sent) = send(&batch, &params()).unwrap();
        prop_assert_eq!(sent.len(), 1);
        let sections: Vec<_> = frames(&out).into_iter().map(|frame| frame.section).collect();
        let expected: Vec<_> = (base..).zip(records).collect();
        prop_assert_eq!(read_back(&sections, base), expected);
    }

    #[test]
    fn split_batches_come_back_as_they_were(
        records in vec(record(), 1..40),
        codec in 0..KAFKA_CODECS.len(),
        max_message_size in 9000_usize..12_000,
        skip_records in 0_u32..10,
        one_entry_per_key: bool,
    ) {
        let (_, number, compress) = KAFKA_CODECS[codec];
        let batch = Batch::of(&records).compressed(number, compress).encode();
        let params = SendParams { max_message_size, skip_records, one_entry_per_key, ..params() };
        let (out, sent) = send(&batch, &params).unwrap();
        let frames = frames(&out);
        prop_assert_eq!(frames.len(), sent.len());
        for frame in &frames {
            prop_assert!(frame.section.len() <= max_message_size);
        }
        let sections: Vec<_> = frames.into_iter().map(|frame| frame.section).collect();
        let rest: Vec<_> = (0..).zip(records.into_iter().skip(skip_records as usize)).collect();
        prop_assert_eq!(read_back(&sections, 0), rest);
    }

    #[test]
    fn another_decoder_of_kafkas_format_agrees(records in vec(record(), 1..20)) {
        // It keeps one header of a name, needs names to be UTF-8, and does not go below a timestamp of 0 in its sums.
        let records: Vec<_> = records
            .into_iter()
            .map(|mut record| {
                record.timestamp = record.timestamp.clamp(0, NOW);
                record.headers.retain(|(name, _)| std::str::from_utf8(name).is_ok());
                let mut seen = std::collections::HashSet::new();
                record.headers.retain(|(name, _)| seen.insert(name.clone()));
                record
            })
            .collect();
        let (out, _) = send(&records_support::kafka::batch(&records), &params()).unwrap();
        let section = frames(&out).remove(0).section;
        let mut batch = Vec::new();
        write_kafka_batch(&Entry::parse(&section).unwrap(), 500, &OPTIONS, &mut Scratch::new(), &mut batch).unwrap();

        let decoded = RecordBatchDecoder::decode(&mut Bytes::from(batch)).unwrap();
        prop_assert_eq!(decoded.records.len(), records.len());
        for ((theirs, ours), offset) in decoded.records.into_iter().zip(records).zip(500..) {
            prop_assert_eq!(theirs.offset, offset);
            prop_assert_eq!(theirs.timestamp, ours.timestamp);
            prop_assert_eq!(theirs.key.as_deref(), ours.key.as_deref());
            prop_assert_eq!(theirs.value.as_deref(), ours.value.as_deref());
            prop_assert_eq!((theirs.producer_id, theirs.producer_epoch), (-1, -1));
            prop_assert!([0, NO_PARTITION_LEADER_EPOCH].contains(&theirs.partition_leader_epoch));
            let headers: Vec<_> = theirs
                .headers
                .iter()
                .map(|(name, value)| (name.as_bytes().to_vec(), value.as_ref().map(|value| value.to_vec())))
                .collect();
            prop_assert_eq!(headers, ours.headers);
        }
    }
}
