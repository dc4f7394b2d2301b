//! Policies of a topic's own by which Pulsar deletes it, once it has no producer and its subscriptions are caught up.
//! Who only reads is sent away (`PersistentTopic.delete`).
//!
//! A broker writes all policies of a topic at once, from what it has read so far (`SystemTopicBasedTopicPoliciesService`), and
//! answers before it has read its own change back: a second change right behind would undo the first. So each turn looks, and
//! changes one thing at most.

use bytes::Bytes;
use serde_json::{Value, json};

use super::name::PulsarTopic;
use crate::error::AdminError;
use crate::session::admin::{CallId, HttpReply, Method};
use crate::session::io::Io;

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The policies are in force.
    Done,
    /// One was missing and is on its way: it is to be looked for a moment later.
    Changed,
}

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
/// Looking(retention) ──▶ Looking(inactivity) ──▶ Done
///        └──▶ Setting ◀──────────┘ ──▶ Changed
/// ```
#[derive(Debug)]
enum State {
    Looking(Policy, CallId),
    Setting(CallId),
}

/// See the module.
#[derive(Debug)]
pub struct LetGo {
    topic: PulsarTopic,
    state: State,
}

impl LetGo {
    /// Begins a turn.
    pub fn new(topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        let state = look(topic, Policy::Retention, io);
        Self { topic: topic.clone(), state }
    }

    /// What it came to; `None` while a call is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Turn, AdminError>> {
        loop {
            let (State::Looking(_, call) | State::Setting(call)) = &self.state;
            let body = match io.admin.take(*call)?.and_then(HttpReply::success) {
                Ok(body) => body,
                Err(error) => return Some(Err(error)),
            };
            self.state = match self.state {
                State::Setting(_) => return Some(Ok(Turn::Changed)),
                State::Looking(Policy::Retention, _) if Policy::Retention.is_in_force(&body) => {
                    look(&self.topic, Policy::Inactivity, io)
                }
                State::Looking(policy, _) if policy.is_in_force(&body) => return Some(Ok(Turn::Done)),
                State::Looking(policy, _) => {
                    let body = ("application/json", Bytes::from(policy.wanted().to_string()));
                    let path = self.topic.admin_path(policy.path());
                    State::Setting(io.admin.call(Method::Post, path, Some(body), io.now.instant))
                }
            };
        }
    }
}

fn look(topic: &PulsarTopic, policy: Policy, io: &mut Io<'_>) -> State {
    let call = io.admin.call(Method::Get, topic.admin_path(policy.path()), None, io.now.instant);
    State::Looking(policy, call)
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
