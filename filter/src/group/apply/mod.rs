//! What an entry does: one pure function. It reads nothing but the state and the entry.
//!
//! `docs/group-log.md` has the rules as a table; each event's stand in a file of its own here.

mod acceptance;
mod commit;
mod delete;
mod expire;
mod join;
mod leave;
mod round;
mod snapshot;
mod sync;
mod txn;

use super::error::GroupError;
use super::log::entry::{Entry, Event, EventPosition, FORMAT, Kind};
use super::outcome::{Changes, Outcome};
use super::state::State;
use crate::ids::Position;

/// Whether an entry's events took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// They did.
    Yes,
    /// It was written before the group was deleted, or before this ledger began without one: it is void, here and wherever it
    /// may land again.
    Outlived,
    /// The entry is of an older epoch, a repetition, undecodable or another cluster's: it only counts.
    No,
}

/// Applies the entry at `position`; `None` for one that cannot be read or was replicated from another cluster. `bytes` is its
/// payload's length. `observe` is called after each event with the state right after it.
pub fn apply(
    state: &mut State,
    position: Position,
    entry: Option<&Entry>,
    bytes: usize,
    mut observe: impl FnMut(&State, usize, Outcome, &Changes),
) -> Accepted {
    if state.begins_anew_at(position) {
        *state = State::bare(position);
        return Accepted::Outlived;
    }
    state.log.applied = Some(position);
    let accepted = entry.map_or(Accepted::No, |entry| state.log.accepts(entry));
    if let (Accepted::Yes, Some(entry)) = (accepted, entry) {
        for (index, event) in entry.events.iter().enumerate() {
            let at = EventPosition::new(position, u32::try_from(index).unwrap_or(u32::MAX));
            let mut step = Step { state, at, time_ms: entry.time_ms, changes: Changes::default() };
            let outcome = step.take(event);
            let changes = step.changes;
            observe(state, index, outcome, &changes);
            // Whoever loads from the group's end on does not see the rest.
            if state.log.origin == Some(position) {
                break;
            }
        }
    }
    if state.exists {
        state.count(position, bytes);
    }
    accepted
}

/// One event meets the state.
struct Step<'a> {
    state: &'a mut State,
    /// Where the event stands.
    at: EventPosition,
    /// The wall clock of its writer.
    time_ms: i64,
    changes: Changes,
}

impl Step<'_> {
    fn take(&mut self, event: &Event) -> Outcome {
        let Some(kind) = &event.kind else { return Outcome::Done };
        if self.state.format > FORMAT {
            return Outcome::Refused(GroupError::UnknownFormat);
        }
        match kind {
            Kind::Join(join) => self.join(join).unwrap_or_else(Outcome::Refused),
            Kind::Sync(sync) => self.sync(sync).unwrap_or_else(Outcome::Refused),
            Kind::Beat(beat) => self.beat(beat),
            Kind::Leave(leave) => self.leave(leave),
            Kind::Expire(expire) => self.expire(expire),
            Kind::Timeout(timeout) => self.timeout(timeout),
            Kind::Commit(commit) => self.commit(commit).into(),
            Kind::OffsetDelete(delete) => self.delete_offsets(delete).unwrap_or_else(Outcome::Refused),
            Kind::Delete(_) => self.delete().into(),
            Kind::ExpireOffsets(expire) => self.expire_offsets(expire),
            Kind::TxnCommit(commit) => self.txn_commit(commit).into(),
            Kind::TxnEnd(end) => self.txn_end(end),
            Kind::Snapshot(snapshot) => self.snapshot(snapshot),
            Kind::Upgrade(upgrade) => {
                self.state.format = self.state.format.max(upgrade.format);
                Outcome::Done
            }
            Kind::Nop(_) => Outcome::Done,
        }
    }
}
