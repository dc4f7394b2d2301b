//! The readers of one connection.

use std::collections::BTreeMap;
use std::time::Duration;

use super::reader::Reader;
use crate::ids::Offset;
use crate::session::io::Io;
use crate::topics::name::PulsarTopic;

/// A reader nobody fetched from for so long is closed.
const IDLE: Duration = Duration::from_secs(120);

/// By Pulsar topic: a connection reads each partition at one place.
#[derive(Debug, Default)]
pub struct Readers {
    readers: BTreeMap<PulsarTopic, Reader>,
}

impl Readers {
    /// A reader that goes on from `offset`: the one there is if it fits, else a new one.
    pub fn open(&mut self, topic: &PulsarTopic, offset: Offset, io: &mut Io<'_>) {
        if let Some(reader) = self.readers.get_mut(topic) {
            if reader.seek(offset, io) {
                return;
            }
            reader.close(io);
        } else if self.readers.len() >= io.shared.config.max_readers_per_connection as usize {
            self.close_longest_unused(io);
        }
        self.readers.insert(topic.clone(), Reader::new(topic, offset, io));
    }

    fn close_longest_unused(&mut self, io: &mut Io<'_>) {
        let oldest = self.readers.iter().min_by_key(|(_, reader)| reader.used()).map(|(topic, _)| topic.clone());
        if let Some(mut reader) = oldest.and_then(|topic| self.readers.remove(&topic)) {
            reader.close(io);
        }
    }

    /// The reader of a partition, if there is one.
    pub fn get(&mut self, topic: &PulsarTopic) -> Option<&mut Reader> {
        self.readers.get_mut(topic)
    }

    /// Lets every reader take what came for it.
    pub fn poll(&mut self, io: &mut Io<'_>) {
        for reader in self.readers.values_mut() {
            reader.poll(false, io);
        }
    }

    /// Closes what nobody uses.
    pub fn on_time(&mut self, io: &mut Io<'_>) {
        let now = io.now.instant;
        self.readers.retain(|_, reader| {
            let keep = now.since(reader.used()) < IDLE;
            if !keep {
                reader.close(io);
            }
            keep
        });
    }

    /// Drops a reader, so that the next fetch starts anew.
    pub fn close(&mut self, topic: &PulsarTopic, io: &mut Io<'_>) {
        if let Some(mut reader) = self.readers.remove(topic) {
            reader.close(io);
        }
    }

    /// Gives back everything: the connection is gone.
    pub fn close_all(&mut self, io: &mut Io<'_>) {
        for reader in self.readers.values_mut() {
            reader.close(io);
        }
        self.readers.clear();
    }

    /// Whether no reader is open.
    pub fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }
}
