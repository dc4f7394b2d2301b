//! Committed offsets by topic and partition, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use super::Committed;
use super::encoding::{committed_len, topic_len};

/// Partitions of one topic and their offsets.
pub type Partitions = BTreeMap<i32, Committed>;

/// A map from topics to [`Partitions`]; no topic is without any.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Offsets {
    topics: BTreeMap<String, Partitions>,
    count: usize,
    encoded_len: usize,
}

impl Offsets {
    /// The offset of one partition.
    pub fn of(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.topics.get(topic)?.get(&partition)
    }

    /// How many partitions have an offset.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Every partition's offset, in order.
    pub fn flat(&self) -> impl Iterator<Item = (&str, i32, &Committed)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, committed)| (topic.as_str(), *partition, committed))
        })
    }

    /// Length of the topics' canonical bytes.
    pub(super) fn encoded_len(&self) -> usize {
        self.encoded_len
    }

    pub(crate) fn insert(&mut self, topic: &str, partition: i32, committed: Committed) {
        let partitions = match self.topics.get_mut(topic) {
            Some(partitions) => partitions,
            None => {
                self.encoded_len = self.encoded_len.saturating_add(topic_len(topic));
                self.topics.entry(topic.to_owned()).or_default()
            }
        };
        self.encoded_len = self.encoded_len.saturating_add(committed_len(&committed.metadata));
        match partitions.insert(partition, committed) {
            Some(old) => self.encoded_len = self.encoded_len.saturating_sub(committed_len(&old.metadata)),
            None => self.count = self.count.saturating_add(1),
        }
    }

    pub(crate) fn remove(&mut self, topic: &str, partition: i32) {
        let Some(partitions) = self.topics.get_mut(topic) else { return };
        let Some(old) = partitions.remove(&partition) else { return };
        self.count = self.count.saturating_sub(1);
        self.encoded_len = self.encoded_len.saturating_sub(committed_len(&old.metadata));
        if partitions.is_empty() {
            self.encoded_len = self.encoded_len.saturating_sub(topic_len(topic));
            self.topics.remove(topic);
        }
    }
}

impl Deref for Offsets {
    type Target = BTreeMap<String, Partitions>;

    fn deref(&self) -> &Self::Target {
        &self.topics
    }
}

impl fmt::Debug for Offsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.topics.fmt(f)
    }
}
