//! Putting chunked messages together (PIP-37): one message too large for an entry, in entries one after the other.
//!
//! A producer sends a message's chunks without another of its own between them; chunks of different producers may
//! alternate. The message stands where its last chunk stands.

use std::fmt;

use super::entry::{Checksum, Chunk, Entry, EntryError};
use super::metadata::{BrokerMetadata, Metadata};

/// How much may be held while messages are incomplete.
#[derive(Clone, Copy, Debug)]
pub struct ChunkLimits {
    /// Incomplete messages.
    pub messages: usize,
    /// Bytes of them together, and so of one once complete.
    pub bytes: usize,
}

/// Messages of which some chunks have come. At a limit the oldest gives way: its later chunks come out as
/// [`ChunkStep::Orphan`].
#[derive(Debug)]
pub struct ChunkAssembler {
    limits: ChunkLimits,
    /// Oldest first.
    pending: Vec<Pending>,
}

#[derive(Debug)]
struct Pending {
    uuid: Vec<u8>,
    producer_name: Vec<u8>,
    count: u32,
    total_bytes: usize,
    next_id: u32,
    payload: Vec<u8>,
}

/// What became of a chunk.
#[derive(Debug)]
pub enum ChunkStep {
    /// Held until the others come. The entry has no record for Kafka.
    Held,
    /// The last one: here is the message.
    Complete(Assembled),
    /// Came before; nothing changed.
    Repeated,
    /// A chunk before it is missing: reading began too late, or a limit was reached.
    Orphan,
}

/// A message put together. Reads like an entry that is no batch, at the place of the last chunk.
pub struct Assembled {
    metadata: Vec<u8>,
    payload: Vec<u8>,
    broker: BrokerMetadata,
}

impl ChunkAssembler {
    /// Holds nothing yet.
    pub const fn new(limits: ChunkLimits) -> ChunkAssembler {
        ChunkAssembler { limits, pending: Vec::new() }
    }

    /// Bytes held.
    pub fn held_bytes(&self) -> usize {
        self.pending.iter().fold(0, |sum, pending| sum.saturating_add(pending.held_bytes()))
    }

    /// Incomplete messages held.
    pub const fn held_messages(&self) -> usize {
        self.pending.len()
    }

    /// Forgets everything: the reader has moved.
    pub fn clear(&mut self) {
        self.pending.clear();
    }

    /// Takes in `entry`, which must be a chunk. Verifies its checksum if that is still due.
    pub fn add(&mut self, entry: &Entry<'_>) -> Result<ChunkStep, EntryError> {
        let chunk = entry.chunk().ok_or(EntryError::Malformed)?;
        entry.verify()?;
        if entry.is_encrypted() {
            return Err(EntryError::Encrypted);
        }
        if chunk.id == 0 {
            self.begin(&chunk, entry)?;
        }
        let Some(at) = self.pending.iter().position(|pending| pending.uuid == chunk.uuid) else {
            return Ok(ChunkStep::Orphan);
        };
        // Out while it is worked on: whatever goes wrong, it is gone then.
        let mut pending = self.pending.remove(at);
        if chunk.id < pending.next_id {
            self.pending.insert(at, pending);
            return Ok(ChunkStep::Repeated);
        }
        if chunk.id > pending.next_id {
            return Ok(ChunkStep::Orphan);
        }
        self.make_room(pending.held_bytes().saturating_add(entry.payload.len()))?;
        pending.append(&chunk, entry.payload)?;
        if pending.next_id < pending.count {
            self.pending.push(pending);
            return Ok(ChunkStep::Held);
        }
        if pending.payload.len() != pending.total_bytes {
            return Err(EntryError::Malformed);
        }
        let metadata = entry.metadata.bytes.to_vec();
        Ok(ChunkStep::Complete(Assembled { metadata, payload: pending.payload, broker: entry.broker }))
    }

    /// Makes a place for the first chunk. Whatever its producer left unfinished will stay so.
    fn begin(&mut self, chunk: &Chunk<'_>, entry: &Entry<'_>) -> Result<(), EntryError> {
        self.pending.retain(|pending| pending.uuid != chunk.uuid && pending.producer_name != entry.producer_name());
        if self.limits.messages == 0 {
            return Err(EntryError::DecompressedTooLarge);
        }
        let surplus = self.pending.len().saturating_add(1).saturating_sub(self.limits.messages);
        self.pending.drain(..surplus);
        let pending = Pending {
            uuid: chunk.uuid.to_vec(),
            producer_name: entry.producer_name().to_vec(),
            count: chunk.count,
            total_bytes: chunk.total_bytes,
            next_id: 0,
            payload: Vec::new(),
        };
        self.pending.push(pending);
        Ok(())
    }

    /// Drops the oldest until `bytes` more fit.
    fn make_room(&mut self, bytes: usize) -> Result<(), EntryError> {
        if bytes > self.limits.bytes {
            return Err(EntryError::DecompressedTooLarge);
        }
        while !self.pending.is_empty() && self.held_bytes().saturating_add(bytes) > self.limits.bytes {
            self.pending.remove(0);
        }
        Ok(())
    }
}

impl Pending {
    fn held_bytes(&self) -> usize {
        self.payload.len().saturating_add(self.uuid.len()).saturating_add(self.producer_name.len())
    }

    fn append(&mut self, chunk: &Chunk<'_>, payload: &[u8]) -> Result<(), EntryError> {
        let length = self.payload.len().saturating_add(payload.len());
        if chunk.count != self.count || chunk.total_bytes != self.total_bytes || length > self.total_bytes {
            return Err(EntryError::Malformed);
        }
        if length > self.payload.capacity() {
            // Twice what has really come, but not beyond what is promised.
            let capacity = length.saturating_mul(2).min(self.total_bytes);
            self.payload.reserve_exact(capacity.saturating_sub(self.payload.len()));
        }
        self.payload.extend_from_slice(payload);
        self.next_id = self.next_id.saturating_add(1);
        Ok(())
    }
}

impl Assembled {
    /// The message as an entry. Its checksums were verified chunk by chunk.
    pub fn entry(&self) -> Result<Entry<'_>, EntryError> {
        let mut metadata = Metadata::parse(&self.metadata)?;
        metadata.chunk = None;
        Ok(Entry { covered: &[], payload: &self.payload, metadata, broker: self.broker, checksum: Checksum::Settled })
    }

    /// Bytes it holds.
    pub const fn held_bytes(&self) -> usize {
        self.metadata.len().saturating_add(self.payload.len())
    }
}

impl fmt::Debug for Assembled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembled").field("bytes", &self.held_bytes()).finish_non_exhaustive()
    }
}
