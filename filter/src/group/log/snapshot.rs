//! A state's bytes as Snapshot events, and back.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::entry::Snapshot;
use crate::group::state::State;
use crate::group::state::encoding::StateError;
use crate::group::state::limits::{SNAPSHOT_PART_BYTES, SNAPSHOT_PARTS_MAX};
use crate::ids::Position;
use crate::records::crc::crc32c;

/// The parts of `state`, the canonical bytes of the state right after the entry at `cut`.
pub fn split(cut: Position, state: &Bytes) -> impl Iterator<Item = Snapshot> {
    let crc32c = crc32c(state);
    let parts = u32::try_from(state.len().div_ceil(SNAPSHOT_PART_BYTES)).unwrap_or(u32::MAX);
    state.chunks(SNAPSHOT_PART_BYTES).zip(0..).map(move |(chunk, part)| Snapshot {
        cut: cut.into(),
        part,
        parts,
        crc32c,
        bytes: state.slice_ref(chunk),
    })
}

/// The parts of one snapshot, as far as they were read.
#[derive(Debug)]
pub struct Assembly {
    cut: Position,
    /// By checksum and number of parts: what makes parts belong together.
    parts: BTreeMap<(u32, u32), BTreeMap<u32, Bytes>>,
}

/// Bound of snapshots of one cut that differ; all replicas write the same one.
const VARIANTS_MAX: usize = 2;

impl Assembly {
    /// Looks for the snapshot of the state at `cut`.
    pub fn new(cut: Position) -> Self {
        Self { cut, parts: BTreeMap::new() }
    }

    /// Takes a part; the state, once all are there.
    ///
    /// # Errors
    ///
    /// If the parts are complete and are no state.
    pub fn take(&mut self, snapshot: &Snapshot) -> Result<Option<State>, StateError> {
        let Snapshot { cut, part, parts, crc32c: expected, bytes } = snapshot;
        let key = (*expected, *parts);
        let fits = *parts <= SNAPSHOT_PARTS_MAX && part < parts && bytes.len() <= SNAPSHOT_PART_BYTES;
        if Position::from(*cut) != self.cut || !fits {
            return Ok(None);
        }
        if self.parts.len() >= VARIANTS_MAX && !self.parts.contains_key(&key) {
            return Ok(None);
        }
        let found = self.parts.entry(key).or_default();
        found.entry(*part).or_insert_with(|| bytes.clone());
        if usize::try_from(*parts) != Ok(found.len()) {
            return Ok(None);
        }
        let mut whole = BytesMut::new();
        found.values().for_each(|bytes| whole.extend_from_slice(bytes));
        if crc32c(&whole) != *expected {
            return Err(StateError::Malformed);
        }
        State::decode(&whole).map(Some)
    }
}
