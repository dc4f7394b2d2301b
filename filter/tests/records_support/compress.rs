//! Compression as producers of either protocol do it.

use std::io::Write as _;

/// Kafka's codecs in every framing a client writes: name, codec number, compressor.
pub type KafkaCodec = (&'static str, i16, fn(&[u8]) -> Vec<u8>);

pub const KAFKA_CODECS: [KafkaCodec; 11] = [
    ("none", 0, <[u8]>::to_vec),
    ("gzip", 1, gzip),
    ("gzip in two members", 1, |plain| two(plain, gzip)),
    ("raw snappy", 2, snappy),
    ("xerial snappy", 2, xerial),
    ("lz4", 3, |plain| lz4(plain, lz4_flex::frame::FrameInfo::new())),
    ("lz4 with linked blocks and checksums", 3, lz4_linked),
    ("lz4 with content size", 3, |plain| {
        lz4(plain, lz4_flex::frame::FrameInfo::new().content_size(Some(plain.len() as u64)))
    }),
    ("zstd", 4, |plain| zrip::compress(plain, 3).unwrap()),
    ("zstd as a stream", 4, zstd_stream),
    ("zstd in two frames with a skippable one between", 4, zstd_frames),
];

pub fn gzip(plain: &[u8]) -> Vec<u8> {
    // With a file name, as nobody writes it but anybody may.
    let mut gzip = flate2::GzBuilder::new().filename("records").write(Vec::new(), flate2::Compression::default());
    gzip.write_all(plain).unwrap();
    gzip.finish().unwrap()
}

fn two(plain: &[u8], compress: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (head, tail) = plain.split_at(plain.len() / 2);
    [compress(head), compress(tail)].concat()
}

pub fn snappy(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(plain).unwrap()
}

/// SnappyOutputStream of the xerial library, with blocks smaller than its own.
pub fn xerial(plain: &[u8]) -> Vec<u8> {
    let mut stream = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in plain.chunks(1000) {
        let block = snappy(block);
        stream.extend((block.len() as u32).to_be_bytes());
        stream.extend(block);
    }
    stream
}

pub fn lz4(plain: &[u8], info: lz4_flex::frame::FrameInfo) -> Vec<u8> {
    let mut frame = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    frame.write_all(plain).unwrap();
    frame.finish().unwrap()
}

pub fn lz4_linked(plain: &[u8]) -> Vec<u8> {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};
    let info = FrameInfo::new().block_mode(BlockMode::Linked).block_size(BlockSize::Max64KB);
    lz4(plain, info.block_checksums(true).content_checksum(true))
}

pub fn zstd_stream(plain: &[u8]) -> Vec<u8> {
    let mut stream = zrip::FrameEncoder::new(Vec::new(), 1).unwrap();
    for piece in plain.chunks(777) {
        stream.write_all(piece).unwrap();
    }
    stream.finish().unwrap()
}

pub fn zstd_frames(plain: &[u8]) -> Vec<u8> {
    let (head, tail) = plain.split_at(plain.len() / 3);
    let skippable = [&0x184d_2a53_u32.to_le_bytes()[..], &5_u32.to_le_bytes(), b"skip!"].concat();
    [zrip::compress(head, 1).unwrap(), skippable, zrip::compress(tail, 1).unwrap()].concat()
}

/// Pulsar's codecs as its producers write them: name, compression number, compressor.
pub type PulsarCodec = (&'static str, i32, fn(&[u8]) -> Vec<u8>);

pub const PULSAR_CODECS: [PulsarCodec; 6] = [
    ("none", 0, <[u8]>::to_vec),
    ("LZ4", 1, lz4_flex::block::compress),
    ("ZLIB flushed but not ended, as Java has it", 2, |plain| zlib(plain, flate2::FlushCompress::Sync)),
    ("ZLIB ended", 2, |plain| zlib(plain, flate2::FlushCompress::Finish)),
    ("ZSTD", 3, |plain| zrip::compress(plain, 3).unwrap()),
    ("SNAPPY", 4, snappy),
];

pub fn zlib(plain: &[u8], flush: flate2::FlushCompress) -> Vec<u8> {
    let mut out = Vec::with_capacity(plain.len() + plain.len() / 8 + 100);
    flate2::Compress::new(flate2::Compression::default(), true).compress_vec(plain, &mut out, flush).unwrap();
    out
}

/// Undoes what an entry's metadata says was done.
pub fn decompress_pulsar(compression: i32, payload: &[u8], size: usize) -> Vec<u8> {
    let plain = match compression {
        0 => payload.to_vec(),
        1 => lz4_flex::block::decompress(payload, size).unwrap(),
        2 => {
            let mut out = Vec::with_capacity(size + 1);
            let status = flate2::Decompress::new(true)
                .decompress_vec(payload, &mut out, flate2::FlushDecompress::Finish)
                .unwrap();
            assert_eq!(status, flate2::Status::StreamEnd, "a whole stream");
            out
        }
        3 => zrip::decompress(payload).unwrap(),
        4 => snap::raw::Decoder::new().decompress_vec(payload).unwrap(),
        other => panic!("compression {other}"),
    };
    assert_eq!(plain.len(), size);
    plain
}
