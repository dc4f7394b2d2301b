//! Compaction: a second ledger with the last message of each key, beside the log, which stays as it is.
//!
//! As read in `AbstractTwoPhaseCompactor`, `RawBatchConverter` and `CompactedTopicUtils`, and seen on 4.2.4, 4.0.7 and 3.0.7. It is
//! done at once, where a broker takes its time.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use isthmus::pulsar::proto::{MessageMetadata, SingleMessageMetadata};
use prost::Message as _;
use serde_json::Value;

use super::ScriptedBroker;
use super::entry::{Entry, build_section, parse_section};
use super::log::{Log, Position};
use super::readback::{ReadError, singles};
use super::topic::{Subscription, Topic};

/// The durable subscription that compaction reads by (`Compactor.COMPACTION_SUBSCRIPTION`).
pub(super) const SUBSCRIPTION: &str = "__compaction";

impl ScriptedBroker {
    /// Compacts a topic, as a threshold or a request would have it done. One that was begun ends with it.
    pub fn compact(&mut self, topic: &str) {
        let keeps_index = self.config.compaction_keeps_index;
        if let Some(topic) = self.topic_mut(topic) {
            topic.compacted = Some(Compacted::new(topic.compacted.take(), &topic.log, keeps_index));
            topic.is_compacting = false;
            let horizon = topic.log.last_confirmed();
            compaction_cursor(topic).mark = horizon;
        }
    }

    /// Compaction of a topic begins, and reads until [`ScriptedBroker::compact`].
    pub fn begin_compaction(&mut self, topic: &str) {
        if let Some(topic) = self.topic_mut(topic) {
            topic.is_compacting = true;
            compaction_cursor(topic);
        }
    }

    /// What is to be compacted has its cursor at once (`PersistentTopic.preCreateSubscriptionForCompactionIfNeeded`).
    pub(super) fn prepare_compaction(&mut self, topic: &str, policy: &str, value: Option<&Value>) {
        if policy != "compactionThreshold" || value.and_then(Value::as_i64).is_none_or(|bytes| bytes <= 0) {
            return;
        }
        for part in self.parts_of(topic) {
            self.topics.get_mut(&part).map(compaction_cursor);
        }
    }
}

fn compaction_cursor(topic: &mut Topic) -> &mut Subscription {
    let start = topic.log.before_first();
    topic.subscriptions.entry(SUBSCRIPTION.to_string()).or_insert_with(|| Subscription {
        durable: true,
        failover: false,
        announced: None,
        mark: start,
        read: start,
        consumers: Vec::new(),
        reads_compacted: true,
    })
}

/// What one compaction left.
#[derive(Debug)]
pub(super) struct Compacted {
    /// The last entry that was looked at.
    pub(super) horizon: Position,
    entries: BTreeMap<Position, Entry>,
}

/// The place of a message.
type Place = (Position, usize);

impl Compacted {
    /// Compacts what the compaction before this one left, and what came since. A batch that is written anew loses its index unless
    /// `keeps_index`.
    pub(super) fn new(before: Option<Compacted>, log: &Log, keeps_index: bool) -> Self {
        let horizon = before.as_ref().map_or(Position::EARLIEST, |before| before.horizon);
        let mut entries = before.map(|before| before.entries).unwrap_or_default();
        let since = log.entries().filter(|(position, entry)| *position > horizon && !entry.is_marker());
        entries.extend(since.map(|(position, entry)| (position, entry.clone())));
        let latest = latest_places(&entries);
        let entries = entries.into_iter().filter_map(|(position, entry)| {
            let kept = |at: usize| latest.contains(&(position, at));
            Some((position, rewritten(&entry, kept, keeps_index)?))
        });
        Self { entries: entries.collect(), horizon: log.last_confirmed() }
    }

    /// The first entry behind `position`.
    pub(super) fn after(&self, position: Position) -> Option<(Position, &Entry)> {
        self.entries.range((Bound::Excluded(position), Bound::Unbounded)).next().map(|(at, entry)| (*at, entry))
    }

    /// The last entry that is left.
    pub(super) fn last(&self) -> Option<(Position, &Entry)> {
        self.entries.last_key_value().map(|(at, entry)| (*at, entry))
    }
}

/// Where the last message of each key lies. One without a value, or with an empty one, takes its key out.
fn latest_places(entries: &BTreeMap<Position, Entry>) -> Vec<Place> {
    let mut latest: BTreeMap<Bytes, Place> = BTreeMap::new();
    for (position, entry) in entries {
        for (at, (key, size)) in keys(entry).into_iter().enumerate() {
            match key {
                Some(key) if size > 0 => drop(latest.insert(key, (*position, at))),
                Some(key) => drop(latest.remove(&key)),
                None => {}
            }
        }
    }
    latest.into_values().collect()
}

/// Key and size of each message; placeholders have no key.
fn keys(entry: &Entry) -> Vec<(Option<Bytes>, usize)> {
    let Ok((metadata, payload)) = parse_section(&entry.section) else { return Vec::new() };
    match singles_of(&metadata, payload.clone()) {
        None => vec![(metadata.partition_key, payload.len())],
        Some(singles) => singles.into_iter().map(|(single, value)| (single.partition_key, value.len())).collect(),
    }
}

/// The entry with only what is `kept`, placeholders for the rest; `None` if nothing is.
fn rewritten(entry: &Entry, kept: impl Fn(usize) -> bool, keeps_index: bool) -> Option<Entry> {
    let (metadata, payload) = parse_section(&entry.section).ok()?;
    let Some(singles) = singles_of(&metadata, payload) else { return kept(0).then(|| entry.clone()) };
    if !(0..singles.len()).any(&kept) {
        return None;
    }
    let mut batch = Vec::new();
    for (at, (single, value)) in singles.into_iter().enumerate() {
        let gone = SingleMessageMetadata { compacted_out: Some(true), ..SingleMessageMetadata::default() };
        let (single, value) = if kept(at) { (single, value) } else { (gone, Bytes::new()) };
        batch.extend_from_slice(&u32::try_from(single.encoded_len()).unwrap_or(u32::MAX).to_be_bytes());
        single.encode_raw(&mut batch);
        batch.extend_from_slice(&value);
    }
    // A broker compresses anew; nothing here depends on it.
    let metadata = MessageMetadata { compression: None, uncompressed_size: None, ..metadata };
    Some(Entry { section: build_section(&metadata, &batch), index: entry.index.filter(|_| keeps_index), ..*entry })
}

/// The messages of a batch; `None` if it is none.
fn singles_of(metadata: &MessageMetadata, payload: Bytes) -> Option<Vec<(SingleMessageMetadata, Bytes)>> {
    metadata.num_messages_in_batch?;
    let singles: Result<Vec<_>, ReadError> = singles(metadata, payload);
    Some(singles.expect("a batch that its producer could write"))
}
