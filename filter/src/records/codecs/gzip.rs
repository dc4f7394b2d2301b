//! DEFLATE: Kafka's gzip in, Pulsar's ZLIB in and out.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{CodecError, room};
use crate::records::cursor::Cursor;

/// Entries are written at level 1: compressing again costs about 15 CPU seconds per GB even so.
const LEVEL: u32 = 1;
/// DEFLATE gives at most 1032 bytes for one.
const MAX_RATIO: usize = 1032;
/// Output room for input whose size once inflated is not known, at first; it doubles from there.
const FIRST_ROOM_RATIO: usize = 4;
const FIRST_ROOM_BYTES: usize = 16 * 1024;

/// Flags of a gzip member's head (RFC 1952, 2.3.1).
const HEAD_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
/// CRC and size behind each member. Kafka's CRC32C over the batch has vouched for the bytes already.
const TRAILER_BYTES: usize = 8;

/// Window and tables, both ways.
#[derive(Default)]
pub(super) struct Deflating {
    inflater: Option<Decompress>,
    deflater: Option<Compress>,
}

impl Deflating {
    /// The members of a gzip stream, one after the other.
    pub(super) fn gunzip(&mut self, input: &[u8], max: usize, buffer: &mut Vec<u8>) -> Result<usize, CodecError> {
        let mut rest = Cursor::new(input);
        let mut filled = 0;
        while !rest.is_empty() {
            skip_head(&mut rest).ok_or(CodecError::Corrupt)?;
            filled = self.inflate_member(&mut rest, filled, max, buffer)?;
            rest.take(TRAILER_BYTES).ok_or(CodecError::Corrupt)?;
        }
        Ok(filled)
    }

    /// One DEFLATE stream up to its end, behind the `filled` bytes at the front of `buffer`; the new count.
    fn inflate_member(
        &mut self,
        rest: &mut Cursor<'_>,
        filled: usize,
        max: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<usize, CodecError> {
        let inflater = self.inflater.get_or_insert_with(|| Decompress::new(false));
        inflater.reset(false);
        let mut filled = filled;
        let guess = rest.rest().len().saturating_mul(FIRST_ROOM_RATIO).max(FIRST_ROOM_BYTES);
        let mut end = filled.saturating_add(guess).min(max);
        loop {
            // One byte past the allowance, to tell a stream that just fits from one that does not.
            let target = room(buffer, end.saturating_add(1)).get_mut(filled..).unwrap_or_default();
            let (consumed, written, status) = step(inflater, rest.rest(), target)?;
            rest.take(consumed).ok_or(CodecError::Corrupt)?;
            filled = filled.saturating_add(written);
            if filled > max {
                return Err(CodecError::TooLarge);
            }
            match status {
                Status::StreamEnd => return Ok(filled),
                Status::Ok | Status::BufError if filled > end => end = end.saturating_mul(2).min(max),
                Status::Ok | Status::BufError if consumed == 0 && written == 0 => return Err(CodecError::Corrupt),
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// A ZLIB stream of `size` bytes. Whether it ends behind them is not asked: Pulsar's Java producers never end it.
    pub(super) fn inflate_zlib(
        &mut self,
        input: &[u8],
        size: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<usize, CodecError> {
        if size > input.len().saturating_mul(MAX_RATIO) {
            return Err(CodecError::Corrupt);
        }
        let inflater = self.inflater.get_or_insert_with(|| Decompress::new(true));
        inflater.reset(true);
        // One byte to spare, to tell a stream that holds more than it should.
        let target = room(buffer, size.saturating_add(1));
        let mut rest = Cursor::new(input);
        let mut filled = 0;
        while filled <= size {
            let (consumed, written, status) =
                step(inflater, rest.rest(), target.get_mut(filled..).unwrap_or_default())?;
            rest.take(consumed).ok_or(CodecError::Corrupt)?;
            filled = filled.saturating_add(written);
            if status == Status::StreamEnd || (consumed == 0 && written == 0) {
                break;
            }
        }
        Ok(filled)
    }

    /// A whole ZLIB stream, with its end and checksum.
    pub(super) fn deflate_zlib(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let deflater = self.deflater.get_or_insert_with(|| Compress::new(Compression::new(LEVEL), true));
        deflater.reset();
        match deflater.compress(input, out, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => usize::try_from(deflater.total_out()).map_err(|_| CodecError::Internal),
            Ok(Status::Ok | Status::BufError) | Err(_) => Err(CodecError::Internal),
        }
    }
}

/// Inflates once: bytes taken, bytes given, how it stands.
fn step(inflater: &mut Decompress, input: &[u8], target: &mut [u8]) -> Result<(usize, usize, Status), CodecError> {
    let (taken, given) = (inflater.total_in(), inflater.total_out());
    let status = inflater.decompress(input, target, FlushDecompress::None).map_err(|_| CodecError::Corrupt)?;
    let taken = usize::try_from(inflater.total_in().saturating_sub(taken)).map_err(|_| CodecError::Internal)?;
    let given = usize::try_from(inflater.total_out().saturating_sub(given)).map_err(|_| CodecError::Internal)?;
    Ok((taken, given, status))
}

fn skip_head(rest: &mut Cursor<'_>) -> Option<()> {
    let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _] = rest.array::<10>()? else { return None };
    if flags & EXTRA != 0 {
        let length = u16::from_le_bytes(rest.array()?);
        rest.take(usize::from(length))?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.rest().iter().position(|byte| *byte == 0)?;
            rest.take(end.saturating_add(1))?;
        }
    }
    if flags & HEAD_CRC != 0 {
        rest.take(2)?;
    }
    Some(())
}
