//! The readers of one connection.
//!
//! There may be thousands, and an event is about few: a reader is polled when what it asked for has come. What does not wake it
//! (time, floors, memory that is given back) is for whoever waits for it to look at, see [`Readers::poll_needed`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::reader::Reader;
use crate::ids::Offset;
use crate::session::io::Io;
use crate::session::wake::WakeList;
use crate::topics::name::PulsarTopic;

/// A reader nobody fetched from for so long is closed.
const IDLE: Duration = Duration::from_secs(120);

/// One of the readers that a connection had so far; never another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReaderId(usize);

/// By Pulsar topic: a connection reads each partition at one place.
#[derive(Debug, Default)]
pub struct Readers {
    readers: BTreeMap<ReaderId, Reader>,
    by_topic: BTreeMap<PulsarTopic, ReaderId>,
    last_id: usize,
    woken: WakeList,
    /// Polled or closed since [`Readers::take_changed`].
    changed: BTreeSet<ReaderId>,
    /// Memory was short: whoever gives some back wakes nobody.
    is_starving: bool,
}

impl Readers {
    /// A reader that goes on from `offset`: the one there is if it fits, else a new one.
    pub fn open(&mut self, topic: &PulsarTopic, offset: Offset, io: &mut Io<'_>) -> ReaderId {
        if let Some(id) = self.by_topic.get(topic).copied() {
            if self.readers.get_mut(&id).is_some_and(|reader| reader.seek(offset, io)) {
                return id;
            }
            self.close(id, io);
        } else if self.readers.len() >= io.shared.config.max_readers_per_connection as usize {
            self.close_longest_unused(io);
        }
        self.last_id = self.last_id.wrapping_add(1);
        let id = ReaderId(self.last_id);
        let reader = io.asked_by(self.woken.waker(id.0), |io| Reader::new(topic, offset, io));
        self.readers.insert(id, reader);
        self.by_topic.insert(topic.clone(), id);
        id
    }

    fn close_longest_unused(&mut self, io: &mut Io<'_>) {
        let oldest = self.readers.iter().min_by_key(|(_, reader)| reader.used()).map(|(id, _)| *id);
        if let Some(id) = oldest {
            self.close(id, io);
        }
    }

    /// A reader, unless it was closed.
    pub fn get(&self, id: ReaderId) -> Option<&Reader> {
        self.readers.get(&id)
    }

    /// Lets those readers take what came that were woken.
    pub fn poll(&mut self, io: &mut Io<'_>) {
        let mut woken = self.woken.take();
        if std::mem::replace(&mut self.is_starving, false) {
            woken = self.readers.keys().map(|id| id.0).collect();
        }
        // By each of its entries.
        woken.sort_unstable();
        woken.dedup();
        for id in woken.into_iter().map(ReaderId) {
            if self.poll_one(id, false, io).is_some() {
                self.changed.insert(id);
            }
        }
        self.is_starving |= io.shared.prefetch.is_exhausted();
    }

    /// The same for one that a fetch waits for.
    pub fn poll_needed(&mut self, id: ReaderId, io: &mut Io<'_>) -> Option<&Reader> {
        self.poll_one(id, true, io);
        self.is_starving |= io.shared.prefetch.is_exhausted();
        self.get(id)
    }

    fn poll_one(&mut self, id: ReaderId, needed: bool, io: &mut Io<'_>) -> Option<&Reader> {
        let reader = self.readers.get_mut(&id)?;
        io.asked_by(self.woken.waker(id.0), |io| reader.poll(needed, io));
        Some(reader)
    }

    /// The readers that were polled since, without a fetch that waits for them, or closed.
    pub fn take_changed(&mut self) -> BTreeSet<ReaderId> {
        std::mem::take(&mut self.changed)
    }

    /// Whether readers may have to be polled that nothing wakes.
    pub fn is_starving(&self) -> bool {
        self.is_starving
    }

    /// Takes batches from a reader, as [`Reader::take`] does. The room that they leave is for more.
    pub fn take(
        &mut self,
        id: ReaderId,
        max_bytes: usize,
        at_least_one: bool,
        into: &mut Vec<Bytes>,
        io: &mut Io<'_>,
    ) -> usize {
        let Some(reader) = self.readers.get_mut(&id) else { return 0 };
        let taken = reader.take(max_bytes, at_least_one, into, io);
        if taken > 0 {
            self.woken.waker(id.0).wake();
        }
        taken
    }

    /// Closes what nobody uses.
    pub fn on_time(&mut self, io: &mut Io<'_>) {
        let now = io.now.instant;
        let unused = |reader: &Reader| now.since(reader.used()) >= IDLE;
        let unused: Vec<ReaderId> =
            self.readers.iter().filter(|(_, reader)| unused(reader)).map(|(id, _)| *id).collect();
        for id in unused {
            self.close(id, io);
        }
    }

    /// Drops a reader, so that the next fetch starts anew.
    pub fn close(&mut self, id: ReaderId, io: &mut Io<'_>) {
        if let Some(mut reader) = self.readers.remove(&id) {
            self.by_topic.remove(reader.topic());
            // A fetch may wait for it.
            self.changed.insert(id);
            reader.close(io);
        }
    }

    /// Gives back everything: the connection is gone.
    pub fn close_all(&mut self, io: &mut Io<'_>) {
        for reader in self.readers.values_mut() {
            reader.close(io);
        }
        self.readers.clear();
        self.by_topic.clear();
        self.changed.clear();
    }

    /// Whether no reader is open.
    pub fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }
}
