//! The world of one broker: connections, topics, the clock, and what is done to them from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use isthmus::pulsar::command;
use isthmus::pulsar::proto::{BaseCommand, CommandCloseConsumer, CommandCloseProducer};
use isthmus::time::{Instant, Now};

use super::config::BrokerConfig;
use super::connection::{Connection, Phase, Reply};
use super::dedup::Dedup;
use super::entry::Entry;
use super::fault::{Fault, Faults, Noise};
use super::http_fault::{HttpFault, HttpFaults};
use super::log::{Log, Position};
use super::outbox::Lane;
use super::policies::Policies;
use super::topic::Topic;
use super::{Conn, name};

/// The request id of what the broker begins itself: -1.
const UNASKED: u64 = u64::MAX;

/// One broker, and the topics it owns.
///
/// `connect`, `on_bytes`, `disconnect`, `http` and `handle_timeout` tell it what happened; `poll_output` and `poll_timeout` say what
/// it does. After each of the former, poll every connection until it has nothing more: what one client sends, another may get.
pub struct ScriptedBroker {
    pub(super) config: BrokerConfig,
    pub(super) now: Now,
    pub(super) connections: BTreeMap<Conn, Connection>,
    pub(super) topics: BTreeMap<String, Topic>,
    /// Partitioned topics: name to number of partitions and properties.
    pub(super) partitioned: BTreeMap<String, Partitioned>,
    /// Namespaces and their policies, as REST shows them.
    pub(super) namespaces: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    /// Policies of topics.
    pub(super) topic_policies: BTreeMap<String, Policies>,
    /// Topics that another broker owns: its URL by listener.
    pub(super) elsewhere: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) faults: Faults,
    pub(super) http_faults: HttpFaults,
    noise: Option<Noise>,
    last_conn: u32,
    last_ledger: i64,
    pub(super) named_producers: u64,
}

/// Metadata of a partitioned topic.
#[derive(Clone, Debug, Default)]
pub(super) struct Partitioned {
    pub(super) partitions: u32,
    pub(super) properties: BTreeMap<String, String>,
}

impl ScriptedBroker {
    /// A broker without topics. Namespace `public/default` is there, with unlimited retention.
    pub fn new(config: BrokerConfig) -> Self {
        let mut broker = Self {
            now: Now::default(),
            connections: BTreeMap::new(),
            topics: BTreeMap::new(),
            partitioned: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            topic_policies: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            faults: Faults::default(),
            http_faults: HttpFaults::default(),
            noise: None,
            last_conn: 0,
            last_ledger: config.first_ledger - 1,
            named_producers: 0,
            config,
        };
        broker.create_namespace("public/default");
        broker
    }

    // The script: what a test arranges.

    /// Creates `tenant/namespace` with unlimited retention.
    pub fn create_namespace(&mut self, namespace: &str) {
        let policies = serde_json::json!({
            "bundles": { "numBundles": 4 },
            "replication_clusters": ["standalone"],
            "retention_policies": { "retentionTimeInMinutes": -1, "retentionSizeInMB": -1 },
            "deleted": false,
        });
        self.namespaces.insert(namespace.to_string(), policies.as_object().cloned().unwrap_or_default());
    }

    /// Sets a policy of `public/default`, by the name it has among all policies.
    pub fn set_namespace_policy(&mut self, policy: &str, value: serde_json::Value) {
        let policies = self.namespaces.get_mut("public/default").expect("the namespace");
        policies.insert(policy.to_string(), value);
    }

    /// A topic's policy as it was written last, by the end of its path.
    pub fn topic_policy(&self, topic: &str, policy: &str) -> Option<&serde_json::Value> {
        self.topic_policies.get(&name::full(topic).expect("a topic name"))?.written(policy)
    }

    /// Sets or removes a topic's policy, as Pulsar's own tools would.
    pub fn set_topic_policy(&mut self, topic: &str, policy: &str, value: Option<serde_json::Value>) {
        let (topic, now) = (name::full(topic).expect("a topic name"), self.now.instant);
        self.prepare_compaction(&topic, policy, value.as_ref());
        self.topic_policies.entry(topic).or_default().write(policy, value, now, now);
    }

    /// The properties of a partitioned topic.
    pub fn properties(&self, topic: &str) -> BTreeMap<String, String> {
        let topic = name::full(topic).expect("a topic name");
        self.partitioned.get(&topic).map(|partitioned| partitioned.properties.clone()).unwrap_or_default()
    }

    /// Sets a property of a partitioned topic, as another filter would.
    pub fn set_property(&mut self, topic: &str, key: &str, value: &str) {
        let topic = name::full(topic).expect("a topic name");
        self.partitioned.entry(topic).or_default().properties.insert(key.to_string(), value.to_string());
    }

    /// Creates a topic with `partitions`, or a plain one if there are none. `topic` may be short.
    pub fn create_topic(&mut self, topic: &str, partitions: u32) {
        let topic = name::full(topic).expect("a topic name");
        if partitions == 0 {
            self.add_topic(&topic);
            return;
        }
        self.partitioned.entry(topic.clone()).or_default().partitions = partitions;
        for index in 0..partitions {
            self.add_topic(&name::partition(&topic, index));
        }
    }

    /// Adds a rule. Rules are tried in the order they were added.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Drops all rules.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.http_faults.clear();
    }

    /// Whether every rule has acted as often as it says.
    pub fn faults_are_spent(&self) -> bool {
        self.faults.are_spent() && self.http_faults.is_empty()
    }

    /// Adds a rule about the admin REST.
    pub fn http_fault(&mut self, fault: HttpFault) {
        self.http_faults.push(fault);
    }

    /// Noise on the answers of every connection, from now on.
    pub fn set_noise(&mut self, noise: Option<Noise>) {
        self.noise.clone_from(&noise);
        for (conn, connection) in &mut self.connections {
            connection.outbox.set_noise(of_connection(noise.as_ref(), *conn));
        }
    }

    /// Gives `topic` (a partition, or a plain one) to another broker with these listeners, or back with `None`.
    pub fn set_owner(&mut self, topic: &str, listeners: Option<BTreeMap<String, String>>, now: Now) {
        let topic = name::full(topic).expect("a topic name");
        self.unload(&topic, now);
        match listeners {
            Some(listeners) => self.elsewhere.insert(topic, listeners),
            None => self.elsewhere.remove(&topic),
        };
    }

    /// Unloads a topic: what is under way is answered, clients are told, a new ledger begins, readers' cursors are gone.
    pub fn unload(&mut self, topic: &str, now: Now) {
        self.advance(now);
        let Some(topic) = name::full(topic) else { return };
        self.flush_writes(&topic);
        self.close_clients(&topic);
        let ledger = self.new_ledger();
        if let Some(topic) = self.topics.get_mut(&topic) {
            topic.log.reload(ledger);
            topic.dedup = Dedup::replay(&topic.log);
            topic.subscriptions.retain(|_, subscription| subscription.durable);
            topic.lingering.clear();
        }
    }

    /// Dies and is back at once: every connection is closed with what it had still to say, and of what is under way on each topic only
    /// the first `stored` writes are found in the ledger afterwards.
    pub fn crash(&mut self, stored: usize, now: Now) {
        self.advance(now);
        for conn in self.connections.keys().copied().collect::<Vec<_>>() {
            self.close_connection(conn);
        }
        for topic in self.topics.keys().cloned().collect::<Vec<_>>() {
            let writes = self.topics.get_mut(&topic).map(|state| std::mem::take(&mut state.writes)).unwrap_or_default();
            for write in writes.into_iter().take(stored) {
                self.store(&topic, write.section, write.messages, self.config.index);
            }
            self.unload(&topic, now);
        }
    }

    /// Closes a topic's ledger and begins another.
    pub fn roll_ledger(&mut self, topic: &str) {
        let ledger = self.new_ledger();
        if let Some(topic) = self.topic_mut(topic) {
            topic.log.roll(ledger);
        }
    }

    /// Deletes a topic's `count` oldest ledgers, as retention would; the current one stays.
    pub fn trim_ledgers(&mut self, topic: &str, count: usize) {
        if let Some(topic) = self.topic_mut(topic) {
            topic.log.trim(count);
        }
    }

    /// Deletes the closed ledgers that no durable subscription needs, as without retention; every one if there is no such subscription
    /// (`ManagedLedgerImpl.internalTrimLedgers`). A mark at the end of a ledger needs it no more.
    pub fn trim_unneeded(&mut self, topic: &str) {
        if let Some(topic) = self.topic_mut(topic) {
            let durable = topic.subscriptions.values().filter(|subscription| subscription.durable);
            let needed = durable.map(|subscription| topic.log.needed_behind(subscription.mark)).min();
            topic.log.trim_before(needed);
        }
    }

    /// Deletes inactive topics, as the broker does once they were for long enough. One that is retained for ever, by a policy of its own or its
    /// namespace's, stays, whatever the policy for inactive topics says (`PersistentTopic.shouldTopicBeRetained`).
    pub fn delete_inactive(&mut self) {
        let retained_by_namespace = |topic: &str| {
            let policies = name::split(topic).and_then(|(namespace, _)| self.namespaces.get(namespace))?;
            policies.get("retention_policies")?.get("retentionTimeInMinutes")?.as_i64()
        };
        let gone = self.topics.iter().filter(|(name, topic)| {
            let own = |policy: &str| self.topic_policies.get(*name)?.written(policy);
            let retained = own("retention").and_then(|retention| retention["retentionTimeInMinutes"].as_i64());
            let retained = retained.or_else(|| retained_by_namespace(name));
            let mode = own("inactiveTopicPolicies").and_then(|policy| policy["inactiveTopicDeleteMode"].as_str());
            topic.is_inactive(mode) && retained.is_none_or(|minutes| minutes >= 0)
        });
        for name in gone.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.close_clients(&name);
            self.topics.remove(&name);
            self.topic_policies.remove(&name);
        }
    }

    /// Stores what another client wrote. `messages` is SEND's `num_messages`: the index moves by as much.
    pub fn append(&mut self, topic: &str, section: Bytes, messages: u64, now: Now) -> Position {
        self.advance(now);
        let full = name::full(topic).expect("a topic name");
        self.add_topic(&full);
        self.store(&full, section, messages, self.config.index)
    }

    /// Stores an entry as it was written before the index interceptor was on.
    pub fn append_without_index(&mut self, topic: &str, section: Bytes, now: Now) -> Position {
        self.advance(now);
        let full = name::full(topic).expect("a topic name");
        self.add_topic(&full);
        self.store(&full, section, 1, false)
    }

    /// Closes a connection at once, with what it had still to say.
    pub fn close(&mut self, conn: Conn, now: Now) {
        self.advance(now);
        self.close_connection(conn);
    }

    /// A topic's log, to assert on. `topic` may be short.
    pub fn log(&self, topic: &str) -> Option<&Log> {
        Some(&self.topics.get(&name::full(topic)?)?.log)
    }

    /// Full names of all topics, partitions one by one.
    pub fn topics(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }

    /// Producers, consumers and writes that are still there, over all topics.
    pub fn attached(&self) -> Attached {
        let mut attached = Attached::default();
        for topic in self.topics.values() {
            attached.producers += topic.producers.len();
            attached.consumers += topic.subscriptions.values().map(|s| s.consumers.len()).sum::<usize>();
            attached.writes += topic.writes.len();
        }
        attached
    }

    // The wire.

    /// A client connects.
    pub fn connect(&mut self, now: Now) -> Conn {
        self.advance(now);
        self.last_conn += 1;
        let conn = Conn(self.last_conn);
        let due = self.config.keep_alive.map(|keep_alive| now.instant + keep_alive);
        let mut connection = Connection::new(self.config.max_message_bytes, due);
        connection.outbox.set_noise(of_connection(self.noise.as_ref(), conn));
        self.connections.insert(conn, connection);
        conn
    }

    /// Bytes from a client, however they were cut.
    pub fn on_bytes(&mut self, conn: Conn, bytes: &[u8], now: Now) {
        self.advance(now);
        let Some(connection) = self.connections.get_mut(&conn).filter(|c| c.is_open()) else { return };
        connection.splitter.push(Bytes::copy_from_slice(bytes));
        while let Some(connection) = self.connections.get_mut(&conn).filter(|c| c.is_open()) {
            match connection.splitter.next_frame() {
                Ok(Some(frame)) => self.on_frame(conn, frame),
                Ok(None) => break,
                Err(_) => self.close_connection(conn),
            }
        }
        self.advance(now);
    }

    /// The client is gone.
    pub fn disconnect(&mut self, conn: Conn, now: Now) {
        self.advance(now);
        self.close_connection(conn);
        self.connections.remove(&conn);
    }

    /// What is to be sent on `conn` now.
    pub fn poll_output(&mut self, conn: Conn, now: Now) -> Option<Vec<u8>> {
        self.advance(now);
        self.dispatch(conn);
        let connection = self.connections.get_mut(&conn)?;
        let (bytes, connected) = connection.outbox.take_due(now.instant)?;
        if connected && connection.phase == Phase::Accepted {
            connection.phase = Phase::Connected;
        }
        Some(bytes)
    }

    /// Whether the broker has closed `conn`, or never knew it.
    pub fn is_closed(&self, conn: Conn) -> bool {
        !self.connections.get(&conn).is_some_and(Connection::is_open)
    }

    /// When something is due that nobody has to ask for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let of_connections = self.connections.values().filter(|c| c.is_open());
        let of_connections = of_connections.flat_map(|c| [c.outbox.next_due(), c.keep_alive_due]).flatten();
        let of_topics = self.topics.values().filter_map(|topic| topic.writes.front().map(|write| write.due));
        let subscriptions = self.topics.values().flat_map(|topic| topic.subscriptions.values());
        let of_subscriptions = subscriptions.filter_map(|subscription| subscription.announced);
        of_connections.chain(of_topics).chain(of_subscriptions).min()
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        self.advance(now);
    }

    // What the rest of the broker needs.

    pub(super) fn advance(&mut self, now: Now) {
        self.now = now;
        self.finish_due_writes();
        self.announce_active();
        self.keep_alive();
    }

    pub(super) fn topic_mut(&mut self, topic: &str) -> Option<&mut Topic> {
        self.topics.get_mut(&name::full(topic)?)
    }

    pub(super) fn add_topic(&mut self, topic: &str) {
        if !self.topics.contains_key(topic) {
            let ledger = self.new_ledger();
            self.topics.insert(topic.to_string(), Topic::new(ledger));
        }
    }

    pub(super) fn new_ledger(&mut self) -> i64 {
        self.last_ledger += 1;
        self.last_ledger
    }

    pub(super) fn store(&mut self, topic: &str, section: Bytes, messages: u64, with_index: bool) -> Position {
        let log = &mut self.topics.get_mut(topic).expect("the caller has the topic").log;
        let index = with_index.then(|| log.next_index(messages));
        let position = log.append(Entry { section, index, stored_at_ms: self.now.unix.0 });
        if self.config.max_entries_per_ledger.is_some_and(|max| log.current_ledger_entries() >= max) {
            self.roll_ledger(topic);
        }
        position
    }

    pub(super) fn say(&mut self, conn: Conn, lane: Lane, reply: Reply, command: impl Into<BaseCommand>) {
        let command = command.into();
        for _ in 0..reply.copies {
            self.say_with(conn, lane, reply.delay, &command, &Bytes::new());
        }
    }

    pub(super) fn say_with(&mut self, conn: Conn, lane: Lane, delay: Duration, command: &BaseCommand, section: &Bytes) {
        let now = self.now.instant;
        if let Some(connection) = self.connections.get_mut(&conn).filter(|c| c.is_open()) {
            connection.outbox.push(now, delay, lane, command, section);
        }
    }

    /// What it had still to say is lost with it: whoever wants it said first, polls first.
    pub(super) fn close_connection(&mut self, conn: Conn) {
        let Some(connection) = self.connections.get_mut(&conn).filter(|c| c.is_open()) else { return };
        connection.phase = Phase::Closed;
        connection.outbox.clear();
        connection.producers.clear();
        connection.consumers.clear();
        let until = self.now.instant + self.config.producer_linger;
        for topic in self.topics.values_mut() {
            let gone = topic.producers.extract_if(.., |(of, _), _| *of == conn);
            let names: Vec<String> = gone.map(|(_, producer)| producer.name).collect();
            topic.lingering.extend(names.into_iter().map(|name| (name, until)));
        }
        self.detach_all(conn);
    }

    /// Tells everyone attached to a topic that it is gone from here.
    pub(super) fn close_clients(&mut self, topic: &str) {
        let Some(state) = self.topics.get_mut(topic) else { return };
        let producers: Vec<_> = std::mem::take(&mut state.producers).into_keys().collect();
        let consumers: Vec<_> =
            state.subscriptions.values_mut().flat_map(|s| std::mem::take(&mut s.consumers)).collect();
        state.subscriptions.values_mut().for_each(|subscription| subscription.announced = None);
        self.tell_producers_closed(producers);
        for (conn, consumer_id) in consumers {
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.consumers.remove(&consumer_id);
            }
            let close = CommandCloseConsumer { consumer_id, request_id: UNASKED, ..CommandCloseConsumer::default() };
            self.say(conn, Lane::Consumer(consumer_id), Reply::USUAL, close);
        }
    }

    pub(super) fn tell_producers_closed(&mut self, producers: Vec<(Conn, u64)>) {
        let now = self.now.instant;
        for (conn, producer_id) in producers {
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.remember_closed(producer_id, now);
            }
            let close = CommandCloseProducer { producer_id, request_id: UNASKED, ..CommandCloseProducer::default() };
            self.say(conn, Lane::Producer(producer_id), Reply::USUAL, close);
        }
    }

    fn keep_alive(&mut self) {
        let Some(interval) = self.config.keep_alive else { return };
        let now = self.now.instant;
        let due =
            |connection: &Connection| connection.is_open() && connection.keep_alive_due.is_some_and(|due| due <= now);
        let due: BTreeSet<Conn> = self.connections.iter().filter(|(_, c)| due(c)).map(|(conn, _)| *conn).collect();
        for conn in due {
            let Some(connection) = self.connections.get_mut(&conn) else { continue };
            let in_time = connection.phase == Phase::Connected && connection.heard_since_ping;
            if !in_time {
                self.close_connection(conn);
                continue;
            }
            connection.heard_since_ping = false;
            connection.keep_alive_due = Some(now + interval);
            self.say(conn, Lane::Request, Reply::USUAL, command::ping());
        }
    }
}

/// Who is attached, and what is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// Producers.
    pub producers: usize,
    /// Consumers.
    pub consumers: usize,
    /// SENDs that the ledger has not stored yet.
    pub writes: usize,
}

/// Connections draw different delays from one seed.
fn of_connection(noise: Option<&Noise>, conn: Conn) -> Option<Noise> {
    noise.map(|noise| Noise { seed: noise.seed ^ u64::from(conn.0) << 32, ..noise.clone() })
}
