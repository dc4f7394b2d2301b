//! The compression codecs of both protocols, each with its output bounded and its working memory kept.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use gzip::Deflating;
use lz4::Lz4;
use snappy::Snappy;
use zstd::Zstd;

/// Kafka's codec of a record batch: attribute bits 0–2 (`CompressionType.java`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not compressed.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Raw, or in xerial's framing.
    Snappy,
    /// In LZ4's frame format.
    Lz4,
    /// RFC 8878.
    Zstd,
}

impl Codec {
    /// From a batch's attributes.
    pub const fn from_attributes(attributes: i16) -> Option<Codec> {
        match attributes & 7 {
            0 => Some(Codec::None),
            1 => Some(Codec::Gzip),
            2 => Some(Codec::Snappy),
            3 => Some(Codec::Lz4),
            4 => Some(Codec::Zstd),
            _ => None,
        }
    }

    /// What the records are compressed with in Pulsar: the same algorithm in Pulsar's framing.
    pub const fn at_rest(self) -> Compression {
        match self {
            Codec::None => Compression::None,
            Codec::Gzip => Compression::Zlib,
            Codec::Snappy => Compression::Snappy,
            Codec::Lz4 => Compression::Lz4,
            Codec::Zstd => Compression::Zstd,
        }
    }
}

/// Pulsar's `CompressionType` (PulsarApi.proto).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not compressed.
    #[default]
    None,
    /// A raw LZ4 block.
    Lz4,
    /// RFC 1950; Java's producers flush but never end the stream.
    Zlib,
    /// RFC 8878.
    Zstd,
    /// Raw Snappy.
    Snappy,
}

impl Compression {
    /// From the number in `MessageMetadata.compression`.
    pub const fn from_wire(number: u64) -> Option<Compression> {
        match number {
            0 => Some(Compression::None),
            1 => Some(Compression::Lz4),
            2 => Some(Compression::Zlib),
            3 => Some(Compression::Zstd),
            4 => Some(Compression::Snappy),
            _ => None,
        }
    }

    /// The number in `MessageMetadata.compression`.
    pub const fn to_wire(self) -> u8 {
        match self {
            Compression::None => 0,
            Compression::Lz4 => 1,
            Compression::Zlib => 2,
            Compression::Zstd => 3,
            Compression::Snappy => 4,
        }
    }
}

/// Why bytes could not be compressed or decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// Not a stream of this codec, damaged, or cut short. The writer's fault.
    Corrupt,
    /// More bytes than allowed come out.
    TooLarge,
    /// The codec failed on sound input. The filter's fault.
    Internal,
}

/// The greatest size of `bytes` bytes once compressed, whatever the codec: what does not compress grows by less than
/// a sixth (Snappy's bound, the loosest) and a frame's head.
pub(crate) const fn compressed_bound(bytes: usize) -> usize {
    bytes.saturating_add(bytes / 6).saturating_add(64)
}

/// The codecs' tables and windows. Each is made when first used.
#[derive(Default)]
pub(crate) struct Codecs {
    deflating: Deflating,
    snappy: Snappy,
    lz4: Lz4,
    zstd: Zstd,
}

impl Codecs {
    /// Decompresses a Kafka records section to the front of `buffer`; tells how many bytes came out.
    pub(crate) fn decompress_kafka(
        &mut self,
        codec: Codec,
        input: &[u8],
        max: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<usize, CodecError> {
        match codec {
            Codec::None => copy(input, max, buffer),
            Codec::Gzip => self.deflating.gunzip(input, max, buffer),
            Codec::Snappy => snappy::decompress_either(input, max, buffer),
            Codec::Lz4 => lz4::decompress_frames(input, max, buffer),
            Codec::Zstd => self.zstd.decompress(input, max, buffer),
        }
    }

    /// Decompresses a Pulsar payload of `size` bytes to the front of `buffer`.
    pub(crate) fn decompress_pulsar(
        &mut self,
        compression: Compression,
        input: &[u8],
        size: usize,
        max: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<usize, CodecError> {
        if size > max {
            return Err(CodecError::TooLarge);
        }
        if size == 0 {
            return Ok(0);
        }
        let came_out = match compression {
            Compression::None => copy(input, max, buffer),
            Compression::Lz4 => lz4::decompress_block(input, size, buffer),
            Compression::Zlib => self.deflating.inflate_zlib(input, size, buffer),
            Compression::Zstd => self.zstd.decompress(input, size, buffer),
            Compression::Snappy => snappy::decompress_raw(input, size, buffer),
        }?;
        if came_out == size { Ok(size) } else { Err(CodecError::Corrupt) }
    }

    /// Appends `input`, compressed as Pulsar has it, to `out`.
    pub(crate) fn compress_pulsar(
        &mut self,
        compression: Compression,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let start = out.len();
        if compression == Compression::None {
            out.extend_from_slice(input);
            return Ok(());
        }
        let end = start.saturating_add(compressed_bound(input.len()));
        out.resize(end, 0);
        let room = out.get_mut(start..).unwrap_or_default();
        let written = match compression {
            Compression::None => Ok(0),
            Compression::Lz4 => self.lz4.compress_block(input, room),
            Compression::Zlib => self.deflating.deflate_zlib(input, room),
            Compression::Zstd => self.zstd.compress(input, room),
            Compression::Snappy => self.snappy.compress_raw(input, room),
        };
        out.truncate(start.saturating_add(written.unwrap_or(0)));
        written.map(|_| ())
    }
}

fn copy(input: &[u8], max: usize, buffer: &mut Vec<u8>) -> Result<usize, CodecError> {
    if input.len() > max {
        return Err(CodecError::TooLarge);
    }
    buffer.clear();
    buffer.extend_from_slice(input);
    Ok(input.len())
}

/// At least `length` bytes of `buffer`, writable. Never shortens it, so that what was zeroed once is not zeroed again.
fn room(buffer: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    buffer.get_mut(..length).unwrap_or_default()
}
