//! SUBSCRIBE and what a consumer says after it; the dispatcher.

use std::time::Duration;

use isthmus::pulsar::proto::command_ack::AckType;
use isthmus::pulsar::proto::command_subscribe::{InitialPosition, SubType};
use isthmus::pulsar::proto::*;

use super::connection::{Consumer, Phase, Reply};
use super::log::{Log, Position};
use super::outbox::Lane;
use super::topic::Subscription;
use super::{Conn, ScriptedBroker, name};

/// Above this many unsent bytes the dispatcher waits for the socket (`pulsarChannelWriteBufferHighWaterMark`).
const UNSENT_BYTES_MAX: usize = 64 << 10;

/// How long after a change the consumers of a Failover subscription are told who is active (`activeConsumerFailoverDelayTimeMillis`).
const FAILOVER_DELAY: Duration = Duration::from_secs(1);

/// The ledger id that means "latest".
const LATEST_LEDGER: i64 = i64::MAX;

impl ScriptedBroker {
    pub(super) fn on_subscribe(&mut self, conn: Conn, command: CommandSubscribe, reply: Reply) {
        let (consumer_id, request_id) = (command.consumer_id, command.request_id);
        let creates = command.force_topic_creation();
        let topic = match self.attach_to(&command.topic, creates) {
            Ok(topic) => topic,
            Err((error, message)) => return self.error(conn, request_id, error, &message, reply),
        };
        let Some(state) = self.topics.get_mut(&topic) else { return };
        let known = state.subscriptions.get(&command.subscription);
        let is_live = known.is_some_and(|known| known.consumers.contains(&(conn, consumer_id)));
        if is_live {
            return self.success(conn, request_id, Lane::Consumer(consumer_id), reply);
        }
        let exclusive = command.sub_type() == SubType::Exclusive;
        if exclusive && known.is_some_and(|known| !known.consumers.is_empty()) {
            let message = "Exclusive consumer is already connected";
            return self.error(conn, request_id, ServerError::ConsumerBusy, message, reply);
        }
        let start = start_of(&command, &state.log);
        let failover = command.sub_type() == SubType::Failover;
        let subscription = state.subscriptions.entry(command.subscription.clone()).or_insert_with(|| Subscription {
            durable: command.durable(),
            failover,
            announced: None,
            mark: start,
            read: start,
            consumers: Vec::new(),
            reads_compacted: command.read_compacted(),
        });
        if subscription.consumers.is_empty() {
            let from_earliest = command.start_message_id.as_ref().map(Position::from_wire) == Some(Position::EARLIEST);
            // What compaction kept of dropped ledgers is shown to who begins at the earliest, and to nobody else.
            let read_compacted_whole = command.read_compacted() && !command.durable() && from_earliest;
            let mark = subscription.mark.max(state.log.before_first());
            subscription.read = if read_compacted_whole { Position::EARLIEST } else { mark };
        }
        subscription.failover = failover;
        let announced = self.now.instant + FAILOVER_DELAY;
        subscription.change(announced, |consumers| consumers.push((conn, consumer_id)));
        if let Some(connection) = self.connections.get_mut(&conn) {
            let consumer = Consumer { topic, subscription: command.subscription, permits: 0 };
            connection.consumers.insert(consumer_id, consumer);
        }
        self.success(conn, request_id, Lane::Consumer(consumer_id), reply);
    }

    pub(super) fn on_close_consumer(&mut self, conn: Conn, command: CommandCloseConsumer, reply: Reply) {
        let consumer = self.connections.get_mut(&conn).and_then(|c| c.consumers.remove(&command.consumer_id));
        if let Some(consumer) = consumer {
            self.detach(conn, command.consumer_id, &consumer);
        }
        self.success(conn, command.request_id, Lane::Consumer(command.consumer_id), reply);
    }

    /// Zero permits are an exception in the broker; permits for nobody are dropped.
    pub(super) fn on_flow(&mut self, conn: Conn, command: CommandFlow, _: Reply) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if command.message_permits == 0 {
            return self.close_connection(conn);
        }
        if let Some(consumer) = connection.consumers.get_mut(&command.consumer_id) {
            consumer.permits += i64::from(command.message_permits);
        }
    }

    /// A cumulative ack moves the cursor, whether its consumer is active or not; so does an individual one of the next entry. Others,
    /// and those beyond the end, are not kept, and answered all the same.
    pub(super) fn on_ack(&mut self, conn: Conn, command: CommandAck, reply: Reply) {
        let end = self.last_confirmed_of(conn, command.consumer_id);
        if let Some(subscription) = self.subscription_mut(conn, command.consumer_id) {
            for id in &command.message_id {
                let acked = Position::from_wire(id);
                let next = acked.ledger == subscription.mark.ledger && acked.entry == subscription.mark.entry + 1;
                let exists = end.is_some_and(|end| acked <= end);
                if exists && acked > subscription.mark && (next || command.ack_type() == AckType::Cumulative) {
                    subscription.mark = acked;
                }
            }
        }
        if command.request_id.is_some() {
            let response = CommandAckResponse {
                consumer_id: command.consumer_id,
                request_id: command.request_id,
                ..CommandAckResponse::default()
            };
            self.say(conn, Lane::Consumer(command.consumer_id), reply, response);
        }
    }

    pub(super) fn on_redeliver(&mut self, conn: Conn, command: CommandRedeliverUnacknowledgedMessages, _: Reply) {
        if let Some(subscription) = self.subscription_mut(conn, command.consumer_id) {
            subscription.read = subscription.mark;
        }
    }

    /// Every consumer of the subscription is closed, then the seeker is told; it subscribes again under the same name.
    pub(super) fn on_seek(&mut self, conn: Conn, command: CommandSeek, reply: Reply) {
        let consumer = self.connections.get(&conn).and_then(|c| c.consumers.get(&command.consumer_id));
        let Some(consumer) = consumer else { return self.no_consumer(conn, command.request_id, reply) };
        let (topic, subscription) = (consumer.topic.clone(), consumer.subscription.clone());
        let Some(state) = self.topics.get_mut(&topic) else { return };
        let target = match (&command.message_id, command.message_publish_time) {
            (Some(id), _) => before(Position::from_wire(id)),
            (None, Some(time)) => before_time(&state.log, time),
            (None, None) => return self.close_connection(conn),
        };
        let Some(cursor) = state.subscriptions.get_mut(&subscription) else { return };
        (cursor.mark, cursor.read) = (target, target);
        for (of, consumer_id) in std::mem::take(&mut cursor.consumers) {
            if let Some(connection) = self.connections.get_mut(&of) {
                connection.consumers.remove(&consumer_id);
            }
            let close = CommandCloseConsumer { consumer_id, request_id: u64::MAX, ..CommandCloseConsumer::default() };
            self.say(of, Lane::Consumer(consumer_id), Reply::USUAL, close);
        }
        self.success(conn, command.request_id, Lane::Consumer(command.consumer_id), reply);
    }

    /// Refused while another consumer is attached (`AbstractDispatcherSingleActiveConsumer.canUnsubscribe`).
    pub(super) fn on_unsubscribe(&mut self, conn: Conn, command: CommandUnsubscribe, reply: Reply) {
        if self.subscription_mut(conn, command.consumer_id).is_some_and(|known| known.consumers.len() > 1) {
            let message = "Unconnected or shared consumer attempting to unsubscribe";
            return self.error(conn, command.request_id, ServerError::MetadataError, message, reply);
        }
        let consumer = self.connections.get_mut(&conn).and_then(|c| c.consumers.remove(&command.consumer_id));
        let Some(consumer) = consumer else { return self.no_consumer(conn, command.request_id, reply) };
        if let Some(state) = self.topics.get_mut(&consumer.topic) {
            state.subscriptions.remove(&consumer.subscription);
        }
        self.success(conn, command.request_id, Lane::Consumer(command.consumer_id), reply);
    }

    pub(super) fn on_get_last_message_id(&mut self, conn: Conn, command: CommandGetLastMessageId, reply: Reply) {
        let consumer = self.connections.get(&conn).and_then(|c| c.consumers.get(&command.consumer_id));
        let Some(consumer) = consumer else { return self.no_consumer(conn, command.request_id, reply) };
        let Some(state) = self.topics.get(&consumer.topic) else { return };
        let partition = partition_index(&consumer.topic);
        let reads_compacted =
            state.subscriptions.get(&consumer.subscription).is_some_and(|known| known.reads_compacted);
        let last = match state.last_readable(reads_compacted) {
            Some((position, entry)) => {
                let last_of_batch = entry.batch_size().and_then(|size| i32::try_from(size).ok()).map(|size| size - 1);
                position.to_wire(partition, last_of_batch)
            }
            None => Position::EARLIEST.to_wire(partition, None),
        };
        let mark = state.subscriptions.get(&consumer.subscription).map(|cursor| cursor.mark.to_wire(None, None));
        let response = CommandGetLastMessageIdResponse {
            last_message_id: last,
            request_id: command.request_id,
            consumer_mark_delete_position: mark,
        };
        self.say(conn, Lane::Request, reply, response);
    }

    /// Sends every consumer of `conn` what its permits allow, as long as the socket takes it.
    pub(super) fn dispatch(&mut self, conn: Conn) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if connection.phase != Phase::Connected {
            return;
        }
        let consumers: Vec<u64> = connection.consumers.keys().copied().collect();
        for consumer_id in consumers {
            while self.dispatch_once(conn, consumer_id) {}
        }
    }

    /// One read of the dispatcher; `false` if there was nothing to read, or no leave to.
    fn dispatch_once(&mut self, conn: Conn, consumer_id: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&conn) else { return false };
        let Some(consumer) = connection.consumers.get_mut(&consumer_id) else { return false };
        if consumer.permits <= 0 || connection.outbox.bytes() > UNSENT_BYTES_MAX {
            return false;
        }
        let Some(state) = self.topics.get_mut(&consumer.topic) else { return false };
        let subscription = state.subscriptions.get(&consumer.subscription);
        let settled = subscription.filter(|subscription| subscription.announced.is_none());
        if settled.and_then(Subscription::active) != Some((conn, consumer_id)) {
            return false;
        }
        let partition = partition_index(&consumer.topic);
        let read = state.read(&consumer.subscription, consumer.permits);
        consumer.permits -= read.iter().map(|(_, entry)| i64::from(entry.messages())).sum::<i64>();
        let with_index = connection.reads_entry_metadata && self.config.index;
        for (position, entry) in &read {
            let message_id = position.to_wire(partition, None);
            let message = CommandMessage { consumer_id, message_id, ..CommandMessage::default() };
            let section = entry.for_consumer(with_index);
            self.say_with(conn, Lane::Consumer(consumer_id), Duration::ZERO, &message.into(), &section);
        }
        !read.is_empty()
    }

    fn detach(&mut self, conn: Conn, consumer_id: u64, consumer: &Consumer) {
        let Some(state) = self.topics.get_mut(&consumer.topic) else { return };
        if let Some(subscription) = state.subscriptions.get_mut(&consumer.subscription) {
            let announced = self.now.instant + FAILOVER_DELAY;
            subscription.change(announced, |consumers| consumers.retain(|other| *other != (conn, consumer_id)));
            if subscription.consumers.is_empty() && !subscription.durable {
                state.subscriptions.remove(&consumer.subscription);
            }
        }
    }

    /// Consumers of one connection are gone with it.
    pub(super) fn detach_all(&mut self, conn: Conn) {
        let announced = self.now.instant + FAILOVER_DELAY;
        for topic in self.topics.values_mut() {
            for subscription in topic.subscriptions.values_mut() {
                subscription.change(announced, |consumers| consumers.retain(|(of, _)| *of != conn));
            }
            topic.subscriptions.retain(|_, subscription| subscription.durable || !subscription.consumers.is_empty());
        }
    }

    /// Tells the consumers of Failover subscriptions who is active, where it is time.
    pub(super) fn announce_active(&mut self) {
        let now = self.now.instant;
        let subscriptions = self.topics.values_mut().flat_map(|topic| topic.subscriptions.values_mut());
        let mut told = Vec::new();
        for subscription in subscriptions.filter(|known| known.announced.is_some_and(|due| due <= now)) {
            subscription.announced = None;
            let active = subscription.active();
            told.extend(subscription.consumers.iter().map(|consumer| (*consumer, Some(*consumer) == active)));
        }
        for ((conn, consumer_id), is_active) in told {
            let change = CommandActiveConsumerChange { consumer_id, is_active: Some(is_active) };
            self.say(conn, Lane::Consumer(consumer_id), Reply::USUAL, change);
        }
    }

    fn last_confirmed_of(&self, conn: Conn, consumer_id: u64) -> Option<Position> {
        let consumer = self.connections.get(&conn)?.consumers.get(&consumer_id)?;
        Some(self.topics.get(&consumer.topic)?.log.last_confirmed())
    }

    fn subscription_mut(&mut self, conn: Conn, consumer_id: u64) -> Option<&mut Subscription> {
        let consumer = self.connections.get(&conn)?.consumers.get(&consumer_id)?;
        self.topics.get_mut(&consumer.topic)?.subscriptions.get_mut(&consumer.subscription)
    }

    fn no_consumer(&mut self, conn: Conn, request_id: u64, reply: Reply) {
        self.error(conn, request_id, ServerError::MetadataError, "Consumer not found", reply);
    }
}

fn partition_index(topic: &str) -> Option<i32> {
    name::partition_of(topic).and_then(|(_, index)| i32::try_from(index).ok())
}

/// Where a cursor that is created now begins (`NonDurableCursorImpl`): the mark before the first entry to deliver. Only a non-durable
/// subscription looks at the start id, its batch index is ignored, and a mark past the end falls to the initial position.
fn start_of(command: &CommandSubscribe, log: &Log) -> Position {
    let initial = match command.initial_position() {
        InitialPosition::Latest => log.last_confirmed(),
        InitialPosition::Earliest => log.before_first(),
    };
    if command.durable() {
        return initial;
    }
    match command.start_message_id.as_ref().map(Position::from_wire) {
        None => initial,
        Some(start) if start.ledger == LATEST_LEDGER => initial,
        Some(Position::EARLIEST) => log.before_first(),
        Some(start) if before(start) > log.last_confirmed() => initial,
        Some(start) => before(start),
    }
}

/// The mark of a cursor that reads `position` next; entry -1 already is one.
fn before(position: Position) -> Position {
    Position { ledger: position.ledger, entry: position.entry.saturating_sub(1).max(-1) }
}

/// The mark before the first entry published at or after `time_ms`; the end if there is none.
fn before_time(log: &Log, time_ms: u64) -> Position {
    let published = |entry: &super::Entry| super::parse_section(&entry.section).map_or(0, |(m, _)| m.publish_time);
    let found = log.entries().find(|(_, entry)| published(entry) >= time_ms);
    found.map_or_else(|| log.last_confirmed(), |(position, _)| before(position))
}
