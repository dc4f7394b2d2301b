//! LZ4: Kafka's frames and Pulsar's bare blocks.
//!
//! The frame's own checksums are not looked at: Kafka's CRC32C over the batch has vouched for the bytes already.

use lz4_flex::block::{
    CompressTable, DecompressError, compress_into_with_table, decompress_into, decompress_into_with_dict,
};

use super::{CodecError, room};

const MAGIC: u32 = 0x184d_2204;
/// Sixteen magics whose frames are to be skipped.
const SKIPPABLE: u32 = 0x184d_2a50;
/// Bit of a block's size: the block is stored as it is.
const STORED: u32 = 1 << 31;
/// How far back a linked block may refer.
const WINDOW_BYTES: usize = 64 * 1024;
/// No sequence gives more than 255 bytes for one of its own; the sum holds for the shortest blocks.
const MAX_RATIO: usize = 256;

/// The compressor's hash table.
#[derive(Default)]
pub(super) struct Lz4(Option<CompressTable>);

impl Lz4 {
    pub(super) fn compress_block(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let table = self.0.get_or_insert_with(CompressTable::large);
        compress_into_with_table(input, out, table).map_err(|_| CodecError::Internal)
    }
}

/// A bare block of `size` bytes.
pub(super) fn decompress_block(input: &[u8], size: usize, buffer: &mut Vec<u8>) -> Result<usize, CodecError> {
    if size > input.len().saturating_mul(MAX_RATIO) {
        return Err(CodecError::Corrupt);
    }
    decompress_into(input, room(buffer, size)).map_err(|_| CodecError::Corrupt)
}

/// Frames one after the other, as the format allows.
pub(super) fn decompress_frames(input: &[u8], max: usize, buffer: &mut Vec<u8>) -> Result<usize, CodecError> {
    let mut input = input;
    let mut filled = 0;
    while !input.is_empty() {
        let magic = take_u32(&mut input)?;
        if magic & !0xf == SKIPPABLE {
            let length = take_u32(&mut input)?;
            take(&mut input, length)?;
        } else if magic == MAGIC {
            let head = Head::take(&mut input)?;
            filled = decompress_blocks(&head, &mut input, filled, max, buffer)?;
        } else {
            return Err(CodecError::Corrupt);
        }
    }
    Ok(filled)
}

/// What the frame's descriptor says that matters for reading it.
struct Head {
    linked: bool,
    block_checksums: bool,
    content_checksum: bool,
    block_max: usize,
}

impl Head {
    fn take(input: &mut &[u8]) -> Result<Head, CodecError> {
        let descriptor = take(input, 2)?;
        let &[flags, sizes] = descriptor else { return Err(CodecError::Corrupt) };
        let block_max = match sizes >> 4 & 7 {
            4 => 64 * 1024,
            5 => 256 * 1024,
            6 => 1024 * 1024,
            7 => 4 * 1024 * 1024,
            _ => return Err(CodecError::Corrupt),
        };
        let version = flags >> 6;
        let dictionary = flags & 1 != 0;
        if version != 1 || dictionary {
            return Err(CodecError::Corrupt);
        }
        let content_size_bytes = if flags & 8 != 0 { 8 } else { 0 };
        take(input, content_size_bytes)?;
        take(input, 1)?;
        Ok(Head {
            linked: flags & 32 == 0,
            block_checksums: flags & 16 != 0,
            content_checksum: flags & 4 != 0,
            block_max,
        })
    }
}

fn decompress_blocks(
    head: &Head,
    input: &mut &[u8],
    filled: usize,
    max: usize,
    buffer: &mut Vec<u8>,
) -> Result<usize, CodecError> {
    let frame_start = filled;
    let mut filled = filled;
    loop {
        let size = take_u32(input)?;
        if size == 0 {
            break;
        }
        let block = take(input, size & !STORED)?;
        if head.block_checksums {
            take(input, 4)?;
        }
        // What one block may give: its frame's maximum, and never more than its own bytes can.
        let most =
            if size & STORED != 0 { block.len() } else { block.len().saturating_mul(MAX_RATIO).min(head.block_max) };
        let end = filled.saturating_add(most).min(max);
        let (done, target) = room(buffer, end).split_at_mut_checked(filled).ok_or(CodecError::TooLarge)?;
        let written = if size & STORED != 0 {
            let target = target.get_mut(..block.len()).ok_or(CodecError::TooLarge)?;
            target.copy_from_slice(block);
            block.len()
        } else if head.linked {
            let window_start = filled.saturating_sub(WINDOW_BYTES).max(frame_start);
            let window = done.get(window_start..).unwrap_or_default();
            decompress_into_with_dict(block, target, window).map_err(|error| classify(error, end, max))?
        } else {
            decompress_into(block, target).map_err(|error| classify(error, end, max))?
        };
        filled = filled.saturating_add(written);
    }
    if head.content_checksum {
        take(input, 4)?;
    }
    Ok(filled)
}

/// A block that overflows what is left of the allowance is too large; one that overflows its own maximum is corrupt.
fn classify(error: DecompressError, end: usize, max: usize) -> CodecError {
    let overflows = matches!(error, DecompressError::OutputTooSmall { .. });
    if overflows && end == max { CodecError::TooLarge } else { CodecError::Corrupt }
}

fn take<'a>(input: &mut &'a [u8], length: u32) -> Result<&'a [u8], CodecError> {
    let (taken, rest) = input.split_at_checked(length as usize).ok_or(CodecError::Corrupt)?;
    *input = rest;
    Ok(taken)
}

fn take_u32(input: &mut &[u8]) -> Result<u32, CodecError> {
    let (word, rest) = input.split_first_chunk::<4>().ok_or(CodecError::Corrupt)?;
    *input = rest;
    Ok(u32::from_le_bytes(*word))
}
