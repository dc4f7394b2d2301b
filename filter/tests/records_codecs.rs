//! Every codec of both protocols, and what hostile streams of each may do: nothing.

mod records_support;

use isthmus::records::{BatchError, Entry, EntryError, ReadOptions, Scratch, SendParams, write_kafka_batch};
use records_support::compress::{
    KAFKA_CODECS, PULSAR_CODECS, decompress_pulsar, gzip, lz4, snappy, xerial, zlib, zstd_frames, zstd_stream,
};
use records_support::kafka::{Batch, Record, decode};
use records_support::pulsar::{
    MessageMetadata, SingleMessageMetadata, batch_payload, entry, frames, messages, metadata,
};
use records_support::{NOW, Random, params, random_bytes, send, text};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const OPTIONS: ReadOptions = ReadOptions { decompressed_max: 4 << 20 };

/// Some that compress, some that do not, one larger than any codec's block.
fn records() -> Vec<Record> {
    let sizes = [0, 1, 100, 1000, 70_000, 300_000];
    let mut records: Vec<_> = sizes.iter().map(|size| Record::of_value(text(*size as u64, *size))).collect();
    records.push(Record::of_value(random_bytes(1, 5000)));
    records.push(Record::new("key", None).header("h", Some(b"v")));
    records
}

fn read(section: &[u8]) -> Result<Vec<u8>, EntryError> {
    let mut out = Vec::new();
    write_kafka_batch(&Entry::parse(section)?, 0, &OPTIONS, &mut Scratch::new(), &mut out).map(|_| out)
}

#[test]
fn compression_is_kept_at_rest_and_gone_when_kafka_reads() {
    let at_rest = [None, Some(2), Some(4), Some(1), Some(3)];
    for (name, codec, compress) in KAFKA_CODECS {
        let batch = Batch::of(&records()).compressed(codec, compress).encode();
        let (out, sent) = send(&batch, &params()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(sent.len(), 1, "{name}");
        let frame = &frames(&out)[0];
        assert_eq!(frame.metadata.compression, at_rest[codec as usize], "{name}");
        let plain = match frame.metadata.compression {
            None => frame.payload.clone(),
            Some(compression) => {
                let size = frame.metadata.uncompressed_size.unwrap() as usize;
                assert!(frame.payload.len() < size, "{name}");
                decompress_pulsar(compression, &frame.payload, size)
            }
        };
        let values: Vec<_> = messages(&plain, 8).into_iter().map(|(_, value)| value).collect();
        let expected: Vec<_> = records().into_iter().map(|record| record.value.unwrap_or_default()).collect();
        assert!(values == expected, "{name}");
        let back: Vec<_> =
            decode(&read(&frame.section).unwrap()).records.into_iter().map(|(_, record)| record).collect();
        assert!(back == records(), "{name}");
    }
}

#[test]
fn what_pulsars_producers_compress_is_read() {
    for (name, compression, compress) in PULSAR_CODECS {
        let large = text(7, 200_000);
        let single = SingleMessageMetadata { event_time: Some(NOW as u64), ..SingleMessageMetadata::default() };
        let payload = batch_payload(&[(single.clone(), b"one"), (single, &large)]);
        let batch = MessageMetadata {
            compression: Some(compression),
            uncompressed_size: Some(payload.len() as u32),
            num_messages_in_batch: Some(2),
            ..metadata()
        };
        let section = entry(&batch, &compress(&payload));
        let out = read(&section).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(decode(&out).records[1].1.value.as_deref() == Some(&large), "{name}");

        let single =
            MessageMetadata { uncompressed_size: Some(large.len() as u32), num_messages_in_batch: None, ..batch };
        let out = read(&entry(&single, &compress(&large))).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(decode(&out).records[0].1.value.as_deref() == Some(&large), "{name}");
    }
}

#[test]
fn an_empty_payload_under_any_compression_is_empty() {
    for (name, compression, compress) in PULSAR_CODECS {
        let metadata = MessageMetadata { compression: Some(compression), uncompressed_size: Some(0), ..metadata() };
        let out = read(&entry(&metadata, &compress(b""))).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decode(&out).records[0].1.value, Some(Vec::new()), "{name}");
    }
}

#[test]
fn records_that_decompress_to_more_than_the_limit_are_too_large() {
    let zeros = vec![0; 1 << 20];
    for (name, codec, compress) in KAFKA_CODECS.into_iter().skip(1) {
        let batch = Batch::of(&[Record::of_value(zeros.clone())]).compressed(codec, compress).encode();
        for (decompressed_max, fits) in [(2 << 20, true), (1 << 20, false), (100, false), (0, false)] {
            let result = send(&batch, &SendParams { decompressed_max, ..params() });
            match result {
                Ok(_) => assert!(fits, "{name} {decompressed_max}"),
                Err(error) => assert_eq!((error, fits), (BatchError::DecompressedTooLarge, false), "{name}"),
            }
        }
    }
}

#[test]
fn records_that_just_fit_the_limit_are_taken() {
    for (name, codec, compress) in KAFKA_CODECS.into_iter().skip(1) {
        let batch = Batch::of(&[Record::of_value(text(3, 50_000))]);
        let (plain, encoded) = (batch.records.len(), batch.compressed(codec, compress).encode());
        // An entry's payload is held to the same bound; Pulsar frames a lone record in a few bytes more.
        assert!(send(&encoded, &SendParams { decompressed_max: plain + 20, ..params() }).is_ok(), "{name}");
        let error = send(&encoded, &SendParams { decompressed_max: plain - 1, ..params() }).unwrap_err();
        assert_eq!(error, BatchError::DecompressedTooLarge, "{name}");
    }
}

#[test]
fn a_payload_that_claims_more_than_the_limit_is_refused_before_anything_is_done() {
    for (name, compression, compress) in PULSAR_CODECS.into_iter().skip(1) {
        let metadata =
            |size| MessageMetadata { compression: Some(compression), uncompressed_size: Some(size), ..metadata() };
        let payload = compress(&[1; 1000]);
        assert_eq!(read(&entry(&metadata(5 << 20), &payload)).unwrap_err(), EntryError::DecompressedTooLarge, "{name}");
        for wrong in [999, 1001, 4 << 20] {
            assert!(read(&entry(&metadata(wrong), &payload)).is_err(), "{name}");
        }
    }
}

#[test]
fn a_stream_cut_anywhere_is_an_error() {
    let plain = Batch::of(&[Record::of_value(text(5, 3000))]);
    for (name, codec, compress) in KAFKA_CODECS.into_iter().skip(1) {
        let whole = compress(&plain.records);
        for length in 0..whole.len() {
            let mut cut = plain.clone();
            cut.attributes = codec;
            cut.records = whole[..length].to_vec();
            let result = send(&cut.encode(), &params());
            // Behind the last block there may be marks and checksums that nothing depends on.
            assert!(result.is_err(), "{name}: {length} of {}", whole.len());
        }
    }
}

#[test]
fn damaged_streams_are_errors_or_other_records_but_never_a_panic() {
    let plain = Batch::of(&[Record::of_value(text(6, 2000)), Record::of_value(random_bytes(9, 300))]);
    let mut random = Random::new(11);
    for (_, codec, compress) in KAFKA_CODECS.into_iter().skip(1) {
        let whole = compress(&plain.records);
        for _ in 0..1500 {
            let mut damaged = plain.clone();
            damaged.attributes = codec;
            damaged.records = damage(&whole, &mut random);
            let _ = send(&damaged.encode(), &SendParams { decompressed_max: 1 << 20, ..params() });
        }
    }
    let payload = text(6, 2000);
    for (_, compression, compress) in PULSAR_CODECS.into_iter().skip(1) {
        let whole = compress(&payload);
        for _ in 0..1500 {
            let metadata =
                MessageMetadata { compression: Some(compression), uncompressed_size: Some(2000), ..metadata() };
            let _ = read(&entry(&metadata, &damage(&whole, &mut random)));
        }
    }
}

/// Some bytes changed, cut out or doubled; the front, where the heads are, more often than the rest.
fn damage(whole: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=random.below(4) {
        let reach = if random.below(2) == 0 { bytes.len().min(24) } else { bytes.len() };
        let at = random.below(reach);
        match random.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_within(at..),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = if random.below(2) == 0 { random.next() as u8 } else { 0xff };
                }
            }
        }
    }
    bytes
}

#[test]
fn lengths_that_only_claim_reserve_nothing() {
    let lengths: [(i16, Vec<u8>); 6] = [
        // Raw snappy of 4 GiB in five bytes.
        (2, vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
        // A xerial block of 4 GiB.
        (2, [&b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01"[..], &[0xff; 4]].concat()),
        // An LZ4 block of 2 GiB.
        (3, [&0x184d_2204_u32.to_le_bytes()[..], &[0x60, 0x70, 0], &0x7fff_ffff_u32.to_le_bytes()].concat()),
        // A zstd frame of 2^63 bytes, and a skippable one whose length wraps around in 32 bits.
        (4, [&0xfd2f_b528_u32.to_le_bytes()[..], &[0xe0], &(1_u64 << 63).to_le_bytes(), &[1, 0, 0]].concat()),
        (4, [&0x184d_2a50_u32.to_le_bytes()[..], &0xffff_fff8_u32.to_le_bytes()].concat()),
        (1, vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
    ];
    for (codec, stream) in lengths {
        let mut batch = Batch::of(&[Record::new(None, "x")]);
        (batch.attributes, batch.records) = (codec, stream);
        let mut scratch = Scratch::new();
        let bytes = batch.encode();
        let parsed = isthmus::records::KafkaBatch::parse(&bytes).unwrap();
        let result = isthmus::records::write_sends(&parsed, &params(), &mut scratch, &mut Vec::new(), &mut Vec::new());
        assert_eq!(result, Err(BatchError::Decompression));
        assert!(scratch.held_bytes() < 100_000);
    }
}

#[test]
fn scratch_gives_back_what_an_outsized_batch_took() {
    let batch = Batch::of(&[Record::of_value(vec![0; 12 << 20])]).compressed(1, gzip).encode();
    let parsed = isthmus::records::KafkaBatch::parse(&batch).unwrap();
    let mut scratch = Scratch::new();
    isthmus::records::write_sends(&parsed, &params(), &mut scratch, &mut Vec::new(), &mut Vec::new()).unwrap();
    assert!(scratch.held_bytes() <= 2 * isthmus::records::scratch::SCRATCH_KEEP_BYTES);
}

#[test]
fn one_scratch_serves_all_codecs_in_any_order() {
    let mut scratch = Scratch::new();
    let mut random = Random::new(5);
    for round in 0..60 {
        let (name, codec, compress) = KAFKA_CODECS[random.below(KAFKA_CODECS.len())];
        let records = [Record::of_value(text(round, random.below(90_000))), Record::of_value(random_bytes(round, 40))];
        let batch = Batch::of(&records).compressed(codec, compress).encode();
        let parsed = isthmus::records::KafkaBatch::parse(&batch).unwrap();
        let (mut out, mut sent) = (Vec::new(), Vec::new());
        isthmus::records::write_sends(&parsed, &params(), &mut scratch, &mut out, &mut sent).unwrap();
        let section = frames(&out).remove(0).section;
        let mut back = Vec::new();
        write_kafka_batch(&Entry::parse(&section).unwrap(), 0, &OPTIONS, &mut scratch, &mut back).unwrap();
        assert!(decode(&back).records.into_iter().map(|(_, record)| record).eq(records), "{name}");
    }
}

#[test]
fn the_test_compressors_do_what_their_names_say() {
    let plain = text(1, 5000);
    assert!(xerial(&plain).starts_with(b"\x82SNAPPY\0"));
    assert!(!snappy(&plain).starts_with(b"\x82SNAPPY\0"));
    // A zstd stream's descriptor has neither a content size nor a single segment.
    assert_eq!(zstd_stream(&plain)[4] & 0xe0, 0);
    assert!(zstd_frames(&plain).windows(4).any(|bytes| bytes == 0x184d_2a53_u32.to_le_bytes()));
    assert!(zlib(&plain, flate2::FlushCompress::Sync).ends_with(&[0, 0, 0xff, 0xff]));
    assert_eq!(lz4(&plain, lz4_flex::frame::FrameInfo::new())[..4], 0x184d_2204_u32.to_le_bytes());
}
