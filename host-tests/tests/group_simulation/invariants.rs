//! The invariants of the group log's specification, each a check with its number.

use std::collections::{HashMap, HashSet};

use bytes::{Buf, BufMut, Bytes};
use isthmus::group::log::entry::{Commit, Entry, EventPosition, Expire, Timeout};
use isthmus::group::state::limits::{MEMBERS_MAX, OFFSETS_MAX, STATE_BYTES_MAX, WRITERS_MAX};
use isthmus::group::state::{Phase, State};
use isthmus::ids::Position;

use crate::time::{Micros, SECOND};
use crate::truth::{Before, Book, Partition, Truth};

/// A leader's assignment: its number, then partitions.
pub(crate) fn assignment(nonce: u64, partitions: &[u32]) -> Bytes {
    let mut bytes = Vec::new();
    bytes.put_u64(nonce);
    partitions.iter().for_each(|partition| bytes.put_u32(*partition));
    bytes.into()
}

pub(crate) fn nonce(assignment: &Bytes) -> Option<u64> {
    assignment.clone().try_get_u64().ok()
}

pub(crate) fn partitions(assignment: &Bytes) -> Vec<u32> {
    let mut rest = assignment.clone();
    let mut found = Vec::new();
    if rest.try_get_u64().is_ok() {
        while let Ok(partition) = rest.try_get_u32() {
            found.push(partition);
        }
    }
    found
}

/// And 2: a replica that just loaded is one that has applied as much.
pub(crate) fn one_equal_logs_make_equal_states(truth: &Truth, state: &State, position: Position, loaded: bool) -> bool {
    let Some(digest) = truth.digests.get(&position) else { return false };
    assert_eq!(
        state.digest(),
        *digest,
        "invariant {}: a replica's state after {position:?} is not what the log says: {state:?}",
        if loaded { "2" } else { "1" }
    );
    true
}

pub(crate) fn three_one_leaders_sync_a_round(book: &mut Book, before: &Before, after: &State) {
    assert!(
        book.assigned_rounds.insert((before.round_began, after.generation)),
        "invariant 3: two leaders' Syncs took effect in generation {} of {:?}",
        after.generation,
        before.round_began
    );
}

pub(crate) fn three_each_partition_has_one_owner(state: &State) {
    let mut owned = HashSet::new();
    for member in state.members.iter() {
        for partition in partitions(&member.assignment) {
            assert!(owned.insert(partition), "invariant 3: partition {partition} has two owners in {state:?}");
        }
    }
}

pub(crate) fn three_assignments_of_a_member_are_equal(
    handed_out: &mut HashMap<(u64, i32, String), Bytes>,
    book: &Book,
    member: &str,
    generation: i32,
    assignment: &Bytes,
) {
    let Some(nonce) = nonce(assignment) else { return };
    let Some(assigned) = book.nonces.get(&nonce) else {
        panic!("invariant 3: {member} got an assignment of generation {generation} that no leader made");
    };
    assert_eq!(assigned.generation, generation, "invariant 3: {member} got another generation's assignment");
    let first = handed_out.entry((assigned.life, generation, member.to_owned())).or_insert_with(|| assignment.clone());
    assert_eq!(first, assignment, "invariant 3: {member} got two assignments in generation {generation}");
}

pub(crate) fn four_generations_fall_only_by_a_reset(before: &Before, after: &State, resets: bool) {
    assert!(
        after.generation >= before.generation || resets,
        "invariant 4: generation fell from {} to {}",
        before.generation,
        after.generation
    );
}

/// Whoever is told that a commit is safe finds it in the log.
pub(crate) fn five_an_acknowledged_commit_is_in_the_log(book: &Book, value: i64) -> EventPosition {
    *book.commits.get(&value).unwrap_or_else(|| panic!("invariant 5: commit {value} was acknowledged and is not stored"))
}

pub(crate) fn five_acknowledged_commits_stay(book: &Book, state: &State) {
    for (partition, at) in &book.acknowledged {
        let removed = book.is_removed(partition, *at);
        let stored = state.offsets.of(&partition.0, partition.1).is_some_and(|stored| stored.at >= *at);
        assert!(stored || removed, "invariant 5: the commit at {at:?} for {partition:?} is lost");
    }
}

pub(crate) fn six_a_commit_of_a_generation_is_a_members(commit: &Commit, before: &Before, after: &State) {
    if commit.generation >= 0 {
        let is_member = before.members.iter().any(|(id, _)| *id == commit.member);
        let completing = before.phase == Some(Phase::Completing);
        assert!(
            is_member && commit.generation == after.generation && !completing,
            "invariant 6: a commit took effect that no member of the generation sent: {commit:?} in {before:?}"
        );
    }
}

/// `since`: the heartbeat's time less the session's timeout, by the slowest clock.
pub(crate) fn seven_a_good_heartbeat_is_a_recent_members(truth: &Truth, member: &str, generation: i32, since: Micros) {
    let is_now = truth.state.generation == generation && truth.state.member(member).is_some();
    let ended = truth.book.ended.get(&(member.to_owned(), generation));
    assert!(
        is_now || ended.is_some_and(|ended| *ended >= since),
        "invariant 7: {member} was told that all is well in generation {generation}, which it left at {ended:?}, \
         before {since}: {:?}",
        truth.state
    );
}

pub(crate) fn eight_an_expired_member_was_not_heard_since(
    expire: &Expire,
    before: &Before,
    gone: &[&(String, EventPosition)],
) {
    for (id, seen) in gone {
        // Those that a round leaves behind go with it.
        let dragged = *id != expire.member && before.members.iter().any(|(id, _)| *id == expire.member);
        assert!(
            dragged || *seen == expire.seen,
            "invariant 8: {id} was expired for {:?}, and was seen at {seen:?}",
            expire.seen
        );
    }
}

pub(crate) fn eight_a_phase_that_timed_out_was_the_one_judged(timeout: &Timeout, before: &Before) {
    let initial = before.phase == Some(Phase::Preparing { initial: true });
    assert!(
        timeout.phase == before.phase_began || (initial && timeout.phase == before.round_began),
        "invariant 8: {timeout:?} took effect in {before:?}"
    );
}

pub(crate) fn nine_nothing_of_an_older_epoch_and_nothing_twice(
    writers: &mut HashMap<u64, (u64, HashSet<u64>)>,
    entry: &Entry,
) {
    let (epoch, seqs) = writers.entry(entry.writer).or_insert_with(|| (entry.epoch, HashSet::new()));
    assert!(entry.epoch >= *epoch, "invariant 9: an entry of epoch {} after one of {epoch}", entry.epoch);
    if entry.epoch > *epoch {
        assert!(entry.open, "invariant 9: epoch {} took effect without being opened", entry.epoch);
        *epoch = entry.epoch;
        seqs.clear();
    }
    assert!(seqs.insert(entry.seq), "invariant 9: entry {} of epoch {} took effect twice", entry.seq, entry.epoch);
}

/// `then`: what was acknowledged when the request came.
pub(crate) fn ten_what_is_read_is_as_new_as_the_request(
    book: &Book,
    then: &[(Partition, EventPosition)],
    state: Option<&State>,
) {
    for (partition, at) in then {
        let removed = book.is_removed(partition, *at);
        let found = state.and_then(|state| state.offsets.of(&partition.0, partition.1));
        assert!(
            removed || found.is_some_and(|found| found.at >= *at),
            "invariant 10: {partition:?} was committed at {at:?} before, and read as {found:?}"
        );
    }
}

pub(crate) fn eleven_every_request_is_answered_in_time(asked: Micros, now: Micros, bound: Micros, what: &str) {
    assert!(
        now <= asked + bound,
        "invariant 11: {what} of {} s waits at {} s",
        asked / SECOND,
        now / SECOND
    );
}

pub(crate) fn twelve_the_group_is_what_its_living_members_are(state: &State, living: &[(String, String)]) {
    let settled = match state.phase {
        Phase::Stable => true,
        Phase::Empty { .. } => living.is_empty(),
        Phase::Preparing { .. } | Phase::Completing => false,
    };
    let mut members: Vec<&str> = state.members.iter().map(|member| member.id.as_str()).collect();
    let mut ids: Vec<&str> = living.iter().map(|(id, _)| id.as_str()).collect();
    members.sort_unstable();
    ids.sort_unstable();
    assert!(
        settled && members == ids,
        "invariant 12: the group has not settled: living are {living:#?}, and the group is {state:#?}"
    );
}

pub(crate) fn twelve_who_is_heard_is_not_expired(member: &str, heard: Micros, session: Micros, now: Micros) {
    assert!(
        now >= heard + session,
        "invariant 12: {member} was expired at {now} although it was heard at {heard}, session {session}"
    );
}

pub(crate) fn thirteen_the_state_holds_together(state: &State) {
    let protocol_fits = || {
        let protocol = state.protocol.as_deref().unwrap_or_default();
        state.members.iter().all(|member| member.protocols.iter().any(|own| own.name == protocol))
    };
    let leader_fits = || state.leader.as_deref().is_some_and(|leader| state.member(leader).is_some());
    let fits = match state.phase {
        Phase::Empty { .. } => state.members.is_empty(),
        Phase::Preparing { .. } => !state.members.is_empty(),
        Phase::Completing | Phase::Stable => !state.members.is_empty() && leader_fits() && protocol_fits(),
    };
    let bounded = state.members.len() <= MEMBERS_MAX
        && state.offsets.count() <= OFFSETS_MAX
        && state.log.writers.len() <= WRITERS_MAX
        && state.size_bytes() <= STATE_BYTES_MAX;
    assert!(fits && bounded, "invariant 13: {state:?}");
}
