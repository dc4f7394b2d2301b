//! Keeps a reader from handing out what DeleteRecords took away after it began.

use crate::ids::Offset;
use crate::offsets::floors::known::{FRESH, Seen};
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::name::PulsarTopic;

/// What one reader has seen of floors. A reader that keeps up with the end asks nobody.
#[derive(Debug)]
pub struct Gate {
    topic: PulsarTopic,
    partition: u32,
    seen: Seen,
    /// What the reader hands out was not written before.
    behind_since: Option<Instant>,
    is_waiting: bool,
}

impl Gate {
    /// Of a reader that looks for its place.
    pub fn new(partition: &PulsarTopic) -> Self {
        let (topic, partition) = partition.of_partition();
        let behind_since = Some(Instant::default());
        Self { topic, partition, seen: Seen::default(), behind_since, is_waiting: false }
    }

    /// The reader found its place, by these floors.
    pub fn open(&mut self, seen: Seen) {
        self.seen = seen;
    }

    /// Whether the reader holds something, or knows of something to come. It was written after `since` if there was nothing before.
    pub fn note(&mut self, is_behind: bool, since: Instant) {
        self.behind_since = if is_behind { self.behind_since.or(Some(since)) } else { None };
    }

    /// The partition's floor, if it may be another than at the last look.
    pub fn look(&mut self, io: &mut Io<'_>) -> Option<Offset> {
        let (now, floors) = (io.now.instant, &mut io.shared.floors);
        let Seen { version, as_of } = floors.seen(&self.topic);
        let is_new = self.seen.version != version;
        // What was known is no less true where the worker had to forget it.
        self.seen = Seen { version, as_of: self.seen.as_of.max(as_of) };
        let may_be_deleted = |since: Instant| {
            let certain = self.seen.as_of.map_or(since, |as_of| as_of.max(since));
            now.since(certain) >= FRESH
        };
        self.is_waiting = self.behind_since.is_some_and(may_be_deleted)
            && !floors.is_settled_for_reader(&self.topic, self.seen.as_of, io.client.connection, now);
        is_new.then(|| floors.of(&self.topic, self.partition))
    }

    /// Whether Pulsar is asked for the floor, and the reader is to hand out nothing before it answers.
    pub fn is_waiting(&self) -> bool {
        self.is_waiting
    }
}
