//! The look-up tables, computed at build time: 24 KiB.

/// Castagnoli's polynomial, bit-reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Bytes of one step of the braid: three words of eight bytes.
pub(super) const BLOCK_BYTES: usize = 24;

type Table = [u32; 256];

/// `TABLES[n][b]`: the register after byte `b` and then `n` zero bytes.
static TABLES: [Table; BLOCK_BYTES] = tables();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn tables() -> [Table; BLOCK_BYTES] {
    let mut tables = [[0; 256]; BLOCK_BYTES];
    let mut byte = 0;
    while byte < 256 {
        let mut register = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            register = if register & 1 == 1 { (register >> 1) ^ POLYNOMIAL } else { register >> 1 };
            bit += 1;
        }
        tables[0][byte] = register;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < BLOCK_BYTES {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

/// The register after one more byte.
#[inline(always)]
pub(super) fn crc_byte(register: u32, byte: u8) -> u32 {
    look_up::<0>((register as u8) ^ byte) ^ (register >> 8)
}

/// The register after the eight bytes of `word` (little-endian), the register before them already folded in.
#[inline(always)]
pub(super) fn crc_word(word: u64) -> u32 {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    look_up::<7>(a)
        ^ look_up::<6>(b)
        ^ look_up::<5>(c)
        ^ look_up::<4>(d)
        ^ look_up::<3>(e)
        ^ look_up::<2>(f)
        ^ look_up::<1>(g)
        ^ look_up::<0>(h)
}

/// The same, moved on over the sixteen bytes that belong to the other two registers of the braid.
#[inline(always)]
pub(super) fn crc_block(word: u64) -> u32 {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    look_up::<23>(a)
        ^ look_up::<22>(b)
        ^ look_up::<21>(c)
        ^ look_up::<20>(d)
        ^ look_up::<19>(e)
        ^ look_up::<18>(f)
        ^ look_up::<17>(g)
        ^ look_up::<16>(h)
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "a byte indexes 256 entries; the table's number is a constant")]
fn look_up<const ZEROS: usize>(byte: u8) -> u32 {
    TABLES[ZEROS][byte as usize]
}
