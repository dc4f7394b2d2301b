//! Two checksums over bytes that are mostly the same: of the batch being read and of the one being written.

use super::crc::{Crc, Shifts};

/// Bytes left behind before they are taken in, at most: they should still be in the nearest cache then.
const LAG_BYTES: usize = 4 * 1024;

/// The checksums of a source and of the target it is translated to. Values, which both hold, are read once.
pub(crate) struct Twin {
    shifts: &'static Shifts,
    source: Crc,
    target: Crc,
    /// How far each has been taken in.
    source_at: usize,
    target_at: usize,
}

impl Twin {
    pub(crate) fn new(source: Crc, source_at: usize, target: Crc, target_at: usize) -> Twin {
        Twin { shifts: Shifts::get(), source, target, source_at, target_at }
    }

    /// The same `length` bytes now stand at `in_source` of `source` and at the end of `target`.
    #[inline(always)]
    pub(crate) fn value(&mut self, source: &[u8], in_source: usize, target: &[u8], length: usize) {
        let in_target = target.len().saturating_sub(length);
        if length < Shifts::WORTH_BYTES && in_target.saturating_sub(self.target_at) < LAG_BYTES {
            return;
        }
        self.source = self.source.update(source.get(self.source_at..in_source).unwrap_or_default());
        self.target = self.target.update(target.get(self.target_at..in_target).unwrap_or_default());
        let value = target.get(in_target..).unwrap_or_default();
        (self.source, self.target) = self.shifts.update_both(self.source, self.target, value);
        self.source_at = in_source.saturating_add(length);
        self.target_at = target.len();
    }

    /// Both checksums, of all of `source` and all of `target`.
    pub(crate) fn finish(self, source: &[u8], target: &[u8]) -> (Crc, Crc) {
        let source_rest = source.get(self.source_at..).unwrap_or_default();
        let target_rest = target.get(self.target_at..).unwrap_or_default();
        (self.source.update(source_rest), self.target.update(target_rest))
    }
}
