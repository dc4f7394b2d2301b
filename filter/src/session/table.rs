//! Questions and their answers, by id: those to the broker and those to the admin REST alike.

use std::collections::BTreeMap;

use super::wake::Waker;
use crate::time::Instant;

/// What is found where an answer is looked for.
#[derive(Debug)]
pub enum Look<A> {
    /// It has not come yet.
    Waiting,
    /// It has, and is taken.
    Answered(A),
    /// There is no such question, or its answer was taken before.
    Gone,
}

#[derive(Debug)]
enum Slot<A> {
    Waiting { deadline: Instant, asker: Option<Waker> },
    Answered { answer: A, until: Instant },
}

impl<A> Slot<A> {
    fn settle(&mut self, answer: A, until: Instant) {
        if let Slot::Waiting { asker, .. } = self {
            asker.iter().for_each(Waker::wake);
            *self = Slot::Answered { answer, until };
        }
    }

    fn due(&self) -> Instant {
        match self {
            Slot::Waiting { deadline, .. } => *deadline,
            Slot::Answered { until, .. } => *until,
        }
    }
}

/// Every question ends with an answer, in time; whoever asked it is woken then.
#[derive(Debug)]
pub struct Table<K, A> {
    slots: BTreeMap<K, Slot<A>>,
    /// No slot has work before it. What is exact would have to be found anew after each answer.
    not_before: Option<Instant>,
    asker: Option<Waker>,
    looks: u64,
}

impl<K, A> Default for Table<K, A> {
    fn default() -> Self {
        Self { slots: BTreeMap::new(), not_before: None, asker: None, looks: 0 }
    }
}

impl<K: Copy + Ord, A> Table<K, A> {
    /// A question that must be answered by `deadline`.
    pub fn open(&mut self, id: K, deadline: Instant) {
        let asker = self.asker.clone();
        self.slots.insert(id, Slot::Waiting { deadline, asker });
        self.due_by(deadline);
    }

    /// Records an answer, which is kept until then. One that nobody waits for any more is dropped.
    pub fn answer(&mut self, id: K, answer: A, until: Instant) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.settle(answer, until);
            self.due_by(until);
        }
    }

    /// Answers whatever waits.
    pub fn answer_all(&mut self, answer: impl Fn() -> A, until: Instant) {
        for slot in self.slots.values_mut() {
            slot.settle(answer(), until);
        }
        if !self.slots.is_empty() {
            self.due_by(until);
        }
    }

    /// Whether the question still waits.
    pub fn is_waiting(&self, id: K) -> bool {
        matches!(self.slots.get(&id), Some(Slot::Waiting { .. }))
    }

    /// Looks for an answer and takes it.
    pub fn take(&mut self, id: K) -> Look<A> {
        self.looks = self.looks.wrapping_add(1);
        if self.is_waiting(id) {
            return Look::Waiting;
        }
        match self.remove(id) {
            Some(Slot::Answered { answer, .. }) => Look::Answered(answer),
            Some(Slot::Waiting { .. }) => Look::Waiting,
            None => Look::Gone,
        }
    }

    /// Nobody waits for this answer any more.
    pub fn forget(&mut self, id: K) {
        self.remove(id);
    }

    fn remove(&mut self, id: K) -> Option<Slot<A>> {
        let slot = self.slots.remove(&id);
        if self.slots.is_empty() {
            self.not_before = None;
        }
        slot
    }

    /// Gives `overdue` for an answer to what should have one, and drops what nobody fetched.
    pub fn expire(&mut self, now: Instant, overdue: impl Fn() -> A, until: Instant) {
        if self.not_before.is_none_or(|due| due > now) {
            return;
        }
        for slot in self.slots.values_mut() {
            if matches!(slot, Slot::Waiting { deadline, .. } if *deadline <= now) {
                slot.settle(overdue(), until);
            }
        }
        self.slots.retain(|_, slot| matches!(slot, Slot::Waiting { .. }) || slot.due() > now);
        self.not_before = self.slots.values().map(Slot::due).min();
    }

    /// When [`Table::expire`] may have work next, and no later than it has.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.not_before
    }

    fn due_by(&mut self, due: Instant) {
        self.not_before = Some(self.not_before.map_or(due, |known| known.min(due)));
    }

    /// Questions whose answers were not taken.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// How often somebody looked for an answer.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// Who asks at the moment.
    pub fn asker(&self) -> Option<Waker> {
        self.asker.clone()
    }

    /// Who asks from now on, instead of whom.
    pub fn set_asker(&mut self, asker: Option<Waker>) -> Option<Waker> {
        std::mem::replace(&mut self.asker, asker)
    }
}
