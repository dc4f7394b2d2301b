//! Memory that translating one batch leaves for the next.

use super::codecs::Codecs;

/// What a buffer may keep between batches; one that had to grow beyond it is cut back.
pub const SCRATCH_KEEP_BYTES: usize = 2 * 1024 * 1024;
/// Entries of one batch whose plan is kept.
const KEEP_ENTRIES: usize = 4096;

/// Buffers and codec tables, reused from batch to batch. One serves a whole worker.
///
/// Holds at most two buffers of [`SCRATCH_KEEP_BYTES`] between calls, and each codec's tables from its first use on.
#[derive(Default)]
pub struct Scratch {
    pub(crate) codecs: Codecs,
    /// Records as they come out of a decompressor.
    pub(crate) plain: Vec<u8>,
    /// A payload before it is compressed.
    pub(crate) payload: Vec<u8>,
    /// Records of each entry that one batch becomes.
    pub(crate) plan: Vec<u32>,
}

impl Scratch {
    /// Empty: nothing is allocated until it is used.
    pub fn new() -> Scratch {
        Scratch::default()
    }

    /// Gives back what an outsized batch took.
    pub(crate) fn trim(&mut self) {
        for buffer in [&mut self.plain, &mut self.payload] {
            if buffer.capacity() > SCRATCH_KEEP_BYTES {
                buffer.truncate(SCRATCH_KEEP_BYTES);
                buffer.shrink_to(SCRATCH_KEEP_BYTES);
            }
        }
        if self.plan.capacity() > KEEP_ENTRIES {
            self.plan.clear();
            self.plan.shrink_to(KEEP_ENTRIES);
        }
    }

    /// Bytes the buffers hold on to, codec tables apart.
    pub fn held_bytes(&self) -> usize {
        self.plain.capacity().saturating_add(self.payload.capacity())
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").field("held_bytes", &self.held_bytes()).finish_non_exhaustive()
    }
}
