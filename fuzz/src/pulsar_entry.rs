//! A Pulsar producer's entry, whoever wrote it: into a Kafka batch.

use isthmus::records::crc::crc32c;
use isthmus::records::times::{first_at_or_after, greatest};
use isthmus::records::{BatchSpan, Entry, ReadOptions, Scratch, write_kafka_batch};

const OPTIONS: ReadOptions = ReadOptions { decompressed_max: 1 << 20 };

/// Reads `input` as an entry, and again behind a checksum that is right.
pub fn run(input: &[u8]) {
    section(input);
    section(&[b"\x0e\x01", crc32c(input).to_be_bytes().as_slice(), input].concat());
}

fn section(section: &[u8]) {
    let mut scratch = Scratch::new();
    let Ok(entry) = Entry::parse(section) else { return };
    let mut batch = Vec::new();
    let written = write_kafka_batch(&entry, 0, &OPTIONS, &mut scratch, &mut batch);
    let at_once = Entry::parse_checksum_due(section).expect("it has been parsed before");
    let mut same_batch = Vec::new();
    assert_eq!(write_kafka_batch(&at_once, 0, &OPTIONS, &mut scratch, &mut same_batch), written);
    assert_eq!(same_batch, batch);
    let _ = first_at_or_after(&entry, 0, 0, 0, &OPTIONS, &mut scratch);
    let latest = greatest(&entry, 0, 0, &OPTIONS, &mut scratch);
    let Ok(span) = written else { return assert!(batch.is_empty()) };
    if span.records > 0 {
        header_tells(&batch, &span);
        assert_eq!(latest.ok().flatten().map(|record| record.timestamp), Some(span.max_timestamp));
    }
}

/// The header, field by field: a batch with gaps, as compaction leaves them, is not one that a producer may send.
fn header_tells(batch: &[u8], span: &BatchSpan) {
    let field = |at: usize| i32::from_be_bytes(batch[at..at + 4].try_into().unwrap());
    assert_eq!(field(8), i32::try_from(batch.len() - 12).unwrap(), "length");
    assert_eq!(batch[16], 2, "magic");
    assert_eq!(field(17), crc32c(&batch[21..]).cast_signed(), "checksum");
    assert_eq!(i64::from(field(23)), span.last_offset - span.base_offset, "last offset delta");
    assert_eq!(field(57), span.records.cast_signed(), "count");
    assert!(span.last_offset - span.base_offset + 1 >= i64::from(span.records));
}
