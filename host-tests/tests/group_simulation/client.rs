//! Kafka's clients, as far as a group sees them.

mod answers;
mod asks;

use isthmus::group::ask::{Ask, Membership};
use isthmus::group::groups::AskId;
use isthmus::group::log::entry::{Assignment, EventPosition, Protocol};
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
