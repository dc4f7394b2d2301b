//! A clock that stands while the log cannot be written: a stalled broker expires nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::group::log::entry::EventPosition;
use crate::ids::Position;
use crate::time::Instant;

/// How long an own entry may be unconfirmed before the clock stands.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bound of entries whose arrival is remembered.
const MAX_REMEMBERED: usize = 4096;

/// Time on a [`LiveClock`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Live(Duration);

impl Live {
    /// So much later.
    pub fn plus(self, duration: Duration) -> Live {
        Live(self.0.saturating_add(duration))
    }

    /// Time since `earlier`; zero if that is later.
    pub fn since(self, earlier: Live) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Whether the clock runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// No epoch is open.
    Stands,
    /// The log takes what is written.
    Runs,
    /// An own entry is unconfirmed since then.
    RunsSince(Instant),
}

/// Monotonic; of one worker and group.
#[derive(Clone, Copy, Debug, Default)]
pub struct LiveClock {
    live: Live,
    at: Instant,
}

impl LiveClock {
    /// Moves on to `now`. `pace` is what held since the last call.
    pub fn advance(&mut self, now: Instant, pace: Pace) {
        let until = match pace {
            Pace::Stands => self.at,
            Pace::Runs => now,
            Pace::RunsSince(sent) => now.min(sent + PATIENCE),
        };
        self.live = self.live.plus(until.since(self.at));
        self.at = self.at.max(now);
    }

    /// What it shows.
    pub fn now(&self) -> Live {
        self.live
    }

    /// When it will show `live` if it goes on running.
    pub fn instant_of(&self, live: Live) -> Instant {
        self.at + live.since(self.live)
    }
}

/// When entries were first seen here: deadlines of what others wrote count from there.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(BTreeMap<Position, Live>);

impl Arrivals {
    /// Notes an entry. `referenced` tells which must not be forgotten at the bound.
    pub fn note(&mut self, position: Position, arrival: Live, referenced: impl FnOnce() -> BTreeSet<Position>) {
        if self.0.len() >= MAX_REMEMBERED {
            let keep = referenced();
            self.0.retain(|position, _| keep.contains(position));
        }
        self.0.entry(position).or_insert(arrival);
    }

    /// Forgets what the state does not refer to.
    pub fn keep(&mut self, referenced: &BTreeSet<Position>) {
        self.0.retain(|position, _| referenced.contains(position));
    }

    /// Entries that are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When an event was first seen. One that came before anything remembered counts as if it came with the first.
    pub fn of(&self, event: EventPosition) -> Option<Live> {
        let position = Position { ledger: event.ledger, entry: event.entry };
        self.0.range(position..).next().map(|(_, arrival)| *arrival)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn the_clock_stands_while_no_epoch_is_open_and_after_a_second_without_confirmation() {
        let mut clock = LiveClock::default();
        clock.advance(at(5_000), Pace::Stands);
        assert_eq!(clock.now(), Live::default());
        clock.advance(at(6_000), Pace::Runs);
        assert_eq!(clock.now(), Live(Duration::from_secs(1)));
        clock.advance(at(9_000), Pace::RunsSince(at(6_500)));
        assert_eq!(clock.now(), Live(Duration::from_millis(2_500)));
        clock.advance(at(10_000), Pace::RunsSince(at(6_500)));
        assert_eq!(clock.now(), Live(Duration::from_millis(2_500)));
        assert_eq!(clock.instant_of(Live(Duration::from_secs(3))), at(10_500));
    }

    #[test]
    fn an_event_older_than_what_is_remembered_counts_from_the_first_that_is() {
        let mut arrivals = Arrivals::default();
        let position = |entry| Position { ledger: 1, entry };
        let arrival = Live(Duration::from_secs(7));
        arrivals.note(position(5), arrival, BTreeSet::new);
        assert_eq!(arrivals.of(EventPosition::new(position(5), 2)), Some(arrival));
        assert_eq!(arrivals.of(EventPosition::new(position(3), 0)), Some(arrival));
        assert_eq!(arrivals.of(EventPosition::new(position(6), 0)), None);
    }

    #[test]
    fn at_the_bound_what_the_state_refers_to_is_kept() {
        let mut arrivals = Arrivals::default();
        let position = |entry| Position { ledger: 1, entry };
        for entry in 0..=MAX_REMEMBERED as u64 {
            arrivals.note(position(entry), Live(Duration::from_millis(entry)), || BTreeSet::from([position(9)]));
        }
        assert_eq!(arrivals.0.len(), 2);
        assert_eq!(arrivals.of(EventPosition::new(position(9), 0)), Some(Live(Duration::from_millis(9))));
    }
}
