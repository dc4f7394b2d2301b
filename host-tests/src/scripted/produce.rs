//! PRODUCER, SEND, CLOSE_PRODUCER, and the ledger behind them.

use std::time::Duration;

use bytes::Bytes;
use isthmus::pulsar::proto::*;

use super::connection::Reply;
use super::dedup::Verdict;
use super::entry::{SectionError, parse_section};
use super::fault::Effect;
use super::log::Position;
use super::outbox::Lane;
use super::topic::{Producer, Write};
use super::{Conn, ScriptedBroker};

impl ScriptedBroker {
    pub(super) fn on_producer(&mut self, conn: Conn, command: CommandProducer, reply: Reply) {
        let CommandProducer { producer_id, request_id, producer_name, .. } = command;
        let topic = match self.attach_to(&command.topic, true) {
            Ok(topic) => topic,
            Err((error, message)) => return self.error(conn, request_id, error, &message, reply),
        };
        let known = self.topics.get(&topic).and_then(|topic| topic.producers.get(&(conn, producer_id)));
        let name = match known {
            Some(producer) => producer.name.clone(),
            None => producer_name.unwrap_or_else(|| self.name_for_producer()),
        };
        let now = self.now.instant;
        let deduplicates = self.deduplicates(&topic);
        let is_known = known_producer(self, &topic, conn, producer_id);
        let Some(state) = self.topics.get_mut(&topic) else { return };
        if !is_known && state.name_is_busy(&name, now) {
            let message = format!("Producer with name '{name}' is already connected to topic");
            return self.error(conn, request_id, ServerError::ProducerBusy, &message, reply);
        }
        let pushed = state.dedup.last_pushed(&name).filter(|_| deduplicates);
        if !is_known {
            state.producers.insert((conn, producer_id), Producer { name: name.clone(), closing: None });
        }
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.add_producer(producer_id, topic);
        }
        let success = CommandProducerSuccess {
            request_id,
            producer_name: name,
            last_sequence_id: Some(pushed.map_or(-1, u64::cast_signed)),
            schema_version: Some(Bytes::new()),
            topic_epoch: None,
            producer_ready: Some(true),
        };
        self.say(conn, Lane::Producer(producer_id), reply, success);
    }

    pub(super) fn on_close_producer(&mut self, conn: Conn, command: CommandCloseProducer, reply: Reply) {
        let CommandCloseProducer { producer_id, request_id, .. } = command;
        let topic = self.connections.get(&conn).and_then(|c| c.producers.get(&producer_id)).cloned();
        let state = topic.and_then(|topic| self.topics.get_mut(&topic));
        if let Some(state) = state {
            if state.has_writes_of(conn, producer_id) {
                if let Some(producer) = state.producers.get_mut(&(conn, producer_id)) {
                    producer.closing = Some((request_id, reply));
                }
                return;
            }
            state.producers.remove(&(conn, producer_id));
        }
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.producers.remove(&producer_id);
        }
        self.success(conn, request_id, Lane::Producer(producer_id), reply);
    }

    pub(super) fn on_send(
        &mut self,
        conn: Conn,
        send: CommandSend,
        section: Bytes,
        reply: Reply,
        effect: Option<&Effect>,
    ) {
        let CommandSend { producer_id, sequence_id, .. } = send;
        let Some(connection) = self.connections.get(&conn) else { return };
        let Some(topic) = connection.producers.get(&producer_id).cloned() else {
            if !connection.was_closed_recently(producer_id, self.now.instant) {
                self.close_connection(conn);
            }
            return;
        };
        match parse_section(&section) {
            Ok(_) => {}
            Err(SectionError::Checksum) => {
                let message = "Checksum failed on the broker";
                return self.send_error(conn, producer_id, sequence_id, ServerError::ChecksumError, message, reply);
            }
            Err(SectionError::Malformed) => return self.close_connection(conn),
        }
        // Field absent and field -1 are one.
        let highest_sequence_id = send.highest_sequence_id.filter(|id| *id != u64::MAX);
        let highest = highest_sequence_id.unwrap_or(0).max(sequence_id);
        let deduplicates = self.deduplicates(&topic);
        let Some(state) = self.topics.get_mut(&topic) else { return };
        let Some(producer) = state.producers.get(&(conn, producer_id)) else { return };
        let producer_name = producer.name.clone();
        let verdict = if deduplicates { state.dedup.judge(&producer_name, sequence_id, highest) } else { Verdict::New };
        match verdict {
            Verdict::Duplicate => {
                let receipt = receipt(producer_id, sequence_id, highest_sequence_id, Position::EARLIEST);
                self.say(conn, Lane::Producer(producer_id), reply, receipt);
            }
            Verdict::Unknown => {
                let message = "Cannot determine whether the message is a duplicate at this time";
                self.send_error(conn, producer_id, highest, ServerError::PersistenceError, message, reply);
            }
            Verdict::New => {
                let extra = match effect {
                    Some(Effect::DelayWrite(delay)) => *delay,
                    _ => Duration::ZERO,
                };
                let behind = state.writes.back().map(|write| write.due).unwrap_or_default();
                let due = (self.now.instant + self.config.write_delay + extra).max(behind);
                state.writes.push_back(Write {
                    due,
                    conn,
                    producer_id,
                    producer_name,
                    sequence_id,
                    highest_sequence_id,
                    section,
                    messages: u64::try_from(send.num_messages()).unwrap_or(0),
                    reply,
                    fails: effect == Some(&Effect::FailWrite),
                });
                self.finish_due_writes();
            }
        }
    }

    pub(super) fn send_error(
        &mut self,
        conn: Conn,
        producer_id: u64,
        sequence_id: u64,
        error: ServerError,
        message: &str,
        reply: Reply,
    ) {
        let error = CommandSendError { producer_id, sequence_id, error: error.into(), message: message.to_string() };
        self.say(conn, Lane::Producer(producer_id), reply, error);
    }

    pub(super) fn finish_due_writes(&mut self) {
        let now = self.now.instant;
        let due = |topic: &super::topic::Topic| topic.writes.front().is_some_and(|write| write.due <= now);
        while let Some(topic) = self.topics.iter().find(|(_, topic)| due(topic)).map(|(name, _)| name.clone()) {
            self.finish_next_write(&topic);
        }
    }

    /// Finishes what is under way, however long it would have taken.
    pub(super) fn flush_writes(&mut self, topic: &str) {
        while self.topics.get(topic).is_some_and(|topic| !topic.writes.is_empty()) {
            self.finish_next_write(topic);
        }
    }

    fn finish_next_write(&mut self, topic: &str) {
        let Some(write) = self.topics.get_mut(topic).and_then(|topic| topic.writes.pop_front()) else { return };
        if write.fails {
            return self.fail_writes(topic, write);
        }
        let Write { conn, producer_id, sequence_id, highest_sequence_id, reply, .. } = write;
        let position = self.store(topic, write.section, write.messages, self.config.index);
        if let Some(state) = self.topics.get_mut(topic) {
            let highest = highest_sequence_id.unwrap_or(0).max(sequence_id);
            state.dedup.persisted(&write.producer_name, highest);
        }
        let receipt = receipt(producer_id, sequence_id, highest_sequence_id, position);
        self.say(conn, Lane::Producer(producer_id), reply, receipt);
        self.finish_closing(topic, conn, producer_id);
    }

    /// A write failed: so does all that waits behind it, the topic is fenced until nothing is under way, its producers are closed.
    fn fail_writes(&mut self, topic: &str, first: Write) {
        let Some(state) = self.topics.get_mut(topic) else { return };
        let failed: Vec<Write> = std::iter::once(first).chain(state.writes.drain(..)).collect();
        state.dedup.forget_pushed();
        let producers: Vec<_> = std::mem::take(&mut state.producers).into_keys().collect();
        for write in failed {
            let sequence_id = write.highest_sequence_id.unwrap_or(0).max(write.sequence_id);
            let message = "Bookie operation timeout";
            let error = ServerError::PersistenceError;
            self.send_error(write.conn, write.producer_id, sequence_id, error, message, write.reply);
        }
        self.tell_producers_closed(producers);
        self.roll_ledger(topic);
    }

    fn finish_closing(&mut self, topic: &str, conn: Conn, producer_id: u64) {
        let Some(state) = self.topics.get_mut(topic) else { return };
        if state.has_writes_of(conn, producer_id) {
            return;
        }
        let closing = state.producers.get(&(conn, producer_id)).and_then(|producer| producer.closing);
        let Some((request_id, reply)) = closing else { return };
        state.producers.remove(&(conn, producer_id));
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.producers.remove(&producer_id);
        }
        self.success(conn, request_id, Lane::Producer(producer_id), reply);
    }

    fn name_for_producer(&mut self) -> String {
        self.named_producers += 1;
        format!("standalone-0-{}", self.named_producers)
    }
}

fn known_producer(broker: &ScriptedBroker, topic: &str, conn: Conn, producer_id: u64) -> bool {
    broker.topics.get(topic).is_some_and(|topic| topic.producers.contains_key(&(conn, producer_id)))
}

/// `highest_sequence_id` is 0 or -1, as it falls, when the SEND had none.
fn receipt(producer_id: u64, sequence_id: u64, highest: Option<u64>, position: Position) -> CommandSendReceipt {
    let unset = if sequence_id.is_multiple_of(2) { 0 } else { u64::MAX };
    CommandSendReceipt {
        producer_id,
        sequence_id,
        message_id: Some(position.to_wire(None, None)),
        highest_sequence_id: Some(highest.unwrap_or(unset)),
    }
}
