//! A Pulsar entry as a consumer receives it: what follows the command in a MESSAGE frame.
//!
//! `{[0x0e02][u32 size][BrokerEntryMetadata]}? {[0x0e01][u32 crc32c]}? [u32 metadata size][MessageMetadata][payload]`

use std::fmt;

use kafka_protocol::error::ResponseError;

use super::codecs::{CodecError, Compression};
use super::crc::Crc;
use super::cursor::Cursor;
use super::frame::CHECKSUM_MAGIC;
use super::metadata::{BrokerMetadata, Metadata};

/// Marks the broker's own metadata (`Commands.magicBrokerEntryMetadata`).
const BROKER_METADATA_MAGIC: u16 = 0x0e02;

/// One entry: its metadata parsed, its payload not.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What the checksum is over: metadata size, metadata, payload.
    pub(crate) covered: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) metadata: Metadata<'a>,
    pub(crate) broker: BrokerMetadata,
    pub(crate) checksum: Checksum,
}

/// How far an entry's bytes can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// It came without one, or has been verified.
    Settled,
    /// To be held against this.
    Due(u32),
}

/// Where a chunk of a chunked message stands (PIP-37).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The same in every chunk of a message.
    pub uuid: &'a [u8],
    /// From 0.
    pub id: u32,
    /// Chunks of the message.
    pub count: u32,
    /// Bytes of all chunks' payloads together, as the producer claims.
    pub total_bytes: usize,
}

impl<'a> Entry<'a> {
    /// Parses the entry and verifies its checksum, if it has one.
    pub fn parse(section: &'a [u8]) -> Result<Entry<'a>, EntryError> {
        let mut entry = Entry::parse_checksum_due(section)?;
        entry.verify()?;
        entry.checksum = Checksum::Settled;
        Ok(entry)
    }

    /// Parses the entry and leaves the checksum to whatever reads its payload: [`write_kafka_batch`] then reads each
    /// value once for both checksums. Until then, nothing here is known to be undamaged.
    ///
    /// [`write_kafka_batch`]: super::read::write_kafka_batch
    pub fn parse_checksum_due(section: &'a [u8]) -> Result<Entry<'a>, EntryError> {
        let mut rest = Cursor::new(section);
        let broker = take_broker_metadata(&mut rest).ok_or(EntryError::Malformed)?;
        let checksum = take_checksum(&mut rest).ok_or(EntryError::Malformed)?;
        let covered = rest.rest();
        let size = rest.u32().ok_or(EntryError::Malformed)?;
        let metadata = rest.take(size as usize).ok_or(EntryError::Malformed)?;
        let payload = rest.rest();
        let entry = match Metadata::parse(metadata) {
            Ok(metadata) => Entry { covered, payload, metadata, broker, checksum },
            Err(error) => return Err(blame(checksum, covered, error)),
        };
        Ok(entry)
    }

    /// Index of the entry's last message (PIP-70); none if the broker does not count.
    pub const fn index(&self) -> Option<u64> {
        self.broker.index
    }

    /// When the broker took the entry in, in milliseconds since the epoch.
    pub const fn broker_timestamp(&self) -> Option<u64> {
        self.broker.timestamp
    }

    /// The producer's clock, in milliseconds since the epoch.
    pub const fn publish_time(&self) -> u64 {
        self.metadata.publish_time
    }

    /// Messages in the entry, those that compaction took out included: each keeps its place.
    pub const fn num_messages(&self) -> u32 {
        match self.metadata.num_messages {
            Some(count) => count,
            None => 1,
        }
    }

    /// Whether the payload is a batch, if only of one.
    pub const fn is_batch(&self) -> bool {
        self.metadata.num_messages.is_some()
    }

    /// Whether the entry was written in a transaction.
    pub const fn is_transactional(&self) -> bool {
        self.metadata.transactional
    }

    /// UTF-8, unless somebody was careless.
    pub const fn producer_name(&self) -> &'a [u8] {
        self.metadata.producer_name
    }

    /// Of the first message.
    pub const fn sequence_id(&self) -> u64 {
        self.metadata.sequence_id
    }

    /// Of the last message.
    pub fn highest_sequence_id(&self) -> u64 {
        self.metadata.highest_sequence_id.max(self.metadata.sequence_id)
    }

    /// Where the entry stands in a chunked message, if it is part of one.
    pub const fn chunk(&self) -> Option<Chunk<'a>> {
        self.metadata.chunk
    }

    /// Whether only holders of a key can read it.
    pub const fn is_encrypted(&self) -> bool {
        self.metadata.encrypted
    }

    /// Whether KoP wrote it with `entryFormat` `kafka` or `mixed_kafka` (its AbstractEntryFormatter.java): no messages
    /// are in there, though it counts some. Pulsar's Go client, too, puts properties on a batch as a whole, those of its first message; but
    /// no message begins with zeros, as Kafka's batches do with their offset: its metadata has a size.
    pub(crate) fn holds_kafka_records(&self) -> bool {
        self.is_batch()
            && self.payload.starts_with(&[0; 4])
            && self.metadata.message.properties.has(b"entry.format", b"kafka")
    }

    /// Whether it is a marker of the broker's own (transactions, replicated subscriptions): no message for anybody.
    pub const fn is_marker(&self) -> bool {
        self.metadata.marker
    }

    /// Whether the payload stands as it is.
    pub(crate) fn is_uncompressed(&self) -> bool {
        self.metadata.compression == Some(Compression::None)
    }

    /// Bytes of the payload, as stored.
    pub const fn payload_bytes(&self) -> usize {
        self.payload.len()
    }

    /// Computes the checksum, if it is still due.
    pub(crate) fn verify(&self) -> Result<(), EntryError> {
        match self.checksum {
            Checksum::Settled => Ok(()),
            Checksum::Due(expected) if Crc::START.update(self.covered).finish() == expected => Ok(()),
            Checksum::Due(_) => Err(EntryError::ChecksumMismatch),
        }
    }

    /// What to say of a payload that cannot be read: damage, if the checksum says so.
    pub(crate) fn blame(&self, error: EntryError) -> EntryError {
        blame(self.checksum, self.covered, error)
    }
}

fn blame(checksum: Checksum, covered: &[u8], error: EntryError) -> EntryError {
    match checksum {
        Checksum::Due(expected) if Crc::START.update(covered).finish() != expected => EntryError::ChecksumMismatch,
        Checksum::Due(_) | Checksum::Settled => error,
    }
}

fn take_broker_metadata(rest: &mut Cursor<'_>) -> Option<BrokerMetadata> {
    let mut ahead = *rest;
    if ahead.u16() != Some(BROKER_METADATA_MAGIC) {
        return Some(BrokerMetadata::default());
    }
    let size = ahead.u32()?;
    let metadata = BrokerMetadata::parse(ahead.take(size as usize)?)?;
    *rest = ahead;
    Some(metadata)
}

fn take_checksum(rest: &mut Cursor<'_>) -> Option<Checksum> {
    let mut ahead = *rest;
    if ahead.u16() != Some(CHECKSUM_MAGIC) {
        return Some(Checksum::Settled);
    }
    let checksum = Checksum::Due(ahead.u32()?);
    *rest = ahead;
    Some(checksum)
}

/// Why an entry cannot be read. Not the Kafka client's fault: of whoever wrote the entry, or of what stored it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// Cut short or badly built.
    Malformed,
    /// The CRC32C differs.
    ChecksumMismatch,
    /// Encrypted by its producer: the filter has no keys.
    Encrypted,
    /// A compression type that is not known here.
    UnknownCompression,
    /// The payload does not decompress.
    Decompression,
    /// The payload, once decompressed, exceeds the limit.
    DecompressedTooLarge,
    /// Part of a chunked message, which must be put together first.
    IncompleteChunk,
    /// Its payload is Kafka's own record batches, as KoP keeps them.
    KafkaRecords,
    /// A decompressor failed. The filter's fault.
    Internal,
}

impl EntryError {
    /// What the partition's fetch is answered with. The error is not retriable for an application: clients raise it, as
    /// for a record that is corrupt in Kafka's own log.
    pub const fn kafka_error(self) -> ResponseError {
        match self {
            EntryError::Malformed
            | EntryError::ChecksumMismatch
            | EntryError::Encrypted
            | EntryError::UnknownCompression
            | EntryError::Decompression
            | EntryError::DecompressedTooLarge
            | EntryError::IncompleteChunk
            | EntryError::KafkaRecords => ResponseError::CorruptMessage,
            EntryError::Internal => ResponseError::UnknownServerError,
        }
    }
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EntryError::Malformed => "the entry is cut short or badly built",
            EntryError::ChecksumMismatch => "the entry's checksum does not match",
            EntryError::Encrypted => "the entry is encrypted",
            EntryError::UnknownCompression => "the entry's compression type is not known",
            EntryError::Decompression => "the entry's payload does not decompress",
            EntryError::DecompressedTooLarge => "the entry's decompressed payload exceeds the limit",
            EntryError::IncompleteChunk => "the entry is one chunk of a message",
            EntryError::KafkaRecords => "the entry is in KoP's format `kafka`",
            EntryError::Internal => "a decompressor failed",
        })
    }
}

impl std::error::Error for EntryError {}

impl From<CodecError> for EntryError {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Corrupt => EntryError::Decompression,
            CodecError::TooLarge => EntryError::DecompressedTooLarge,
            CodecError::Internal => EntryError::Internal,
        }
    }
}
