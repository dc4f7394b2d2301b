//! Timestamps of an entry's records, for ListOffsets.

use super::entry::{Entry, EntryError};
use super::messages::{Item, Messages, ReadOptions, open};
use super::scratch::Scratch;

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOffset {
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
}

/// The first record from offset `least` on whose timestamp is not before `timestamp`, if the entry has one.
///
/// `base_offset` is the offset of the message with batch index 0, here as everywhere.
pub fn first_at_or_after(
    entry: &Entry<'_>,
    base_offset: i64,
    least: i64,
    timestamp: i64,
    options: &ReadOptions,
    scratch: &mut Scratch,
) -> Result<Option<TimedOffset>, EntryError> {
    let mut found = None;
    walk(entry, base_offset, options, scratch, |record| {
        if record.offset >= least && record.timestamp >= timestamp {
            found = Some(record);
        }
        found.is_none()
    })?;
    Ok(found)
}

/// Of the records from offset `least` on, the one with the greatest timestamp, the first of several; none if there is no record.
pub fn greatest(
    entry: &Entry<'_>,
    base_offset: i64,
    least: i64,
    options: &ReadOptions,
    scratch: &mut Scratch,
) -> Result<Option<TimedOffset>, EntryError> {
    let mut greatest: Option<TimedOffset> = None;
    walk(entry, base_offset, options, scratch, |record| {
        if record.offset >= least && greatest.is_none_or(|so_far| record.timestamp > so_far.timestamp) {
            greatest = Some(record);
        }
        true
    })?;
    Ok(greatest)
}

/// Shows every record to `visit` until it says no.
fn walk(
    entry: &Entry<'_>,
    base_offset: i64,
    options: &ReadOptions,
    scratch: &mut Scratch,
    mut visit: impl FnMut(TimedOffset) -> bool,
) -> Result<(), EntryError> {
    entry.verify()?;
    let Scratch { codecs, plain, .. } = scratch;
    let payload = open(entry, options, codecs, plain)?;
    let mut messages = Messages::new(*entry, payload);
    while let Some(Item { place, timestamp, .. }) = messages.next()? {
        let offset = base_offset.saturating_add(i64::from(place));
        if !visit(TimedOffset { offset, timestamp }) {
            break;
        }
    }
    scratch.trim();
    Ok(())
}
