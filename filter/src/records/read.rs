//! Pulsar to Kafka: an entry becomes a record batch, version 2.

use super::base64;
use super::batch::HEADER_BYTES;
use super::crc::{Crc, Shifts};
use super::entry::{Checksum, Entry, EntryError};
use super::messages::{Item, Messages, open};
use super::metadata::Key;
use super::scratch::Scratch;
use super::staging::{Put, Staging};
use super::twin::Twin;
use super::varint::{zigzag, zigzag_len};

pub use super::messages::ReadOptions;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSpan {
    /// Of the entry's first message, whether it is there or not.
    pub base_offset: i64,
    /// Of the entry's last message, whether it is there or not: so far the batch reaches, as in Kafka's own compacted logs. One less
    /// than `base_offset` if there is no record.
    pub last_offset: i64,
    /// 0 if nothing was written: a marker, or compaction has taken everything out.
    pub records: u32,
    /// Of the first record, in milliseconds since the epoch; -1 if there is none.
    pub first_timestamp: i64,
    /// The greatest; -1 if there is no record.
    pub max_timestamp: i64,
    /// Bytes that were appended.
    pub bytes: usize,
}

/// Appends the entry to `out` as one record batch, uncompressed.
///
/// `base_offset` is the offset of the message with batch index 0. Messages that compaction took out leave a gap. On an
/// error `out` is as it was.
pub fn write_kafka_batch(
    entry: &Entry<'_>,
    base_offset: i64,
    options: &ReadOptions,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<BatchSpan, EntryError> {
    let before = out.len();
    let result = write_batch(entry, base_offset, options, scratch, out);
    if !result.is_ok_and(|span| span.records > 0) {
        out.truncate(before);
    }
    scratch.trim();
    result
}

fn write_batch(
    entry: &Entry<'_>,
    base_offset: i64,
    options: &ReadOptions,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<BatchSpan, EntryError> {
    let Scratch { codecs, plain, payload: decoded, .. } = scratch;
    let payload = open(entry, options, codecs, plain)?;
    let start = out.len();
    out.reserve(payload.len().saturating_add(HEADER_BYTES).saturating_add(RESERVE_SLACK_BYTES));
    out.put_slice(&[0; HEADER_BYTES]);
    let records_at = out.len();
    let mut crcs = Checksums::new(entry, records_at);
    let mut messages = Messages::new(*entry, payload);
    let mut tally = Tally::EMPTY;
    while let Some(item) = messages.next().map_err(|error| entry.blame(error))? {
        tally.add(&item);
        write_record(&item, &tally, decoded, out, |out| crcs.value(entry, &item, out));
    }
    let records = crcs.finish(entry, records_at, out)?;
    let last_place = entry.num_messages().saturating_sub(1);
    let span = tally.span(base_offset, last_place, out.len().saturating_sub(start));
    if span.records > 0 {
        write_header(&tally, base_offset, last_place, start, records, out)?;
    }
    Ok(span)
}

/// Kafka frames most messages in fewer bytes than Pulsar; one that has no event time may take more.
const RESERVE_SLACK_BYTES: usize = 512;

/// The checksums of an entry and of the batch it becomes.
enum Checksums {
    /// The entry's is due, and its values stand in it as they will in the batch.
    Both(Twin),
    /// Only the batch's.
    Batch,
}

impl Checksums {
    fn new(entry: &Entry<'_>, records_at: usize) -> Checksums {
        match entry.checksum {
            // A compressed entry was verified before it was opened.
            Checksum::Due(_) if entry.is_uncompressed() => {
                Checksums::Both(Twin::new(Crc::START, 0, Crc::ZERO, records_at))
            }
            Checksum::Due(_) | Checksum::Settled => Checksums::Batch,
        }
    }

    /// The item's payload has just been appended to `out`.
    #[inline(always)]
    fn value(&mut self, entry: &Entry<'_>, item: &Item<'_>, out: &[u8]) {
        if let Checksums::Both(twin) = self {
            let length = item.payload.len();
            let at = entry.covered.len().saturating_sub(item.behind).saturating_sub(length);
            twin.value(entry.covered, at, out, length);
        }
    }

    /// The records' share of the batch's checksum, once the entry's is right.
    fn finish(self, entry: &Entry<'_>, records_at: usize, out: &[u8]) -> Result<Crc, EntryError> {
        match self {
            Checksums::Batch => Ok(Crc::ZERO.update(out.get(records_at..).unwrap_or_default())),
            Checksums::Both(twin) => {
                let (pulsar, kafka) = twin.finish(entry.covered, out);
                if entry.checksum == Checksum::Due(pulsar.finish()) {
                    Ok(kafka)
                } else {
                    Err(EntryError::ChecksumMismatch)
                }
            }
        }
    }
}

/// What the batch's header tells of its records.
#[derive(Clone, Copy)]
struct Tally {
    records: u32,
    first_timestamp: i64,
    max_timestamp: i64,
}

impl Tally {
    const EMPTY: Tally = Tally { records: 0, first_timestamp: -1, max_timestamp: -1 };

    #[inline(always)]
    fn add(&mut self, item: &Item<'_>) {
        if self.records == 0 {
            self.first_timestamp = item.timestamp;
            self.max_timestamp = item.timestamp;
        }
        self.records = self.records.saturating_add(1);
        self.max_timestamp = self.max_timestamp.max(item.timestamp);
    }

    fn span(&self, base_offset: i64, last_place: u32, bytes: usize) -> BatchSpan {
        let empty = self.records == 0;
        BatchSpan {
            base_offset,
            last_offset: base_offset.saturating_add(if empty { -1 } else { i64::from(last_place) }),
            records: self.records,
            first_timestamp: self.first_timestamp,
            max_timestamp: self.max_timestamp,
            bytes: if empty { 0 } else { bytes },
        }
    }
}

/// Appends one record; calls `after_value` when its value, if it has one, is the last thing in `out`.
#[inline(always)]
fn write_record(
    item: &Item<'_>,
    tally: &Tally,
    decoded: &mut Vec<u8>,
    out: &mut Vec<u8>,
    after_value: impl FnOnce(&[u8]),
) {
    let message = &item.message;
    let headers = message.properties.resolve(decoded);
    let key = message.key();
    let key_len = match key {
        Key::Null => None,
        Key::Bytes(bytes) => Some(bytes.len()),
        Key::Base64 { len, .. } => Some(len),
    };
    let value_len = (!message.value_is_null).then_some(item.payload.len());
    // Places are below 2^31: they count an int32.
    let offset_delta = i64::from(item.place);
    let timestamp_delta = item.timestamp.wrapping_sub(tally.first_timestamp);
    let length = 1_usize
        .saturating_add(zigzag_len(timestamp_delta))
        .saturating_add(zigzag_len(offset_delta))
        .saturating_add(nullable_len(key_len))
        .saturating_add(nullable_len(value_len))
        .saturating_add(headers.len(decoded));

    let mut fields = Staging::new();
    fields.put_varint(zigzag(length as i64));
    fields.put_u8(0);
    fields.put_varint(zigzag(timestamp_delta));
    fields.put_varint(zigzag(offset_delta));
    put_nullable_length(key_len, &mut fields);
    match key {
        Key::Null => {}
        Key::Bytes(bytes) => {
            fields.append_to(out);
            fields = Staging::new();
            out.put_slice(bytes);
        }
        Key::Base64 { text, .. } => {
            fields.append_to(out);
            fields = Staging::new();
            base64::decode(text, out);
        }
    }
    put_nullable_length(value_len, &mut fields);
    fields.append_to(out);
    if value_len.is_some() {
        out.put_slice(item.payload);
        after_value(out);
    }
    message.properties.write(headers, decoded, out);
}

/// Bytes of an optional field with its length.
#[inline]
fn nullable_len(length: Option<usize>) -> usize {
    match length {
        None => 1,
        Some(length) => zigzag_len(length as i64).saturating_add(length),
    }
}

#[inline]
fn put_nullable_length(length: Option<usize>, fields: &mut Staging) {
    fields.put_varint(zigzag(length.map_or(-1, |length| length as i64)));
}

/// Fills in the header in front of the records (DefaultRecordBatch.java).
fn write_header(
    tally: &Tally,
    base_offset: i64,
    last_place: u32,
    start: usize,
    records: Crc,
    out: &mut [u8],
) -> Result<(), EntryError> {
    let header_end = start.saturating_add(HEADER_BYTES);
    let records_len = out.len().saturating_sub(header_end);
    let length = i32::try_from(records_len.saturating_add(HEADER_BYTES - 12));
    let length = length.map_err(|_| EntryError::DecompressedTooLarge)?;

    let mut covered = Staging::new();
    covered.put_slice(&0_i16.to_be_bytes()); // attributes: uncompressed, created by the client
    covered.put_slice(&last_place.to_be_bytes());
    covered.put_slice(&tally.first_timestamp.to_be_bytes());
    covered.put_slice(&tally.max_timestamp.to_be_bytes());
    covered.put_slice(&(-1_i64).to_be_bytes()); // producer id
    covered.put_slice(&(-1_i16).to_be_bytes()); // producer epoch
    covered.put_slice(&(-1_i32).to_be_bytes()); // base sequence
    covered.put_slice(&tally.records.to_be_bytes());
    let crc = Shifts::get().join(Crc::START.update(covered.as_slice()), records, records_len);

    let mut front = Staging::new();
    front.put_slice(&base_offset.to_be_bytes());
    front.put_slice(&length.to_be_bytes());
    front.put_slice(&0_i32.to_be_bytes()); // partition leader epoch
    front.put_u8(2); // magic
    front.put_slice(&crc.finish().to_be_bytes());

    let header = out.get_mut(start..header_end).unwrap_or_default();
    for (byte, value) in header.iter_mut().zip(front.as_slice().iter().chain(covered.as_slice())) {
        *byte = *value;
    }
    Ok(())
}
