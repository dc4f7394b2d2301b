//! Brings a topic's policies about and waits until they are there.
//!
//! A broker writes all policies of a topic at once, from what it has read so far (`SystemTopicBasedTopicPoliciesService`), and
//! answers before it has read its own change back: the next change would undo the last. So there is one change at a time, each
//! looked for before the next, and all of them looked at in the end.

use std::time::Duration;

use kafka_protocol::error::ResponseError;

use super::pulsar::{Policy, TopicPolicies};
use super::read::ReadPolicies;
use crate::error::AdminError;
use crate::session::admin::Method;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::admin_change::AdminChange;
use crate::topics::change::Refused;
use crate::topics::name::KafkaTopic;

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A change that is not seen after so many looks is made again.
const LOOKS: u32 = 20;

/// ```text
/// Reading ──all as wanted──▶ done
///   ▲  └──one is not──▶ Writing ──▶ Reading
///   └── Waiting ◀──the last one written is not yet seen
/// ```
#[derive(Debug)]
enum State {
    /// All of them, or the one that was just written while another has still to be.
    Reading(ReadPolicies),
    Writing(Policy, AdminChange),
    Waiting {
        until: Instant,
    },
}

/// The change; only the deadline of the request ends it otherwise.
#[derive(Debug)]
pub struct Converge {
    topic: KafkaTopic,
    wanted: TopicPolicies,
    /// As far as was looked.
    seen: TopicPolicies,
    /// What was written last, and how often it has been looked for.
    written: Option<(Policy, u32)>,
    state: State,
}

impl Converge {
    /// Writes the first that is not as wanted among those that were `seen`.
    pub fn new(topic: &KafkaTopic, seen: TopicPolicies, wanted: TopicPolicies, io: &mut Io<'_>) -> Self {
        let state = match seen.differences(&wanted).next() {
            Some(first) => State::Writing(first, write(first, topic, &wanted, io)),
            None => State::Reading(ReadPolicies::new(topic, io)),
        };
        Self { topic: topic.clone(), wanted, seen, written: None, state }
    }

    /// Whether it is done; `None` while something is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<(), Refused>> {
        loop {
            self.state = match &mut self.state {
                State::Reading(read) => {
                    self.seen = match read.poll(io)? {
                        Ok(seen) => seen,
                        Err(error) => return Some(Err(Refused::by_admin(&error))),
                    };
                    let Some(first) = self.seen.differences(&self.wanted).next() else { return Some(Ok(())) };
                    match &mut self.written {
                        Some((policy, looks)) if *looks < LOOKS && self.seen.differs(&self.wanted, *policy) => {
                            *looks = looks.saturating_add(1);
                            State::Waiting { until: io.now.instant + LOOK_AGAIN }
                        }
                        Some(_) | None => State::Writing(first, write(first, &self.topic, &self.wanted, io)),
                    }
                }
                State::Writing(policy, change) => {
                    let policy = *policy;
                    if let Err(error) = change.poll(io)? {
                        return Some(Err(refused(policy, &error)));
                    }
                    self.written = Some((policy, 0));
                    self.look(policy, io)
                }
                State::Waiting { until } if *until <= io.now.instant => match self.written {
                    Some((policy, _)) => self.look(policy, io),
                    None => State::Reading(ReadPolicies::new(&self.topic, io)),
                },
                State::Waiting { .. } => return None,
            };
        }
    }

    /// Whether what was written is there; with the last one all are looked at.
    fn look(&self, written: Policy, io: &mut Io<'_>) -> State {
        let is_last = self.seen.differences(&self.wanted).all(|policy| policy == written);
        State::Reading(match is_last {
            true => ReadPolicies::new(&self.topic, io),
            false => ReadPolicies::of(&[written], &self.topic, self.seen, io),
        })
    }

    /// When to poll it although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::Reading(read) => read.next_wake(),
            State::Writing(_, change) => change.next_wake(),
            State::Waiting { until } => Some(*until),
        }
    }
}

fn write(policy: Policy, topic: &KafkaTopic, wanted: &TopicPolicies, io: &mut Io<'_>) -> AdminChange {
    let path = topic.base(&io.shared.config).admin_path(policy.path());
    match wanted.body(policy) {
        Some(body) => AdminChange::repeatable(Method::Post, path, Some(body), io),
        None => AdminChange::new(Method::Delete, path, None, io),
    }
}

/// What Pulsar means by each status (`PersistentTopicsBase.internalSetRetention` and the like): a value it does not take, or
/// policies of topics switched off.
fn refused(policy: Policy, error: &AdminError) -> Refused {
    let refused = Refused::by_admin(error);
    match error {
        AdminError::Status(405, _) => Refused::because(
            ResponseError::InvalidConfig,
            format!(
                "The topic's policy {} cannot be set: topicLevelPoliciesEnabled is false on the Pulsar brokers",
                policy.path()
            ),
        ),
        AdminError::Status(400 | 412, _) => Refused { code: ResponseError::InvalidConfig, ..refused },
        AdminError::Status(..) | AdminError::NotConfigured | AdminError::Unreachable | AdminError::Malformed(_) => {
            refused
        }
    }
}
