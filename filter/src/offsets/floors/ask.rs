//! The floor of one partition, no older than a second; and no older than the question, where it hides something: what is remembered may
//! be of another topic that had the name before.

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

    /// The floor, 0 where there is none; `None` while it is awaited. If Pulsar does not tell in time it is the last one known. At or below
    /// `start` it hides nothing. Whether it counts is for [`AskFloor::judge`].
    pub fn poll(&mut self, start: Offset, io: &mut Io<'_>) -> Option<Offset> {
        if self.is_settled(io) {
            let floors = &mut io.shared.floors;
            if floors.told(&self.topic, self.partition) <= start
                || floors.is_confirmed(&self.topic, io.client.connection, self.since)
            {
                return Some(floors.told(&self.topic, self.partition));
            }
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

    /// The floor, unless it lies above the end: then it is one of another topic that had the name before. The end must have been asked
    /// for when the floor was known, so that it cannot be one of before.
    pub fn judge(&self, floor: Offset, end: Offset, io: &mut Io<'_>) -> Option<Offset> {
        io.shared.floors.judge(&self.topic, self.partition, floor, end).then_some(floor)
    }

    /// What is known of the topic's floors by now.
    pub fn seen(&self, io: &Io<'_>) -> Seen {
        io.shared.floors.seen(&self.topic)
    }

    fn is_settled(&self, io: &mut Io<'_>) -> bool {
        io.shared.floors.is_settled(&self.topic, io.client.connection, self.since)
    }
}
