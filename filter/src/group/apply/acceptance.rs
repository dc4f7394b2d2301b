//! Which entries count for more than their place, and where the log is cut.

use super::Accepted;
use crate::group::log::entry::Entry;
use crate::group::state::limits::{CUT_BYTES, CUT_ENTRIES, CUT_ENTRIES_MAX, WRITERS_MAX};
use crate::group::state::{Log, State, Writer};
use crate::ids::Position;

impl Log {
    /// Whether the entry's events take effect; if so, its writer has got this far. A producer that was closed may still land
    /// entries; once the writer's next epoch is open, they are void. The same entry appended twice counts once.
    pub(super) fn accepts(&mut self, entry: &Entry) -> Accepted {
        if entry.seen.map(Position::from) < self.origin {
            return Accepted::Outlived;
        }
        let place = self.writers.iter().rposition(|known| known.writer == entry.writer);
        let known = place.and_then(|place| self.writers.get(place));
        let accepted = match known {
            None => entry.open,
            Some(known) if entry.open => entry.epoch > known.epoch,
            Some(known) => entry.epoch == known.epoch && entry.seq > known.seq,
        };
        if !accepted {
            return Accepted::No;
        }
        if let Some(place) = place {
            self.writers.remove(place);
        } else if self.writers.len() >= WRITERS_MAX {
            self.writers.remove(0);
        }
        self.writers.push(Writer { writer: entry.writer, epoch: entry.epoch, seq: entry.seq });
        Accepted::Yes
    }
}

impl State {
    /// Counts the entry, and cuts behind it if a snapshot is due: the state as it is then is what the snapshot holds.
    pub(super) fn count(&mut self, position: Position, bytes: usize) {
        let log = &mut self.log;
        log.since = log.since.saturating_add(1);
        log.bytes_since = log.bytes_since.saturating_add(bytes.try_into().unwrap_or(u64::MAX));
        let long = log.since >= CUT_ENTRIES || log.bytes_since >= CUT_BYTES;
        if (long && log.bytes_since >= log.snapshot_len) || log.since >= CUT_ENTRIES_MAX {
            log.cut = Some(position);
            log.cut_parts.clear();
            log.since = 0;
            log.bytes_since = 0;
            self.log.cut_len = self.size_bytes().try_into().unwrap_or(u64::MAX);
        }
    }
}
