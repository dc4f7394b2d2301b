//! Snapshot: when all parts of the state at the last cut are in the log, loads begin at that cut.

use super::Step;
use crate::group::log::entry::Snapshot;
use crate::group::outcome::Outcome;
use crate::group::state::limits::SNAPSHOT_PARTS_MAX;

impl Step<'_> {
    pub(super) fn snapshot(&mut self, snapshot: &Snapshot) -> Outcome {
        let log = &mut self.state.log;
        let cut = Some(snapshot.cut.into());
        let parts = snapshot.parts;
        if log.cut != cut || parts > SNAPSHOT_PARTS_MAX || snapshot.part >= parts {
            return Outcome::Done;
        }
        log.cut_parts.insert(snapshot.part);
        let complete = log.cut_parts.len() == usize::try_from(parts).unwrap_or(usize::MAX);
        if complete && log.base != cut {
            log.previous_base = log.base;
            log.base = cut;
            log.snapshot_len = log.cut_len;
        }
        Outcome::Done
    }
}
