//! How many partitions a topic has, asked of the broker and remembered for a short while.

use std::collections::BTreeMap;
use std::time::Duration;

use super::name::{KafkaTopic, PulsarTopic};
use crate::config::Config;
use crate::error::PulsarError;
use crate::ids::RequestId;
use crate::pulsar::command;
use crate::session::io::Io;
use crate::session::requests::Reply;
use crate::session::wake::Parts;
use crate::time::Instant;

/// How long a count is believed. Short: another filter or an administrator may delete or grow a topic at any time.
pub const FRESH: Duration = Duration::from_secs(2);

/// A topic's partitions as Pulsar has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitions {
    /// `name-partition-0` to `name-partition-(n-1)`.
    Partitioned(u32),
    /// A topic without partitions: Kafka sees one.
    NonPartitioned,
}

impl Partitions {
    /// As many as Kafka sees.
    pub fn count(self) -> u32 {
        match self {
            Partitions::Partitioned(count) => count,
            Partitions::NonPartitioned => 1,
        }
    }

    /// The Pulsar topic of one partition, if there is such a partition.
    pub fn topic(self, config: &Config, topic: &KafkaTopic, partition: i32) -> Option<PulsarTopic> {
        let index = u32::try_from(partition).ok().filter(|index| *index < self.count())?;
        Some(match self {
            Partitions::Partitioned(_) => topic.partition(config, index),
            Partitions::NonPartitioned => topic.base(config),
        })
    }
}

/// What this worker was told last.
#[derive(Debug, Default)]
pub struct PartitionsCache {
    known: BTreeMap<KafkaTopic, (Partitions, Instant)>,
    swept: Instant,
}

impl PartitionsCache {
    fn fresh(&self, topic: &KafkaTopic, now: Instant) -> Option<Partitions> {
        let (partitions, at) = self.known.get(topic)?;
        (now.since(*at) < FRESH).then_some(*partitions)
    }

    fn insert(&mut self, topic: KafkaTopic, partitions: Partitions, now: Instant, bound: usize) {
        if self.known.len() >= bound && now.since(self.swept) >= FRESH {
            self.swept = now;
            self.known.retain(|_, (_, at)| now.since(*at) < FRESH);
        }
        if let Some(known) = self.known.get_mut(&topic) {
            *known = (partitions, now);
        } else if self.known.len() < bound {
            self.known.insert(topic, (partitions, now));
        }
    }

    /// The topic was created, deleted or grown: ask again.
    pub fn forget(&mut self, topic: &KafkaTopic) {
        self.known.remove(topic);
    }
}

/// The question, on its way to its answer.
#[derive(Debug)]
pub enum CountPartitions {
    /// Known from a moment ago.
    Known(Partitions),
    /// PARTITIONED_METADATA is sent.
    Asking(KafkaTopic, RequestId),
    /// The broker did not tell.
    Failed(PulsarError),
}

impl CountPartitions {
    /// Asks without creating the topic.
    pub fn new(topic: &KafkaTopic, io: &mut Io<'_>) -> Self {
        match io.shared.partitions.fresh(topic, io.now.instant) {
            Some(partitions) => Self::Known(partitions),
            None => Self::ask(topic, io),
        }
    }

    /// Asks the broker, whatever is remembered.
    pub fn ask(topic: &KafkaTopic, io: &mut Io<'_>) -> Self {
        let name = topic.base(&io.shared.config).as_str().to_owned();
        let id = io.pulsar.ask(io.now.instant, |id| command::partitioned_metadata(name, id, false));
        Self::Asking(topic.clone(), id)
    }

    /// The answer; `None` while it is awaited. A topic that does not exist is `TopicNotFound`.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Partitions, PulsarError>> {
        match self {
            Self::Known(partitions) => Some(Ok(*partitions)),
            Self::Failed(error) => Some(Err(error.clone())),
            Self::Asking(topic, id) => Some(match io.pulsar.take(*id)? {
                Ok(Reply::Partitions(count)) => {
                    let partitions =
                        if count == 0 { Partitions::NonPartitioned } else { Partitions::Partitioned(count) };
                    let bound = io.shared.config.lookup_cache_entries as usize;
                    io.shared.partitions.insert(topic.clone(), partitions, io.now.instant, bound);
                    *self = Self::Known(partitions);
                    Ok(partitions)
                }
                other => {
                    let malformed = PulsarError::Malformed("another answer to PARTITIONED_METADATA");
                    let error = other.err().unwrap_or(malformed);
                    *self = Self::Failed(error.clone());
                    Err(error)
                }
            }),
        }
    }
}

/// The questions about the topics of one request, each of which knows its place there.
#[derive(Debug)]
pub struct CountTopics {
    parts: Parts<(usize, CountPartitions)>,
}

impl CountTopics {
    /// None yet.
    pub fn new(io: &Io<'_>) -> Self {
        Self { parts: Parts::new(io) }
    }

    /// Asks, unless it is known from a moment ago.
    pub fn ask(&mut self, place: usize, topic: &KafkaTopic, io: &mut Io<'_>) {
        self.parts.push(io, |io| (place, CountPartitions::new(topic, io)));
    }

    /// What became known since, by place.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Vec<(usize, Result<Partitions, PulsarError>)> {
        let mut counted = Vec::new();
        self.parts.poll(io, |(place, count), io| {
            let known = count.poll(io);
            let is_known = known.is_some();
            counted.extend(known.map(|known| (*place, known)));
            is_known
        });
        counted
    }
}
