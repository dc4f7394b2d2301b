//! The floor of one partition, no older than a second.

use super::known::Seen;
use crate::ids::Offset;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::name::PulsarTopic;

/// The question. Partitions of one topic share what is asked, and Pulsar is asked only for what is not known.
#[derive(Debug)]
pub struct AskFloor {
    topic: PulsarTopic,
    partition: u32,
    since: Instant,
    /// What was known (`Asking::news`) when this began to wait: until there is more it needs no second waker.
    waits_since: Option<u64>,
}

impl AskFloor {
    /// Asks, unless it is known.
    pub fn new(partition: &PulsarTopic, io: &mut Io<'_>) -> Self {
        let (topic, partition) = partition.of_partition();
        let ask = Self { topic, partition, since: io.now.instant, waits_since: None };
        ask.is_settled(io);
        ask
    }

    /// The floor, 0 where there is none; `None` while it is awaited. If Pulsar does not tell in time it is the last one known.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Offset> {
        if self.is_settled(io) {
            return Some(io.shared.floors.of(&self.topic, self.partition));
        }
        let news = Some(io.shared.floors.asking.news());
        if let Some(part) = io.asker()
            && self.waits_since != news
        {
            self.waits_since = news;
            io.shared.floors.asking.wait(&self.topic, io.client.connection, part);
        }
        None
    }

    /// What is known of the topic's floors by now.
    pub fn seen(&self, io: &Io<'_>) -> Seen {
        io.shared.floors.seen(&self.topic)
    }

    fn is_settled(&self, io: &mut Io<'_>) -> bool {
        io.shared.floors.is_settled(&self.topic, io.client.connection, self.since)
    }
}
