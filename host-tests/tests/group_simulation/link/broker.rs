//! The broker's end of a connection.

use bytes::Bytes;
use isthmus::group::replica::link::{Event, LinkError, ReadFrom};
use isthmus::ids::Position;

use super::{Frame, MAX_BYTES, Of, Reader};
use crate::time::{MS, SECOND};
use crate::world::{Happening, World};

impl World {
    /// Something comes from a host.
    pub(crate) fn at_broker(&mut self, connection: u32, frame: Frame) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&connection) else { return };
        if link.ends.is_some_and(|ends| ends <= now) {
            return;
        }
        let refusal = self.refusal.clone().filter(|(until, _)| *until > now).map(|(_, error)| error);
        match frame {
            Frame::Subscribe { reader, from } => {
                let error = match refusal {
                    Some(error) => Some(error),
                    None if !self.topic.exists => Some(LinkError::NotFound),
                    None => None,
                };
                if let Some(error) = error {
                    return self.tell(connection, Of::Reader(reader), Some(reader), Event::ReaderOpened(Err(error)));
                }
                let next = match from {
                    ReadFrom::Earliest => Position { ledger: 0, entry: 0 },
                    ReadFrom::At(position) => position,
                    ReadFrom::Latest => self.behind_last(connection),
                };
                let link = self.links.get_mut(&connection).expect("known");
                link.at_broker = Some(Reader { id: reader, next, permits: 0 });
                self.tell(connection, Of::Reader(reader), Some(reader), Event::ReaderOpened(Ok(())));
            }
            Frame::Flow { reader, permits } => {
                if let Some(open) = link.at_broker.as_mut().filter(|open| open.id == reader) {
                    open.permits += permits;
                    self.pump(connection);
                }
            }
            Frame::AskLast { reader, request } => {
                if link.at_broker.as_ref().is_none_or(|open| open.id != reader) {
                    return;
                }
                let last = match refusal {
                    Some(error) => Err(error),
                    None => Ok(self.last_seen_by(connection).map(|(position, _)| position)),
                };
                self.tell(connection, Of::Reader(reader), Some(request), Event::Last(last));
            }
            Frame::CloseReader { reader } => {
                link.at_broker.take_if(|open| open.id == reader);
                self.collect_topic();
            }
            Frame::Producer { producer } => {
                if let Some(error) = refusal {
                    let event = Event::ProducerOpened(Err(error));
                    return self.tell(connection, Of::Producer(producer), Some(producer), event);
                }
                link.producer_at_broker = Some(producer);
                self.topic.create();
                let event = Event::ProducerOpened(Ok(MAX_BYTES));
                self.tell(connection, Of::Producer(producer), Some(producer), event);
            }
            Frame::Send { producer, sequence_id, payload } => {
                if link.producer_at_broker == Some(producer) {
                    self.take_send(connection, producer, sequence_id, payload);
                }
            }
            Frame::CloseProducer { producer } => {
                link.producer_at_broker.take_if(|open| *open == producer);
                self.collect_topic();
            }
            Frame::Guard { guard, acknowledged } => {
                let done = match refusal {
                    Some(error) => Err(error),
                    None if !self.topic.exists => Err(LinkError::NotFound),
                    None => {
                        if self.topic.guard(acknowledged) {
                            self.counts.guard_moves += 1;
                            if self.topic.is_caught_up() && self.dice.permille(500) {
                                self.topic.roll();
                            }
                            self.trim();
                        }
                        Ok(())
                    }
                };
                self.tell(connection, Of::Guard(guard), Some(guard), Event::GuardDone(done));
            }
        }
    }

    /// An entry is on its way to the disk.
    fn take_send(&mut self, connection: u32, producer: u64, sequence_id: u64, payload: Bytes) {
        if self.links[&connection].deposed.is_some() {
            // Fenced: it is never stored, and its producer is told late or never.
            if self.dice.permille(500) {
                let at = self.now + self.dice.between(MS, 5 * SECOND);
                self.at(at, Happening::Fenced { connection, producer });
            }
            return;
        }
        if self.dice.permille(self.lossy) {
            self.counts.lost_sends += 1;
            return;
        }
        let took = self.dice.between(200, 2 * MS);
        self.stores_at = self.stores_at.max(self.now + took).max(self.stalled_until);
        let incarnation = self.topic.incarnation;
        let store = Happening::Store { connection, producer, sequence_id, payload: payload.clone(), incarnation };
        let at = self.stores_at;
        self.at(at, store);
        if self.dice.permille(self.lossy) {
            self.counts.duplicates += 1;
            let late = if self.dice.permille(500) { 0 } else { self.dice.between(0, 3 * SECOND) };
            // Nobody waits for this one's receipt.
            let again = Happening::Store { connection, producer: 0, sequence_id, payload, incarnation };
            self.at(at + late, again);
        }
    }

    /// An entry is stored.
    pub(crate) fn store(&mut self, connection: u32, producer: u64, sequence_id: u64, payload: Bytes, incarnation: u64) {
        if self.topic.incarnation != incarnation || !self.topic.exists {
            return;
        }
        if self.dice.permille(5) {
            self.topic.roll();
        }
        let (position, effects) = self.topic.append(payload, self.now, &mut self.dice, &mut self.counts);
        self.judge_effects(&effects);
        let waits = self.links.get(&connection).is_some_and(|link| link.producer_at_broker == Some(producer));
        if waits {
            if self.dice.permille(self.lossy) {
                self.counts.lost_receipts += 1;
            } else {
                let event = Event::Receipt { sequence_id, position: Some(position) };
                self.tell(connection, Of::Producer(producer), None, event);
            }
        }
        let readers: Vec<u32> =
            self.links.iter().filter(|(_, link)| link.at_broker.is_some()).map(|(connection, _)| *connection).collect();
        for connection in readers {
            self.pump(connection);
        }
        self.replay_now_and_then();
    }

    fn last_seen_by(&self, connection: u32) -> Option<(Position, usize)> {
        let end = self.links[&connection].deposed.unwrap_or(self.topic.len());
        let last = end.checked_sub(1)?;
        self.topic.get(last).map(|(position, _)| (*position, last))
    }

    fn behind_last(&self, connection: u32) -> Position {
        let behind = |position: Position| Position { entry: position.entry + 1, ..position };
        self.last_seen_by(connection).map_or(Position { ledger: 0, entry: 0 }, |(position, _)| behind(position))
    }

    /// Delivers what the reader may have.
    fn pump(&mut self, connection: u32) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        let end = link.deposed.unwrap_or(self.topic.len());
        let Some(reader) = &mut link.at_broker else { return };
        let id = reader.id;
        let mut index = self.topic.index_of(reader.next);
        let mut messages = Vec::new();
        while reader.permits > 0 && index < end {
            let Some((position, payload)) = self.topic.get(index) else { break };
            reader.permits -= 1;
            reader.next = Position { entry: position.entry + 1, ..*position };
            messages.push((*position, payload.clone()));
            index += 1;
        }
        for (position, payload) in messages {
            self.tell(connection, Of::Reader(id), None, Event::Message(position, Some(payload)));
        }
    }

    /// The broker closes what a connection has of the topic.
    pub(crate) fn close_at_broker(&mut self, connection: u32) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        link.deposed = None;
        let (reader, producer) = (link.at_broker.take(), link.producer_at_broker.take());
        if let Some(reader) = reader {
            self.tell(connection, Of::Reader(reader.id), None, Event::ReaderClosed);
        }
        if let Some(producer) = producer {
            self.tell(connection, Of::Producer(producer), None, Event::ProducerClosed);
        }
    }

    /// A producer of a deposed owner learns that it cannot write.
    pub(crate) fn fenced(&mut self, connection: u32, producer: u64) {
        if let Some(link) = self.links.get_mut(&connection)
            && link.producer_at_broker.take_if(|open| *open == producer).is_some()
        {
            self.tell(connection, Of::Producer(producer), None, Event::ProducerClosed);
        }
    }
}
