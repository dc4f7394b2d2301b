//! Who was heard from here, what of it stands in the log, and what may be answered by it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Replica;
use super::append::{Item, Sent};
use super::clock::Live;
use crate::group::log::entry::{Beat, EventPosition, Kind, Nop};
use crate::group::state::State;
use crate::ids::Position;
use crate::time::{Instant, Now};

/// Bounds of the time between two Beats.
const BEAT_MIN: Duration = Duration::from_secs(1);
const BEAT_MAX: Duration = Duration::from_secs(15);

/// How old an own entry may be for a member to be told that it is out.
const CONFIRMED: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    heard: BTreeMap<String, Live>,
    since_beat: BTreeSet<String>,
    beat_at: Option<Instant>,
    /// Between two Beats; `None` when a member came or left that may change it.
    interval: Option<Duration>,
    /// The last own entry that names the member, of those applied: when it was sent, and where it lies.
    named: BTreeMap<String, (Instant, Position)>,
    last_own_sent: Option<Instant>,
}

impl Liveness {
    /// A member's request came, or it waits on an open connection.
    pub(super) fn hear(&mut self, member: &str, now: Live) {
        match self.heard.get_mut(member) {
            Some(heard) => *heard = (*heard).max(now),
            None => {
                self.heard.insert(member.to_owned(), now);
                self.interval = None;
            }
        }
        if !self.since_beat.contains(member) {
            self.since_beat.insert(member.to_owned());
        }
    }

    /// When a member was heard from last.
    pub(super) fn heard(&self, member: &str) -> Option<Live> {
        self.heard.get(member).copied()
    }

    /// Whether any member was heard from within its session.
    pub(super) fn serves_any(&self, state: &State, now: Live) -> bool {
        state.members.iter().any(|member| {
            self.heard(&member.id)
                .is_some_and(|heard| now.since(heard) < Duration::from_millis(member.session_ms.into()))
        })
    }

    /// An own entry was found in the log: it was read up to there.
    pub(super) fn on_own_read(&mut self, sent: Instant) {
        self.last_own_sent = self.last_own_sent.max(Some(sent));
    }

    /// An own entry took effect.
    pub(super) fn on_own_applied(&mut self, sent: &Sent, position: Position) {
        self.on_own_read(sent.at);
        for event in &sent.entry.events {
            let members: &[String] = match &event.kind {
                Some(Kind::Beat(beat)) => &beat.members,
                Some(Kind::Join(join)) => std::slice::from_ref(&join.member),
                Some(Kind::Sync(sync)) => std::slice::from_ref(&sync.member),
                Some(Kind::Commit(commit)) => std::slice::from_ref(&commit.member),
                Some(
                    Kind::Leave(_)
                    | Kind::Expire(_)
                    | Kind::Timeout(_)
                    | Kind::OffsetDelete(_)
                    | Kind::Delete(_)
                    | Kind::ExpireOffsets(_)
                    | Kind::TxnCommit(_)
                    | Kind::TxnEnd(_)
                    | Kind::Snapshot(_)
                    | Kind::Upgrade(_)
                    | Kind::Nop(_),
                )
                | None => &[],
            };
            for member in members {
                self.named.insert(member.clone(), (sent.at, position));
            }
        }
    }

    /// Whether the event is of an own entry that names the member: others' events show members alive that are served elsewhere.
    pub(super) fn is_named_in(&self, member: &str, event: EventPosition) -> bool {
        self.named.get(member).is_some_and(|(_, at)| (at.ledger, at.entry) == (event.ledger, event.entry))
    }

    /// Whether a member may be told that all is well: an own entry that names it was sent less than its session ago.
    pub(super) fn is_leased(&self, member: &str, session: Duration, now: Instant) -> bool {
        self.named.get(member).is_some_and(|(sent, _)| now.since(*sent) < session)
    }

    /// Whether a member may be told that it is out.
    pub(super) fn is_confirmed(&self, now: Instant) -> bool {
        self.last_own_sent.is_some_and(|sent| now.since(sent) < CONFIRMED)
    }

    /// When the next Beat is due.
    pub(super) fn next_beat(&self) -> Option<Instant> {
        self.beat_at
    }

    fn shortest_interval(&self, state: &State) -> Duration {
        let here = state.members.iter().filter(|member| self.heard.contains_key(&member.id));
        let third = |millis: u32| Duration::from_millis(u64::from(millis) / 3);
        here.map(|member| third(member.session_ms)).min().map_or(BEAT_MAX, |third| third.clamp(BEAT_MIN, BEAT_MAX))
    }

    fn forget_strangers(&mut self, state: &State) {
        let members: BTreeSet<&str> = state.members.iter().map(|member| member.id.as_str()).collect();
        self.heard.retain(|member, _| members.contains(member.as_str()));
        self.named.retain(|member, _| members.contains(member.as_str()));
        self.since_beat.retain(|member| members.contains(member.as_str()));
    }
}

impl Replica {
    /// Writes who was heard from, a few times per session timeout.
    pub(super) fn beat(&mut self, now: Now) {
        let super::Body::Loaded(state) = &self.body else { return };
        let due = *self.liveness.beat_at.get_or_insert(now.instant + BEAT_MAX);
        if now.instant < due && self.liveness.interval.is_some() {
            return;
        }
        let interval = self.liveness.shortest_interval(state);
        self.liveness.interval = Some(interval);
        if now.instant < due {
            // A member came that wants a shorter interval than the one that runs.
            self.liveness.beat_at = Some(due.min(now.instant + interval));
            return;
        }
        self.liveness.beat_at = Some(now.instant + interval);
        for member in self.asks.parked_members() {
            self.liveness.hear(member, self.clock.now());
        }
        self.liveness.forget_strangers(state);
        // Without members there is nothing to watch. Those of others are watched by a clock that runs only while entries are confirmed:
        // if their workers went with them, nobody else would find them dead.
        if self.asks.is_empty() && state.members.is_empty() {
            return;
        }
        let members = std::mem::take(&mut self.liveness.since_beat);
        let kind = if members.is_empty() {
            Kind::Nop(Nop {})
        } else {
            Kind::Beat(Beat { members: members.into_iter().collect() })
        };
        self.appender.push(Item::own(kind));
    }
}
