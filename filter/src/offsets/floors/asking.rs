//! What is to be asked about floors, and who waits for it: one connection of a worker asks for all.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::ConnectionId;
use crate::session::wake::Waker;
use crate::topics::name::PulsarTopic;

/// Something that Pulsar's admin REST is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Whether any floor in the namespace was raised.
    Signal,
    /// The floors of one topic, by its name without partition.
    Topic(PulsarTopic),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Asking {
    wanted: BTreeMap<ConnectionId, BTreeSet<Subject>>,
    /// Who asks for what.
    askers: BTreeMap<Subject, ConnectionId>,
    /// Connections that wait for what another asks.
    parked: BTreeMap<Subject, BTreeSet<ConnectionId>>,
    woken: BTreeSet<ConnectionId>,
    /// Parts of requests that wait for the floors of a topic.
    waiting: BTreeMap<PulsarTopic, Vec<(ConnectionId, Waker)>>,
    news: u64,
}

impl Asking {
    /// `connection` asks, or waits for the one that does.
    pub fn want(&mut self, subject: Subject, connection: ConnectionId) {
        if *self.askers.entry(subject.clone()).or_insert(connection) == connection {
            self.wanted.entry(connection).or_default().insert(subject);
        } else {
            self.parked.entry(subject).or_default().insert(connection);
        }
    }

    /// `part` of `connection` waits until the floors of a topic are told, or given up.
    pub fn wait(&mut self, topic: &PulsarTopic, connection: ConnectionId, part: Waker) {
        self.waiting.entry(topic.clone()).or_default().push((connection, part));
    }

    /// What a connection is to ask for.
    pub fn take_wanted(&mut self, connection: ConnectionId) -> BTreeSet<Subject> {
        self.wanted.remove(&connection).unwrap_or_default()
    }

    /// The next connection for which something has come that another asked for.
    pub fn take_woken(&mut self) -> Option<ConnectionId> {
        self.woken.pop_first()
    }

    /// Another one whenever a question was answered, or given up.
    pub fn news(&self) -> u64 {
        self.news
    }

    /// There is something new.
    pub fn tell(&mut self) {
        self.news = self.news.wrapping_add(1);
    }

    /// The question is answered, given up or lost: whoever waits for it goes on, or asks.
    pub fn let_go(&mut self, subject: &Subject) {
        self.tell();
        self.askers.remove(subject);
        self.woken.extend(self.parked.remove(subject).into_iter().flatten());
        if let Subject::Topic(topic) = subject {
            self.waiting.remove(topic).into_iter().flatten().for_each(|(_, part)| part.wake());
        }
    }

    /// Nobody waits any longer, whatever for.
    pub fn let_all_go(&mut self) {
        self.tell();
        std::mem::take(&mut self.waiting).into_values().flatten().for_each(|(_, part)| part.wake());
        self.woken.extend(std::mem::take(&mut self.parked).into_values().flatten());
    }

    /// A connection asks for nothing any more, and what it asked is lost.
    pub fn detach(&mut self, connection: ConnectionId) {
        self.wanted.remove(&connection);
        self.waiting.retain(|_, parts| {
            parts.retain(|(whose, _)| *whose != connection);
            !parts.is_empty()
        });
        self.parked.retain(|_, parked| {
            parked.remove(&connection);
            !parked.is_empty()
        });
        self.woken.remove(&connection);
        let lost = self.askers.iter().filter(|(_, asker)| **asker == connection).map(|(subject, _)| subject.clone());
        lost.collect::<Vec<_>>().iter().for_each(|subject| self.let_go(subject));
    }
}
