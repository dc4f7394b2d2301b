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

/// After trouble that outlasted the attempts at one call.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);

/// ```text
/// Reading ──all as wanted──▶ done
///   ▲  └──one is not──▶ Writing ──▶ Reading
///   └── Waiting ◀──the last one written is not yet seen, or there is trouble
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
    /// Whether only a refusal ends it, not trouble.
    persists: bool,
    /// The last trouble.
    trouble: Option<AdminError>,
    state: State,
}

impl Converge {
    /// Writes the first that is not as wanted among those that were `seen`.
    pub fn new(topic: &KafkaTopic, seen: TopicPolicies, wanted: TopicPolicies, io: &mut Io<'_>) -> Self {
        let state = match seen.differences(&wanted).next() {
            Some(first) => State::Writing(first, write(first, topic, &wanted, io)),
            None => State::Reading(ReadPolicies::new(topic, io)),
        };
        Self { topic: topic.clone(), wanted, seen, written: None, persists: false, trouble: None, state }
    }

    /// The same for a topic that has no policies yet, through whatever trouble: only a refusal ends it.
    pub fn persistently(topic: &KafkaTopic, wanted: TopicPolicies, io: &mut Io<'_>) -> Self {
        Self { persists: true, ..Self::new(topic, TopicPolicies::default(), wanted, io) }
    }

    /// Whether it is done; `None` while something is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<(), Refused>> {
        loop {
            self.state = match &mut self.state {
                State::Reading(read) => {
                    match read.poll(io)? {
                        Ok(seen) => self.seen = seen,
                        Err(error) if self.outlasts(&error) => {
                            self.state = self.sit_out(error, io);
                            continue;
                        }
                        Err(error) => return Some(Err(Refused::by_admin(&error))),
                    }
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
                    match change.poll(io)? {
                        Ok(_) => {
                            self.written = Some((policy, 0));
                            self.look(policy, io)
                        }
                        Err(error) if self.outlasts(&error) => self.sit_out(error, io),
                        Err(error) => return Some(Err(refused(policy, &error))),
                    }
                }
                State::Waiting { until } if *until <= io.now.instant => match self.written {
                    Some((policy, _)) => self.look(policy, io),
                    None => State::Reading(ReadPolicies::new(&self.topic, io)),
                },
                State::Waiting { .. } => return None,
            };
        }
    }

    fn outlasts(&self, trouble: &AdminError) -> bool {
        self.persists && !trouble.is_refusal()
    }

    /// What was written may be there or not: all is looked at again.
    fn sit_out(&mut self, trouble: AdminError, io: &Io<'_>) -> State {
        self.written = None;
        self.trouble = Some(trouble);
        State::Waiting { until: io.now.instant + AFTER_TROUBLE }
    }

    /// The policies that are not there, as far as was looked.
    pub fn missing(&self) -> impl Iterator<Item = Policy> {
        self.seen.differences(&self.wanted)
    }

    /// Why the last attempt failed, if one did.
    pub fn last_error(&self) -> Option<&AdminError> {
        match &self.state {
            State::Writing(_, change) => change.last_error().or(self.trouble.as_ref()),
            State::Reading(_) | State::Waiting { .. } => self.trouble.as_ref(),
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
        AdminError::Status(400 | 406 | 412 | 422, _) if error.is_refusal() => {
            Refused { code: ResponseError::InvalidConfig, ..refused }
        }
        AdminError::Status(..) | AdminError::NotConfigured | AdminError::Unreachable | AdminError::Malformed(_) => {
            refused
        }
    }
}
