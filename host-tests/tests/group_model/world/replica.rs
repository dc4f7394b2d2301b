//! A group's state on one host.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use isthmus::group::apply::apply;
use isthmus::group::log::entry::{Entry, Event};
use isthmus::group::outcome::{Changes, Outcome};
use isthmus::group::state::{Log, State};
use isthmus::ids::Position;

/// A state, equal to another if its bytes are. What only the log needs is left out: positions stand for it.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) state: Arc<State>,
    digest: u64,
}

impl Replica {
    /// Applies one event, written by whoever has not written before.
    pub(super) fn step(&mut self, entry: u64, event: &Event) -> (Outcome, Changes) {
        let origin = Position { ledger: 0, entry: 0 };
        let written = Entry {
            writer: entry,
            epoch: 1,
            seq: 1,
            open: true,
            seen: Some(origin.into()),
            events: vec![event.clone()],
            ..Entry::default()
        };
        let mut effect = None;
        let state = Arc::make_mut(&mut self.state);
        state.log = State::bare(origin).log;
        apply(state, Position { ledger: 0, entry }, Some(&written), 0, |_, _, outcome, changes| {
            effect = Some((outcome, changes.clone()));
        });
        state.log = Log::default();
        self.digest = state.digest();
        effect.expect("it is accepted")
    }
}

impl Default for Replica {
    fn default() -> Self {
        let state = State::default();
        Self { digest: state.digest(), state: state.into() }
    }
}

impl PartialEq for Replica {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Replica {}

impl Hash for Replica {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.digest.hash(hasher);
    }
}
