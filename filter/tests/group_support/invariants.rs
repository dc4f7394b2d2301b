//! What holds of every state, and of every step from one to the next. The numbers are those of `docs/group-log.md`.

use isthmus::group::log::entry::{Event, Kind};
use isthmus::group::outcome::{Changes, Outcome};
use isthmus::group::state::limits::{MEMBERS_MAX, OFFSETS_MAX, STATE_BYTES_MAX, WRITERS_MAX};
use isthmus::group::state::{Phase, State};

/// What is wrong with a state (invariant 13).
pub(crate) fn fault_of(state: &State) -> Option<&'static str> {
    let empty = matches!(state.phase, Phase::Empty { .. });
    let in_generation = matches!(state.phase, Phase::Completing | Phase::Stable);
    let leads = |id: &str| state.members.by_id(id).is_some();
    let faults = [
        (empty != state.members.is_empty(), "Empty is to have no members"),
        (in_generation && !state.leader.as_deref().is_some_and(leads), "the leader is no member"),
        (!empty && !state.leader.as_deref().is_some_and(leads), "nobody leads"),
        (
            in_generation && !state.protocol.as_deref().is_some_and(|name| state.members.all_support(name)),
            "a member lacks the protocol",
        ),
        (in_generation && state.members.iter().any(|member| member.joined), "joined outside a round"),
        (!in_generation && state.members.iter().any(|member| member.synced), "synced in a round"),
        (state.members.len() > MEMBERS_MAX, "too many members"),
        (state.offsets.count() > OFFSETS_MAX, "too many offsets"),
        (state.size_bytes() > STATE_BYTES_MAX, "too long"),
        (state.log.writers.len() > WRITERS_MAX, "too many writers"),
        (!state.exists && (!empty || !state.offsets.is_empty()), "not there, but not empty"),
    ];
    faults.into_iter().find_map(|(wrong, fault)| wrong.then_some(fault))
}

/// What is wrong with a step.
pub(crate) fn fault_of_step(
    before: &State,
    event: &Event,
    after: &State,
    outcome: &Outcome,
    changes: &Changes,
) -> Option<&'static str> {
    let reset = !after.exists;
    let refused = matches!(outcome, Outcome::Refused(_));
    let faults = [
        (after.generation < before.generation && !reset, "4: the generation fell"),
        (refused && after != before, "a refused event had an effect"),
        (changes.assigned != hands_out(before, event, after), "3: assigned without the leader's Sync"),
        (!commit_allowed(before, event, refused), "6: a commit from outside the generation took effect"),
        (changes.completed && after.phase != Phase::Completing, "completed into another phase"),
        (!proposal_judged_rightly(before, event, after), "8: a proposal judged by what has changed took effect"),
    ];
    faults.into_iter().find_map(|(wrong, fault)| wrong.then_some(fault))
}

fn hands_out(before: &State, event: &Event, after: &State) -> bool {
    let by_leader = matches!(&event.kind, Some(Kind::Sync(sync)) if Some(&sync.member) == before.leader.as_ref());
    by_leader && before.phase == Phase::Completing && after.phase == Phase::Stable
}

fn commit_allowed(before: &State, event: &Event, refused: bool) -> bool {
    match &event.kind {
        Some(Kind::Commit(commit)) if !refused && commit.generation >= 0 => {
            before.members.by_id(&commit.member).is_some()
                && before.generation == commit.generation
                && before.phase != Phase::Completing
        }
        _ => true,
    }
}

fn proposal_judged_rightly(before: &State, event: &Event, after: &State) -> bool {
    match &event.kind {
        Some(Kind::Expire(expire)) => {
            before == after || before.members.by_id(&expire.member).is_some_and(|member| member.seen == expire.seen)
        }
        Some(Kind::Timeout(timeout)) => {
            before == after || [before.phase_began, before.round_began].contains(&timeout.phase)
        }
        _ => true,
    }
}
