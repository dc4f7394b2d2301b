//! Reads a topic's policies and properties.

use std::collections::BTreeMap;

use super::plan::PROPERTY_PREFIX;
use super::pulsar::{Policy, TopicPolicies};
use super::table;
use super::view::TopicState;
use crate::error::AdminError;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::admin_change::AdminChange;
use crate::topics::name::KafkaTopic;

/// Policies, asked for at once.
#[derive(Debug)]
pub struct ReadPolicies {
    open: Vec<(Policy, AdminChange)>,
    policies: TopicPolicies,
}

impl ReadPolicies {
    /// Asks for all.
    pub fn new(topic: &KafkaTopic, io: &mut Io<'_>) -> Self {
        Self::of(&Policy::ALL, topic, TopicPolicies::default(), io)
    }

    /// Asks for some; the others are as `known`.
    pub fn of(asked: &[Policy], topic: &KafkaTopic, known: TopicPolicies, io: &mut Io<'_>) -> Self {
        let base = topic.base(&io.shared.config);
        let ask = |policy: &Policy| (*policy, AdminChange::read(base.admin_path(policy.path()), io));
        Self { open: asked.iter().map(ask).collect(), policies: known }
    }

    /// All policies; `None` while some are awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<TopicPolicies, AdminError>> {
        let mut failed = None;
        self.open.retain_mut(|(policy, call)| {
            let Some(answer) = call.poll(io) else { return true };
            let taken = match answer {
                Ok(body) => self.policies.take(*policy, &body),
                // `topicLevelPoliciesEnabled=false`: no topic has any.
                Err(AdminError::Status(405, _)) => Ok(()),
                Err(error) => Err(error),
            };
            failed = taken.err().or(failed.take());
            false
        });
        match failed {
            Some(error) => Some(Err(error)),
            None => self.open.is_empty().then_some(Ok(self.policies)),
        }
    }

    /// When to poll it although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        self.open.iter().filter_map(|(_, call)| call.next_wake()).min()
    }
}

/// Policies and properties, asked for at once.
#[derive(Debug)]
pub struct ReadTopic {
    policies: ReadPolicies,
    properties: AdminChange,
    known: (Option<TopicPolicies>, Option<BTreeMap<&'static str, String>>),
}

impl ReadTopic {
    /// Asks.
    pub fn new(topic: &KafkaTopic, io: &mut Io<'_>) -> Self {
        let path = topic.base(&io.shared.config).admin_path("/properties");
        let policies = ReadPolicies::new(topic, io);
        Self { policies, properties: AdminChange::read(path, io), known: (None, None) }
    }

    /// The topic; `None` while something is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<TopicState, AdminError>> {
        if self.known.0.is_none() {
            match self.policies.poll(io) {
                Some(Ok(policies)) => self.known.0 = Some(policies),
                Some(Err(error)) => return Some(Err(error)),
                None => {}
            }
        }
        if self.known.1.is_none() {
            match self.properties.poll(io).map(|answer| answer.and_then(|body| remembered(&body))) {
                Some(Ok(remembered)) => self.known.1 = Some(remembered),
                Some(Err(error)) => return Some(Err(error)),
                None => {}
            }
        }
        let policies = self.known.0?;
        let remembered = self.known.1.take()?;
        Some(Ok(TopicState { remembered, policies }))
    }

    /// When to poll it although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        self.policies.next_wake().into_iter().chain(self.properties.next_wake()).min()
    }
}

/// The values among a topic's properties. Whoever wrote them, only what Kafka would take counts.
fn remembered(body: &[u8]) -> Result<BTreeMap<&'static str, String>, AdminError> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let properties: BTreeMap<String, String> =
        serde_json::from_slice(body).map_err(|_| AdminError::Malformed("a topic's properties are not as expected"))?;
    let known = properties.iter().filter_map(|(property, value)| {
        let config = table::find(property.strip_prefix(PROPERTY_PREFIX)?)?;
        Some((config.name, config.kind.normal(config.name, value).ok()?))
    });
    Ok(known.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_among_a_topics_properties() {
        let body = br#"{"index": "-1", "kafka.retention.ms": "5", "kafka.nope": "1", "retention.ms": "9"}"#;
        assert_eq!(remembered(body), Ok([("retention.ms", "5".to_owned())].into()));
    }

    #[test]
    fn a_property_that_kafka_would_not_take_does_not_count() {
        assert_eq!(remembered(br#"{"kafka.retention.ms": "x"}"#), Ok(BTreeMap::new()));
    }

    #[test]
    fn a_topic_without_properties_is_answered_with_nothing() {
        assert_eq!(remembered(b""), Ok(BTreeMap::new()));
        assert!(remembered(b"<html>").is_err());
    }
}
