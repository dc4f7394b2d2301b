//! Snappy: raw, and in the framing of the xerial library that Java's Kafka clients use.

use snap::raw::{Decoder, Encoder, decompress_len};

use super::{CodecError, room};
use crate::records::cursor::Cursor;

/// Xerial's head: a magic, then two version numbers that no reader looks at (SnappyCodec.java).
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_VERSIONS_BYTES: usize = 8;

/// No element of a Snappy stream gives more than 64 bytes for two of its own.
const MAX_RATIO: usize = 32;

/// The compressor's hash tables.
#[derive(Default)]
pub(super) struct Snappy(Option<Box<Encoder>>);

impl Snappy {
    pub(super) fn compress_raw(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let encoder = self.0.get_or_insert_with(|| Box::new(Encoder::new()));
        encoder.compress(input, out).map_err(|_| CodecError::Internal)
    }
}

/// Raw Snappy, to the front of `buffer`.
pub(super) fn decompress_raw(input: &[u8], max: usize, buffer: &mut Vec<u8>) -> Result<usize, CodecError> {
    append_raw(input, 0, max, buffer)
}

/// Raw, or xerial's framing: producers write either under the same codec number.
pub(super) fn decompress_either(input: &[u8], max: usize, buffer: &mut Vec<u8>) -> Result<usize, CodecError> {
    let Some(framed) = input.strip_prefix(XERIAL_MAGIC) else { return decompress_raw(input, max, buffer) };
    let mut blocks = Cursor::new(framed);
    blocks.take(XERIAL_VERSIONS_BYTES).ok_or(CodecError::Corrupt)?;
    let mut filled = 0;
    while !blocks.is_empty() {
        let length = blocks.u32().ok_or(CodecError::Corrupt)?;
        let block = usize::try_from(length).ok().and_then(|length| blocks.take(length)).ok_or(CodecError::Corrupt)?;
        filled = append_raw(block, filled, max, buffer)?;
    }
    Ok(filled)
}

/// One raw stream behind the `filled` bytes at the front of `buffer`; the new count.
fn append_raw(input: &[u8], filled: usize, max: usize, buffer: &mut Vec<u8>) -> Result<usize, CodecError> {
    let length = decompress_len(input).map_err(|_| CodecError::Corrupt)?;
    if length > input.len().saturating_mul(MAX_RATIO) {
        return Err(CodecError::Corrupt);
    }
    let end = filled.saturating_add(length);
    if end > max {
        return Err(CodecError::TooLarge);
    }
    let target = room(buffer, end).get_mut(filled..).unwrap_or_default();
    Decoder::new().decompress(input, target).map_err(|_| CodecError::Corrupt)?;
    Ok(end)
}
