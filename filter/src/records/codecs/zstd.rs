//! Zstandard: the same frames in both protocols.
//!
//! The frames are cut here and handed to the decoder one by one: a skippable frame's length must not reach its pointer
//! arithmetic (32 bits wide in Wasm), and no more is reserved than a frame's blocks can give.

use zrip::{CompressContext, DecompressContext, DecompressError};

use super::CodecError;
use crate::records::cursor::Cursor;

/// Kafka's default is 3; level 1 gives nearly the same size here for a third less time.
const LEVEL: i32 = 1;

const MAGIC: u32 = 0xfd2f_b528;
/// Sixteen magics whose frames are to be skipped.
const SKIPPABLE: u32 = 0x184d_2a50;
/// The most one block gives (RFC 8878, 3.1.1.2.4).
const BLOCK_MAX: u64 = 128 * 1024;

/// Tables, both ways.
#[derive(Default)]
pub(super) struct Zstd {
    compressing: Option<Box<CompressContext>>,
    decompressing: Option<Box<DecompressContext>>,
}

impl Zstd {
    pub(super) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let context = match &mut self.compressing {
            Some(context) => context,
            empty @ None => {
                let mut context = CompressContext::new(LEVEL).map_err(|_| CodecError::Internal)?;
                // CRC32C stands around the entry.
                context.set_content_checksum(false);
                empty.insert(Box::new(context))
            }
        };
        context.compress_into(input, out).map_err(|_| CodecError::Internal)
    }

    /// Frames one after the other.
    pub(super) fn decompress(&mut self, input: &[u8], max: usize, buffer: &mut Vec<u8>) -> Result<usize, CodecError> {
        buffer.clear();
        let context = self.decompressing.get_or_insert_with(Default::default);
        let mut rest = input;
        while !rest.is_empty() {
            let (frame, behind) = next_frame(rest).ok_or(CodecError::Corrupt)?;
            rest = behind;
            let Frame::Data { bytes, claims_more_than_it_holds } = frame else { continue };
            if claims_more_than_it_holds {
                return Err(CodecError::Corrupt);
            }
            // A block that crosses the decoder's limit looks corrupt to it. With a block to spare, whatever crosses has
            // filled the buffer before, and that can be told.
            let left = max.saturating_sub(buffer.len()).saturating_add(BLOCK_MAX as usize);
            let result = context.decompress_into_with_limit(bytes, buffer, left);
            if buffer.len() > max || result == Err(DecompressError::OutputTooSmall) {
                return Err(CodecError::TooLarge);
            }
            result.map_err(|_| CodecError::Corrupt)?;
        }
        Ok(buffer.len())
    }
}

enum Frame<'a> {
    Skippable,
    Data { bytes: &'a [u8], claims_more_than_it_holds: bool },
}

/// Cuts one frame off the front by walking its blocks' heads (RFC 8878, 3.1.1).
fn next_frame(input: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let mut rest = Cursor::new(input);
    let magic = rest.array().map(u32::from_le_bytes)?;
    if magic & !0xf == SKIPPABLE {
        let length = rest.array().map(u32::from_le_bytes)?;
        rest.take(length as usize)?;
        return Some((Frame::Skippable, rest.rest()));
    }
    if magic != MAGIC {
        return None;
    }
    let descriptor = rest.u8()?;
    let single_segment = descriptor & 0x20 != 0;
    if !single_segment {
        rest.u8()?;
    }
    rest.take([0, 1, 2, 4].get(usize::from(descriptor & 3)).copied()?)?;
    let content_size = match descriptor >> 6 {
        0 if single_segment => Some(u64::from(rest.u8()?)),
        0 => None,
        1 => Some(u64::from(u16::from_le_bytes(rest.array()?)).saturating_add(256)),
        2 => Some(u64::from(u32::from_le_bytes(rest.array()?))),
        _ => Some(u64::from_le_bytes(rest.array()?)),
    };
    let mut most = 0_u64;
    loop {
        let [a, b, c] = rest.array()?;
        let head = u32::from_le_bytes([a, b, c, 0]);
        let size = head >> 3;
        let (stored, gives) = match head >> 1 & 3 {
            0 => (size, u64::from(size)),
            1 => (1, u64::from(size)),
            2 => (size, BLOCK_MAX),
            _ => return None,
        };
        rest.take(stored as usize)?;
        most = most.saturating_add(gives);
        if head & 1 == 1 {
            break;
        }
    }
    let checksum = descriptor & 4 != 0;
    if checksum {
        rest.take(4)?;
    }
    let length = input.len().checked_sub(rest.rest().len())?;
    let bytes = input.get(..length)?;
    let claims_more_than_it_holds = content_size.is_some_and(|size| size > most);
    Some((Frame::Data { bytes, claims_more_than_it_holds }, rest.rest()))
}
