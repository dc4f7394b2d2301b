//! The groups that a worker serves: one replica each, shared by its connections.

use super::ask::{Ask, Reply};
use super::error::GroupError;
use super::id::GroupId;
use super::state::State;
use crate::ids::ConnectionId;
use crate::time::Now;

/// Names a request until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskId(pub u64);

/// See the module.
#[derive(Debug, Default)]
pub struct Groups {}

impl Groups {
    /// Asks `group`; the answer is fetched with [`Groups::take`]. Every question is answered in time.
    pub fn ask(&mut self, _group: &GroupId, _ask: Ask, _connection: ConnectionId, _now: Now) -> AskId {
        AskId(0)
    }

    /// Takes the answer; `None` while it is awaited.
    pub fn take(&mut self, _ask: AskId) -> Option<Result<Reply, GroupError>> {
        None
    }

    /// Nobody waits for the answer any more: what was not written for it yet never will be.
    pub fn forget(&mut self, _ask: AskId) {}

    /// A group's state; `None` where there is no such group, or where it is not loaded (any more).
    pub fn state(&self, _group: &GroupId) -> Option<&State> {
        None
    }
}
