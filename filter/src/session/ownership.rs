//! LOOKUP before the first use of a topic: PRODUCER and SUBSCRIBE never make a broker take a topic that nobody owns.
//!
//! Kafka clients come to a broker because Metadata said so, perhaps long ago: after a restart of Pulsar nobody owns anything until
//! it is looked up. A broker that names another as the better owner of an unowned topic goes on doing so until somebody asks
//! with `authoritative` set; the client is here, so this broker is asked.

use std::collections::BTreeMap;
use std::time::Duration;

use super::requests::Reply;
use crate::error::PulsarError;
use crate::ids::RequestId;
use crate::pulsar::proto::BaseCommand;
use crate::time::Instant;

/// How long a lookup is taken to hold. A wrong guess costs the client one `NOT_LEADER_OR_FOLLOWER`.
const FRESH: Duration = Duration::from_secs(30);

/// Bound of topics remembered; past it they are looked up again.
const MAX_TOPICS: usize = 10_000;

/// A command that waits for its topic to be looked up.
#[derive(Debug)]
struct Waiting {
    topic: String,
    authoritative: bool,
    deadline: Instant,
    commands: Vec<(RequestId, BaseCommand)>,
}

/// What to do about an answer to LOOKUP.
#[derive(Debug)]
pub enum Next {
    /// Send these: their topic has an owner now, here or elsewhere.
    Send(Vec<(RequestId, BaseCommand)>),
    /// Ask again, with `authoritative` set.
    Claim(String),
    /// The commands cannot be carried out.
    Fail(Vec<RequestId>, PulsarError),
}

/// The topics of one connection.
#[derive(Debug, Default)]
pub struct Ownership {
    known: BTreeMap<String, Instant>,
    waiting: BTreeMap<RequestId, Waiting>,
    /// The lookup of each topic that is waited for.
    lookups: BTreeMap<String, RequestId>,
}

impl Ownership {
    /// Whether the topic was looked up a moment ago.
    pub fn is_known(&self, topic: &str, now: Instant) -> bool {
        self.known.get(topic).is_some_and(|at| now.since(*at) < FRESH)
    }

    /// Puts a command behind a lookup of its topic that is under way; gives it back if none is.
    pub fn join(&mut self, topic: &str, request: RequestId, command: BaseCommand) -> Option<BaseCommand> {
        match self.lookups.get(topic).and_then(|lookup| self.waiting.get_mut(lookup)) {
            Some(waiting) => {
                waiting.commands.push((request, command));
                None
            }
            None => Some(command),
        }
    }

    /// `lookup` is asked for the sake of a command.
    pub fn begin(
        &mut self,
        lookup: RequestId,
        topic: &str,
        deadline: Instant,
        request: RequestId,
        command: BaseCommand,
    ) {
        let commands = vec![(request, command)];
        self.lookups.insert(topic.to_owned(), lookup);
        self.waiting.insert(lookup, Waiting { topic: topic.to_owned(), authoritative: false, deadline, commands });
    }

    /// `lookup` was asked again for the same commands.
    pub fn claim(&mut self, before: RequestId, lookup: RequestId) {
        if let Some(waiting) = self.waiting.remove(&before) {
            self.lookups.insert(waiting.topic.clone(), lookup);
            self.waiting.insert(lookup, Waiting { authoritative: true, ..waiting });
        }
    }

    /// Whether an answer is one of these lookups'.
    pub fn awaits(&self, lookup: RequestId) -> bool {
        self.waiting.contains_key(&lookup)
    }

    /// The answer to `lookup`. After [`Next::Claim`] comes [`Ownership::claim`].
    pub fn on_reply(&mut self, lookup: RequestId, reply: Result<Reply, PulsarError>, now: Instant) -> Option<Next> {
        let waiting = self.waiting.get(&lookup)?;
        if let Ok(Reply::Lookup(found)) = &reply
            && !found.connect
            && !waiting.authoritative
        {
            return Some(Next::Claim(waiting.topic.clone()));
        }
        let waiting = self.waiting.remove(&lookup)?;
        self.lookups.remove(&waiting.topic);
        Some(match reply {
            Ok(_) => {
                if self.known.len() >= MAX_TOPICS {
                    self.known.clear();
                }
                self.known.insert(waiting.topic, now);
                Next::Send(waiting.commands)
            }
            Err(error) => Next::Fail(waiting.commands.into_iter().map(|(request, _)| request).collect(), error),
        })
    }

    /// Forgets lookups that were not answered in time; who waited for them is told by a deadline of its own.
    pub fn expire(&mut self, now: Instant) {
        let Self { waiting, lookups, .. } = self;
        waiting.retain(|_, waiting| {
            let keep = waiting.deadline > now;
            if !keep {
                lookups.remove(&waiting.topic);
            }
            keep
        });
    }

    /// The broker gave something up: whatever was known may be over.
    pub fn forget_all(&mut self) {
        self.known.clear();
    }
}
