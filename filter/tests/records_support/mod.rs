//! What the record tests share: a plain encoder and decoder of Kafka's batches, and Pulsar's messages through prost.
//! Both are written from the formats' definitions and share nothing with the code under test.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod compress;
pub mod kafka;
pub mod pulsar;

use isthmus::records::{KafkaBatch, Scratch, SendParams, SentEntry, write_sends};
use isthmus::time::UnixMillis;

/// The time at which everything happens.
pub const NOW: i64 = 1_700_000_000_000;

/// Parameters that suit most tests: one entry, no limit in the way.
pub fn params() -> SendParams<'static> {
    SendParams {
        producer_id: 7,
        producer_name: "isthmus-7",
        sequence_id: 100,
        publish_time: UnixMillis(NOW),
        max_message_size: 5 * 1024 * 1024,
        decompressed_max: 64 * 1024 * 1024,
        max_entry_records: u32::MAX,
        skip_records: 0,
        one_entry_per_key: false,
    }
}

/// Translates a batch with fresh memory.
pub fn send(batch: &[u8], params: &SendParams<'_>) -> Result<(Vec<u8>, Vec<SentEntry>), isthmus::records::BatchError> {
    let (mut out, mut sent) = (Vec::new(), Vec::new());
    write_sends(&KafkaBatch::parse(batch)?, params, &mut Scratch::new(), &mut out, &mut sent)?;
    Ok((out, sent))
}

/// `length` bytes that look random and are the same in every run.
pub fn random_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..length).map(|_| random.next() as u8).collect()
}

/// A small generator for tests that must run the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.next() as usize % bound.max(1)
    }
}

/// Text that compresses about as well as log lines do.
pub fn text(seed: u64, length: usize) -> Vec<u8> {
    let words: [&[u8]; 8] =
        [b"GET ", b"/index.html ", b"200 ", b"POST ", b"/api/v1/items ", b"404 ", b"agent=curl ", b"\n"];
    let mut random = Random::new(seed);
    let mut bytes = Vec::new();
    while bytes.len() < length {
        bytes.extend_from_slice(words[random.below(words.len())]);
    }
    bytes.truncate(length);
    bytes
}
