//! The variable-length integers of both protocols: Protocol Buffers' plain ones and Kafka's zig-zag ones.

use super::cursor::Cursor;

/// Longest encoding of 64 bits.
pub(crate) const MAX_BYTES: usize = 10;

impl<'a> Cursor<'a> {
    /// A Protocol Buffers varint. Ten bytes at most; what lies beyond 64 bits is dropped, as every decoder does.
    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let first = self.u8()?;
        if first < 0x80 {
            return Some(u64::from(first));
        }
        self.long_varint(first)
    }

    fn long_varint(&mut self, first: u8) -> Option<u64> {
        // Five bytes are left where a timestamp ends its message's metadata, as it mostly does.
        let rest = self.rest();
        let (word, lasts) = match (rest.first_chunk::<7>(), rest.first_chunk::<5>()) {
            (Some([a, b, c, d, e, f, g]), _) => ([*a, *b, *c, *d, *e, *f, *g, 0], 0x0080_8080_8080_8080),
            (None, Some([a, b, c, d, e])) => ([*a, *b, *c, *d, *e, 0, 0, 0], 0x0000_0080_8080_8080),
            (None, None) => ([0; 8], 0),
        };
        let word = u64::from_le_bytes(word);
        // The first byte without the upper bit is the last.
        let last = !word & lasts;
        if last != 0 {
            let length = (last.trailing_zeros() >> 3).wrapping_add(1);
            self.take(length as usize)?;
            let groups = word & (u64::MAX >> (64_u32.wrapping_sub(length.wrapping_mul(8)) & 63));
            return Some(u64::from(first & 0x7f) | gather(groups) << 7);
        }
        self.longest_varint(first)
    }

    #[cold]
    fn longest_varint(&mut self, first: u8) -> Option<u64> {
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7_u32;
        while shift < 70 {
            let byte = self.u8()?;
            // The tenth byte's upper bits fall off the end.
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Some(value);
            }
            shift = shift.saturating_add(7);
        }
        None
    }

    /// Kafka's varint: zig-zag, 32 bits, five bytes at most.
    #[inline(always)]
    pub(crate) fn zigzag32(&mut self) -> Option<i32> {
        let first = self.u8()?;
        if first < 0x80 {
            return Some(unzigzag32(u32::from(first)));
        }
        let second = self.u8()?;
        let mut value = u32::from(first & 0x7f) | u32::from(second & 0x7f) << 7;
        if second < 0x80 {
            return Some(unzigzag32(value));
        }
        for shift in [14, 21, 28] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(unzigzag32(value));
            }
        }
        None
    }

    /// Kafka's varlong: zig-zag, 64 bits, ten bytes at most.
    #[inline(always)]
    pub(crate) fn zigzag64(&mut self) -> Option<i64> {
        self.varint().map(unzigzag64)
    }

    /// Bytes behind a Protocol Buffers length.
    #[inline(always)]
    pub(crate) fn length_delimited(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }
}

/// The lower seven bits of each byte, put together.
#[inline]
const fn gather(bytes: u64) -> u64 {
    let pairs = (bytes & 0x007f_007f_007f_007f) | (bytes & 0x7f00_7f00_7f00_7f00) >> 1;
    let quads = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    (quads & 0x0fff_ffff) | (quads & 0x0fff_ffff_0000_0000) >> 4
}

#[inline]
const fn unzigzag32(value: u32) -> i32 {
    (value >> 1) as i32 ^ ((value & 1) as i32).wrapping_neg()
}

#[inline]
const fn unzigzag64(value: u64) -> i64 {
    (value >> 1) as i64 ^ ((value & 1) as i64).wrapping_neg()
}

/// The zig-zag form of `value`: small magnitudes become small numbers.
#[inline]
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Bytes of `value` as a varint.
#[inline]
pub(crate) const fn varint_len(value: u64) -> usize {
    // Seven bits a byte; 9/64 is close enough to 1/7 over 64 bits, and zero takes a byte too.
    let bits = 64_u32.wrapping_sub((value | 1).leading_zeros());
    (bits.wrapping_mul(9).wrapping_add(64) >> 6) as usize
}

/// Bytes of a length as a varint.
#[inline]
pub(crate) const fn length_len(length: usize) -> usize {
    varint_len(length as u64)
}

/// Bytes of a length, or of -1 for "none", as Kafka's zig-zag varint.
#[inline]
pub(crate) const fn zigzag_len(value: i64) -> usize {
    varint_len(zigzag(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::staging::Put;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn samples() -> impl Iterator<Item = u64> {
        (0..64).flat_map(|bit| [1_u64 << bit, (1_u64 << bit) - 1, (1_u64 << bit) + 1]).chain([u64::MAX])
    }

    #[test]
    fn what_is_written_is_read_back_with_the_length_foretold() {
        for value in samples() {
            let mut bytes = Vec::new();
            bytes.put_varint(value);
            assert_eq!(bytes.len(), varint_len(value), "{value}");
            let mut cursor = Cursor::new(&bytes);
            assert_eq!(cursor.varint(), Some(value));
            assert!(cursor.is_empty());
        }
    }

    #[test]
    fn signed_values_survive_the_zigzag() {
        for value in samples().map(|value| value as i64).flat_map(|value| [value, value.wrapping_neg()]) {
            let mut bytes = Vec::new();
            bytes.put_varint(zigzag(value));
            assert_eq!(Cursor::new(&bytes).zigzag64(), Some(value));
            if let Ok(small) = i32::try_from(value) {
                assert_eq!(Cursor::new(&bytes).zigzag32(), Some(small));
            }
        }
    }

    #[test]
    fn a_varint_that_ends_early_or_never_is_refused() {
        assert_eq!(Cursor::new(&[]).varint(), None);
        assert_eq!(Cursor::new(&[0x80]).varint(), None);
        assert_eq!(Cursor::new(&[0x80; 11]).varint(), None);
        assert_eq!(Cursor::new(&[0x80; 6]).zigzag32(), None);
    }

    #[test]
    fn the_sentinel_of_all_ones_takes_ten_bytes() {
        let mut bytes = [0xff_u8; 10];
        bytes[9] = 1;
        assert_eq!(Cursor::new(&bytes).varint(), Some(u64::MAX));
    }
}
