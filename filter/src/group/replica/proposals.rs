//! Clocks only ever propose: who judges that a deadline passed says so in the log, and `apply` accepts it only if nothing newer
//! contradicts it. Two proposals of the same thing are harmless.

use std::collections::BTreeMap;
use std::time::Duration;

use super::append::Item;
use super::asks::largest_rebalance;
use super::clock::Live;
use super::{Body, Replica};
use crate::group::log::entry::{EventPosition, Expire, ExpireOffsets, ExpiredOffset, Kind, Timeout};
use crate::group::state::{Member, Phase, State};
use crate::time::{Instant, Now, UnixMillis};

/// How long others leave it to the worker that a deadline concerns most.
const POLITENESS: Duration = Duration::from_secs(2);

/// A proposal without effect is repeated after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// Deadlines are looked for at least so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Offsets of abandoned groups are looked for so often.
const OFFSETS_EVERY: Duration = Duration::from_secs(3600);

/// Bound of offsets that one event expires.
const MAX_EXPIRED: usize = 5_000;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Session { member: String, seen: EventPosition },
    Phase(EventPosition),
}

#[derive(Debug)]
struct Proposed {
    /// An own entry of this number must be applied first: sent after the deadline, it shows that nothing newer was missed.
    number: u64,
    /// Not before.
    after: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    look_at: Option<Instant>,
    open: BTreeMap<Target, Proposed>,
    confirmed: u64,
    offsets_at: Option<Instant>,
}

impl Proposals {
    /// Something changed that deadlines depend on.
    pub(super) fn look_now(&mut self) {
        self.look_at = Some(Instant::default());
    }

    /// An own entry of this number was applied.
    pub(super) fn on_confirmed(&mut self, number: u64) {
        self.confirmed = self.confirmed.max(number);
        if !self.open.is_empty() {
            self.look_now();
        }
    }

    /// When [`Replica::propose`] has work next.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.look_at
    }

    /// Whether an own entry of a higher number than `sent` is wanted.
    pub(super) fn wants_entry(&self, sent: u64) -> bool {
        self.open.values().any(|proposed| proposed.number > sent)
    }
}

impl Replica {
    /// Proposes what is due.
    pub(super) fn propose(&mut self, now: Now) {
        let Body::Loaded(state) = &self.body else { return };
        if self.proposals.look_at.is_some_and(|at| at > now.instant) {
            return;
        }
        let live = self.clock.now();
        let mut next = now.instant + LOOK_EVERY;
        let mut due = BTreeMap::new();
        for (target, deadline, mine) in self.deadlines(state) {
            if deadline <= live {
                due.insert(target, mine);
            } else {
                next = next.min(self.clock.instant_of(deadline));
            }
        }
        let serves_none = !self.liveness.serves_any(state, live);
        let number = self.appender.next_number();
        self.proposals.open.retain(|target, _| due.contains_key(target));
        for (target, mine) in due {
            let random = &mut self.random;
            let proposed = self.proposals.open.entry(target.clone()).or_insert_with(|| {
                let polite = if mine { Duration::ZERO } else { random_up_to(random.next_u64(), POLITENESS) };
                let after = now.instant + polite + if serves_none { POLITENESS } else { Duration::ZERO };
                Proposed { number, after }
            });
            if proposed.number <= self.proposals.confirmed && proposed.after <= now.instant {
                proposed.after = now.instant + AGAIN;
                self.appender.push(Item::own(match target {
                    Target::Session { member, seen } => Kind::Expire(Expire { member, seen }),
                    Target::Phase(phase) => Kind::Timeout(Timeout { phase }),
                }));
            }
            if proposed.after > now.instant {
                next = next.min(proposed.after);
            }
        }
        self.proposals.look_at = Some(next);
        self.propose_to_expire_offsets(now);
    }

    /// Every deadline that the state knows, and whether this worker is the one it concerns most.
    fn deadlines(&self, state: &State) -> Vec<(Target, Live, bool)> {
        let parked = self.asks.parked_members();
        let mut deadlines = Vec::new();
        for member in state.members.iter().filter(|member| !parked.contains(member.id.as_str())) {
            if let Some((deadline, mine)) = self.session_deadline(member) {
                deadlines.push((Target::Session { member: member.id.clone(), seen: member.seen }, deadline, mine));
            }
        }
        let first = state.leader.as_deref().or_else(|| state.members.first().map(|member| member.id.as_str()));
        let mine = first.is_some_and(|first| parked.contains(first) || self.liveness.heard(first).is_some());
        let mut add = |event: EventPosition, patience: Duration| {
            if let Some(arrival) = self.arrivals.of(event) {
                deadlines.push((Target::Phase(event), arrival.plus(patience), mine));
            }
        };
        let rebalance = largest_rebalance(state);
        match state.phase {
            Phase::Empty { .. } => {}
            Phase::Preparing { initial: true } => {
                add(state.phase_began, self.settings.initial_delay);
                if state.round_began != state.phase_began {
                    add(state.round_began, rebalance);
                }
            }
            Phase::Preparing { initial: false } | Phase::Completing => add(state.phase_began, rebalance),
            Phase::Stable => {
                if state.members.iter().any(|member| !member.synced) {
                    add(state.phase_began, rebalance);
                }
            }
        }
        deadlines
    }

    /// A member that is served here expires by when it was heard from; another by when its last sign of life came, and later, so
    /// that the worker that serves it comes first.
    fn session_deadline(&self, member: &Member) -> Option<(Live, bool)> {
        let session = Duration::from_millis(member.session_ms.into());
        let arrival = self.arrivals.of(member.seen);
        let heard = self.liveness.heard(&member.id);
        let named = self.liveness.is_named_in(&member.id, member.seen);
        match (heard, arrival) {
            (Some(heard), Some(arrival)) if named || heard >= arrival => Some((heard.plus(session), true)),
            (Some(heard), None) => Some((heard.plus(session), true)),
            (_, Some(arrival)) => {
                let others = session.saturating_mul(4).checked_div(3).unwrap_or(session).saturating_add(POLITENESS);
                Some((arrival.plus(others), false))
            }
            (None, None) => None,
        }
    }

    fn propose_to_expire_offsets(&mut self, now: Now) {
        if self.proposals.offsets_at.is_some_and(|at| at > now.instant) {
            return;
        }
        self.proposals.offsets_at = Some(now.instant + OFFSETS_EVERY);
        let Body::Loaded(state) = &self.body else { return };
        if let Some(items) = expired(state, self.settings.offsets_retention, now.unix) {
            let event = ExpireOffsets { items, empty_phase: state.phase_began };
            self.appender.push(Item::own(Kind::ExpireOffsets(event)));
        }
    }
}

/// Offsets of a group without members, by when the last one left and by when they were committed
/// (`OffsetMetadataManager.cleanupExpiredOffsets`). A group that has none goes too; `None`: there is nothing to expire.
fn expired(state: &State, retention: Duration, now: UnixMillis) -> Option<Vec<ExpiredOffset>> {
    let retention_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    let is_over = |since_ms: i64| since_ms.saturating_add(retention_ms) <= now.0;
    let Phase::Empty { since_ms } = state.phase else { return None };
    if !state.exists || !is_over(since_ms) {
        return None;
    }
    let over = state.offsets.flat().filter(|(_, _, committed)| is_over(committed.time_ms));
    let over = over.map(|(topic, partition, committed)| ExpiredOffset {
        topic: topic.to_owned(),
        partition,
        committed: committed.at,
    });
    let items: Vec<ExpiredOffset> = over.take(MAX_EXPIRED).collect();
    (!items.is_empty() || state.offsets.is_empty()).then_some(items)
}

/// A duration below `bound`.
pub(super) fn random_up_to(random: u64, bound: Duration) -> Duration {
    let millis = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(random.checked_rem(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::state::Committed;

    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

    fn days(days: i64) -> UnixMillis {
        UnixMillis(days * 24 * 3600 * 1000)
    }

    fn empty_since(day: i64, committed: &[i64]) -> State {
        let phase = Phase::Empty { since_ms: days(day).0 };
        let mut state = State { exists: true, phase, ..State::default() };
        for (partition, day) in committed.iter().enumerate() {
            let at = EventPosition::default();
            let committed =
                Committed { offset: 1, leader_epoch: -1, metadata: String::new(), time_ms: days(*day).0, at };
            state.offsets.insert("t", partition as i32, committed);
        }
        state
    }

    #[test]
    fn offsets_expire_when_both_the_group_is_empty_and_they_are_old_for_so_long() {
        let state = empty_since(10, &[1, 15]);
        assert_eq!(expired(&state, WEEK, days(16)), None);
        assert_eq!(expired(&state, WEEK, days(17)).unwrap().len(), 1);
        assert_eq!(expired(&state, WEEK, days(22)).unwrap().len(), 2);
    }

    #[test]
    fn a_group_without_offsets_goes_by_itself_and_one_that_is_gone_is_left_alone() {
        let state = empty_since(10, &[]);
        assert_eq!(expired(&state, WEEK, days(17)), Some(Vec::new()));
        assert_eq!(expired(&State { exists: false, ..state }, WEEK, days(17)), None);
    }
}
