//! A group whose log is written event by event.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod events;
pub(crate) mod invariants;
pub(crate) mod random;

use events::{IntoEvent, assign, join, sync};
use isthmus::group::apply::{Accepted, apply};
use isthmus::group::error::GroupError;
use isthmus::group::log::entry::{Base, Entry, Event, EventPosition, Expire, FORMAT, Join, Timeout};
use isthmus::group::outcome::{Changes, Outcome};
use isthmus::group::state::{Phase, State};
use isthmus::ids::Position;
use prost::Message;

pub(crate) const WRITER: u64 = 0xa;
pub(crate) const LEDGER: u64 = 7;

/// The first entry of every log here. What was written before it was there is void.
pub(crate) const ORIGIN: Position = Position { ledger: LEDGER, entry: 0 };

/// A group and the log that it came from.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) state: State,
    pub(crate) log: Vec<(Position, Entry)>,
    /// The wall clock of whoever writes.
    pub(crate) time_ms: i64,
}

/// What one event did.
#[derive(Debug)]
pub(crate) struct Effect {
    pub(crate) outcome: Outcome,
    pub(crate) changes: Changes,
    pub(crate) at: EventPosition,
}

impl Effect {
    /// Why the event was refused.
    pub(crate) fn error(&self) -> GroupError {
        let Outcome::Refused(error) = self.outcome else { panic!("{:?}", self.outcome) };
        error
    }
}

/// An entry of a writer that has applied all that `state` has.
pub(crate) fn written_after(state: &State) -> Entry {
    Entry {
        format: FORMAT,
        writer: WRITER,
        epoch: 1,
        seen: state.log.applied.map(Into::into),
        base: state.log.base().map(|base| base.position().into()),
        bare: matches!(state.log.base(), Some(Base::Origin(_))),
        ..Entry::default()
    }
}

impl Group {
    /// A topic with its first entry, and no group.
    pub(crate) fn new() -> Self {
        let mut group = Self { state: State::default(), log: Vec::new(), time_ms: 0 };
        assert_eq!(group.append(group.entry(vec![])).0, Accepted::Outlived);
        group
    }

    /// A group of dynamic members whose first round has just closed: generation 1, the first one leads, nobody has synced.
    pub(crate) fn completing(ids: &[&str]) -> Self {
        Self::completing_of(ids.iter().map(|id| join(id)).collect())
    }

    /// The same of any members.
    pub(crate) fn completing_of(members: Vec<Join>) -> Self {
        let mut group = Self::new();
        for member in members {
            assert_eq!(group.event(member).outcome, Outcome::Parked);
        }
        assert!(group.time_out().changes.completed);
        assert_eq!(group.state.phase, Phase::Completing);
        group
    }

    /// A group of dynamic members in generation 1, to each of which the first one assigned its own id.
    pub(crate) fn stable(ids: &[&str]) -> Self {
        Self::stable_of(ids.iter().map(|id| join(id)).collect())
    }

    /// The same of any members.
    pub(crate) fn stable_of(members: Vec<Join>) -> Self {
        let mut group = Self::completing_of(members);
        group.settle();
        group
    }

    /// The leader assigns to each member its own id, and all sync.
    pub(crate) fn settle(&mut self) {
        let ids: Vec<String> = self.ids().into_iter().map(str::to_owned).collect();
        let own: Vec<_> = ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
        let (leader, generation) = (self.leader().to_owned(), self.state.generation);
        assert!(self.event(assign(&leader, generation, &own)).changes.assigned);
        for id in &ids {
            assert_eq!(self.event(sync(id, generation)).outcome, Outcome::Assignment);
        }
    }

    /// The phase takes too long.
    pub(crate) fn time_out(&mut self) -> Effect {
        self.event(Timeout { phase: self.state.phase_began })
    }

    /// A member was not heard from since it was last.
    pub(crate) fn expire(&mut self, id: &str) -> Effect {
        self.event(Expire { member: id.into(), seen: self.seen(id) })
    }

    /// Where the next entry will stand.
    pub(crate) fn next(&self) -> Position {
        Position { ledger: LEDGER, entry: self.log.len() as u64 }
    }

    /// Appends an entry of one event.
    pub(crate) fn event(&mut self, event: impl IntoEvent) -> Effect {
        let mut effects = self.events(vec![event.event()]);
        effects.pop().expect("it has been observed")
    }

    /// Appends an entry, written after everything else was applied.
    pub(crate) fn events(&mut self, events: Vec<Event>) -> Vec<Effect> {
        let (accepted, effects) = self.append(self.entry(events));
        assert_eq!(accepted, Accepted::Yes);
        effects
    }

    /// What would be written now.
    pub(crate) fn entry(&self, events: Vec<Event>) -> Entry {
        Entry {
            seq: self.log.len() as u64 + 1,
            open: self.state.log.epoch_of(WRITER) != Some(1),
            time_ms: self.time_ms,
            events,
            ..written_after(&self.state)
        }
    }

    /// Appends any entry.
    pub(crate) fn append(&mut self, entry: Entry) -> (Accepted, Vec<Effect>) {
        let position = self.next();
        let mut effects = Vec::new();
        let accepted =
            apply(&mut self.state, position, Some(&entry), entry.encoded_len(), |_, index, outcome, changes| {
                let at = EventPosition::new(position, index as u32);
                effects.push(Effect { outcome, changes: changes.clone(), at });
            });
        self.log.push((position, entry));
        (accepted, effects)
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        self.state.members.iter().map(|member| member.id.as_str()).collect()
    }

    pub(crate) fn leader(&self) -> &str {
        self.state.leader.as_deref().unwrap_or("")
    }

    pub(crate) fn assignment(&self, id: &str) -> &[u8] {
        &self.state.member(id).expect(id).assignment
    }

    pub(crate) fn seen(&self, id: &str) -> EventPosition {
        self.state.member(id).expect(id).seen
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.state.phase, Phase::Empty { .. })
    }

    /// The offset committed for a partition.
    pub(crate) fn offset(&self, topic: &str, partition: i32) -> Option<i64> {
        self.state.offsets.of(topic, partition).map(|committed| committed.offset)
    }
}
