//! The state at a cut goes into the log in parts, and what lies before the cut before it may then be trimmed.

use std::time::Duration;

use bytes::Bytes;

use super::append::Item;
use super::link::Command;
use super::proposals::random_up_to;
use super::{Body, Replica};
use crate::group::log::entry::{Entry, Kind, Snapshot};
use crate::group::log::snapshot::split;
use crate::group::state::State;
use crate::ids::Position;
use crate::records::crc::crc32c;
use crate::time::Instant;
use crate::worker::log::Level;
use crate::worker::random::Random;

/// How long replicas wait for each other to write a snapshot.
const POLITENESS: Duration = Duration::from_secs(2);

/// Parts that are missing so long after others came are written by another.
const STALLED: Duration = Duration::from_secs(10);

/// How long what lies before a snapshot is kept after it is complete: a load may still be reading it.
const KEPT: Duration = Duration::from_secs(600);

/// The guard is touched so often, or Pulsar takes it for abandoned.
const TOUCHED: Duration = Duration::from_secs(24 * 3600);

/// The state at the last cut, as every replica has it.
#[derive(Debug)]
struct Cut {
    at: Position,
    bytes: Bytes,
    crc32c: u32,
    /// When the parts that are not there are written here.
    due: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    cut: Option<Cut>,
    /// A snapshot of this replica's is complete: the guard moves then.
    guard_due: Option<(Instant, Position)>,
    touch_due: Option<Instant>,
    /// Another's snapshot of the same cut had other bytes: nothing is trimmed on this replica's word.
    differs: bool,
}

impl Snapshots {
    /// An entry was applied.
    pub(super) fn on_applied(
        &mut self,
        state: &State,
        position: Position,
        entry: Option<&Entry>,
        now: Instant,
        random: &mut Random,
        log: &mut Vec<(Level, String)>,
    ) {
        for event in entry.into_iter().flat_map(|entry| &entry.events) {
            if let Some(Kind::Snapshot(part)) = &event.kind {
                self.on_part(part, now, log);
            }
        }
        if state.log.cut.is_none() {
            // The group it was of is gone.
            self.cut = None;
            self.guard_due = None;
        }
        if let Some(cut) = &self.cut
            && state.log.base == Some(cut.at)
        {
            self.cut = None;
            // One after the other: where cuts come faster than that, the guard moves as often as it may.
            if let (None, false, Some(previous)) = (self.guard_due, self.differs, state.log.previous_base) {
                self.guard_due = Some((now + KEPT, previous));
            }
        }
        if state.log.cut == Some(position) {
            let bytes = Bytes::from(state.encode());
            let due = now + random_up_to(random.next_u64(), POLITENESS);
            self.cut = Some(Cut { at: position, crc32c: crc32c(&bytes), bytes, due });
        }
    }

    fn on_part(&mut self, part: &Snapshot, now: Instant, log: &mut Vec<(Level, String)>) {
        let Some(cut) = self.cut.as_mut().filter(|cut| part.cut == cut.at.into()) else { return };
        cut.due = now + STALLED;
        if part.crc32c != cut.crc32c && !self.differs {
            self.differs = true;
            log.push((
                Level::Error,
                "two replicas of a group disagree about its state: this is a defect of the filter; please report it \
                 with the group's log (isthmus-host group-log)"
                    .to_owned(),
            ));
        }
    }

    /// When there is something to do next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        [self.cut.as_ref().map(|cut| cut.due), self.guard_due.map(|(due, _)| due), self.touch_due]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Replica {
    /// Writes the parts that nobody has written, and moves the guard.
    pub(super) fn write_snapshot(&mut self, now: Instant) {
        let Body::Loaded(state) = &self.body else { return };
        if let Some(cut) = self.snapshots.cut.as_mut().filter(|cut| cut.due <= now) {
            cut.due = now + STALLED;
            for part in split(cut.at, &cut.bytes).filter(|part| !state.log.cut_parts.contains(&part.part)) {
                self.appender.push(Item::own(Kind::Snapshot(part)));
            }
        }
        let touch_due = *self.snapshots.touch_due.get_or_insert(now + TOUCHED);
        let moves = self.snapshots.guard_due.take_if(|(due, _)| *due <= now);
        if moves.is_some() || touch_due <= now {
            self.snapshots.touch_due = Some(now + TOUCHED);
            // Up to the entry before the cut; before the first entry of a ledger stands -1.
            let acked = moves.map(|(_, base)| Position { entry: base.entry.wrapping_sub(1), ..base });
            self.commands.push_back(Command::Guard { acked });
        }
    }
}
