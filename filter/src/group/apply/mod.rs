//! What an entry does: one pure function. It reads nothing but the state and the entry.

use super::log::entry::Entry;
use super::outcome::{Changes, Outcome};
use super::state::State;
use crate::ids::Position;

/// Whether an entry's events took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// They did.
    Yes,
    /// The entry is of an older epoch, a repetition, undecodable or another cluster's: it only counts.
    No,
}

/// Applies the entry at `position`; `None` for one that cannot be read or was replicated from another cluster. `bytes` is its
/// payload's length. `observe` is called after each event with the state right after it.
pub fn apply(
    _state: &mut State,
    _position: Position,
    _entry: Option<&Entry>,
    _bytes: usize,
    _observe: impl FnMut(&State, usize, Outcome, &Changes),
) -> Accepted {
    Accepted::No
}
