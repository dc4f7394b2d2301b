//! What the log says at this moment: every entry is folded the moment it is stored, and every event is checked as it takes effect.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use isthmus::group::apply::{Accepted, apply};
use isthmus::group::log::entry::{Commit, Entry, EventPosition, Kind};
use isthmus::group::outcome::{Changes, Outcome};
use isthmus::group::state::{Phase, State};
use isthmus::ids::Position;

use crate::counts::Counts;
use crate::invariants;
use crate::time::Micros;

/// A topic's partition, of which offsets are committed.
pub(crate) type Partition = (String, i32);

/// What one entry did, for those who judge by more than the log.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Members that were expired.
    pub(crate) expired: Vec<String>,
    /// Offsets (values are never used twice) whose commit took effect, with their writer.
    pub(crate) committed: Vec<i64>,
}

/// The part of a state that an event's checks compare with.
#[derive(Debug, Default)]
pub(crate) struct Before {
    pub(crate) phase: Option<Phase>,
    pub(crate) phase_began: EventPosition,
    pub(crate) round_began: EventPosition,
    pub(crate) generation: i32,
    pub(crate) members: Vec<(String, EventPosition)>,
}

impl Before {
    fn of(state: &State) -> Self {
        Self {
            phase: Some(state.phase),
            phase_began: state.phase_began,
            round_began: state.round_began,
            generation: state.generation,
            members: state.members.iter().map(|member| (member.id.clone(), member.seen)).collect(),
        }
    }
}

/// Assignments of a leader.
#[derive(Debug)]
pub(crate) struct Assigned {
    pub(crate) life: u64,
    pub(crate) generation: i32,
    /// What had been acknowledged when they took effect.
    pub(crate) acknowledged: Vec<(Partition, EventPosition)>,
}

/// What is remembered of the log beside its state.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Grows when the group is reset.
    pub(crate) life: u64,
    /// By value.
    pub(crate) commits: HashMap<i64, EventPosition>,
    /// By writer, member and partition: the value committed last.
    pub(crate) newest: HashMap<(u64, String, Partition), i64>,
    /// The newest commit of each partition that somebody was told is safe.
    pub(crate) acknowledged: BTreeMap<Partition, EventPosition>,
    /// When the partition's offset was deleted or expired last.
    removed: BTreeMap<Partition, EventPosition>,
    /// When the group was deleted last, or its topic.
    reset_at: EventPosition,
    /// By round: a leader's assignments took effect.
    pub(crate) assigned_rounds: BTreeSet<(EventPosition, i32)>,
    /// By the leader's number of its assignments: what took effect.
    pub(crate) nonces: HashMap<u64, Assigned>,
    /// When a member of a generation was one last.
    pub(crate) ended: HashMap<(String, i32), Micros>,
    /// By writer: the newest epoch that took effect, and its entries.
    pub(crate) writers: HashMap<u64, (u64, HashSet<u64>)>,
}

impl Book {
    /// Whether the offset was deleted after this commit.
    pub(crate) fn is_removed(&self, partition: &Partition, at: EventPosition) -> bool {
        self.reset_at > at || self.removed.get(partition).is_some_and(|removed| *removed > at)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) state: State,
    pub(crate) book: Book,
    pub(crate) digests: HashMap<Position, u64>,
}

impl Truth {
    /// An entry is stored.
    pub(crate) fn store(&mut self, position: Position, payload: &Bytes, now: Micros, counts: &mut Counts) -> Effects {
        let entry = Entry::read(payload);
        let mut effects = Effects::default();
        let mut before = Before::of(&self.state);
        let book = &mut self.book;
        let base = self.state.log.base;
        let accepted =
            apply(&mut self.state, position, entry.as_ref(), payload.len(), |after, index, outcome, changes| {
                let Some(kind) = entry.as_ref().and_then(|entry| entry.events.get(index)?.kind.as_ref()) else {
                    return;
                };
                let at = EventPosition::new(position, index as u32);
                counts.events += 1;
                on_event(
                    (book, entry.as_ref().map_or(0, |entry| entry.writer)),
                    &before,
                    after,
                    kind,
                    at,
                    &outcome,
                    changes,
                    now,
                    &mut effects,
                    counts,
                );
                before = Before::of(after);
            });
        if let (Accepted::Yes, Some(entry)) = (accepted, &entry) {
            invariants::nine_nothing_of_an_older_epoch_and_nothing_twice(&mut self.book.writers, entry);
            if entry.open && entry.epoch > 1 {
                counts.epochs_reopened += 1;
            }
        } else {
            counts.refused_entries += 1;
        }
        if self.state.log.base != base {
            counts.snapshots += 1;
        }
        counts.entries += 1;
        if sampled(position, counts.every_digest) {
            self.digests.insert(position, self.state.digest());
        }
        effects
    }

    /// The topic is gone, and the group with it.
    pub(crate) fn forget(&mut self, now: Micros) {
        for member in self.state.members.iter() {
            self.book.ended.insert((member.id.clone(), self.state.generation), now);
        }
        if let Some(applied) = self.state.log.applied {
            self.book.reset_at = EventPosition::new(Position { entry: u64::MAX, ..applied }, u32::MAX);
        }
        self.state = State::default();
        self.book.life += 1;
    }
}

/// Digests cost more than all else together: one position in eight has one.
pub(crate) fn sampled(position: Position, every: bool) -> bool {
    every || (position.entry ^ position.ledger).is_multiple_of(8)
}

#[allow(clippy::too_many_arguments, reason = "a check looks at everything there is")]
fn on_event(
    (book, writer): (&mut Book, u64),
    before: &Before,
    after: &State,
    kind: &Kind,
    at: EventPosition,
    outcome: &Outcome,
    changes: &Changes,
    now: Micros,
    effects: &mut Effects,
    counts: &mut Counts,
) {
    let after_ids: BTreeSet<&str> = after.members.iter().map(|member| member.id.as_str()).collect();
    let gone: Vec<&(String, EventPosition)> =
        before.members.iter().filter(|(id, _)| !after_ids.contains(id.as_str())).collect();
    for (id, _) in &before.members {
        if before.generation != after.generation || !after_ids.contains(id.as_str()) {
            book.ended.insert((id.clone(), before.generation), now);
        }
    }
    if changes.completed {
        counts.rounds += 1;
    }
    if changes.broken {
        counts.broken_rounds += 1;
    }
    if changes.assigned {
        invariants::three_one_leaders_sync_a_round(book, before, after);
        invariants::three_each_partition_has_one_owner(after);
        if let Kind::Sync(sync) = kind {
            for nonce in sync.assignments.iter().filter_map(|assignment| invariants::nonce(&assignment.bytes)) {
                let acknowledged = book.acknowledged.iter().map(|(of, at)| (of.clone(), *at)).collect();
                let assigned = Assigned { life: book.life, generation: after.generation, acknowledged };
                book.nonces.entry(nonce).or_insert(assigned);
            }
        }
        counts.assignments += 1;
    }
    let resets = matches!(kind, Kind::Delete(_) | Kind::ExpireOffsets(_)) && !after.exists;
    invariants::four_generations_fall_only_by_a_reset(before, after, resets);
    match kind {
        Kind::Commit(commit) if *outcome == Outcome::Done => {
            invariants::six_a_commit_of_a_generation_is_a_members(commit, before, after);
            invariants::five_no_old_commit_over_a_newer_one(book, writer, commit);
            note_commit(book, commit, at, effects);
            counts.commits += 1;
        }
        Kind::Expire(expire) => {
            invariants::eight_an_expired_member_was_not_heard_since(expire, before, &gone);
            effects.expired.extend(gone.iter().map(|(id, _)| id.clone()));
            counts.expiries += gone.len() as u64;
        }
        Kind::Timeout(timeout) => {
            if before.phase != Some(after.phase) || before.generation != after.generation || !gone.is_empty() {
                invariants::eight_a_phase_that_timed_out_was_the_one_judged(timeout, before);
                counts.timeouts += 1;
            }
        }
        Kind::Delete(_) if *outcome == Outcome::Done => {
            book.life += 1;
            book.reset_at = at;
            counts.deletes += 1;
        }
        Kind::OffsetDelete(delete) => {
            if let Outcome::OffsetsDeleted(results) = outcome {
                for (topic, _) in delete.topics.iter().zip(results).filter(|(_, result)| result.is_ok()) {
                    for partition in &topic.partitions {
                        book.removed.insert((topic.name.clone(), *partition), at);
                    }
                    counts.offset_deletes += 1;
                }
            }
        }
        Kind::Leave(_) => counts.leaves += gone.len() as u64,
        Kind::Join(_) => counts.joins += 1,
        Kind::Commit(_)
        | Kind::Sync(_)
        | Kind::Beat(_)
        | Kind::Delete(_)
        | Kind::ExpireOffsets(_)
        | Kind::TxnCommit(_)
        | Kind::TxnEnd(_)
        | Kind::Snapshot(_)
        | Kind::Upgrade(_)
        | Kind::Nop(_) => {}
    }
    invariants::five_acknowledged_commits_stay(book, after);
    invariants::thirteen_the_state_holds_together(after);
}

fn note_commit(book: &mut Book, commit: &Commit, at: EventPosition, effects: &mut Effects) {
    for partition in commit.topics.iter().flat_map(|topic| &topic.partitions) {
        book.commits.insert(partition.offset, at);
        effects.committed.push(partition.offset);
    }
}
