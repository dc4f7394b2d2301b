//! Moving a CRC register over bytes without reading them.

use std::sync::OnceLock;

use super::Crc;
use super::tables::crc_byte;

/// Powers of two, in bytes, with a table of their own: up to 1 MiB. Longer runs repeat the last.
const POWERS: usize = 21;

/// Bytes of the last of them.
const LONGEST_BYTES: usize = 1 << (POWERS - 1);

type Table = [[u32; 256]; 4];

/// Tables that move a register over `2^k` zero bytes: multiplication by `x^(8·2^k)` modulo the polynomial. 84 KiB.
///
/// They let one pass over a value serve two checksums. A register is linear in what it held before: over the same
/// bytes, two registers `a` and `b` become `a'` and `b'` with `a' ^ b' = shift(a ^ b)`. So compute `a'` from the bytes
/// and `b'` from `a'`.
#[derive(Debug)]
pub struct Shifts(Box<[Table; POWERS]>);

impl Shifts {
    /// Below this many bytes reading them twice is as quick: moving a register takes 5 ns in V8, but what stands around
    /// the value must then be taken in piece by piece.
    pub const WORTH_BYTES: usize = 64;

    /// The tables, built at the first call.
    pub fn get() -> &'static Shifts {
        static SHIFTS: OnceLock<Shifts> = OnceLock::new();
        SHIFTS.get_or_init(Shifts::build)
    }

    /// Takes `value` into both registers.
    #[inline]
    pub fn update_both(&self, a: Crc, b: Crc, value: &[u8]) -> (Crc, Crc) {
        let after = a.update(value);
        if value.len() < Self::WORTH_BYTES {
            (after, b.update(value))
        } else {
            (after, Crc(after.0 ^ self.over(Crc(a.0 ^ b.0), value.len()).0))
        }
    }

    /// `crc` moved over `bytes` zero bytes.
    #[inline]
    pub fn over(&self, crc: Crc, bytes: usize) -> Crc {
        let mut register = crc.0;
        let mut rest = bytes;
        while rest >= LONGEST_BYTES << 1 {
            register = self.apply_power(POWERS - 1, register);
            rest = rest.wrapping_sub(LONGEST_BYTES);
        }
        while rest != 0 {
            register = self.apply_power(rest.trailing_zeros() as usize, register);
            rest &= rest.wrapping_sub(1);
        }
        Crc(register)
    }

    #[inline(always)]
    fn apply_power(&self, power: usize, register: u32) -> u32 {
        self.0.get(power).map_or(register, |table| apply(table, register))
    }

    /// The checksum of two pieces: `tail` was begun from [`Crc::ZERO`] over `tail_bytes` bytes.
    pub fn join(&self, head: Crc, tail: Crc, tail_bytes: usize) -> Crc {
        Crc(self.over(head, tail_bytes).0 ^ tail.0)
    }

    fn build() -> Shifts {
        let mut tables = Box::new([[[0; 256]; 4]; POWERS]);
        let mut previous: Option<&Table> = None;
        for table in tables.iter_mut() {
            for (lane, position) in table.iter_mut().zip([0_u32, 8, 16, 24]) {
                for (entry, byte) in lane.iter_mut().zip(0_u32..) {
                    let register = byte << position;
                    *entry = match previous {
                        None => crc_byte(register, 0),
                        Some(half) => apply(half, apply(half, register)),
                    };
                }
            }
            previous = Some(table);
        }
        Shifts(tables)
    }
}

#[inline(always)]
fn apply(table: &Table, register: u32) -> u32 {
    let [a, b, c, d] = register.to_le_bytes();
    let [first, second, third, fourth] = table;
    look_up(first, a) ^ look_up(second, b) ^ look_up(third, c) ^ look_up(fourth, d)
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "a byte indexes 256 entries")]
fn look_up(lane: &[u32; 256], byte: u8) -> u32 {
    lane[byte as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::testing::random_bytes;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn moving_over_zeros_equals_reading_them() {
        let start = Crc::START.update(b"anything");
        for length in [0, 1, 2, 3, 7, 48, 100, 1000, 1024, 65_537, (1 << 20) + 5, (1 << 22) + 77] {
            let zeros = vec![0; length];
            assert_eq!(Shifts::get().over(start, length), start.update(&zeros), "length {length}");
        }
    }

    #[test]
    fn one_pass_gives_both_checksums() {
        let bytes = random_bytes(3, 3000);
        let (a, b) = (Crc::START.update(b"kafka"), Crc::START.update(b"pulsar's longer head"));
        for length in [0, 1, 47, 48, 49, 100, 1024, 3000] {
            let value = &bytes[..length];
            assert_eq!(Shifts::get().update_both(a, b, value), (a.update(value), b.update(value)), "length {length}");
        }
    }
}
