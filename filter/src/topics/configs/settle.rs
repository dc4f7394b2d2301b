//! Waits for the policies of a topic that somebody else is making.
//!
//! Pulsar creates a topic with its properties and takes its policies one by one afterwards. Meanwhile another client, told that the
//! topic exists, would find it without the configurations that it is just given: Kafka Connect's workers, started together, then
//! refuse to work because `cleanup.policy` is wrong.

use std::time::Duration;

use super::read::ReadTopic;
use super::view::{CleanupPolicy, TopicState};
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::name::KafkaTopic;

/// Before the second look; the wait doubles with each, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);

const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A topic that lacks a policy for so long is not being made: Pulsar's own tools have taken it away. A broker that is just starting
/// needs some seconds for its first policy; clients have at least half a minute. It counts from the request, whose topics take turns.
const PATIENCE: Duration = Duration::from_secs(20);

/// ```text
/// Reading ──nothing is missing, or nobody tells, or for too long──▶ done
///   ▲ └──a policy is missing──▶ Waiting
///   └──────────────────────────────┘
/// ```
#[derive(Debug)]
enum State {
    Reading(Box<ReadTopic>),
    Waiting { until: Instant },
}

/// The wait.
#[derive(Debug)]
pub struct Settle {
    topic: KafkaTopic,
    patient_until: Instant,
    wait: Duration,
    state: State,
}

impl Settle {
    /// Looks for the first time, for a request of `asked`.
    pub fn new(topic: &KafkaTopic, asked: Instant, io: &mut Io<'_>) -> Self {
        let state = State::Reading(Box::new(ReadTopic::new(topic, io)));
        Self { topic: topic.clone(), patient_until: asked + PATIENCE, wait: FIRST_WAIT, state }
    }

    /// Whether there is nothing more to wait for; `None` while there is.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<()> {
        loop {
            self.state = match &mut self.state {
                State::Reading(read) => match read.poll(io)? {
                    Ok(topic) if lacks_a_policy(&topic) && io.now.instant < self.patient_until => {
                        let until = io.now.instant + self.wait;
                        self.wait = self.wait.saturating_mul(2).min(LONGEST_WAIT);
                        State::Waiting { until }
                    }
                    Ok(_) | Err(_) => return Some(()),
                },
                State::Waiting { until } if *until <= io.now.instant => {
                    State::Reading(Box::new(ReadTopic::new(&self.topic, io)))
                }
                State::Waiting { .. } => return None,
            };
        }
    }

    /// When to poll it although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::Reading(read) => read.next_wake(),
            State::Waiting { until } => Some(*until),
        }
    }
}

/// Whether a value is remembered that Pulsar needs a policy for, and has none.
fn lacks_a_policy(topic: &TopicState) -> bool {
    let remembers = |name: &str| topic.remembered.contains_key(name);
    let cleanup = topic.remembered.get("cleanup.policy").map(|value| CleanupPolicy::of(value));
    let keeps = cleanup.is_some_and(|cleanup| !cleanup.delete);
    let lacks_threshold = cleanup.is_some_and(|cleanup| cleanup.compact)
        && topic.policies.compaction_threshold.is_none_or(|bytes| bytes == 0);
    let lacks_retention =
        (keeps || remembers("retention.ms") || remembers("retention.bytes")) && topic.policies.retention.is_none();
    lacks_threshold || lacks_retention || (remembers("max.message.bytes") && topic.policies.max_message_size.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::configs::pulsar::{Retention, TopicPolicies};

    fn lacks(remembered: &[(&'static str, &str)], policies: TopicPolicies) -> bool {
        let remembered = remembered.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        lacks_a_policy(&TopicState { remembered, policies })
    }

    #[test]
    fn every_value_that_a_policy_brings_about_is_missed_without_it() {
        let none = TopicPolicies::default();
        for (name, value) in [
            ("cleanup.policy", "compact"),
            ("cleanup.policy", ""),
            ("retention.ms", "5"),
            ("retention.bytes", "5"),
            ("max.message.bytes", "5"),
        ] {
            assert!(lacks(&[(name, value)], none), "{name}={value}");
        }
        assert!(!lacks(&[], none));
        assert!(!lacks(&[("cleanup.policy", "delete"), ("compression.type", "producer")], none));
    }

    #[test]
    fn a_compacted_topic_needs_a_threshold_and_keeps_everything_unless_it_also_deletes() {
        let threshold = TopicPolicies { compaction_threshold: Some(7), ..TopicPolicies::default() };
        assert!(lacks(&[("cleanup.policy", "compact")], threshold));
        assert!(!lacks(&[("cleanup.policy", "compact,delete")], threshold));
        let whole = TopicPolicies { retention: Some(Retention::UNLIMITED), ..threshold };
        assert!(!lacks(&[("cleanup.policy", "compact")], whole));
        assert!(lacks(&[("cleanup.policy", "compact")], TopicPolicies { compaction_threshold: Some(0), ..whole }));
    }
}
