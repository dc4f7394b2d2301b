//! Kafka to Pulsar: a record batch becomes SEND frames.

use crate::time::UnixMillis;

use super::batch::{BatchError, KafkaBatch};
use super::codecs::{Codec, compressed_bound};
use super::crc::Crc;
use super::frame::{ENTRY_FIXED_BYTES, Head, OpenFrame};
use super::key::PartitionKey;
use super::message::Message;
use super::record::{Malformed, Record, Records};
use super::scratch::Scratch;
use super::split::{Limits, plan};
use super::twin::Twin;

/// How a batch is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct SendParams<'a> {
    /// Pulsar's id of the producer on this connection.
    pub producer_id: u64,
    /// The producer's name, as in PRODUCER_SUCCESS.
    pub producer_name: &'a str,
    /// Pulsar's sequence id of the batch's first record; each record takes one.
    pub sequence_id: u64,
    /// The filter's clock. Pulsar's time to live goes by it.
    pub publish_time: UnixMillis,
    /// The broker's `max_message_size`: bound of an entry, which is checksum, metadata and (compressed) payload.
    pub max_message_size: usize,
    /// Bound of the records once decompressed, and of an entry's payload before it is compressed.
    pub decompressed_max: usize,
    /// Bound of an entry's records: what offsets made of message ids can tell apart, for one.
    pub max_entry_records: u32,
    /// Records to leave out at the batch's front, because they are stored already.
    pub skip_records: u32,
    /// Begin an entry at every change of key, for consumers of type Key_Shared.
    pub one_entry_per_key: bool,
}

/// One SEND frame that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentEntry {
    /// Of its first record. The receipt carries it.
    pub first_sequence_id: u64,
    /// Of its last record.
    pub last_sequence_id: u64,
    /// Records in it.
    pub records: u32,
    /// Bytes of the frame, its length word included.
    pub frame_bytes: usize,
}

/// Appends the SEND frames of `batch` to `out` and tells of each in `sent`.
///
/// Verifies the batch's CRC32C. Where the batch fits one entry it becomes one; else it is split, the same way for the
/// same batch and limits, whatever `skip_records` is. On an error `out` and `sent` are as they were.
pub fn write_sends(
    batch: &KafkaBatch<'_>,
    params: &SendParams<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
    sent: &mut Vec<SentEntry>,
) -> Result<(), BatchError> {
    let (out_before, sent_before) = (out.len(), sent.len());
    let result = match batch.codec() {
        Codec::None => send_plain(batch, params, scratch, out, sent),
        Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd => send_compressed(batch, params, scratch, out, sent),
    };
    if result.is_err() {
        out.truncate(out_before);
        sent.truncate(sent_before);
    }
    scratch.trim();
    result
}

/// Uncompressed records are translated straight from the request into the frame.
fn send_plain(
    batch: &KafkaBatch<'_>,
    params: &SendParams<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
    sent: &mut Vec<SentEntry>,
) -> Result<(), BatchError> {
    if params.skip_records == 0 && may_be_one_entry(batch, params) {
        let before = out.len();
        match send_whole(batch, params, out, sent) {
            Ok(()) => return Ok(()),
            Err(Whole::Error(error)) => return Err(error),
            Err(Whole::DoesNotFit) => out.truncate(before),
        }
    }
    batch.verify()?;
    let records = Records::new(batch.records(), batch.base_timestamp());
    let limits = Limits { entry_bytes: params.max_message_size, payload_bytes: usize::MAX, compressed: false };
    plan(records, batch.record_count(), params, &limits, &mut scratch.plan)?;
    for_each_entry(records, params, &scratch.plan, |head, records, count| {
        let frame = head.open(out);
        for _ in 0..count {
            Message::of(&records.next()?).write(out);
        }
        close(frame, head, params, out, sent)
    })
}

/// Whether a batch becomes one entry if only its bytes fit.
fn may_be_one_entry(batch: &KafkaBatch<'_>, params: &SendParams<'_>) -> bool {
    !params.one_entry_per_key && batch.record_count() <= params.max_entry_records
}

/// The way nearly every batch goes: one entry, each value read once for both checksums.
fn send_whole(
    batch: &KafkaBatch<'_>,
    params: &SendParams<'_>,
    out: &mut Vec<u8>,
    sent: &mut Vec<SentEntry>,
) -> Result<(), Whole> {
    let source = batch.records();
    let count = batch.record_count();
    let mut records = Records::new(source, batch.base_timestamp());
    let mut record = match records.next() {
        Ok(record) => record,
        Err(malformed) => return Err(blame(batch, malformed)),
    };
    let head = Head {
        producer_id: params.producer_id,
        producer_name: params.producer_name,
        first_sequence_id: params.sequence_id,
        last_sequence_id: params.sequence_id.saturating_add(u64::from(count.saturating_sub(1))),
        publish_time: params.publish_time.0.try_into().unwrap_or(0),
        messages: count,
        key: PartitionKey::of(record.key),
        compression: batch.codec().at_rest(),
        uncompressed_size: 0,
    };
    let fixed = entry_overhead(&head);
    let room = params.max_message_size.checked_sub(fixed).ok_or(Whole::DoesNotFit)?;
    if source.len() > room.saturating_add(usize::try_from(count).unwrap_or(0).saturating_mul(RECORD_FRAMING_MAX)) {
        return Err(Whole::DoesNotFit);
    }
    out.reserve(source.len().saturating_add(fixed).saturating_add(FRAME_SLACK_BYTES));
    let frame = head.open(out);
    let payload_at = out.len();
    let mut twin = Twin::new(batch.crc_before_records(), 0, Crc::START, frame.covered_from());
    let mut left = count;
    loop {
        let message = Message::of(&record);
        if out.len().saturating_sub(payload_at).saturating_add(message.len()) > room {
            return Err(Whole::DoesNotFit);
        }
        message.write(out);
        if let Some(value) = record.value {
            twin.value(source, record.value_at, out, value.len());
        }
        left = left.saturating_sub(1);
        if left == 0 {
            break;
        }
        record = match records.next() {
            Ok(record) => record,
            Err(malformed) => return Err(blame(batch, malformed)),
        };
    }
    if !records.is_at_end() {
        return Err(blame(batch, Malformed));
    }
    let (kafka, pulsar) = twin.finish(source, out);
    batch.check_crc(kafka)?;
    let frame_bytes = frame.close(pulsar, out);
    sent.push(head.sent(frame_bytes));
    Ok(())
}

/// What a Kafka record's own framing takes at most: it is not part of the Pulsar message.
const RECORD_FRAMING_MAX: usize = 32;
/// Room for the command and the differences in framing of a few records.
const FRAME_SLACK_BYTES: usize = 512;

/// Why a batch did not go out whole.
enum Whole {
    DoesNotFit,
    Error(BatchError),
}

impl From<BatchError> for Whole {
    fn from(error: BatchError) -> Self {
        Whole::Error(error)
    }
}

/// A record that does not parse: the client's doing, or damage on the way? The checksum tells.
fn blame(batch: &KafkaBatch<'_>, malformed: Malformed) -> Whole {
    Whole::Error(batch.verify().err().unwrap_or(malformed.into()))
}

/// Compressed records are taken apart, translated, and put together again with the same algorithm.
fn send_compressed(
    batch: &KafkaBatch<'_>,
    params: &SendParams<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
    sent: &mut Vec<SentEntry>,
) -> Result<(), BatchError> {
    batch.verify()?;
    let Scratch { codecs, plain, payload, plan: entries } = scratch;
    let compression = batch.codec().at_rest();
    let size = codecs.decompress_kafka(batch.codec(), batch.records(), params.decompressed_max, plain)?;
    let section = plain.get(..size).unwrap_or_default();
    let records = Records::new(section, batch.base_timestamp());
    let mut send = |entries: &[u32], params: &SendParams<'_>, out: &mut Vec<u8>, sent: &mut Vec<SentEntry>| {
        for_each_entry(records, params, entries, |head, records, count| {
            payload.clear();
            for _ in 0..count {
                let message = Message::of(&records.next()?);
                if payload.len().saturating_add(message.len()) > params.decompressed_max {
                    return Err(BatchError::RecordTooLarge);
                }
                message.write(payload);
            }
            let head = &Head { compression, uncompressed_size: payload.len(), ..*head };
            let frame = head.open(out);
            codecs.compress_pulsar(compression, payload, out).map_err(|_| BatchError::Internal)?;
            close(frame, head, params, out, sent)
        })
    };
    // Whether it fits compressed shows only once it is compressed. So try; what does not fit is split by what surely
    // fits. The attempt is made over the whole batch even if part of it is stored, for the same split comes out.
    if may_be_one_entry(batch, params) {
        let (out_before, sent_before) = (out.len(), sent.len());
        let mut fits = |params: &SendParams<'_>, out: &mut Vec<u8>, sent: &mut Vec<SentEntry>| {
            let result = send(&[batch.record_count()], params, out, sent);
            if result == Err(BatchError::RecordTooLarge) {
                out.truncate(out_before);
                return Ok(false);
            }
            result.map(|()| true)
        };
        if fits(&SendParams { skip_records: 0, ..*params }, out, sent)? {
            if params.skip_records == 0 {
                return Ok(());
            }
            out.truncate(out_before);
            sent.truncate(sent_before);
            // Fewer records may compress to more bytes; then they are split like a batch that does not fit.
            if fits(params, out, sent)? {
                return Ok(());
            }
        }
    }
    let limits =
        Limits { entry_bytes: params.max_message_size, payload_bytes: params.decompressed_max, compressed: true };
    plan(records, batch.record_count(), params, &limits, entries)?;
    send(entries, params, out, sent)
}

/// Calls `write` for every entry of which anything is to be sent, with what its frame says and its records.
fn for_each_entry<'a, F>(
    records: Records<'a>,
    params: &SendParams<'a>,
    entries: &[u32],
    mut write: F,
) -> Result<(), BatchError>
where
    F: FnMut(&Head<'a>, &mut Records<'a>, u32) -> Result<(), BatchError>,
{
    let mut records = records;
    let mut skip = params.skip_records;
    let mut sequence_id = params.sequence_id;
    for planned in entries {
        let skipped = skip.min(*planned);
        skip = skip.saturating_sub(skipped);
        for _ in 0..skipped {
            records.next()?;
        }
        let count = planned.saturating_sub(skipped);
        let first_sequence_id = sequence_id.saturating_add(u64::from(skipped));
        sequence_id = sequence_id.saturating_add(u64::from(*planned));
        if count == 0 {
            continue;
        }
        let first = { records }.next()?;
        let head = Head {
            producer_id: params.producer_id,
            producer_name: params.producer_name,
            first_sequence_id,
            last_sequence_id: sequence_id.saturating_sub(1),
            publish_time: params.publish_time.0.try_into().unwrap_or(0),
            messages: count,
            key: PartitionKey::of(first.key),
            compression: Codec::None.at_rest(),
            uncompressed_size: 0,
        };
        write(&head, &mut records, count)?;
    }
    if records.is_at_end() { Ok(()) } else { Err(Malformed.into()) }
}

/// Checks the entry's size and fills in the frame's.
fn close(
    frame: OpenFrame,
    head: &Head<'_>,
    params: &SendParams<'_>,
    out: &mut [u8],
    sent: &mut Vec<SentEntry>,
) -> Result<(), BatchError> {
    if frame.entry_len(out) > params.max_message_size {
        return Err(BatchError::RecordTooLarge);
    }
    let crc = Crc::START.update(out.get(frame.covered_from()..).unwrap_or_default());
    let frame_bytes = frame.close(crc, out);
    sent.push(head.sent(frame_bytes));
    Ok(())
}

/// Bytes of an entry before its payload, at most: the same whatever the sequence ids, so that a split does not hang on
/// them.
pub(super) fn entry_overhead(head: &Head<'_>) -> usize {
    overhead(head.producer_name, &head.key)
}

pub(super) fn overhead(producer_name: &str, key: &PartitionKey<'_>) -> usize {
    ENTRY_FIXED_BYTES.saturating_add(producer_name.len()).saturating_add(key.field_len())
}

impl Head<'_> {
    fn sent(&self, frame_bytes: usize) -> SentEntry {
        SentEntry {
            first_sequence_id: self.first_sequence_id,
            last_sequence_id: self.last_sequence_id,
            records: self.messages,
            frame_bytes,
        }
    }
}

impl From<Malformed> for BatchError {
    fn from(_: Malformed) -> Self {
        BatchError::MalformedRecord
    }
}

/// Whether a record may join an entry whose payload would then be `payload` bytes.
pub(super) fn fits(limits: &Limits, overhead: usize, payload: usize) -> bool {
    let stored = if limits.compressed { compressed_bound(payload) } else { payload };
    payload <= limits.payload_bytes && stored.saturating_add(overhead) <= limits.entry_bytes
}

/// The message a record becomes, for its length alone.
pub(super) fn message_len(record: &Record<'_>) -> usize {
    Message::of(record).len()
}
