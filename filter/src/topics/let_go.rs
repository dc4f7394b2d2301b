//! Policies of a topic's own by which Pulsar deletes it, once it has no producer and its subscriptions are caught up.
//! Who only reads is sent away (`PersistentTopic.delete`).
//!
//! As with [`super::configs::converge`] there is one change at a time, each looked for before the next: a second one right behind
//! would undo the first.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::admin_change::AdminChange;
use super::name::PulsarTopic;
use crate::error::AdminError;
use crate::session::admin::Method;
use crate::session::io::Io;
use crate::time::Instant;

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A change that is not seen after so many looks is made again.
const LOOKS: u32 = 20;

/// Bound of looks that found a policy missing.
const LOOKS_MAX: u32 = 100;

/// What is looked for, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    /// None: Pulsar keeps an inactive topic that has any (`PersistentTopic.shouldTopicBeRetained`).
    Retention,
    /// Deleted when its subscriptions are caught up.
    Inactivity,
}

impl Policy {
    const fn path(self) -> &'static str {
        match self {
            Self::Retention => "/retention",
            Self::Inactivity => "/inactiveTopicPolicies",
        }
    }

    /// `RetentionPolicies` and `InactiveTopicPolicies` of Pulsar.
    fn wanted(self) -> Value {
        match self {
            Self::Retention => json!({ "retentionTimeInMinutes": 0, "retentionSizeInMB": 0 }),
            Self::Inactivity => json!({
                "inactiveTopicDeleteMode": "delete_when_subscriptions_caught_up",
                "maxInactiveDurationSeconds": 1,
                "deleteWhileInactive": true,
            }),
        }
    }

    /// Whether a broker says that it is in force. Newer ones may tell more.
    fn is_in_force(self, body: &[u8]) -> bool {
        let Ok(found) = serde_json::from_slice::<Value>(body) else { return false };
        let wanted = self.wanted();
        wanted.as_object().is_some_and(|wanted| wanted.iter().all(|(key, value)| found.get(key) == Some(value)))
    }
}

/// ```text
/// Looking(retention) ──▶ Looking(inactivity) ──▶ done
///    ▲   └──missing──▶ Setting ◀──missing──┘
///    └──── Waiting ◀──────┘
/// ```
#[derive(Debug)]
enum State {
    Looking(Policy, AdminChange),
    Setting(Policy, AdminChange),
    Waiting { until: Instant },
}

/// See the module.
#[derive(Debug)]
pub struct LetGo {
    topic: PulsarTopic,
    /// What was set last, and how often it has been looked for.
    set: Option<(Policy, u32)>,
    /// Looks that found a policy missing.
    looks: u32,
    state: State,
}

impl LetGo {
    /// Looks what there is.
    pub fn new(topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        Self { topic: topic.clone(), set: None, looks: 0, state: look(topic, Policy::Retention, io) }
    }

    /// Whether both are in force; `None` while something is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<(), AdminError>> {
        loop {
            self.state = match &mut self.state {
                State::Looking(policy, call) => {
                    let policy = *policy;
                    match (call.poll(io)?, policy) {
                        (Err(error), _) => return Some(Err(error)),
                        (Ok(body), Policy::Retention) if policy.is_in_force(&body) => {
                            look(&self.topic, Policy::Inactivity, io)
                        }
                        (Ok(body), Policy::Inactivity) if policy.is_in_force(&body) => return Some(Ok(())),
                        (Ok(_), _) if self.looks >= LOOKS_MAX => {
                            return Some(Err(AdminError::Malformed("a policy that was set is not there")));
                        }
                        (Ok(_), _) => self.on_missing(policy, io),
                    }
                }
                State::Setting(policy, call) => {
                    let policy = *policy;
                    if let Err(error) = call.poll(io)? {
                        return Some(Err(error));
                    }
                    self.set = Some((policy, 0));
                    State::Waiting { until: io.now.instant + LOOK_AGAIN }
                }
                State::Waiting { until } if *until <= io.now.instant => look(&self.topic, Policy::Retention, io),
                State::Waiting { .. } => return None,
            };
        }
    }

    /// Set, unless it was set a moment ago: another change before the broker has read that one back would only put it off.
    fn on_missing(&mut self, policy: Policy, io: &mut Io<'_>) -> State {
        self.looks = self.looks.saturating_add(1);
        match &mut self.set {
            Some((set, looks)) if *set == policy && *looks < LOOKS => {
                *looks = looks.saturating_add(1);
                State::Waiting { until: io.now.instant + LOOK_AGAIN }
            }
            Some(_) | None => {
                let body = Bytes::from(policy.wanted().to_string());
                let path = self.topic.admin_path(policy.path());
                State::Setting(policy, AdminChange::repeatable(Method::Post, path, Some(body), io))
            }
        }
    }

    /// When to poll it although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::Looking(_, call) | State::Setting(_, call) => call.next_wake(),
            State::Waiting { until } => Some(*until),
        }
    }
}

fn look(topic: &PulsarTopic, policy: Policy, io: &mut Io<'_>) -> State {
    State::Looking(policy, AdminChange::read(topic.admin_path(policy.path()), io))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_in_force_if_the_broker_says_so_and_not_if_it_says_nothing() {
        assert!(Policy::Retention.is_in_force(br#"{"retentionTimeInMinutes":0,"retentionSizeInMB":0,"new":1}"#));
        assert!(!Policy::Retention.is_in_force(br#"{"retentionTimeInMinutes":-1,"retentionSizeInMB":0}"#));
        for nothing in [&b""[..], b"null", b"{}", b"nonsense"] {
            assert!(!Policy::Retention.is_in_force(nothing));
            assert!(!Policy::Inactivity.is_in_force(nothing));
        }
    }
}
