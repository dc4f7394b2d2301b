//! What is stored, read back as a consumer would: to assert on.

use std::fmt;
use std::io::Read;

use bytes::{Buf, Bytes};
use isthmus::pulsar::proto::{CompressionType, KeyValue, MessageMetadata, SingleMessageMetadata};
use prost::Message as _;

use super::entry::{Entry, SectionError, parse_section};
use super::log::Position;
use super::{ScriptedBroker, name};

/// One message. Keys and properties are as they stand, base64 where the client wrote base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its entry.
    pub position: Position,
    /// Its place in the batch, 0 in an entry that is none.
    pub batch_index: u32,
    /// Its own index, counted back from the entry's.
    pub index: Option<u64>,
    /// `producer_name` of the entry's metadata.
    pub producer_name: String,
    /// The message's own id, else the entry's.
    pub sequence_id: u64,
    /// `publish_time` of the entry, milliseconds since the epoch.
    pub publish_time_ms: u64,
    /// `event_time`, `None` if unset or 0.
    pub event_time_ms: Option<u64>,
    /// `partition_key`.
    pub key: Option<Bytes>,
    /// `partition_key_b64_encoded`.
    pub key_is_base64: bool,
    /// The payload; `None` where `null_value` is set.
    pub value: Option<Bytes>,
    /// Properties in order.
    pub properties: Vec<(Bytes, Bytes)>,
}

/// Why what is stored cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The topic is not there.
    NoTopic,
    /// The section is no message.
    Section(SectionError),
    /// The payload does not decompress to the size it says.
    Compression,
    /// The batch ends before its last message.
    Batch,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for ReadError {}

impl ScriptedBroker {
    /// Every message of a topic, in order; `topic` may be short. Compacted-out messages and markers are left out.
    pub fn messages(&self, topic: &str) -> Result<Vec<Message>, ReadError> {
        let log = name::full(topic).and_then(|topic| self.log(&topic)).ok_or(ReadError::NoTopic)?;
        let mut messages = Vec::new();
        for (position, entry) in log.entries().filter(|(_, entry)| !entry.is_marker()) {
            messages.extend(read_entry(position, entry)?);
        }
        Ok(messages)
    }
}

fn read_entry(position: Position, entry: &Entry) -> Result<Vec<Message>, ReadError> {
    let (metadata, payload) = parse_section(&entry.section).map_err(ReadError::Section)?;
    let Some(count) = metadata.num_messages_in_batch else {
        let payload = decompress(&metadata, payload)?;
        let message = Message {
            position,
            batch_index: 0,
            index: entry.index,
            producer_name: text(&metadata.producer_name),
            sequence_id: metadata.sequence_id,
            publish_time_ms: metadata.publish_time,
            event_time_ms: metadata.event_time.filter(|time| *time > 0),
            key_is_base64: metadata.partition_key_b64_encoded(),
            key: metadata.partition_key.clone(),
            value: (!metadata.null_value()).then_some(payload),
            properties: pairs(&metadata.properties),
        };
        return Ok(vec![message]);
    };
    let count = u32::try_from(count).map_err(|_| ReadError::Batch)?;
    let mut messages = Vec::new();
    for (batch_index, (single, value)) in (0..count).zip(singles(&metadata, payload)?) {
        if single.compacted_out() {
            continue;
        }
        messages.push(Message {
            position,
            batch_index,
            index: entry.index.map(|last| (last + 1 + u64::from(batch_index)).saturating_sub(u64::from(count))),
            producer_name: text(&metadata.producer_name),
            sequence_id: single.sequence_id.unwrap_or(metadata.sequence_id),
            publish_time_ms: metadata.publish_time,
            event_time_ms: single.event_time.filter(|time| *time > 0),
            key_is_base64: single.partition_key_b64_encoded(),
            key: single.partition_key.clone(),
            value: (!single.null_value()).then_some(value),
            properties: pairs(&single.properties),
        });
    }
    Ok(messages)
}

/// The messages of a batch, and what compaction left in their place.
pub(super) fn singles(
    metadata: &MessageMetadata,
    payload: Bytes,
) -> Result<Vec<(SingleMessageMetadata, Bytes)>, ReadError> {
    let mut payload = decompress(metadata, payload)?;
    let mut singles = Vec::new();
    for _ in 0..metadata.num_messages_in_batch() {
        let single = take_sized(&mut payload).and_then(|bytes| SingleMessageMetadata::decode(bytes).ok());
        let single = single.ok_or(ReadError::Batch)?;
        let size = usize::try_from(single.payload_size).map_err(|_| ReadError::Batch)?;
        if size > payload.remaining() {
            return Err(ReadError::Batch);
        }
        singles.push((single, payload.split_to(size)));
    }
    Ok(singles)
}

fn take_sized(payload: &mut Bytes) -> Option<Bytes> {
    let size = (payload.remaining() >= 4).then(|| payload.get_u32() as usize)?;
    (size <= payload.remaining()).then(|| payload.split_to(size))
}

/// A ZLIB stream of Pulsar's never ends: it is read for as many bytes as the metadata names.
fn decompress(metadata: &MessageMetadata, payload: Bytes) -> Result<Bytes, ReadError> {
    let size = metadata.uncompressed_size.unwrap_or(0) as usize;
    let error = || ReadError::Compression;
    let bytes = match CompressionType::try_from(metadata.compression.unwrap_or(0)).map_err(|_| error())? {
        CompressionType::None => return Ok(payload),
        CompressionType::Lz4 => lz4_flex::block::decompress(&payload, size).map_err(|_| error())?,
        CompressionType::Snappy => snap::raw::Decoder::new().decompress_vec(&payload).map_err(|_| error())?,
        CompressionType::Zstd => zrip::decompress_with_limit(&payload, size).map_err(|_| error())?,
        CompressionType::Zlib => {
            let mut bytes = vec![0; size];
            flate2::read::ZlibDecoder::new(&payload[..]).read_exact(&mut bytes).map_err(|_| error())?;
            bytes
        }
    };
    (bytes.len() == size).then(|| bytes.into()).ok_or(ReadError::Compression)
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pairs(properties: &[KeyValue]) -> Vec<(Bytes, Bytes)> {
    properties.iter().map(|property| (property.key.clone(), property.value.clone())).collect()
}
