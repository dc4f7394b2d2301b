//! One line for an entry, one for each of its events.

use std::fmt::Write;

use isthmus::group::apply::Accepted;
use isthmus::group::log::entry::{Base, Entry, Event, EventPosition, Kind, TopicOffsets};
use isthmus::group::outcome::{Changes, Outcome};
use isthmus::group::state::{Phase, State};
use isthmus::ids::Position;

pub(super) fn entry(position: Position, entry: Option<&Entry>) -> String {
    let at = format!("{}:{}", position.ledger, position.entry);
    let Some(entry) = entry else { return format!("{at:<12} no entry of a filter") };
    let open = if entry.open { " opens" } else { "" };
    let base = entry.base().map_or_else(String::new, |base| {
        let Position { ledger, entry } = base.position();
        let what = if matches!(base, Base::Origin(_)) { "origin" } else { "base" };
        format!(" {what} {ledger}:{entry}")
    });
    format!(
        "{at:<12} {} writer {:08x} epoch {} seq {}{open}{base}",
        time(entry.time_ms),
        entry.writer >> 32,
        entry.epoch,
        entry.seq
    )
}

pub(super) fn event(event: Option<&Event>, outcome: &Outcome, changes: &Changes, state: &State) -> String {
    let what = event.and_then(|event| event.kind.as_ref()).map_or("an unknown event".to_string(), kind);
    let mut line = format!("             {what} -> {}", outcome_text(outcome));
    let mut tell = |condition: bool, text: &str| {
        if condition {
            line.push_str(text);
        }
    };
    tell(changes.broken, "; the assignment is void");
    tell(changes.completed, "; the round is complete");
    tell(changes.assigned, "; assigned");
    for member in &changes.removed {
        let _ = write!(line, "; {member} is out");
    }
    for member in &changes.replaced {
        let _ = write!(line, "; {member} is replaced");
    }
    let _ = write!(line, " [{} generation {}, {} members]", phase(state.phase), state.generation, state.members.len());
    line
}

pub(super) fn unaccepted(accepted: Accepted, entry: Option<&Entry>) -> Option<String> {
    match (accepted, entry) {
        (Accepted::No, Some(entry)) => Some(format!(
            "             {} events without effect: the writer is in a later epoch, or the entry is there twice",
            entry.events.len()
        )),
        (Accepted::Outlived, Some(entry)) if !entry.events.is_empty() => Some(format!(
            "             {} events without effect: written before the group was deleted, or before there was one here",
            entry.events.len()
        )),
        (Accepted::Yes | Accepted::Outlived, _) | (Accepted::No, None) => None,
    }
}

pub(super) fn state(state: &State) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_string());
    let mut text = format!(
        "state: {}{}, generation {}, type {}, protocol {}, leader {}\n",
        phase(state.phase),
        if state.exists { "" } else { " (does not exist)" },
        state.generation,
        or_none(&state.protocol_type),
        or_none(&state.protocol),
        or_none(&state.leader)
    );
    for member in &state.members {
        let _ = writeln!(
            text,
            "  member {}{} client {} host {} session {} ms rebalance {} ms joined {} synced {} seen {}",
            member.id,
            member.instance.as_ref().map(|instance| format!(" instance {instance}")).unwrap_or_default(),
            member.client_id,
            member.client_host,
            member.session_ms,
            member.rebalance_ms,
            member.joined,
            member.synced,
            event_position(member.seen)
        );
    }
    for (topic, partitions) in state.offsets.iter() {
        for (partition, committed) in partitions {
            let _ = writeln!(
                text,
                "  offset {topic}-{partition} {} metadata '{}' committed {} at {}",
                committed.offset,
                committed.metadata,
                time(committed.time_ms),
                event_position(committed.at)
            );
        }
    }
    text
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Empty { .. } => "Empty",
        Phase::Preparing { initial: true } => "Preparing (initial)",
        Phase::Preparing { initial: false } => "Preparing",
        Phase::Completing => "Completing",
        Phase::Stable => "Stable",
    }
}

fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "ok".to_string(),
        Outcome::Refused(error) => format!("refused: {error:?}"),
        Outcome::Parked => "waits".to_string(),
        Outcome::Current { leader, .. } => format!("goes on in the generation of leader {leader}"),
        Outcome::Assignment => "gets its assignment".to_string(),
        Outcome::Left(results) | Outcome::OffsetsDeleted(results) => format!("{results:?}"),
    }
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Join(join) => {
            let protocols: Vec<&str> = join.protocols.iter().map(|protocol| protocol.name.as_str()).collect();
            let instance = join.instance.as_ref().map(|instance| format!(" instance {instance}")).unwrap_or_default();
            format!("Join {}{instance} ({}) [{}]", join.member, join.protocol_type, protocols.join(", "))
        }
        Kind::Sync(sync) => {
            format!("Sync {} generation {} with {} assignments", sync.member, sync.generation, sync.assignments.len())
        }
        Kind::Beat(beat) => format!("Beat {}", beat.members.join(", ")),
        Kind::Leave(leave) => {
            let who = leave.members.iter().map(|leaver| {
                if leaver.member.is_empty() {
                    leaver.instance.clone().unwrap_or_default()
                } else {
                    leaver.member.clone()
                }
            });
            format!("Leave {}", who.collect::<Vec<_>>().join(", "))
        }
        Kind::Expire(expire) => format!("Expire {} unless seen after {}", expire.member, event_position(expire.seen)),
        Kind::Timeout(timeout) => format!("Timeout of the phase since {}", event_position(timeout.phase)),
        Kind::Commit(commit) => {
            format!("Commit by '{}' generation {}: {}", commit.member, commit.generation, offsets(&commit.topics))
        }
        Kind::OffsetDelete(delete) => {
            let topics = delete.topics.iter().map(|topic| format!("{} {:?}", topic.name, topic.partitions));
            format!("OffsetDelete {}", topics.collect::<Vec<_>>().join(", "))
        }
        Kind::Delete(_) => "Delete".to_string(),
        Kind::ExpireOffsets(expire) => format!("ExpireOffsets {}", expire.items.len()),
        Kind::TxnCommit(commit) => {
            format!("TxnCommit of {}: {}", commit.transactional_id, offsets(&commit.commit.topics))
        }
        Kind::TxnEnd(end) => format!("TxnEnd of producer {}, commit {}", end.producer_id, end.commit),
        Kind::Snapshot(part) => format!(
            "Snapshot at {}:{}, part {} of {}, {} bytes",
            part.cut.ledger,
            part.cut.entry,
            u64::from(part.part) + 1,
            part.parts,
            part.bytes.len()
        ),
        Kind::Upgrade(upgrade) => format!("Upgrade to format {}", upgrade.format),
        Kind::Nop(_) => "Nop".to_string(),
    }
}

fn offsets(topics: &[TopicOffsets]) -> String {
    let each = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|part| format!("{}-{}={}", topic.name, part.partition, part.offset))
    });
    each.collect::<Vec<_>>().join(" ")
}

fn event_position(position: EventPosition) -> String {
    format!("{}:{}.{}", position.ledger, position.entry, position.index)
}

/// Seconds and milliseconds since 1970: no calendar needed to compare them.
fn time(millis: i64) -> String {
    format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
}
