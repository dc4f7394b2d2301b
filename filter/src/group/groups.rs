//! The groups that a worker serves: one replica each, shared by its connections.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::ask::{Ask, Reply};
use super::error::GroupError;
use super::id::GroupId;
use super::replica::link::{Command, Event};
use super::replica::{Memory, Replica, Settings};
use super::state::State;
use crate::config::Config;
use crate::ids::ConnectionId;
use crate::time::{Instant, Now};
use crate::worker::lag::Commits;
use crate::worker::log::Log;
use crate::worker::random::Random;

/// Bound of replicas of one worker; the next group is not available.
const MAX_REPLICAS: usize = 10_000;

/// Bounds of what is kept of groups whose replicas went: groups, and entries over all of them.
const MAX_MEMORIES: usize = 4_096;
const MAX_MEMORY_ENTRIES: usize = 100_000;

/// How often replicas that nobody needs are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

/// Names a request until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskId(pub u64);

#[derive(Debug)]
struct Served {
    replica: Replica,
    /// Connections that asked about the group, the oldest first. The first one carries the replica.
    connections: VecDeque<ConnectionId>,
    deadline: Option<Instant>,
    bytes: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Groups {
    settings: Settings,
    max_bytes: usize,
    bytes: usize,
    random: Random,
    served: BTreeMap<GroupId, Served>,
    of_connection: BTreeMap<ConnectionId, BTreeSet<GroupId>>,
    memories: BTreeMap<GroupId, Memory>,
    memory_order: VecDeque<GroupId>,
    memory_entries: usize,
    asks: BTreeMap<AskId, GroupId>,
    answers: BTreeMap<AskId, (ConnectionId, Result<Reply, GroupError>)>,
    /// How many of them wait for each connection.
    answered: BTreeMap<ConnectionId, usize>,
    last_ask: u64,
    /// Carriers with something to do.
    commanded: BTreeMap<ConnectionId, BTreeSet<GroupId>>,
    /// Connections with something to do or an answer to take.
    woken: BTreeSet<ConnectionId>,
    deadlines: BTreeSet<(Instant, GroupId)>,
    housekeeping: Instant,
    log: Log,
}

impl Groups {
    /// No group yet.
    pub fn new(config: &Config, seed: u64) -> Self {
        let settings = Settings {
            initial_delay: Duration::from_millis(config.group_initial_rebalance_delay_ms.into()),
            max_size: config.group_max_size,
            offsets_retention: Duration::from_secs(u64::from(config.offsets_retention_minutes).saturating_mul(60)),
        };
        Self {
            settings,
            max_bytes: config.max_group_bytes_per_worker,
            bytes: 0,
            random: Random::new(seed),
            served: BTreeMap::new(),
            of_connection: BTreeMap::new(),
            memories: BTreeMap::new(),
            memory_order: VecDeque::new(),
            memory_entries: 0,
            asks: BTreeMap::new(),
            answers: BTreeMap::new(),
            answered: BTreeMap::new(),
            last_ask: 0,
            commanded: BTreeMap::new(),
            woken: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            housekeeping: Instant::default(),
            log: Log::default(),
        }
    }

    /// Asks `group`; the answer is fetched with [`Groups::take`]. Every question is answered in time.
    pub fn ask(&mut self, group: &GroupId, ask: Ask, connection: ConnectionId, now: Now) -> AskId {
        self.last_ask = self.last_ask.wrapping_add(1);
        let id = AskId(self.last_ask);
        if !self.served.contains_key(group) && !self.serve(group, now.instant) {
            self.log.warn(format!(
                "group {group} is not available: this worker serves as many groups as max_group_bytes_per_worker allows"
            ));
            self.keep(id, connection, Err(GroupError::NotAvailable));
            return id;
        }
        self.asks.insert(id, group.clone());
        self.attach(group, connection, now);
        if let Some(served) = self.served.get_mut(group) {
            served.replica.ask(id, connection, ask, now);
        }
        self.after(group);
        id
    }

    fn serve(&mut self, group: &GroupId, now: Instant) -> bool {
        if self.served.len() >= MAX_REPLICAS || self.bytes >= self.max_bytes {
            return false;
        }
        let memory = self.memories.get(group).cloned().unwrap_or_default();
        let replica = Replica::new(group.clone(), self.settings, memory, self.random.next_u64(), now);
        let served = Served { replica, connections: VecDeque::new(), deadline: None, bytes: 0 };
        self.served.insert(group.clone(), served);
        true
    }

    fn attach(&mut self, group: &GroupId, connection: ConnectionId, now: Now) {
        if !self.of_connection.entry(connection).or_default().insert(group.clone()) {
            return;
        }
        let Some(served) = self.served.get_mut(group) else { return };
        served.connections.push_back(connection);
        if served.connections.len() == 1 {
            served.replica.carried(now);
        }
    }

    /// Takes the answer; `None` while it is awaited.
    pub fn take(&mut self, ask: AskId) -> Option<Result<Reply, GroupError>> {
        let (connection, answer) = self.answers.remove(&ask)?;
        if let Some(count) = self.answered.get_mut(&connection) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.answered.remove(&connection);
            }
        }
        Some(answer)
    }

    fn keep(&mut self, ask: AskId, connection: ConnectionId, answer: Result<Reply, GroupError>) {
        if self.answers.insert(ask, (connection, answer)).is_none() {
            let count = self.answered.entry(connection).or_default();
            *count = count.saturating_add(1);
        }
        self.woken.insert(connection);
    }

    /// The connection took what there was for it and did what it was told: it need not be woken.
    pub fn settled(&mut self, connection: ConnectionId) {
        if !self.has_answers(connection) && !self.commanded.contains_key(&connection) {
            self.woken.remove(&connection);
        }
    }

    /// Whether an answer waits for a request of the connection.
    pub fn has_answers(&self, connection: ConnectionId) -> bool {
        self.answered.contains_key(&connection)
    }

    /// Nobody waits for the answer any more: what was not written for it yet never will be.
    pub fn forget(&mut self, ask: AskId) {
        self.take(ask);
        let Some(group) = self.asks.remove(&ask) else { return };
        if let Some(served) = self.served.get_mut(&group) {
            served.replica.forget(ask);
        }
        self.after(&group);
    }

    /// A group's state; `None` where there is no such group, or where it is not loaded (any more).
    pub fn state(&self, group: &GroupId) -> Option<&State> {
        self.served.get(group)?.replica.state()
    }

    /// A connection can send nothing to its broker any more: its requests go, and what it carried is carried by another.
    pub fn detach(&mut self, connection: ConnectionId, now: Now) {
        for group in self.of_connection.remove(&connection).unwrap_or_default() {
            let Some(served) = self.served.get_mut(&group) else { continue };
            let carried = served.connections.front() == Some(&connection);
            served.connections.retain(|other| *other != connection);
            served.replica.forget_connection(connection, now);
            if carried {
                served.replica.uncarried(now);
            }
            if served.connections.is_empty() {
                self.drop_replica(&group);
            } else {
                if carried {
                    served.replica.carried(now);
                }
                self.after(&group);
            }
        }
        self.commanded.remove(&connection);
        self.woken.remove(&connection);
        self.answers.retain(|_, (of, _)| *of != connection);
        self.answered.remove(&connection);
    }

    fn drop_replica(&mut self, group: &GroupId) {
        let Some(served) = self.served.remove(group) else { return };
        if let Some(deadline) = served.deadline {
            self.deadlines.remove(&(deadline, group.clone()));
        }
        self.bytes = self.bytes.saturating_sub(served.bytes);
        for connection in served.connections {
            self.uncommand(connection, group);
            if let Some(groups) = self.of_connection.get_mut(&connection) {
                groups.remove(group);
            }
        }
        self.remember(group, served.replica.into_memory());
    }

    fn remember(&mut self, group: &GroupId, memory: Memory) {
        self.memory_entries = self.memory_entries.saturating_add(memory.entries());
        match self.memories.insert(group.clone(), memory) {
            Some(before) => self.memory_entries = self.memory_entries.saturating_sub(before.entries()),
            None => self.memory_order.push_back(group.clone()),
        }
        while self.memory_order.len() > MAX_MEMORIES || self.memory_entries > MAX_MEMORY_ENTRIES {
            let Some(oldest) = self.memory_order.pop_front() else { return };
            let entries = self.memories.remove(&oldest).map_or(0, |memory| memory.entries());
            self.memory_entries = self.memory_entries.saturating_sub(entries);
        }
    }

    /// The next thing for a carrier to do.
    pub fn poll_command(&mut self, connection: ConnectionId) -> Option<(GroupId, Command)> {
        loop {
            let group = self.commanded.get(&connection)?.first()?.clone();
            match self.served.get_mut(&group).and_then(|served| served.replica.poll_command()) {
                Some(command) => return Some((group, command)),
                None => self.uncommand(connection, &group),
            }
        }
    }

    fn uncommand(&mut self, connection: ConnectionId, group: &GroupId) {
        if let Some(groups) = self.commanded.get_mut(&connection) {
            groups.remove(group);
            if groups.is_empty() {
                self.commanded.remove(&connection);
            }
        }
    }

    /// What a carrier has to tell. `false`: the connection carries that group no more, and closes what it has of it.
    pub fn on_event(&mut self, connection: ConnectionId, group: &GroupId, event: Event, now: Now) -> bool {
        let Some(served) = self.served.get_mut(group) else { return false };
        if served.connections.front() != Some(&connection) {
            return false;
        }
        served.replica.on_event(event, now);
        self.after(group);
        true
    }

    /// Whether a connection carries a group.
    pub fn is_carrier(&self, connection: ConnectionId, group: &GroupId) -> bool {
        self.served.get(group).is_some_and(|served| served.connections.front() == Some(&connection))
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Now) {
        let due = self.deadlines.iter().take_while(|(deadline, _)| *deadline <= now.instant);
        for (deadline, group) in due.cloned().collect::<Vec<_>>() {
            self.deadlines.remove(&(deadline, group.clone()));
            let Some(served) = self.served.get_mut(&group) else { continue };
            served.deadline = None;
            served.replica.on_time(now);
            if served.replica.take_wants_other_carrier() && served.connections.len() > 1 {
                self.hand_over(&group, now);
            }
            self.after(&group);
        }
        if self.housekeeping <= now.instant {
            self.housekeeping = now.instant + HOUSEKEEPING;
            let idle = self.served.iter().filter(|(_, served)| served.replica.is_idle(now.instant));
            for group in idle.map(|(group, _)| group.clone()).collect::<Vec<_>>() {
                if let Some(carrier) = self.served.get(&group).and_then(|served| served.connections.front()) {
                    self.woken.insert(*carrier);
                }
                self.drop_replica(&group);
            }
        }
    }

    /// The carrier was silent for too long: the next connection tries.
    fn hand_over(&mut self, group: &GroupId, now: Now) {
        let Some(served) = self.served.get_mut(group) else { return };
        let silent = served.connections.pop_front();
        served.connections.extend(silent);
        served.replica.uncarried(now);
        served.replica.carried(now);
        if let Some(silent) = silent {
            self.uncommand(silent, group);
            self.woken.insert(silent);
        }
    }

    /// When [`Groups::on_time`] has work next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let housekeeping = (!self.served.is_empty()).then_some(self.housekeeping);
        self.deadlines.first().map(|(deadline, _)| *deadline).into_iter().chain(housekeeping).min()
    }

    /// The next connection with something to do for a group, or with an answer.
    pub fn take_woken(&mut self) -> Option<ConnectionId> {
        self.woken.pop_first()
    }

    /// Replicas, and bytes of their states.
    pub fn sizes(&self) -> (usize, usize) {
        (self.served.len(), self.bytes)
    }

    /// Moves lines for the operator to the worker's log.
    pub fn drain_log(&mut self, log: &mut Log) {
        log.append(&mut self.log);
    }

    /// Takes out what a replica has to say after an event.
    fn after(&mut self, group: &GroupId) {
        let Some(served) = self.served.get_mut(group) else { return };
        let mut answers = Vec::new();
        for (ask, connection, answer) in served.replica.take_answered() {
            if self.asks.remove(&ask).is_some() {
                answers.push((ask, connection, answer));
            }
        }
        for (level, line) in served.replica.take_log() {
            self.log.push(level, line);
        }
        if served.replica.has_commands()
            && let Some(carrier) = served.connections.front()
        {
            self.commanded.entry(*carrier).or_default().insert(group.clone());
            self.woken.insert(*carrier);
        }
        let bytes = served.replica.state().map_or(0, State::size_bytes);
        self.bytes = self.bytes.saturating_sub(served.bytes).saturating_add(bytes);
        served.bytes = bytes;
        let deadline = served.replica.next_deadline();
        if deadline != served.deadline {
            if let Some(previous) = served.deadline {
                self.deadlines.remove(&(previous, group.clone()));
            }
            if let Some(deadline) = deadline {
                self.deadlines.insert((deadline, group.clone()));
            }
            served.deadline = deadline;
        }
        for (ask, connection, answer) in answers {
            self.keep(ask, connection, answer);
        }
    }
}

impl Commits for Groups {
    fn all(&self) -> impl Iterator<Item = (&GroupId, &str, i32, i64)> {
        let loaded = self.served.iter().filter_map(|(group, served)| Some((group, served.replica.state()?)));
        loaded.flat_map(|(group, state)| {
            state.offsets.flat().map(move |(topic, partition, committed)| (group, topic, partition, committed.offset))
        })
    }

    fn of(&self, group: &GroupId, topic: &str, partition: i32) -> Option<i64> {
        let state = self.served.get(group)?.replica.state()?;
        state.offsets.of(topic, partition).map(|committed| committed.offset)
    }
}
