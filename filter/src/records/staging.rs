//! Writing small fields: a fixed buffer that is filled without bounds to check and copied out at once.

use super::varint::MAX_BYTES;

/// Somewhere bytes are appended.
pub(crate) trait Put {
    fn put_u8(&mut self, byte: u8);
    fn put_slice(&mut self, bytes: &[u8]);

    #[inline]
    fn put_varint(&mut self, value: u64) {
        let mut value = value;
        while value >= 0x80 {
            self.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.put_u8(value as u8);
    }
}

impl Put for Vec<u8> {
    #[inline]
    fn put_u8(&mut self, byte: u8) {
        self.push(byte);
    }

    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Room for every fixed-size field of one message, in either protocol.
pub(crate) const STAGING_BYTES: usize = 64;

// The longest: a Kafka record's length, attributes, timestamp, offset and key length; a Pulsar message's
// metadata size, payload size, event time and flags.
const _: () = assert!(STAGING_BYTES >= 5 * (MAX_BYTES + 1) + 8);

/// At most [`STAGING_BYTES`] bytes, in place. What is put beyond them would wrap round: its users put fields whose
/// greatest sizes add up to less.
#[derive(Debug)]
pub(crate) struct Staging {
    bytes: [u8; STAGING_BYTES],
    len: usize,
}

impl Staging {
    #[inline]
    pub(crate) const fn new() -> Self {
        Staging { bytes: [0; STAGING_BYTES], len: 0 }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }

    /// Appends what was put to `out`. A copy of fixed size and a shorter length cost less than a copy of any size.
    #[inline]
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        let end = out.len().saturating_add(self.len);
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

impl Put for Staging {
    #[inline]
    #[allow(clippy::indexing_slicing, reason = "the mask keeps the index inside")]
    fn put_u8(&mut self, byte: u8) {
        debug_assert!(self.len < STAGING_BYTES);
        self.bytes[self.len & (STAGING_BYTES - 1)] = byte;
        self.len = self.len.saturating_add(1);
    }

    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.put_u8(*byte);
        }
    }
}
