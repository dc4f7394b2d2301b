//! Keeps a reader from handing out what DeleteRecords took away after it began.

use std::time::Duration;

use crate::ids::Offset;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::name::PulsarTopic;

/// A reader that is behind for so long may hold what is deleted by now. One that keeps up with the end asks nobody.
const BEHIND: Duration = Duration::from_secs(1);

/// What one reader has seen of floors.
#[derive(Debug)]
pub struct Gate {
    topic: PulsarTopic,
    partition: u32,
    version: u64,
    behind_since: Option<Instant>,
    is_waiting: bool,
}

impl Gate {
    /// Of a reader that looks for its place.
    pub fn new(partition: &PulsarTopic) -> Self {
        let (topic, partition) = partition.of_partition();
        Self { topic, partition, version: 0, behind_since: None, is_waiting: false }
    }

    /// The reader found its place, by floors of that version.
    pub fn open(&mut self, version: u64) {
        self.version = version;
    }

    /// Whether the reader holds something, or knows of something to come.
    pub fn note(&mut self, is_behind: bool, now: Instant) {
        self.behind_since = if is_behind { self.behind_since.or(Some(now)) } else { None };
    }

    /// The partition's floor, if it may be another than at the last look.
    pub fn look(&mut self, io: &mut Io<'_>) -> Option<Offset> {
        let now = io.now.instant;
        self.is_waiting = self.behind_since.is_some_and(|since| now.since(since) >= BEHIND)
            && !io.shared.floors.is_settled_for_reader(&self.topic, io.client.connection, now);
        let version = io.shared.floors.version();
        let is_new = std::mem::replace(&mut self.version, version) != version;
        is_new.then(|| io.shared.floors.of(&self.topic, self.partition))
    }

    /// Whether Pulsar is asked for the floor, and the reader is to hand out nothing before it answers.
    pub fn is_waiting(&self) -> bool {
        self.is_waiting
    }
}
