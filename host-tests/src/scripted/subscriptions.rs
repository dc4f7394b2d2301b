//! Subscriptions on the admin REST, as read in `PersistentTopicsBase.java` and `PersistentTopic.java` (4.2).

use std::collections::BTreeSet;

use serde_json::json;

use super::admin::reason;
use super::{ScriptedBroker, compaction, name};
use crate::http::HttpAnswer;

impl ScriptedBroker {
    /// Whether a topic (a partition, or a plain one) has a subscription of that name.
    pub fn has_subscription(&self, topic: &str, subscription: &str) -> bool {
        let state = name::full(topic).and_then(|topic| self.topics.get(&topic));
        state.is_some_and(|state| state.subscriptions.contains_key(subscription))
    }

    /// The partitions of a topic, or itself.
    pub(super) fn parts_of(&self, topic: &str) -> Vec<String> {
        match self.partitioned.get(topic) {
            Some(partitioned) => (0..partitioned.partitions).map(|index| name::partition(topic, index)).collect(),
            None => vec![topic.to_string()],
        }
    }

    /// Of all partitions together, as far as they exist.
    pub(super) fn subscriptions(&self, topic: &str) -> HttpAnswer {
        if !self.partitioned.contains_key(topic) && !self.topics.contains_key(topic) {
            return reason(404, &format!("Topic {topic} not found"));
        }
        let parts = self.parts_of(topic);
        let states = parts.iter().filter_map(|part| self.topics.get(part));
        HttpAnswer::json(200, &json!(states.flat_map(|state| state.subscriptions.keys()).collect::<BTreeSet<_>>()))
    }

    /// Deletes in every partition, and tells of one that failed.
    pub(super) fn delete_subscriptions(&mut self, topic: &str, subscription: &str, force: bool) -> HttpAnswer {
        let parts = self.parts_of(topic);
        let answers: Vec<HttpAnswer> =
            parts.iter().map(|part| self.delete_subscription(part, subscription, force)).collect();
        answers.into_iter().find(|answer| answer.status >= 300).unwrap_or(HttpAnswer::empty(204))
    }

    fn delete_subscription(&mut self, topic: &str, subscription: &str, force: bool) -> HttpAnswer {
        let Some(state) = self.topics.get_mut(topic) else { return reason(404, &format!("Topic {topic} not found")) };
        let Some(known) = state.subscriptions.get(subscription) else {
            return reason(404, &format!("Subscription {subscription} not found for topic {topic}"));
        };
        let is_compaction = subscription == compaction::SUBSCRIPTION;
        if !force && (!known.consumers.is_empty() || (is_compaction && state.is_compacting)) {
            return reason(412, "Subscription has active connected consumers");
        }
        state.subscriptions.remove(subscription);
        if is_compaction {
            state.compacted = None;
        }
        HttpAnswer::empty(204)
    }
}
