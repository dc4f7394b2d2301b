//! A SEND frame around a batch's payload.
//!
//! `[u32 total][u32 command size][BaseCommand][0x0e01][u32 crc32c][u32 metadata size][MessageMetadata][payload]`

use super::codecs::Compression;
use super::crc::Crc;
use super::key::PartitionKey;
use super::staging::{Put, Staging};
use super::varint::varint_len;

/// Marks a checksum behind the command (`Commands.magicCrc32c`).
pub(crate) const CHECKSUM_MAGIC: u16 = 0x0e01;

const SEND: u8 = 6;
// Tags of BaseCommand and CommandSend.
const COMMAND_TYPE: u8 = 0x08;
const COMMAND_SEND: u8 = 0x32;
const SEND_PRODUCER_ID: u8 = 0x08;
const SEND_SEQUENCE_ID: u8 = 0x10;
const SEND_NUM_MESSAGES: u8 = 0x18;
const SEND_HIGHEST_SEQUENCE_ID: u8 = 0x30;
// Tags of MessageMetadata.
const PRODUCER_NAME: u8 = 0x0a;
const SEQUENCE_ID: u8 = 0x10;
const PUBLISH_TIME: u8 = 0x18;
const PARTITION_KEY: u8 = 0x32;
const COMPRESSION: u8 = 0x40;
const UNCOMPRESSED_SIZE: u8 = 0x48;
const NUM_MESSAGES: u8 = 0x58;
const KEY_IS_BASE64: [u8; 2] = [0x88, 0x01];
const HIGHEST_SEQUENCE_ID: [u8; 2] = [0xc0, 0x01];

/// Bytes of an entry before the payload, but for the producer's name and the key: two marks and sizes (10), and the
/// metadata's fields at their longest.
pub(crate) const ENTRY_FIXED_BYTES: usize = 10 + 6 + 11 + 11 + 2 + 6 + 6 + 3 + 12;

/// What a frame says of its entry.
pub(crate) struct Head<'a> {
    pub(crate) producer_id: u64,
    pub(crate) producer_name: &'a str,
    pub(crate) first_sequence_id: u64,
    pub(crate) last_sequence_id: u64,
    /// Milliseconds since the epoch.
    pub(crate) publish_time: u64,
    pub(crate) messages: u32,
    /// Of the first message; Pulsar routes the whole batch by it.
    pub(crate) key: PartitionKey<'a>,
    pub(crate) compression: Compression,
    /// Of the payload. Written if it is compressed.
    pub(crate) uncompressed_size: usize,
}

/// A frame whose sizes and checksum are still to be filled in.
#[derive(Clone, Copy)]
pub(crate) struct OpenFrame {
    start: usize,
    /// Where the checksum magic stands: the entry as Pulsar stores it begins there.
    entry: usize,
}

/// Bytes of the checksum's magic and value.
const CHECKSUM_BYTES: usize = 6;

impl<'a> Head<'a> {
    /// Appends everything before the payload.
    pub(crate) fn open(&self, out: &mut Vec<u8>) -> OpenFrame {
        let start = out.len();
        let command = self.command();
        out.put_slice(&[0; 4]);
        out.put_slice(&(command.as_slice().len() as u32).to_be_bytes());
        out.put_slice(command.as_slice());
        let entry = out.len();
        out.put_slice(&CHECKSUM_MAGIC.to_be_bytes());
        out.put_slice(&[0; 4]);
        let metadata_size = self.metadata_len();
        out.put_slice(&u32::try_from(metadata_size).unwrap_or(u32::MAX).to_be_bytes());
        self.write_metadata(out);
        OpenFrame { start, entry }
    }

    fn command(&self) -> Staging {
        let mut send = Staging::new();
        send.put_u8(SEND_PRODUCER_ID);
        send.put_varint(self.producer_id);
        send.put_u8(SEND_SEQUENCE_ID);
        send.put_varint(self.first_sequence_id);
        send.put_u8(SEND_NUM_MESSAGES);
        send.put_varint(u64::from(self.messages));
        send.put_u8(SEND_HIGHEST_SEQUENCE_ID);
        send.put_varint(self.last_sequence_id);
        let mut command = Staging::new();
        command.put_slice(&[COMMAND_TYPE, SEND, COMMAND_SEND, send.as_slice().len() as u8]);
        command.put_slice(send.as_slice());
        command
    }

    fn metadata_len(&self) -> usize {
        let name = self.producer_name.len();
        let mut sum = name.saturating_add(varint_len(name as u64)).saturating_add(1);
        let mut add = |bytes: usize| sum = sum.saturating_add(bytes);
        for value in [self.first_sequence_id, self.publish_time, u64::from(self.messages)] {
            add(varint_len(value).saturating_add(1));
        }
        add(varint_len(self.last_sequence_id).saturating_add(2));
        add(self.key.field_len());
        if self.key.is_base64() {
            add(3);
        }
        if self.compression != Compression::None {
            add(2);
            add(varint_len(self.uncompressed_size as u64).saturating_add(1));
        }
        sum
    }

    fn write_metadata(&self, out: &mut Vec<u8>) {
        out.put_u8(PRODUCER_NAME);
        out.put_varint(self.producer_name.len() as u64);
        out.put_slice(self.producer_name.as_bytes());
        out.put_u8(SEQUENCE_ID);
        out.put_varint(self.first_sequence_id);
        out.put_u8(PUBLISH_TIME);
        out.put_varint(self.publish_time);
        self.key.write_field(PARTITION_KEY, out);
        if self.compression != Compression::None {
            out.put_slice(&[COMPRESSION, self.compression.to_wire()]);
            out.put_u8(UNCOMPRESSED_SIZE);
            out.put_varint(self.uncompressed_size as u64);
        }
        out.put_u8(NUM_MESSAGES);
        out.put_varint(u64::from(self.messages));
        if self.key.is_base64() {
            out.put_slice(&KEY_IS_BASE64);
            out.put_u8(1);
        }
        out.put_slice(&HIGHEST_SEQUENCE_ID);
        out.put_varint(self.last_sequence_id);
    }
}

impl OpenFrame {
    /// Where what the checksum covers begins.
    pub(crate) const fn covered_from(&self) -> usize {
        self.entry.saturating_add(CHECKSUM_BYTES)
    }

    /// Bytes of the entry so far: checksum, metadata and payload, as Pulsar stores and limits it.
    pub(crate) const fn entry_len(&self, out: &[u8]) -> usize {
        out.len().saturating_sub(self.entry)
    }

    /// Fills in the sizes and the checksum of all that was appended; tells the frame's length.
    pub(crate) fn close(self, crc: Crc, out: &mut [u8]) -> usize {
        let length = out.len().saturating_sub(self.start);
        let total = u32::try_from(length.saturating_sub(4)).unwrap_or(u32::MAX);
        patch(out, self.start, total);
        patch(out, self.entry.saturating_add(2), crc.finish());
        length
    }
}

/// Overwrites four bytes at `at`.
pub(crate) fn patch(out: &mut [u8], at: usize, value: u32) {
    if let Some(field) = out.get_mut(at..at.saturating_add(4)) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}
