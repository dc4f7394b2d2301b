//! Which records of a batch go into which entry, when one entry cannot take them all.
//!
//! A retried batch must be cut where it was cut before: Pulsar's deduplication judges an entry by its lowest sequence
//! id alone. So the plan is made of the whole batch and the limits, and of nothing else.

use super::batch::BatchError;
use super::key::PartitionKey;
use super::record::{Record, Records};
use super::write::{SendParams, fits, message_len, overhead};

/// Entries that one batch may become. Each is a SEND of its own that has to be answered.
pub const MAX_ENTRIES_PER_BATCH: usize = 10_000;

/// What an entry may hold.
pub(crate) struct Limits {
    /// Of the entry as stored.
    pub(crate) entry_bytes: usize,
    /// Of its payload before compression.
    pub(crate) payload_bytes: usize,
    /// Whether the payload will be compressed. How far is not known here: room is left for what does not compress.
    pub(crate) compressed: bool,
}

/// Fills `entries` with the number of records of each entry.
pub(crate) fn plan(
    records: Records<'_>,
    count: u32,
    params: &SendParams<'_>,
    limits: &Limits,
    entries: &mut Vec<u32>,
) -> Result<(), BatchError> {
    let mut records = records;
    entries.clear();
    let mut open: Option<OpenEntry<'_>> = None;
    for _ in 0..count {
        let record = records.next()?;
        let bytes = message_len(&record);
        if let Some(entry) = &mut open {
            let stays = !params.one_entry_per_key || entry.key == record.key;
            let stays = stays && entry.records < params.max_entry_records;
            if stays && fits(limits, entry.overhead, entry.payload.saturating_add(bytes)) {
                entry.records = entry.records.saturating_add(1);
                entry.payload = entry.payload.saturating_add(bytes);
                continue;
            }
        }
        if let Some(full) = open.replace(OpenEntry::begin(&record, bytes, params, limits)?) {
            close(full, entries)?;
        }
    }
    open.map_or(Ok(()), |last| close(last, entries))
}

fn close(entry: OpenEntry<'_>, entries: &mut Vec<u32>) -> Result<(), BatchError> {
    if entries.len() >= MAX_ENTRIES_PER_BATCH {
        return Err(BatchError::TooManyEntries);
    }
    entries.push(entry.records);
    Ok(())
}

/// The entry that the next record may join.
struct OpenEntry<'a> {
    key: Option<&'a [u8]>,
    overhead: usize,
    payload: usize,
    records: u32,
}

impl<'a> OpenEntry<'a> {
    fn begin(
        record: &Record<'a>,
        bytes: usize,
        params: &SendParams<'_>,
        limits: &Limits,
    ) -> Result<OpenEntry<'a>, BatchError> {
        let overhead = overhead(params.producer_name, &PartitionKey::of(record.key));
        // A lone record may compress better than feared; the finished entry is measured again.
        let hopeless = if limits.compressed { bytes > limits.payload_bytes } else { !fits(limits, overhead, bytes) };
        if hopeless {
            return Err(BatchError::RecordTooLarge);
        }
        Ok(OpenEntry { key: record.key, overhead, payload: bytes, records: 1 })
    }
}
