//! Policies of single topics (`PersistentTopics.java`, admin v2, as tried on 3.0.7, 4.0.7 and 4.2.4).

use std::collections::BTreeMap;

use isthmus::time::Instant;
use serde_json::Value;

use super::ScriptedBroker;
use super::admin::{Asked, reason};
use crate::http::HttpAnswer;

/// All policies of one topic, by the ends of their paths.
///
/// They are one record in the namespace's log of changes: a broker writes them all from what it has read so far, and reads its own
/// record back a while later. Until then it shows the old ones, and a further change begins from those.
#[derive(Debug, Default)]
pub(super) struct Policies {
    read: BTreeMap<String, Value>,
    written: Option<(Instant, BTreeMap<String, Value>)>,
}

impl Policies {
    pub(super) fn written(&self, policy: &str) -> Option<&Value> {
        self.written.as_ref().map_or(&self.read, |(_, written)| written).get(policy)
    }

    fn read(&mut self, now: Instant) -> &BTreeMap<String, Value> {
        if let Some((due, written)) = &self.written
            && *due <= now
        {
            self.read = written.clone();
            self.written = None;
        }
        &self.read
    }

    pub(super) fn write(&mut self, policy: &str, value: Option<Value>, now: Instant, due: Instant) {
        let mut policies = self.read(now).clone();
        match value {
            Some(value) => policies.insert(policy.to_string(), value),
            None => policies.remove(policy),
        };
        self.written = Some((due, policies));
        self.read(now);
    }
}

impl ScriptedBroker {
    pub(super) fn on_topic_policy(&mut self, asked: &Asked<'_>, topic: &str, policy: &str) -> HttpAnswer {
        if !self.config.topic_policies {
            return reason(405, "Topic level policies is disabled, to enable the topic level policy and retry.");
        }
        if super::name::partition_of(topic).is_some() {
            return reason(412, "Not allowed to set/get topic policy for a partition");
        }
        if !self.partitioned.contains_key(topic) && !self.topics.contains_key(topic) {
            return reason(404, &format!("Topic {topic} not found"));
        }
        let (now, due) = (self.now.instant, self.now.instant + self.config.policies_lag);
        let most = i64::try_from(self.config.max_message_bytes).unwrap_or(i64::MAX);
        if asked.method == "POST" {
            self.prepare_compaction(topic, policy, asked.json().as_ref());
        }
        let policies = self.topic_policies.entry(topic.to_string()).or_default();
        match (asked.method, asked.json()) {
            ("GET", _) => match policies.read(now).get(policy) {
                Some(value) => HttpAnswer::json(200, value),
                None if policy == "maxMessageSize" => HttpAnswer::empty(204),
                None => HttpAnswer::empty(200),
            },
            ("POST", Some(value)) => match wrong(policy, &value, most) {
                Some(refusal) => refusal,
                None => {
                    policies.write(policy, Some(value), now, due);
                    HttpAnswer::empty(204)
                }
            },
            ("DELETE", _) => {
                policies.write(policy, None, now, due);
                HttpAnswer::empty(204)
            }
            _ => reason(400, "Bad Request"),
        }
    }
}

/// Why Pulsar does not take a value.
fn wrong(policy: &str, value: &Value, max_message_bytes: i64) -> Option<HttpAnswer> {
    let number = |value: &Value| value.as_i64();
    match policy {
        "retention" => {
            let limits = ["retentionTimeInMinutes", "retentionSizeInMB"].map(|limit| value.get(limit).and_then(number));
            match limits {
                [Some(0), Some(0)] => None,
                [Some(0), _] | [_, Some(0)] => Some(reason(400, "Invalid retention policy: a single limit of 0")),
                [Some(minutes), Some(_)] if i32::try_from(minutes).is_ok() => None,
                _ => Some(reason(400, "Bad Request")),
            }
        }
        "maxMessageSize" => number(value)
            .is_none_or(|bytes| !(0..=max_message_bytes).contains(&bytes))
            .then(|| reason(412, "topic-level maxMessageSize must be smaller than that in the broker-level")),
        "inactiveTopicPolicies" => None,
        _ => number(value).is_none_or(|bytes| bytes < 0).then(|| reason(412, "Invalid value for compactionThreshold")),
    }
}
