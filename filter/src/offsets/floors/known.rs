//! What a worker knows of floors, and how old that is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::property::{Floors, raise};
use crate::error::AdminError;
use crate::ids::{ConnectionId, Offset};
use crate::session::wake::Waker;
use crate::time::Instant;
use crate::topics::name::PulsarTopic;
use crate::worker::log::Log;

/// How long an answer is believed.
pub const FRESH: Duration = Duration::from_secs(1);

/// The signal is asked for again before it is too old, so that no reader waits for the answer.
const REFRESH: Duration = Duration::from_millis(500);

/// How long whoever needs an answer waits for it, before it goes on with what is known.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Something that Pulsar's admin REST is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Whether any floor in the namespace was raised.
    Signal,
    /// The floors of one topic, by its name without partition.
    Topic(PulsarTopic),
}

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
    /// When a connection was last told to ask.
    wanted: Option<Instant>,
}

/// See the module. Topics are bounded by `lookup_cache_entries`.
#[derive(Debug, Default)]
pub struct KnownFloors {
    topics: BTreeMap<PulsarTopic, Topic>,
    signal: Signal,
    wanted: BTreeMap<ConnectionId, BTreeSet<Subject>>,
    /// Parts of requests that wait for the floors of a topic.
    waiting: BTreeMap<PulsarTopic, Vec<(ConnectionId, Waker)>>,
    version: u64,
    news: u64,
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

    /// Another one whenever a floor changes.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Another one whenever a question was answered, or given up.
    pub fn news(&self) -> u64 {
        self.news
    }

    /// Whether a topic's floors are as fresh as they get at `since`; if not, `connection` is to ask.
    pub fn is_settled(&mut self, topic: &PulsarTopic, connection: ConnectionId, since: Instant) -> bool {
        let is_fresh = self.topics.get(topic).is_some_and(|known| known.asked.is_fresh(since));
        if self.unconfigured || is_fresh {
            return true;
        }
        self.want(Subject::Topic(topic.clone()), connection);
        self.late
    }

    /// The same for a reader that has been behind for a while: it goes by the signal, and is polled with every event.
    pub fn is_settled_for_reader(&mut self, topic: &PulsarTopic, connection: ConnectionId, now: Instant) -> bool {
        if self.unconfigured {
            return true;
        }
        let signal = self.signal.asked.is_fresh(now);
        let asked_lately = |age: Duration| self.signal.wanted.is_some_and(|wanted| now.since(wanted) < age);
        let is_old = self.signal.asked.answered.is_none_or(|asked| now.since(asked) >= REFRESH);
        if is_old && !asked_lately(REFRESH) {
            self.signal.wanted = Some(now);
            self.want(Subject::Signal, connection);
        } else if !signal {
            // Another connection's answer would not wake this one.
            self.want(Subject::Signal, connection);
        }
        let asked = self.topics.get(topic).map(|known| known.asked).unwrap_or_default();
        let unchanged = self.signal.changed.is_none_or(|changed| asked.answered.is_some_and(|asked| asked >= changed));
        let settled = unchanged || asked.failed.is_some_and(|failed| now.since(failed) < FRESH);
        if !settled {
            self.want(Subject::Topic(topic.clone()), connection);
        }
        self.late || (signal && settled)
    }

    /// `part` of `connection` waits until [`KnownFloors::is_settled`].
    pub fn wait(&mut self, topic: &PulsarTopic, connection: ConnectionId, part: Waker) {
        self.waiting.entry(topic.clone()).or_default().push((connection, part));
    }

    fn wake(&mut self, topic: &PulsarTopic) {
        self.waiting.remove(topic).into_iter().flatten().for_each(|(_, part)| part.wake());
    }

    fn wake_all(&mut self) {
        std::mem::take(&mut self.waiting).into_values().flatten().for_each(|(_, part)| part.wake());
    }

    fn want(&mut self, subject: Subject, connection: ConnectionId) {
        self.wanted.entry(connection).or_default().insert(subject);
    }

    /// What a connection is to ask for.
    pub fn take_wanted(&mut self, connection: ConnectionId) -> BTreeSet<Subject> {
        self.wanted.remove(&connection).unwrap_or_default()
    }

    /// A connection asks for nothing any more.
    pub fn detach(&mut self, connection: ConnectionId) {
        self.wanted.remove(&connection);
        self.waiting.retain(|_, parts| {
            parts.retain(|(whose, _)| *whose != connection);
            !parts.is_empty()
        });
    }

    /// The floors of a topic, as of `asked`.
    pub fn learn(&mut self, topic: PulsarTopic, floors: Floors, asked: Instant, bound: usize) {
        self.answered();
        self.wake(&topic);
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
        self.news = self.news.wrapping_add(1);
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
        self.answered();
        self.signal.asked.answered = self.signal.asked.answered.max(Some(asked));
        if self.signal.token != token {
            self.signal.token = token;
            self.signal.changed = Some(now);
        }
    }

    fn answered(&mut self) {
        self.news = self.news.wrapping_add(1);
        self.late = false;
        self.told = false;
    }

    /// An answer is waited for no longer.
    pub fn is_late(&mut self, subject: &Subject, now: Instant, bound: usize, log: &mut Log) {
        self.wake_all();
        self.news = self.news.wrapping_add(1);
        self.late = true;
        self.asked(subject, now, bound).failed = Some(now);
        self.tell("Pulsar's admin REST does not answer in time", log);
    }

    /// A question got no good answer.
    pub fn failed(&mut self, subject: &Subject, now: Instant, error: &AdminError, bound: usize, log: &mut Log) {
        self.news = self.news.wrapping_add(1);
        if let AdminError::NotConfigured = error {
            self.unconfigured = true;
            return self.wake_all();
        }
        self.tell(&error.message(), log);
        self.asked(subject, now, bound).failed = Some(now);
        if let Subject::Topic(topic) = subject {
            self.wake(topic);
        }
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
