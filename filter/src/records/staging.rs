//! Writing small fields: a fixed buffer, filled a word at a time and copied out at once.

use super::varint::{MAX_BYTES, varint_len};

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

/// What may be put besides the fixed-size fields of a name or key and its value: two tags and lengths of two bytes.
pub(crate) const STAGED_BYTES: usize = STAGING_BYTES - 16;

/// At most [`STAGING_BYTES`] bytes, in place. What is put beyond them is lost: its users put fields whose greatest
/// sizes add up to less.
#[derive(Debug)]
pub(crate) struct Staging {
    /// With room for a word behind the last byte.
    bytes: [u8; STAGING_BYTES + 8],
    len: usize,
}

impl Staging {
    #[inline]
    pub(crate) const fn new() -> Self {
        Staging { bytes: [0; STAGING_BYTES + 8], len: 0 }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }

    /// Appends what was put to `out`. A copy of fixed size and a shorter length cost less than a copy of any size.
    #[inline]
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        let end = out.len().saturating_add(self.len);
        match self.bytes.first_chunk::<32>() {
            Some(half) if self.len <= 32 => out.extend_from_slice(half),
            Some(_) | None => out.extend_from_slice(&self.bytes),
        }
        out.truncate(end);
    }

    /// A varint of nine or ten bytes.
    #[cold]
    fn put_long_varint(&mut self, value: u64) {
        let mut value = value;
        while value >= 0x80 {
            self.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.put_u8(value as u8);
    }

    /// The first `length` bytes of `word`, little-endian.
    #[inline(always)]
    fn put_word(&mut self, word: u64, length: usize) {
        debug_assert!(self.len.saturating_add(length) <= STAGING_BYTES);
        let from = self.len & (STAGING_BYTES - 1);
        if let Some(place) = self.bytes.get_mut(from..from.wrapping_add(8)) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        self.len = self.len.wrapping_add(length);
    }
}

impl Put for Staging {
    #[inline(always)]
    fn put_u8(&mut self, byte: u8) {
        self.put_word(u64::from(byte), 1);
    }

    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.put_word(u64::from_le_bytes(*word), 8);
        }
        match bytes.last_chunk::<8>() {
            // The last eight bytes once more, where they overlap what is there already.
            Some(last) => {
                self.len = self.len.wrapping_add(tail.len()).wrapping_sub(8);
                self.put_word(u64::from_le_bytes(*last), 8);
            }
            None => tail.iter().for_each(|byte| self.put_u8(*byte)),
        }
    }

    /// All bytes of the varint at once: its groups of seven bits are spread to bytes.
    #[inline(always)]
    fn put_varint(&mut self, value: u64) {
        if value < 0x80 {
            return self.put_word(value, 1);
        }
        if value >= 1 << 56 {
            return self.put_long_varint(value);
        }
        let spread = (value & 0x0fff_ffff) | (value & 0x00ff_ffff_f000_0000) << 4;
        let spread = (spread & 0x0000_3fff_0000_3fff) | (spread & 0x0fff_c000_0fff_c000) << 2;
        let spread = (spread & 0x007f_007f_007f_007f) | (spread & 0x3f80_3f80_3f80_3f80) << 1;
        let length = varint_len(value);
        // Every byte but the last says that another follows.
        let last_bit = (length as u32).wrapping_mul(8).wrapping_sub(8) & 63;
        let more = 0x8080_8080_8080_8080 & !(u64::MAX << last_bit);
        self.put_word(spread | more, length);
    }
}
