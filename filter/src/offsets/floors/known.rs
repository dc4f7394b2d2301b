//! What a worker knows of floors, and how old that is.

use std::collections::BTreeMap;
use std::time::Duration;

use super::asking::{Asking, Subject};
use super::property::{Floors, raise};
use crate::error::AdminError;
use crate::ids::{ConnectionId, Offset};
use crate::time::Instant;
use crate::topics::name::PulsarTopic;
use crate::worker::log::Log;

/// How long an answer is believed.
pub const FRESH: Duration = Duration::from_secs(1);

/// How long whoever needs an answer waits for it, before it goes on with what is known.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// When a question was asked whose answer came, and when one got none.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    answered: Option<Instant>,
    failed: Option<Instant>,
}

impl Asked {
    /// Whether an answer, or that there was none, is no older than [`FRESH`] at `at`.
    fn is_fresh(self, at: Instant) -> bool {
        self.answered.max(self.failed).is_some_and(|asked| at.since(asked) < FRESH)
    }
}

#[derive(Debug, Default)]
struct Topic {
    floors: Floors,
    /// Floors that were found above the end of their partition. They are of another topic that had the name before.
    void: Floors,
    asked: Asked,
    /// When this worker last raised one: what was asked before may not know of it.
    raised: Option<Instant>,
    /// What was asked before was of another topic.
    forgotten: Option<Instant>,
}

impl Topic {
    fn is_void(&self, partition: u32, floor: Offset) -> bool {
        self.void.get(&partition) == Some(&floor)
    }
}

#[derive(Debug, Default)]
struct Signal {
    /// What it was; a namespace in which no floor was ever raised has none.
    token: Option<String>,
    asked: Asked,
    /// When an answer came that was another than before.
    changed: Option<Instant>,
}

/// What somebody has seen of a topic's floors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Another one whenever a floor changes.
    pub version: u64,
    /// When they were asked for; `None` if they never were told.
    pub as_of: Option<Instant>,
}

/// See the module. Topics are bounded by `lookup_cache_entries`.
#[derive(Debug, Default)]
pub struct KnownFloors {
    topics: BTreeMap<PulsarTopic, Topic>,
    signal: Signal,
    /// What is to be asked, and who waits for it.
    pub asking: Asking,
    version: u64,
    /// An answer was waited for in vain: nobody waits until one comes.
    late: bool,
    /// There is no admin REST to be asked.
    unconfigured: bool,
    /// The operator knows that floors cannot be read.
    told: bool,
}

impl KnownFloors {
    /// The floor of a partition, as far as known; 0 where there is none that counts.
    pub fn of(&self, topic: &PulsarTopic, partition: u32) -> Offset {
        let told = self.told(topic, partition);
        let is_void = self.topics.get(topic).is_some_and(|known| known.is_void(partition, told));
        if is_void { Offset::ZERO } else { told }
    }

    /// The same, whether it counts or not.
    pub fn told(&self, topic: &PulsarTopic, partition: u32) -> Offset {
        self.topics.get(topic).and_then(|known| known.floors.get(&partition)).copied().unwrap_or(Offset::ZERO)
    }

    /// A floor was held against the end of its partition; whether it counts.
    pub fn judge(&mut self, topic: &PulsarTopic, partition: u32, floor: Offset, end: Offset) -> bool {
        let counts = floor <= end;
        let known = self.topics.get_mut(topic).filter(|known| known.floors.get(&partition) == Some(&floor));
        if let Some(known) = known
            && known.is_void(partition, floor) == counts
        {
            if counts {
                known.void.remove(&partition);
                self.version = self.version.wrapping_add(1);
            } else {
                known.void.insert(partition, floor);
            }
        }
        counts
    }

    /// What a topic's floors are by now. The version is another one whenever a floor changes.
    pub fn seen(&self, topic: &PulsarTopic) -> Seen {
        Seen { version: self.version, as_of: self.topics.get(topic).and_then(|known| known.asked.answered) }
    }

    /// Whether a topic's floors are as fresh as they get at `since`; if not, `connection` is to ask.
    pub fn is_settled(&mut self, topic: &PulsarTopic, connection: ConnectionId, since: Instant) -> bool {
        let is_fresh = self.topics.get(topic).is_some_and(|known| known.asked.is_fresh(since));
        if self.unconfigured || is_fresh {
            return true;
        }
        self.asking.want(Subject::Topic(topic.clone()), connection);
        self.late
    }

    /// The same where an answer to an earlier question is not enough.
    pub fn is_confirmed(&mut self, topic: &PulsarTopic, connection: ConnectionId, since: Instant) -> bool {
        let asked = self.topics.get(topic).map(|known| known.asked).unwrap_or_default();
        let is_known = asked.answered >= Some(since) || asked.failed.is_some_and(|failed| since.since(failed) < FRESH);
        if self.unconfigured || is_known {
            return true;
        }
        self.asking.want(Subject::Topic(topic.clone()), connection);
        self.late
    }

    /// The same for a reader that goes by floors which are older than [`FRESH`]: the signal tells whether they still hold. It is polled
    /// with every event.
    pub fn is_settled_for_reader(
        &mut self,
        topic: &PulsarTopic,
        as_of: Option<Instant>,
        connection: ConnectionId,
        now: Instant,
    ) -> bool {
        if self.unconfigured {
            return true;
        }
        let signal = self.signal.asked.is_fresh(now);
        if !signal {
            self.asking.want(Subject::Signal, connection);
        }
        let changed = self.signal.changed;
        let holds = as_of.is_some_and(|as_of| changed.is_none_or(|changed| as_of >= changed));
        let failed = self.topics.get(topic).and_then(|known| known.asked.failed);
        let settled = holds || failed.is_some_and(|failed| now.since(failed) < FRESH);
        if !settled {
            self.asking.want(Subject::Topic(topic.clone()), connection);
        }
        self.late || (signal && settled)
    }

    /// The floors of a topic, as of `asked`.
    pub fn learn(&mut self, topic: PulsarTopic, floors: Floors, asked: Instant, bound: usize) {
        self.answered(&Subject::Topic(topic.clone()));
        let known = room(&mut self.topics, topic, asked, bound);
        if known.asked.answered > Some(asked) || known.forgotten > Some(asked) {
            // Another connection asked later and was answered sooner, or it was another topic.
            return;
        }
        known.asked.answered = Some(asked);
        let mut learned = floors;
        if known.raised.is_some_and(|raised| asked < raised) {
            for (partition, floor) in &known.floors {
                raise(&mut learned, *partition, *floor);
            }
        }
        if known.floors != learned {
            known.floors = learned;
            self.version = self.version.wrapping_add(1);
        }
    }

    /// Pulsar took these floors from this worker.
    pub fn raised(&mut self, topic: PulsarTopic, floors: &Floors, now: Instant, bound: usize) {
        let known = room(&mut self.topics, topic, now, bound);
        known.raised = Some(now);
        self.asking.tell();
        for (partition, floor) in floors {
            raise(&mut known.floors, *partition, *floor);
            known.void.remove(partition);
        }
        self.version = self.version.wrapping_add(1);
    }

    /// The topic was deleted, and perhaps made again.
    pub fn forget(&mut self, topic: &PulsarTopic, now: Instant, bound: usize) {
        *room(&mut self.topics, topic.clone(), now, bound) = Topic { forgotten: Some(now), ..Topic::default() };
    }

    /// What the signal was; the answer came `now`.
    pub fn learn_signal(&mut self, token: Option<String>, asked: Instant, now: Instant) {
        self.answered(&Subject::Signal);
        self.signal.asked.answered = self.signal.asked.answered.max(Some(asked));
        if self.signal.token != token {
            self.signal.token = token;
            self.signal.changed = Some(now);
        }
    }

    fn answered(&mut self, subject: &Subject) {
        self.asking.let_go(subject);
        self.late = false;
        self.told = false;
    }

    /// An answer is waited for no longer.
    pub fn is_late(&mut self, subject: &Subject, now: Instant, bound: usize, log: &mut Log) {
        self.asking.let_go(subject);
        self.asking.let_all_go();
        self.late = true;
        self.asked(subject, now, bound).failed = Some(now);
        self.tell("Pulsar's admin REST does not answer in time", log);
    }

    /// A question got no good answer.
    pub fn failed(&mut self, subject: &Subject, now: Instant, error: &AdminError, bound: usize, log: &mut Log) {
        self.asking.let_go(subject);
        if let AdminError::NotConfigured = error {
            self.unconfigured = true;
            return self.asking.let_all_go();
        }
        self.tell(&error.message(), log);
        self.asked(subject, now, bound).failed = Some(now);
    }

    fn asked(&mut self, subject: &Subject, now: Instant, bound: usize) -> &mut Asked {
        match subject {
            Subject::Signal => &mut self.signal.asked,
            Subject::Topic(topic) => &mut room(&mut self.topics, topic.clone(), now, bound).asked,
        }
    }

    fn tell(&mut self, reason: &str, log: &mut Log) {
        if !std::mem::replace(&mut self.told, true) {
            log.warn(format!("records that DeleteRecords took away elsewhere may still be served for now: {reason}"));
        }
    }
}

/// The place of a topic. Where there is none left, those go of which nothing was asked lately, else any: what it says is asked anew.
fn room(topics: &mut BTreeMap<PulsarTopic, Topic>, topic: PulsarTopic, now: Instant, bound: usize) -> &mut Topic {
    if topics.len() >= bound && !topics.contains_key(&topic) {
        topics.retain(|_, known| known.asked.is_fresh(now));
        if topics.len() >= bound {
            topics.pop_first();
        }
    }
    topics.entry(topic).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const HERE: ConnectionId = ConnectionId(1);
    const BOUND: usize = 10;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn topic() -> PulsarTopic {
        PulsarTopic::internal(&Config::default(), "t")
    }

    fn offset(offset: i64) -> Offset {
        Offset::new(offset).unwrap()
    }

    fn told(floor: i64) -> KnownFloors {
        let mut floors = KnownFloors::default();
        floors.learn(topic(), [(0, offset(floor))].into(), at(1000), BOUND);
        floors
    }

    #[test]
    fn an_answer_that_was_asked_for_before_a_topic_was_made_again_is_none() {
        let mut floors = told(8);
        floors.forget(&topic(), at(1100), BOUND);
        floors.learn(topic(), [(0, offset(8))].into(), at(1050), BOUND);
        assert_eq!(floors.of(&topic(), 0), Offset::ZERO);
        assert!(!floors.is_settled(&topic(), HERE, at(1200)), "it is asked for again");
        floors.learn(topic(), [(0, offset(3))].into(), at(1200), BOUND);
        assert_eq!(floors.of(&topic(), 0), offset(3));
    }

    #[test]
    fn a_floor_above_the_end_does_not_count_until_the_end_passes_it() {
        let mut floors = told(8);
        assert!(!floors.judge(&topic(), 0, offset(8), offset(7)));
        let seen = floors.seen(&topic());
        floors.learn(topic(), [(0, offset(8))].into(), at(2000), BOUND);
        assert_eq!(floors.of(&topic(), 0), Offset::ZERO);
        assert_eq!(floors.seen(&topic()).version, seen.version, "no reader has to look");
        assert!(floors.judge(&topic(), 0, offset(8), offset(8)));
        assert_eq!(floors.of(&topic(), 0), offset(8));
        assert_ne!(floors.seen(&topic()).version, seen.version);
    }

    #[test]
    fn another_floor_than_the_one_above_the_end_counts() {
        let mut floors = told(8);
        assert!(!floors.judge(&topic(), 0, offset(8), offset(7)));
        floors.learn(topic(), [(0, offset(5))].into(), at(2000), BOUND);
        assert_eq!(floors.of(&topic(), 0), offset(5));
        assert!(!floors.judge(&topic(), 0, offset(5), offset(4)));
        floors.raised(topic(), &[(0, offset(5))].into(), at(3000), BOUND);
        assert_eq!(floors.of(&topic(), 0), offset(5));
    }
}
