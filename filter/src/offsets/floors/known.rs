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
    asked: Asked,
    /// When this worker last raised one: what was asked before may not know of it.
    raised: Option<Instant>,
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
    /// The floor of a partition, as far as known; 0 where there is none.
    pub fn of(&self, topic: &PulsarTopic, partition: u32) -> Offset {
        self.topics.get(topic).and_then(|known| known.floors.get(&partition)).copied().unwrap_or(Offset::ZERO)
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
        if known.asked.answered > Some(asked) {
            // Another connection asked later and was answered sooner.
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
        }
        self.version = self.version.wrapping_add(1);
    }

    /// The topic was deleted, and perhaps made again.
    pub fn forget(&mut self, topic: &PulsarTopic) {
        self.topics.remove(topic);
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
