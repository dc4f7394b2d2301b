//! Asks many groups the same, a few at a time, for the APIs that name several.

use std::collections::BTreeSet;

use crate::group::ask::{Ask, Reply};
use crate::group::error::GroupError;
use crate::group::groups::{AskId, Groups};
use crate::group::id::GroupId;
use crate::group::state::State;
use crate::session::io::Io;

/// Groups of one request that are asked at a time: each may have its log read.
pub const AT_A_TIME: usize = 16;

/// Memory that the rows of one response may take, about. A group whose row would go beyond it is answered as too large.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What a group is told of in a response.
pub trait Row {
    /// Its memory, about.
    fn bytes(&self) -> usize;
}

/// The groups of one request, in its order.
#[derive(Debug)]
pub struct EachGroup<R> {
    ask: fn() -> Ask,
    slots: Vec<Slot<R>>,
    /// Slots before it are asked or done.
    next: usize,
    /// Indexes of slots whose answer is awaited; at most [`AT_A_TIME`].
    asked: BTreeSet<usize>,
    bytes: usize,
}

/// ```text
/// Waiting ──▶ Asked ──▶ Done
///     └── no group can have the name ──▶ Done
/// ```
#[derive(Debug)]
enum Slot<R> {
    /// `None`: no group can have the name.
    Waiting(Option<GroupId>),
    Asked(GroupId, AskId),
    Done(R),
}

/// What a row is made of.
#[derive(Debug)]
pub struct Told<'a> {
    /// Its place in the request.
    pub index: usize,
    /// What the group said.
    pub result: Result<Reply, GroupError>,
    /// The state after [`Ask::Confirm`]; `None` where there is no such group, and after an error.
    pub state: Option<&'a State>,
}

impl<R: Row> EachGroup<R> {
    /// Every group gets `ask`; `None` stands for a name that no group can have.
    pub fn new(ask: fn() -> Ask, groups: impl Iterator<Item = Option<GroupId>>) -> Self {
        Self { ask, slots: groups.map(Slot::Waiting).collect(), next: 0, asked: BTreeSet::new(), bytes: 0 }
    }

    /// Takes what came and asks on; whether every group is done.
    pub fn poll(&mut self, io: &mut Io<'_>, row: impl Fn(Told<'_>) -> R) -> bool {
        for index in self.asked.clone() {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            let Slot::Asked(group, id) = slot else { continue };
            let Some(result) = io.shared.groups.take(*id) else { continue };
            let made = make(index, group, result, &io.shared.groups, &row);
            let bytes = self.bytes.saturating_add(made.bytes());
            *slot = Slot::Done(if bytes <= MAX_BYTES {
                self.bytes = bytes;
                made
            } else {
                row(Told { index, result: Err(GroupError::TooLarge), state: None })
            });
            self.asked.remove(&index);
        }
        while self.asked.len() < AT_A_TIME {
            let Some(slot) = self.slots.get_mut(self.next) else { break };
            match slot {
                Slot::Waiting(Some(group)) => {
                    let id = io.shared.groups.ask(group, (self.ask)(), io.client.connection, io.now);
                    *slot = Slot::Asked(group.clone(), id);
                    self.asked.insert(self.next);
                }
                Slot::Waiting(None) => {
                    let invalid = Told { index: self.next, result: Err(GroupError::InvalidGroupId), state: None };
                    *slot = Slot::Done(row(invalid));
                }
                Slot::Asked(..) | Slot::Done(_) => {}
            }
            self.next = self.next.saturating_add(1);
        }
        self.asked.is_empty()
    }

    /// Gives up on what is not done: it gets `error`.
    pub fn give_up(&mut self, error: GroupError, groups: &mut Groups, row: impl Fn(Told<'_>) -> R) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            match slot {
                Slot::Done(_) => continue,
                Slot::Waiting(_) => {}
                Slot::Asked(_, id) => groups.forget(*id),
            }
            *slot = Slot::Done(row(Told { index, result: Err(error), state: None }));
        }
        self.asked.clear();
        self.next = self.slots.len();
    }

    /// The rows, in the request's order; those that are done.
    pub fn take(&mut self) -> impl Iterator<Item = R> + use<R> {
        std::mem::take(&mut self.slots).into_iter().filter_map(|slot| match slot {
            Slot::Done(row) => Some(row),
            Slot::Waiting(_) | Slot::Asked(..) => None,
        })
    }
}

fn make<R>(
    index: usize,
    group: &GroupId,
    result: Result<Reply, GroupError>,
    groups: &Groups,
    row: &impl Fn(Told<'_>) -> R,
) -> R {
    let (result, state) = match result {
        Ok(Reply::Confirmed) => match groups.state(group) {
            Some(state) => (result, Some(state).filter(|state| state.exists)),
            // It was lost since: that is not the same as no group.
            None => (Err(GroupError::NotCoordinator), None),
        },
        Ok(_) | Err(_) => (result, None),
    };
    row(Told { index, result, state })
}
