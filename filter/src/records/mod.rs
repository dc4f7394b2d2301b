//! Kafka record batches to Pulsar entries and back: the record path.
//!
//! Written by hand for speed: nothing is allocated per record, and each value is copied once and read once for both
//! protocols' checksums. Every length comes from the wire and is held against what is really there before it is used.
//! The format in Pulsar is laid down in `docs/record-format.md`.

mod base64;
pub mod batch;
pub mod chunks;
pub mod codecs;
pub mod crc;
mod cursor;
pub mod entry;
mod frame;
mod headers;
mod key;
mod message;
mod messages;
mod metadata;
pub mod pass;
mod properties;
mod proto;
pub mod read;
mod record;
pub mod scratch;
pub mod split;
mod staging;
#[cfg(test)]
mod testing;
pub mod times;
mod twin;
mod varint;
pub mod write;

pub use batch::{BatchError, KafkaBatch};
pub use chunks::{Assembled, ChunkAssembler, ChunkLimits, ChunkStep};
pub use codecs::{Codec, CodecError, Compression};
pub use entry::{Chunk, Entry, EntryError};
pub(crate) use frame::CHECKSUM_MAGIC;
pub use pass::pass_batch;
pub use read::{BatchSpan, ReadOptions, write_kafka_batch};
pub use scratch::Scratch;
pub use times::{TimedOffset, first_at_or_after, greatest};
pub use write::{SendParams, SentEntry, write_sends};
