//! Random histories of a small group: few ids, so that events meet.

use bytes::Bytes;
use isthmus::group::log::entry::{
    Assignment, Commit, Delete, Event, EventPosition, Expire, ExpireOffsets, ExpiredOffset, Join, Kind, Nop, Protocol,
    Snapshot, Sync, Timeout, TxnEnd,
};
use isthmus::group::log::snapshot::split;
use isthmus::group::state::State;
use isthmus::ids::Position;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::events::{
    IntoEvent, beat, commit, delete_offsets, join, leave, protocols, static_again, subscription, sync, txn_commit,
};

/// What is done next; what it says exactly depends on the state it is done in.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Exactly this event.
    Event(Event),
    /// The current leader assigns.
    Assign,
    /// A member of the current generation syncs.
    Sync(Index),
    /// A member of the current generation commits.
    Commit(Index, i32, i64),
    /// A member joins again as it did before.
    Again(Index),
    /// A member's session ends now, or as it would have been judged `behind` events ago.
    Expire(Index),
    /// The phase takes too long.
    Timeout { of_round: bool },
    /// All offsets' time is over.
    ExpireOffsets,
    /// A part of the snapshot of the last cut.
    Part(Index),
}

const MEMBERS: [&str; 4] = ["a", "b", "c", "d"];
const INSTANCES: [&str; 2] = ["i", "j"];
const TOPICS: [&str; 2] = ["t", "u"];

fn member() -> impl Strategy<Value = &'static str> {
    select(&MEMBERS[..])
}

fn instance() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![3 => Just(None), 2 => select(&INSTANCES[..]).prop_map(Some)]
}

fn offered() -> impl Strategy<Value = Vec<Protocol>> {
    prop_oneof![
        8 => select(vec![vec!["range"], vec!["range", "sticky"], vec!["sticky", "range"], vec!["sticky"]])
            .prop_map(|names| protocols(&names)),
        1 => Just(vec![Protocol { name: "range".into(), metadata: subscription(&["u"]) }]),
        1 => Just(vec![Protocol { name: "range".into(), metadata: Bytes::from_static(b"?") }]),
    ]
}

fn joins() -> impl Strategy<Value = Join> {
    (member(), instance(), offered(), any::<bool>(), any::<bool>(), select(vec![2, 3, u32::MAX])).prop_map(
        |(member, instance, protocols, fresh, issued, max_size)| {
            let instance = instance.map(Into::into);
            Join { instance, protocols, fresh, issued: issued && !fresh, max_size, ..join(member) }
        },
    )
}

fn commits() -> impl Strategy<Value = Commit> {
    let who = prop_oneof![Just(("", -1)), (member(), -1..4)];
    (who, select(&TOPICS[..]), 0..2, 0_i64..100).prop_map(|((member, generation), topic, partition, offset)| {
        commit(member, generation, &[(topic, partition, offset)])
    })
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => joins().prop_map(IntoEvent::event),
        1 => (member(), select(&INSTANCES[..])).prop_map(|(member, instance)| static_again(member, instance).event()),
        2 => (member(), 0..5).prop_map(|(member, generation)| sync(member, generation).event()),
        1 => vec(member(), 0..4).prop_map(|members| beat(&members).event()),
        2 => vec((prop_oneof![member(), Just("")], instance()), 1..3).prop_map(|members| leave(&members).event()),
        2 => commits().prop_map(IntoEvent::event),
        1 => (select(&TOPICS[..]), 0..2).prop_map(|(topic, partition)| delete_offsets(&[(topic, partition)]).event()),
        1 => Just(Delete {}.event()),
        2 => (commits(), 1..3_i64, 0..3).prop_map(|(commit, id, epoch)| txn_commit(commit, id, epoch).event()),
        1 => (1..3_i64, 0..3, any::<bool>()).prop_map(|(producer_id, producer_epoch, commit)| {
            TxnEnd { producer_id, producer_epoch, commit }.event()
        }),
        1 => Just(Nop {}.event()),
        1 => Just(Event { kind: None }),
    ]
}

/// Any operation.
pub(crate) fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => events().prop_map(Op::Event),
        3 => Just(Op::Assign),
        3 => any::<Index>().prop_map(Op::Sync),
        3 => (any::<Index>(), 0..2, 0_i64..100).prop_map(|(who, partition, offset)| Op::Commit(who, partition, offset)),
        2 => any::<Index>().prop_map(Op::Again),
        1 => any::<Index>().prop_map(Op::Expire),
        1 => any::<bool>().prop_map(|of_round| Op::Timeout { of_round }),
        1 => Just(Op::ExpireOffsets),
        3 => any::<Index>().prop_map(Op::Part),
    ]
}

impl Op {
    /// The event that this is in `state`. `cut` is the last cut and the state there.
    pub(crate) fn in_state(&self, state: &State, cut: Option<&(Position, Bytes)>) -> Event {
        let anybody = |who: &Index| (!state.members.is_empty()).then(|| who.get(&state.members));
        let kind = match self {
            Op::Event(event) => return event.clone(),
            Op::Assign => Some(Kind::Sync(assignments(state))),
            Op::Sync(who) => anybody(who).map(|member| Kind::Sync(sync(&member.id, state.generation))),
            Op::Commit(who, partition, offset) => anybody(who)
                .map(|member| Kind::Commit(commit(&member.id, state.generation, &[("t", *partition, *offset)]))),
            Op::Again(who) => anybody(who).map(|member| {
                let protocols = member.protocols.clone();
                Kind::Join(Join { instance: member.instance.clone(), protocols, ..join(&member.id) })
            }),
            Op::Expire(who) => {
                anybody(who).map(|member| Kind::Expire(Expire { member: member.id.clone(), seen: member.seen }))
            }
            Op::Timeout { of_round: false } => Some(Kind::Timeout(Timeout { phase: state.phase_began })),
            Op::Timeout { of_round: true } => Some(Kind::Timeout(Timeout { phase: state.round_began })),
            Op::ExpireOffsets => Some(Kind::ExpireOffsets(all_offsets(state))),
            Op::Part(which) => cut.map(|(cut, bytes)| {
                let parts: Vec<Snapshot> = split(*cut, bytes).collect();
                Kind::Snapshot(which.get(&parts).clone())
            }),
        };
        kind.unwrap_or(Kind::Nop(Nop {})).into()
    }
}

/// What the leader sends: everybody's own id and the generation.
fn assignments(state: &State) -> Sync {
    let assignment = |id: &str| Assignment { member: id.into(), bytes: format!("{id}@{}", state.generation).into() };
    Sync {
        assignments: state.members.iter().map(|member| assignment(&member.id)).collect(),
        ..sync(state.leader.as_deref().unwrap_or(""), state.generation)
    }
}

fn all_offsets(state: &State) -> ExpireOffsets {
    let items = state.offsets.flat().map(|(topic, partition, committed)| ExpiredOffset {
        topic: topic.into(),
        partition,
        committed: committed.at,
    });
    let empty_phase: EventPosition = state.phase_began;
    ExpireOffsets { items: items.collect(), empty_phase }
}
