//! Pulsar's metadata of an entry and of a message in a batch, as far as Kafka has a use for it (PulsarApi.proto).

use super::codecs::Compression;
use super::cursor::Cursor;
use super::entry::{Chunk, EntryError};
use super::properties::PropertyList;
use super::proto::next_field;

/// `BrokerEntryMetadata`
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BrokerMetadata {
    pub(crate) timestamp: Option<u64>,
    pub(crate) index: Option<u64>,
}

impl BrokerMetadata {
    pub(crate) fn parse(fields: &[u8]) -> Option<BrokerMetadata> {
        let mut fields = Cursor::new(fields);
        let mut metadata = BrokerMetadata::default();
        while let Some((number, value)) = next_field(&mut fields)? {
            match number {
                1 => metadata.timestamp = Some(value.number()),
                2 => metadata.index = Some(value.number()),
                _ => {}
            }
        }
        Some(metadata)
    }
}

/// `MessageMetadata`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metadata<'a> {
    pub(crate) producer_name: &'a [u8],
    pub(crate) sequence_id: u64,
    pub(crate) highest_sequence_id: u64,
    pub(crate) publish_time: u64,
    /// `None` if the number is not known here.
    pub(crate) compression: Option<Compression>,
    pub(crate) uncompressed_size: usize,
    /// Present if the payload is a batch.
    pub(crate) num_messages: Option<u32>,
    pub(crate) chunk: Option<Chunk<'a>>,
    pub(crate) encrypted: bool,
    pub(crate) transactional: bool,
    pub(crate) marker: bool,
    /// The entry's only message, if it is no batch.
    pub(crate) message: Message<'a>,
    /// All of it, as it stands.
    pub(crate) bytes: &'a [u8],
}

/// What is said of one message, in either place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Message<'a> {
    key: Option<&'a [u8]>,
    key_is_base64: bool,
    key_is_null: bool,
    /// 0 for none.
    pub(crate) event_time: u64,
    pub(crate) value_is_null: bool,
    pub(crate) properties: PropertyList<'a>,
}

/// A message's key, its bytes possibly still in base64.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key<'a> {
    Null,
    Bytes(&'a [u8]),
    Base64 { text: &'a [u8], len: usize },
}

impl<'a> Message<'a> {
    #[inline(always)]
    pub(crate) fn key(&self) -> Key<'a> {
        match self.key {
            None => Key::Null,
            Some(_) if self.key_is_null => Key::Null,
            Some(text) if self.key_is_base64 => match super::base64::decoded_len(text) {
                Some(len) => Key::Base64 { text, len },
                // Not what the flag says: then the string itself is the best there is.
                None => Key::Bytes(text),
            },
            Some(bytes) => Key::Bytes(bytes),
        }
    }
}

impl<'a> Metadata<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Metadata<'a>, EntryError> {
        let mut metadata = Metadata {
            producer_name: &[],
            sequence_id: 0,
            highest_sequence_id: 0,
            publish_time: 0,
            compression: Some(Compression::None),
            uncompressed_size: 0,
            num_messages: None,
            chunk: None,
            encrypted: false,
            transactional: false,
            marker: false,
            message: Message { properties: PropertyList::within(bytes, 4), ..Message::default() },
            bytes,
        };
        let mut chunk = Chunk { uuid: &[], id: 0, count: 0, total_bytes: 0 };
        let mut fields = Cursor::new(bytes);
        while let Some((number, value)) = next_field(&mut fields).ok_or(EntryError::Malformed)? {
            match number {
                1 => metadata.producer_name = value.bytes(),
                2 => metadata.sequence_id = value.number(),
                3 => metadata.publish_time = value.number(),
                4 => metadata.message.properties.add(value.bytes()).ok_or(EntryError::Malformed)?,
                6 => metadata.message.key = Some(value.bytes()),
                8 => metadata.compression = Compression::from_wire(value.number()),
                9 => metadata.uncompressed_size = size(value.number())?,
                11 => metadata.num_messages = Some(count(value.number())?),
                12 => metadata.message.event_time = value.number(),
                13 => metadata.encrypted = true,
                17 => metadata.message.key_is_base64 = value.flag(),
                20 => metadata.marker = true,
                22 | 23 => metadata.transactional = true,
                24 => metadata.highest_sequence_id = value.number(),
                25 => metadata.message.value_is_null = value.flag(),
                26 => chunk.uuid = value.bytes(),
                27 => chunk.count = count(value.number())?,
                28 => chunk.total_bytes = size(value.number())?,
                29 => chunk.id = count(value.number())?,
                30 => metadata.message.key_is_null = value.flag(),
                _ => {}
            }
        }
        metadata.chunk = (chunk.count > 1).then_some(chunk);
        Ok(metadata)
    }
}

/// An int32 that counts something.
fn count(number: u64) -> Result<u32, EntryError> {
    u32::try_from(number).ok().filter(|count| i32::try_from(*count).is_ok()).ok_or(EntryError::Malformed)
}

fn size(number: u64) -> Result<usize, EntryError> {
    count(number).and_then(|size| usize::try_from(size).map_err(|_| EntryError::Malformed))
}

/// `SingleMessageMetadata`
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SingleMetadata<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) payload_size: usize,
    /// Compaction took the message out and left its place.
    pub(crate) compacted_out: bool,
}

impl<'a> SingleMetadata<'a> {
    #[inline(always)]
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<SingleMetadata<'a>, EntryError> {
        let mut single = SingleMetadata {
            message: Message { properties: PropertyList::within(bytes, 1), ..Message::default() },
            ..SingleMetadata::default()
        };
        let mut fields = Cursor::new(bytes);
        while let Some((number, value)) = next_field(&mut fields).ok_or(EntryError::Malformed)? {
            match number {
                1 => single.message.properties.add(value.bytes()).ok_or(EntryError::Malformed)?,
                2 => single.message.key = Some(value.bytes()),
                3 => single.payload_size = size(value.number())?,
                4 => single.compacted_out = value.flag(),
                5 => single.message.event_time = value.number(),
                6 => single.message.key_is_base64 = value.flag(),
                9 => single.message.value_is_null = value.flag(),
                10 => single.message.key_is_null = value.flag(),
                _ => {}
            }
        }
        Ok(single)
    }
}
