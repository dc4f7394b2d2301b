//! A Kafka record batch as it came in a Produce request: its header, checked.

use std::fmt;

use kafka_protocol::error::ResponseError;
use nom::number::complete::{be_i8, be_i16, be_i32, be_i64, be_u32};

use super::codecs::{Codec, CodecError};
use super::crc::Crc;

/// Bytes before what the length field counts: base offset and length (DefaultRecordBatch.java).
const LENGTH_END: usize = 12;
/// Bytes as far as the magic: with fewer, Kafka's broker sees no batch at all.
const MAGIC_END: usize = 17;
/// Bytes before what the checksum covers.
const CRC_END: usize = 21;
/// Bytes before the records.
pub(crate) const HEADER_BYTES: usize = 61;
/// The shortest record: its length, attributes, timestamp, offset, two lengths of -1 and a header count of 0.
const RECORD_MIN_BYTES: usize = 7;

const MAGIC: i8 = 2;
const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// One record batch, version 2, with a header as Kafka's broker wants it from a producer. The records behind it have
/// not been looked at, nor has the checksum.
#[derive(Clone, Copy, Debug)]
pub struct KafkaBatch<'a> {
    covered: &'a [u8],
    records: &'a [u8],
    crc: u32,
    attributes: i16,
    codec: Codec,
    base_timestamp: i64,
    max_timestamp: i64,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    record_count: u32,
}

impl<'a> KafkaBatch<'a> {
    /// Parses the `records` field of one partition of a Produce request: exactly one batch.
    ///
    /// Checks what Kafka's broker checks before it looks at single records (`LogValidator.java`,
    /// `ProduceRequest.validateRecords`). Does not read the records, does not compute the checksum. Bytes behind the
    /// batch that are no whole batch are ignored, as there (`ByteBufferLogInputStream.nextBatch`).
    pub fn parse(records: &'a [u8]) -> Result<KafkaBatch<'a>, BatchError> {
        if records.is_empty() {
            return Err(BatchError::NoBatch);
        }
        let header = Header::parse(records).ok_or(BatchError::Truncated)?;
        // Up to the magic, the older formats look the same; behind it nothing may be believed if it is not 2.
        if header.magic != MAGIC {
            return Err(BatchError::UnsupportedMagic);
        }
        let length = usize::try_from(header.length).map_err(|_| BatchError::LengthTooSmall)?;
        let whole = LENGTH_END.saturating_add(length);
        if whole < HEADER_BYTES {
            return Err(BatchError::LengthTooSmall);
        }
        if whole > records.len() {
            return Err(BatchError::Truncated);
        }
        if is_batch(records.get(whole..).unwrap_or_default()) {
            return Err(BatchError::MoreThanOneBatch);
        }
        let covered = records.get(CRC_END..whole).ok_or(BatchError::Truncated)?;
        let section = records.get(HEADER_BYTES..whole).ok_or(BatchError::Truncated)?;
        let damaged = |error| {
            if Crc::START.update(covered).finish() == header.crc { error } else { BatchError::ChecksumMismatch }
        };
        let (record_count, codec) = header.check(section.len()).map_err(damaged)?;
        Ok(KafkaBatch {
            covered,
            records: section,
            crc: header.crc,
            attributes: header.attributes,
            codec,
            base_timestamp: header.base_timestamp,
            max_timestamp: header.max_timestamp,
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            record_count,
        })
    }

    /// -1 where the producer is not idempotent.
    pub const fn producer_id(&self) -> i64 {
        self.producer_id
    }

    /// -1 where the producer is not idempotent.
    pub const fn producer_epoch(&self) -> i16 {
        self.producer_epoch
    }

    /// Sequence number of the first record; not negative if there is a producer id.
    pub const fn base_sequence(&self) -> i32 {
        self.base_sequence
    }

    /// At least 1. The records may still turn out to be fewer.
    pub const fn record_count(&self) -> u32 {
        self.record_count
    }

    /// What the records are compressed with.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Whether the batch belongs to a transaction.
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Milliseconds since the epoch, as the producer claims.
    pub const fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// What the records' timestamps count from.
    pub(crate) const fn base_timestamp(&self) -> i64 {
        self.base_timestamp
    }

    /// The records, compressed if there is a codec.
    pub(crate) const fn records(&self) -> &'a [u8] {
        self.records
    }

    /// The checksum as far as the records.
    pub(crate) fn crc_before_records(&self) -> Crc {
        Crc::START.update(self.covered.get(..HEADER_BYTES.saturating_sub(CRC_END)).unwrap_or_default())
    }

    /// Holds `crc` of the whole batch against the one it came with.
    pub(crate) fn check_crc(&self, crc: Crc) -> Result<(), BatchError> {
        if crc.finish() == self.crc { Ok(()) } else { Err(BatchError::ChecksumMismatch) }
    }

    /// Computes the checksum and compares.
    pub(crate) fn verify(&self) -> Result<(), BatchError> {
        self.check_crc(Crc::START.update(self.covered))
    }
}

/// Whether Kafka's broker would take these bytes for a batch, good or bad.
fn is_batch(bytes: &[u8]) -> bool {
    let length = || be_i32::<_, ()>(bytes.get(LENGTH_END.saturating_sub(4)..)?).ok().map(|(_, length)| length);
    bytes.len() >= MAGIC_END
        && length().is_some_and(|length| {
            usize::try_from(length).map_or(true, |length| LENGTH_END.saturating_add(length) <= bytes.len())
        })
}

/// The header's fields as they stand.
struct Header {
    base_offset: i64,
    length: i32,
    magic: i8,
    crc: u32,
    attributes: i16,
    last_offset_delta: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    record_count: i32,
}

impl Header {
    fn parse(input: &[u8]) -> Option<Header> {
        fn fields(i: &[u8]) -> nom::IResult<&[u8], Header, ()> {
            let (i, base_offset) = be_i64(i)?;
            let (i, length) = be_i32(i)?;
            let (i, _partition_leader_epoch) = be_i32(i)?;
            let (i, magic) = be_i8(i)?;
            let (i, crc) = be_u32(i)?;
            let (i, attributes) = be_i16(i)?;
            let (i, last_offset_delta) = be_i32(i)?;
            let (i, base_timestamp) = be_i64(i)?;
            let (i, max_timestamp) = be_i64(i)?;
            let (i, producer_id) = be_i64(i)?;
            let (i, producer_epoch) = be_i16(i)?;
            let (i, base_sequence) = be_i32(i)?;
            let (i, record_count) = be_i32(i)?;
            let header = Header {
                base_offset,
                length,
                magic,
                crc,
                attributes,
                last_offset_delta,
                base_timestamp,
                max_timestamp,
                producer_id,
                producer_epoch,
                base_sequence,
                record_count,
            };
            Ok((i, header))
        }
        fields(input).ok().map(|(_, header)| header)
    }

    /// The rules for a producer's header; the record count and the codec if it keeps them.
    fn check(&self, section_bytes: usize) -> Result<(u32, Codec), BatchError> {
        if self.base_offset != 0 {
            return Err(BatchError::BaseOffsetNotZero);
        }
        let count = u32::try_from(self.record_count).ok().filter(|count| *count > 0).ok_or(BatchError::WrongCount)?;
        if self.last_offset_delta != self.record_count.saturating_sub(1) {
            return Err(BatchError::WrongCount);
        }
        if self.attributes & CONTROL != 0 {
            return Err(BatchError::ControlBatch);
        }
        if self.producer_id >= 0 && self.base_sequence < 0 {
            return Err(BatchError::NoSequence);
        }
        if self.attributes & LOG_APPEND_TIME != 0 {
            return Err(BatchError::LogAppendTime);
        }
        let codec = Codec::from_attributes(self.attributes).ok_or(BatchError::UnknownCodec)?;
        let room_for = section_bytes / RECORD_MIN_BYTES;
        if codec == Codec::None && usize::try_from(count).is_ok_and(|count| count > room_for) {
            return Err(BatchError::MalformedRecord);
        }
        Ok((count, codec))
    }
}

/// Why a batch cannot be written. The client's fault, but for [`BatchError::Internal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// Not a byte.
    NoBatch,
    /// Shorter than its header, or than its length says.
    Truncated,
    /// The length does not even hold the header.
    LengthTooSmall,
    /// A message set of Kafka's first two formats, or none of its formats at all.
    UnsupportedMagic,
    /// Another batch stands behind the first.
    MoreThanOneBatch,
    /// The CRC32C differs.
    ChecksumMismatch,
    /// No record, or a last offset that does not fit the count.
    WrongCount,
    /// Only a broker may say where a batch stands.
    BaseOffsetNotZero,
    /// Only a broker may write control batches.
    ControlBatch,
    /// A producer id without a sequence number.
    NoSequence,
    /// Only a broker may set the time of appending.
    LogAppendTime,
    /// A codec number that means nothing.
    UnknownCodec,
    /// A record that is cut short, badly numbered or badly built; or fewer or more of them than the header counts.
    MalformedRecord,
    /// The records do not decompress.
    Decompression,
    /// The records, once decompressed, exceed the limit.
    DecompressedTooLarge,
    /// A record does not fit one Pulsar entry.
    RecordTooLarge,
    /// The batch would become more entries than one batch may.
    TooManyEntries,
    /// A compressor failed. The filter's fault.
    Internal,
}

impl BatchError {
    /// What Kafka's broker answers in this case.
    pub const fn kafka_error(self) -> ResponseError {
        match self {
            BatchError::NoBatch
            | BatchError::Truncated
            | BatchError::UnsupportedMagic
            | BatchError::MoreThanOneBatch
            | BatchError::WrongCount
            | BatchError::BaseOffsetNotZero
            | BatchError::ControlBatch
            | BatchError::NoSequence
            | BatchError::MalformedRecord
            | BatchError::Decompression => ResponseError::InvalidRecord,
            BatchError::LengthTooSmall | BatchError::ChecksumMismatch => ResponseError::CorruptMessage,
            BatchError::LogAppendTime => ResponseError::InvalidTimestamp,
            BatchError::UnknownCodec => ResponseError::UnsupportedCompressionType,
            BatchError::DecompressedTooLarge | BatchError::RecordTooLarge | BatchError::TooManyEntries => {
                ResponseError::MessageTooLarge
            }
            BatchError::Internal => ResponseError::UnknownServerError,
        }
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BatchError::NoBatch => "no record batch",
            BatchError::Truncated => "the record batch is cut short",
            BatchError::LengthTooSmall => "the record batch's length is less than its header",
            BatchError::UnsupportedMagic => "only record batches of version 2 are accepted",
            BatchError::MoreThanOneBatch => "more than one record batch for a partition",
            BatchError::ChecksumMismatch => "the record batch's checksum does not match",
            BatchError::WrongCount => "the record count is not positive or not the last offset plus one",
            BatchError::BaseOffsetNotZero => "the base offset is not 0",
            BatchError::ControlBatch => "a client may not write control batches",
            BatchError::NoSequence => "a producer id without a sequence number",
            BatchError::LogAppendTime => "a client may not set the log append time",
            BatchError::UnknownCodec => "unknown compression codec",
            BatchError::MalformedRecord => "malformed record",
            BatchError::Decompression => "the records do not decompress",
            BatchError::DecompressedTooLarge => "the decompressed records exceed the limit",
            BatchError::RecordTooLarge => "a record exceeds the broker's maximum message size",
            BatchError::TooManyEntries => "the batch would be split into too many entries",
            BatchError::Internal => "the records could not be compressed",
        })
    }
}

impl std::error::Error for BatchError {}

impl From<CodecError> for BatchError {
    /// What a decompressor says of a client's records.
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Corrupt => BatchError::Decompression,
            CodecError::TooLarge => BatchError::DecompressedTooLarge,
            CodecError::Internal => BatchError::Internal,
        }
    }
}
