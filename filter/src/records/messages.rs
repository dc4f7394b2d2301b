//! The messages of an entry, one after the other, whether it is a batch or not.

use super::codecs::Codecs;
use super::cursor::Cursor;
use super::entry::{Entry, EntryError};
use super::metadata::{Message, SingleMetadata};

/// How entries are read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions {
    /// Bound of an entry's payload once decompressed.
    pub decompressed_max: usize,
}

/// One message that is really there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    /// Place in the entry, from 0.
    pub(crate) place: u32,
    pub(crate) message: Message<'a>,
    pub(crate) timestamp: i64,
    /// The payload, also of a message that is null.
    pub(crate) payload: &'a [u8],
    /// Bytes of the entry's payload behind this one.
    pub(crate) behind: usize,
}

/// Walks a payload that is no longer compressed.
pub(crate) struct Messages<'a> {
    entry: Entry<'a>,
    rest: Cursor<'a>,
    next: u32,
}

/// The entry's payload, decompressed to the front of `plain` if need be.
pub(crate) fn open<'b>(
    entry: &Entry<'b>,
    options: &ReadOptions,
    codecs: &mut Codecs,
    plain: &'b mut Vec<u8>,
) -> Result<&'b [u8], EntryError> {
    if entry.is_encrypted() {
        return Err(EntryError::Encrypted);
    }
    if entry.chunk().is_some() {
        return Err(EntryError::IncompleteChunk);
    }
    if entry.holds_kafka_records() {
        return Err(EntryError::KafkaRecords);
    }
    if entry.is_uncompressed() {
        return Ok(entry.payload);
    }
    entry.verify()?;
    let compression = entry.metadata.compression.ok_or(EntryError::UnknownCompression)?;
    let size = entry.metadata.uncompressed_size;
    let size = codecs.decompress_pulsar(compression, entry.payload, size, options.decompressed_max, plain)?;
    Ok(plain.get(..size).unwrap_or_default())
}

impl<'a> Messages<'a> {
    /// `payload` is the entry's, decompressed.
    pub(crate) fn new(entry: Entry<'a>, payload: &'a [u8]) -> Messages<'a> {
        Messages { entry, rest: Cursor::new(payload), next: 0 }
    }

    /// The next message that compaction has left.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<Item<'a>>, EntryError> {
        if self.entry.is_marker() {
            return Ok(None);
        }
        if !self.entry.is_batch() {
            return Ok(self.take_single());
        }
        while self.next < self.entry.num_messages() {
            let place = self.next;
            self.next = self.next.saturating_add(1);
            let size = self.rest.u32().ok_or(EntryError::Malformed)?;
            let metadata = self.rest.take(size as usize).ok_or(EntryError::Malformed)?;
            let single = SingleMetadata::parse(metadata)?;
            let payload = self.rest.take(single.payload_size).ok_or(EntryError::Malformed)?;
            if single.compacted_out {
                continue;
            }
            return Ok(Some(self.item(place, single.message, payload)));
        }
        Ok(None)
    }

    fn take_single(&mut self) -> Option<Item<'a>> {
        if self.next > 0 {
            return None;
        }
        self.next = 1;
        let payload = self.rest.rest();
        self.rest = Cursor::new(&[]);
        Some(self.item(0, self.entry.metadata.message, payload))
    }

    #[inline(always)]
    fn item(&self, place: u32, message: Message<'a>, payload: &'a [u8]) -> Item<'a> {
        Item { place, timestamp: self.timestamp(&message), message, payload, behind: self.rest.rest().len() }
    }

    /// The property that only this filter writes, else event time, else the broker's clock, else the producer's.
    #[inline(always)]
    fn timestamp(&self, message: &Message<'_>) -> i64 {
        if let Some(timestamp) = message.properties.timestamp() {
            return timestamp;
        }
        let millis = match message.event_time {
            0 => self.entry.broker_timestamp().unwrap_or(self.entry.publish_time()),
            time => time,
        };
        i64::try_from(millis).unwrap_or(i64::MAX)
    }
}
