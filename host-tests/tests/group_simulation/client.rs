//! Kafka's clients, as far as a group sees them.

use isthmus::group::ask::{Ask, JoinAsk, Joined, Membership, Reply, SyncAsk};
use isthmus::group::error::GroupError;
use isthmus::group::groups::AskId;
use isthmus::group::log::entry::{
    Assignment, EventPosition, Leaver, PartitionOffset, Protocol, TopicOffsets, TopicPartitions,
};
use isthmus::ids::ConnectionId;

use crate::dice::Dice;
use crate::invariants;
use crate::link::Link;
use crate::time::{MS, Micros, SECOND};
use crate::truth::Partition;
use crate::world::{Happening, World};

/// The topic the members consume.
pub(crate) const TOPIC: &str = "t";

/// A topic nobody is subscribed to.
const OTHER: &str = "other";

/// Longest time a request may take beside a round: the log is read, made, an entry is appended, and once more confirmed.
const ANSWERED: Micros = 36 * SECOND;

/// What a parked request waits beyond the rebalance timeout.
const PARKED: Micros = 10 * SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `group.instance.id`, if it is static.
    Member(Option<usize>),
    /// Commits without being a member.
    Committer,
    /// Reads offsets.
    Reader,
    /// Deletes the group, or offsets.
    Admin,
    /// Speaks for members of generations that are over.
    Stale,
}

/// What a member does next.
#[derive(Clone, Debug)]
enum Stage {
    Join,
    Sync(Vec<Assignment>),
    Stable { owned: Vec<u32>, heartbeat_at: Micros, commit_at: Micros, read_at: Micros },
}

/// A request under way.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) id: AskId,
    asked: Micros,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Join,
    Sync,
    Heartbeat { member: String, generation: i32 },
    Commit { values: Vec<(Partition, i64)> },
    Leave,
    Read { then: Vec<(Partition, EventPosition)> },
    Other,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) role: Role,
    pub(crate) alive: bool,
    pub(crate) connection: Option<u32>,
    pub(crate) ask: Option<Open>,
    pub(crate) member: String,
    generation: i32,
    stage: Stage,
    pub(crate) session: Micros,
    pub(crate) rebalance: Micros,
    knows_79: bool,
    metadata: u8,
    /// When a host heard of it last.
    pub(crate) heard: Micros,
    /// What was acknowledged when it got its assignment.
    assigned_then: Option<(i32, Vec<(Partition, EventPosition)>)>,
    /// A timer with another number is void.
    pub(crate) timer: u64,
}

impl Client {
    pub(crate) fn new(role: Role, dice: &mut Dice) -> Self {
        Self {
            role,
            alive: true,
            connection: None,
            ask: None,
            member: String::new(),
            generation: -1,
            stage: Stage::Join,
            session: dice.between(6, 10) * SECOND,
            rebalance: dice.between(8, 15) * SECOND,
            knows_79: dice.permille(700),
            metadata: 0,
            heard: 0,
            assigned_then: None,
            timer: 0,
        }
    }

    pub(crate) fn is_member(&self) -> bool {
        matches!(self.role, Role::Member(_))
    }

    fn instance(&self) -> Option<String> {
        match self.role {
            Role::Member(Some(instance)) => Some(format!("instance-{instance}")),
            Role::Member(None) | Role::Committer | Role::Reader | Role::Admin | Role::Stale => None,
        }
    }

    fn membership(&self) -> Membership {
        Membership { member: self.member.clone(), instance: self.instance(), generation: self.generation }
    }

    /// It begins anew, as after a crash.
    pub(crate) fn reset(&mut self) {
        self.member.clear();
        self.generation = -1;
        self.stage = Stage::Join;
        self.assigned_then = None;
    }

    fn subscription(&self) -> Vec<Protocol> {
        // Version 0 of ConsumerProtocolSubscription: the topic, and user data that changes now and then.
        let mut metadata = vec![0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1];
        metadata.push(self.metadata);
        let metadata = bytes::Bytes::from(metadata);
        let names = if self.metadata.is_multiple_of(2) { ["range", "roundrobin"] } else { ["roundrobin", "range"] };
        names.map(|name| Protocol { name: name.to_owned(), metadata: metadata.clone() }).to_vec()
    }
}

impl World {
    /// A client does something in so long.
    pub(crate) fn later(&mut self, client: usize, delay: Micros) {
        self.clients[client].timer += 1;
        let timer = self.clients[client].timer;
        self.after(delay, Happening::Client { client, timer });
    }

    /// It is a client's turn.
    pub(crate) fn client_turn(&mut self, client: usize) {
        if !self.clients[client].alive || self.clients[client].ask.is_some() || self.resting {
            return;
        }
        if self.now < self.abandoned_until && !matches!(self.clients[client].role, Role::Admin) {
            let back = self.abandoned_until - self.now + self.dice.between(0, 5 * SECOND);
            return self.later(client, back);
        }
        let Some(connection) = self.connected(client) else { return };
        if !self.quiet && self.clients[client].is_member() && self.whim(client) {
            return;
        }
        let (ask, kind) = match self.clients[client].role {
            Role::Member(_) => match self.member_asks(client) {
                Some(asks) => asks,
                None => return,
            },
            Role::Committer => {
                self.commits(client, Membership { member: String::new(), instance: None, generation: -1 }, &[7, 8])
            }
            Role::Reader => self.reads(),
            Role::Admin => (self.admin_asks(), Kind::Other),
            Role::Stale => self.stale_asks(client),
        };
        self.open_ask(client, connection, ask, kind);
    }

    fn connected(&mut self, client: usize) -> Option<u32> {
        if let Some(connection) = self.clients[client].connection {
            return Some(connection);
        }
        let host = self.dice.between(0, self.hosts.len() as u64 - 1) as usize;
        let connection = self.new_id() as u32;
        let latency = self.dice.between(100, 1000);
        self.links.insert(connection, Link::new(host, client, latency));
        self.clients[client].connection = Some(connection);
        Some(connection)
    }

    /// What members do for no reason that the group knows. Whether it was anything.
    fn whim(&mut self, client: usize) -> bool {
        match self.dice.between(0, 999) {
            0..=3 => {
                let back = self.dice.between(SECOND / 10, 25 * SECOND);
                self.crash_client(client, back);
                true
            }
            4..=7 => {
                // Goes on over another host.
                self.disconnect(client);
                self.later(client, 10 * MS);
                true
            }
            8..=11 => {
                self.clients[client].metadata = self.clients[client].metadata.wrapping_add(1);
                self.clients[client].stage = Stage::Join;
                false
            }
            _ => false,
        }
    }

    /// It is gone without a word, and comes back in so long.
    pub(crate) fn crash_client(&mut self, client: usize, back: Micros) {
        self.disconnect(client);
        self.clients[client].reset();
        self.clients[client].alive = false;
        self.after(back, Happening::Revive { client });
    }

    fn member_asks(&mut self, client: usize) -> Option<(Ask, Kind)> {
        let now = self.now;
        let by = self.clients[client].membership();
        match self.clients[client].stage.clone() {
            Stage::Join => {
                let member = &self.clients[client];
                let ask = JoinAsk {
                    member: member.member.clone(),
                    instance: member.instance(),
                    client_id: format!("c{client}"),
                    client_host: "/127.0.0.1".to_owned(),
                    session_ms: (member.session / MS) as u32,
                    rebalance_ms: (member.rebalance / MS) as u32,
                    protocol_type: "consumer".to_owned(),
                    protocols: member.subscription(),
                    must_know_id: member.knows_79,
                };
                Some((Ask::Join(ask), Kind::Join))
            }
            Stage::Sync(assignments) => {
                let versioned = self.dice.permille(500);
                let ask = SyncAsk {
                    by,
                    protocol_type: versioned.then(|| "consumer".to_owned()),
                    protocol: None,
                    assignments,
                };
                Some((Ask::Sync(ask), Kind::Sync))
            }
            Stage::Stable { owned, heartbeat_at, commit_at, read_at } => {
                if heartbeat_at <= now {
                    let kind = Kind::Heartbeat { member: by.member.clone(), generation: by.generation };
                    return Some((Ask::Heartbeat(by), kind));
                }
                if read_at <= now {
                    return Some(self.reads_as(client));
                }
                if commit_at <= now && !owned.is_empty() {
                    return Some(self.commits(client, by, &owned));
                }
                if !self.quiet && self.dice.permille(20) {
                    let leaver = Leaver { member: by.member, instance: by.instance };
                    return Some((Ask::Leave(vec![leaver]), Kind::Leave));
                }
                let next = heartbeat_at.min(read_at).min(if owned.is_empty() { Micros::MAX } else { commit_at });
                self.later(client, next.saturating_sub(now).max(1));
                None
            }
        }
    }

    fn commits(&mut self, client: usize, by: Membership, owned: &[u32]) -> (Ask, Kind) {
        let name = if self.clients[client].is_member() { TOPIC } else { OTHER };
        let mut values = Vec::new();
        let mut partitions = Vec::new();
        for partition in owned {
            let offset = self.new_id() as i64;
            let metadata = if self.wide { "m".repeat(3900) } else { String::new() };
            partitions.push(PartitionOffset { partition: *partition as i32, offset, leader_epoch: -1, metadata });
            values.push(((name.to_owned(), *partition as i32), offset));
        }
        let topics = vec![TopicOffsets { name: name.to_owned(), partitions }];
        (Ask::Commit { by, topics }, Kind::Commit { values })
    }

    fn acknowledged(&self) -> Vec<(Partition, EventPosition)> {
        self.topic.truth.book.acknowledged.iter().map(|(partition, at)| (partition.clone(), *at)).collect()
    }

    fn reads(&self) -> (Ask, Kind) {
        (Ask::Confirm, Kind::Read { then: self.acknowledged() })
    }

    /// A member that has its assignment reads what was committed before it got it.
    fn reads_as(&self, client: usize) -> (Ask, Kind) {
        let client = &self.clients[client];
        match &client.assigned_then {
            Some((generation, then)) if *generation == client.generation => {
                (Ask::Confirm, Kind::Read { then: then.clone() })
            }
            Some(_) | None => self.reads(),
        }
    }

    fn admin_asks(&mut self) -> Ask {
        match self.dice.between(0, 3) {
            0 | 1 => Ask::Delete,
            2 => Ask::OffsetDelete(vec![TopicPartitions { name: OTHER.to_owned(), partitions: vec![7] }]),
            _ => Ask::OffsetDelete(vec![TopicPartitions { name: TOPIC.to_owned(), partitions: vec![0, 1] }]),
        }
    }

    /// As a member that was cut off and does not know that the group went on.
    fn stale_asks(&mut self, client: usize) -> (Ask, Kind) {
        let members: Vec<(String, Option<String>)> =
            self.topic.truth.state.members.iter().map(|member| (member.id.clone(), member.instance.clone())).collect();
        let Some((member, instance)) = self.dice.pick(&members).cloned() else { return self.reads() };
        let back = self.dice.between(1, 2) as i32;
        let generation = (self.topic.truth.state.generation - back).max(0);
        let by = Membership { member, instance, generation };
        if self.dice.permille(500) {
            let kind = Kind::Heartbeat { member: by.member.clone(), generation };
            return (Ask::Heartbeat(by), kind);
        }
        self.commits(client, by, &[0, 1, 2])
    }

    fn open_ask(&mut self, client: usize, connection: u32, ask: Ask, kind: Kind) {
        let host = self.links[&connection].host;
        self.counts.asks += 1;
        self.trace(|| {
            format!("#{connection} client {client} asks host {host}: {kind:?} as {}", self.clients[client].member)
        });
        self.clients[client].heard = self.now;
        let group = self.group.clone();
        // The answer may come at once: it is taken when the connection is attended to, so the request must be known before.
        let now = self.hosts[host].clock.at(self.now);
        let id = self.hosts[host].groups.ask(&group, ask, ConnectionId(connection), now);
        let parks = matches!(kind, Kind::Join | Kind::Sync);
        self.clients[client].ask = Some(Open { id, asked: self.now, kind });
        let rebalance = self.clients.iter().map(|client| client.rebalance).max().unwrap_or(0);
        let bound = ANSWERED + if parks { rebalance + PARKED } else { 0 };
        self.after(bound, Happening::AskDue { client, ask: id, connection });
        if !self.quiet && self.dice.permille(15) {
            let patience = self.dice.between(MS, 20 * SECOND);
            self.after(patience, Happening::GiveUp { client, ask: id, connection });
        }
        self.on_host(host, Some(connection), |_, _| ());
    }

    /// Invariant 11 for one request.
    pub(crate) fn ask_due(&mut self, client: usize, ask: AskId, connection: u32) {
        let client = &self.clients[client];
        if let Some(open) = client.ask.as_ref().filter(|open| open.id == ask && client.connection == Some(connection)) {
            let what = format!("{:?} of {}", open.kind, client.member);
            invariants::eleven_every_request_is_answered_in_time(open.asked, self.now, 0, &what);
        }
    }

    /// The client waits no longer.
    pub(crate) fn give_up(&mut self, client: usize, ask: AskId, connection: u32) {
        let is_it = self.clients[client].connection == Some(connection)
            && self.clients[client].ask.as_ref().is_some_and(|open| open.id == ask);
        if is_it {
            self.disconnect(client);
            self.later(client, 20 * MS);
        }
    }

    /// Takes the answer the client waits for, if it is there.
    pub(crate) fn take_answer(&mut self, client: usize, host: usize) -> bool {
        let Some(open) = self.clients[client].ask.clone() else { return false };
        let Some(result) = self.hosts[host].groups.take(open.id) else { return false };
        self.clients[client].ask = None;
        self.trace(|| format!("client {client} of host {host} is told {result:?}"));
        self.counts.answers += 1;
        if matches!(open.kind, Kind::Join | Kind::Sync) {
            self.clients[client].heard = self.now;
        }
        let pause = self.dice.between(MS, 20 * MS);
        let delay = match (open.kind, result) {
            (Kind::Join, result) => self.on_joined(client, result),
            (Kind::Sync, result) => self.on_synced(client, result),
            (Kind::Heartbeat { member, generation }, result) => {
                if result.is_ok() {
                    self.counts.heartbeats_good += 1;
                    let session = self.clients.iter().map(|client| client.session).max().unwrap_or(0);
                    let since = self.now.saturating_sub(session * 1000 / 960);
                    invariants::seven_a_good_heartbeat_is_a_recent_members(
                        &self.topic.truth,
                        &member,
                        generation,
                        since,
                    );
                } else {
                    self.counts.heartbeats_bad += 1;
                }
                let third = self.clients[client].session / 3;
                let next = self.now + third - self.dice.between(0, third / 8);
                if let Stage::Stable { heartbeat_at, .. } = &mut self.clients[client].stage {
                    *heartbeat_at = if result.is_ok() { next } else { self.now };
                }
                self.on_member_error(client, result.err()).unwrap_or(pause)
            }
            (Kind::Commit { values }, result) => {
                if result.is_ok() {
                    self.acknowledge(values);
                }
                let next = self.now + self.dice.between(20 * MS, self.commit_every);
                if let Stage::Stable { commit_at, .. } = &mut self.clients[client].stage {
                    *commit_at = next;
                }
                self.on_member_error(client, result.err()).unwrap_or(pause)
            }
            (Kind::Leave, result) => {
                if result.is_ok() {
                    self.clients[client].reset();
                    self.dice.between(MS, 20 * SECOND)
                } else {
                    pause
                }
            }
            (Kind::Read { then }, result) => {
                if result.is_ok() {
                    let state = self.hosts[host].groups.state(&self.group);
                    invariants::ten_what_is_read_is_as_new_as_the_request(&self.topic.truth.book, &then, state);
                    self.counts.reads_compared += 1;
                }
                let next = self.now + self.dice.between(SECOND, 20 * SECOND);
                if let Stage::Stable { read_at, .. } = &mut self.clients[client].stage {
                    *read_at = next;
                }
                self.on_member_error(client, result.err()).unwrap_or(pause)
            }
            (Kind::Other, _) => pause,
        };
        let delay = match self.clients[client].role {
            Role::Member(_) => delay,
            Role::Committer | Role::Reader | Role::Stale => self.dice.between(SECOND / 2, 15 * SECOND),
            Role::Admin => self.dice.between(SECOND, 15 * SECOND),
        };
        self.later(client, delay);
        true
    }

    fn acknowledge(&mut self, values: Vec<(Partition, i64)>) {
        let book = &mut self.topic.truth.book;
        for (partition, value) in values {
            let at = invariants::five_an_acknowledged_commit_is_in_the_log(book, value);
            let newest = book.acknowledged.entry(partition).or_insert(at);
            *newest = (*newest).max(at);
        }
        self.counts.acknowledged += 1;
    }

    fn on_joined(&mut self, client: usize, result: Result<Reply, GroupError>) -> Micros {
        match result {
            Ok(Reply::Issued(id)) => {
                self.clients[client].member = id;
                self.dice.between(0, MS)
            }
            Ok(Reply::Joined(joined)) => {
                let assignments = self.assign(&joined);
                let member = &mut self.clients[client];
                member.member = joined.member;
                member.generation = joined.generation;
                member.stage = Stage::Sync(assignments);
                if self.quiet { self.dice.between(0, 5 * MS) } else { self.dice.between(0, 3000 * MS) / 8 }
            }
            Ok(other) => panic!("Join was answered with {other:?}"),
            Err(error) => self.on_member_error(client, Some(error)).unwrap_or(MS),
        }
    }

    /// The leader's assignments: each partition to one member.
    fn assign(&mut self, joined: &Joined) -> Vec<Assignment> {
        if joined.members.is_empty() || joined.skip_assignment || joined.leader != joined.member {
            return Vec::new();
        }
        let nonce = self.new_id();
        let mut ids: Vec<&String> = joined.members.iter().map(|member| &member.id).collect();
        ids.sort();
        let of = |place: usize| {
            let mine = (0..self.partitions).filter(|partition| *partition as usize % ids.len() == place);
            invariants::assignment(nonce, &mine.collect::<Vec<_>>())
        };
        let assigned = ids.iter().enumerate().map(|(place, id)| Assignment { member: (*id).clone(), bytes: of(place) });
        assigned.collect()
    }

    fn on_synced(&mut self, client: usize, result: Result<Reply, GroupError>) -> Micros {
        match result {
            Ok(Reply::Assigned { assignment, .. }) => {
                let (member, generation) = (self.clients[client].member.clone(), self.clients[client].generation);
                invariants::three_assignments_of_a_member_are_equal(
                    &mut self.handed_out,
                    &self.topic.truth.book,
                    &member,
                    generation,
                    &assignment,
                );
                let owned = invariants::partitions(&assignment);
                let read_at = if self.dice.permille(500) { self.now } else { self.now + 5 * SECOND };
                let heartbeat_at = self.now + self.clients[client].session / 3;
                let commit_at = self.now + self.dice.between(20 * MS, self.commit_every);
                let assigned =
                    invariants::nonce(&assignment).and_then(|nonce| self.topic.truth.book.nonces.get(&nonce));
                let then = assigned.map(|assigned| assigned.acknowledged.clone()).unwrap_or_default();
                self.clients[client].assigned_then = Some((generation, then));
                self.clients[client].stage = Stage::Stable { owned, heartbeat_at, commit_at, read_at };
                1
            }
            Ok(other) => panic!("Sync was answered with {other:?}"),
            Err(error) => self.on_member_error(client, Some(error)).unwrap_or(MS),
        }
    }

    /// What a member does about an error: as Kafka's own consumer.
    fn on_member_error(&mut self, client: usize, error: Option<GroupError>) -> Option<Micros> {
        let error = error?;
        if !self.clients[client].is_member() {
            return None;
        }
        let member = &mut self.clients[client];
        match error {
            GroupError::UnknownMember | GroupError::NoGroup => {
                member.reset();
                Some(10 * MS)
            }
            GroupError::FencedInstance => {
                let back = self.dice.between(SECOND / 10, 25 * SECOND);
                self.crash_client(client, back);
                Some(SECOND)
            }
            GroupError::RebalanceInProgress | GroupError::IllegalGeneration => {
                member.stage = Stage::Join;
                Some(MS)
            }
            GroupError::Loading | GroupError::NotAvailable => Some(100 * MS),
            GroupError::NotCoordinator => {
                // Asks again who coordinates, and may be told another host.
                if self.dice.permille(300) {
                    self.disconnect(client);
                }
                Some(100 * MS)
            }
            GroupError::TooManyOffsets | GroupError::GroupMaxSize => Some(SECOND),
            GroupError::InconsistentProtocol
            | GroupError::MemberIdRequired
            | GroupError::InvalidSessionTimeout
            | GroupError::InvalidGroupId
            | GroupError::GroupIdNotFound
            | GroupError::NonEmptyGroup
            | GroupError::SubscribedToTopic
            | GroupError::OffsetMetadataTooLarge
            | GroupError::UnstableOffsets
            | GroupError::ProducerFenced
            | GroupError::NotAuthorized
            | GroupError::TooLarge
            | GroupError::UnknownFormat => panic!("a member was told {error:?}"),
        }
    }

    /// The members that must be in the group when nothing disturbs it: their ids, and what they do.
    pub(crate) fn living(&self) -> Vec<(String, String)> {
        let members = self.clients.iter().enumerate().filter(|(_, client)| client.alive && client.is_member());
        members
            .map(|(index, client)| {
                (client.member.clone(), format!("client {index} in {:?}, {:?}", client.stage, client.ask))
            })
            .collect()
    }
}
