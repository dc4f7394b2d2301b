//! One log, two hosts, some consumers.

mod properties;
mod replica;

use std::collections::BTreeMap;

use bytes::Bytes;
use isthmus::group::log::entry::*;
use isthmus::group::outcome::Outcome;
use isthmus::group::state::Phase;
use isthmus::ids::Position;

use self::replica::Replica;
use crate::client::{Client, CommitStand, Stand};
use crate::invariants::{fault_of, fault_of_step};

/// Ids that a consumer may have had.
const LIVES_MAX: u8 = 3;
const TOPIC: &str = "t";

/// An event on its way into the log, or in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Request {
    Join { client: u8, id: String, issued: bool },
    Sync { client: u8, id: String, generation: i32, members: Vec<String> },
    Commit { client: u8, id: String, generation: i32, owns: Vec<u8> },
    Leave { client: u8, id: String },
    Expire { id: String, seen: u64 },
    Timeout { phase: u64 },
}

impl Request {
    fn client(&self) -> Option<u8> {
        match self {
            Self::Join { client, .. }
            | Self::Sync { client, .. }
            | Self::Commit { client, .. }
            | Self::Leave { client, .. } => Some(*client),
            Self::Expire { .. } | Self::Timeout { .. } => None,
        }
    }
}

/// What a host wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Written {
    position: u64,
    host: usize,
    request: Request,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Host {
    up: bool,
    /// Entries of the log's tail that it has applied.
    applied: usize,
    replica: Replica,
    /// One entry at a time.
    in_flight: Option<Request>,
}

/// One step of the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Join(u8),
    Sync(u8),
    Commit(u8),
    Leave(u8),
    /// It was told so by its host.
    Heed(u8),
    /// A consumer dies and is started anew.
    Restart(u8),
    Expire(usize, String),
    Timeout(usize),
    /// What the host has in flight gets into the log.
    Land(usize),
    /// The host applies the next entry.
    Apply(usize),
    Crash,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// The state at the log's end.
    head: Replica,
    /// Events with an effect so far. Those without leave no trace, and take no position.
    position: u64,
    last_position: u64,
    lag_max: usize,
    /// What not every host has applied.
    tail: Vec<Written>,
    hosts: [Host; 2],
    clients: Vec<Client>,
    may_crash: bool,
    /// Per partition, where the last acknowledged commit stands.
    acknowledged: BTreeMap<u8, u64>,
    /// What each member of a generation was told to consume.
    told: BTreeMap<(i32, String), Vec<u8>>,
    refused_commit: bool,
    replaced: bool,
    fault: Option<&'static str>,
}

impl World {
    pub(crate) fn new(members: u8, with_static: bool, may_crash: bool) -> Self {
        let host = Host { up: true, applied: 0, replica: Replica::default(), in_flight: None };
        let client = |number: u8| Client {
            number,
            instance: (with_static && number == 1).then(|| "i".to_owned()),
            lives: 1,
            host: usize::from(number % 2),
            stand: Stand::Out,
        };
        Self {
            head: Replica::default(),
            position: 0,
            last_position: u64::MAX,
            lag_max: 2,
            tail: Vec::new(),
            hosts: [host.clone(), host],
            clients: (0..members).map(client).collect(),
            may_crash,
            acknowledged: BTreeMap::new(),
            told: BTreeMap::new(),
            refused_commit: false,
            replaced: false,
            fault: None,
        }
    }

    /// From now on so many events have an effect, and no host lags behind further than this.
    pub(crate) fn limit(&mut self, events: u64, lag: usize) {
        self.lag_max = lag;
        self.last_position = self.position + events;
    }

    /// All join, and all get their assignment.
    pub(crate) fn settle(&mut self) {
        let all =
            |action: fn(u8) -> Action, clients: &[Client]| clients.iter().map(|c| action(c.number)).collect::<Vec<_>>();
        let joins = all(Action::Join, &self.clients);
        let syncs = all(Action::Sync, &self.clients);
        for action in joins.into_iter().chain([Action::Timeout(0)]).chain(syncs) {
            self.act(&action);
            for host in [0, 1] {
                if self.hosts[host].in_flight.is_some() {
                    self.act(&Action::Land(host));
                }
            }
            for host in [0, 1] {
                self.act(&Action::Apply(host));
            }
        }
        assert!(self.clients.iter().all(|client| matches!(client.stand, Stand::Owner { .. })), "{self:#?}");
    }

    pub(crate) fn actions(&self, actions: &mut Vec<Action>) {
        if self.fault.is_some() {
            return;
        }
        for (number, host) in self.hosts.iter().enumerate() {
            if host.in_flight.is_some() && self.tail.len() < self.lag_max && self.position < self.last_position {
                actions.push(Action::Land(number));
            }
            if host.up && host.applied < self.tail.len() {
                actions.push(Action::Apply(number));
            }
            // Host 0's clocks would say nothing that host 1's do not.
            if number == 1 && host.in_flight.is_none() {
                self.proposals(number, actions);
            }
        }
        for client in &self.clients {
            self.wishes(client, actions);
        }
        if self.may_crash && self.hosts[0].up {
            actions.push(Action::Crash);
        }
    }

    /// What a host's clocks may say at any time.
    fn proposals(&self, number: usize, actions: &mut Vec<Action>) {
        let state = &self.hosts[number].replica.state;
        actions.extend(state.members.iter().map(|member| Action::Expire(number, member.id.clone())));
        let waits = match state.phase {
            Phase::Preparing { .. } => true,
            Phase::Completing | Phase::Stable => state.members.iter().any(|member| !member.synced),
            Phase::Empty { .. } => false,
        };
        if waits {
            actions.push(Action::Timeout(number));
        }
    }

    fn wishes(&self, client: &Client, actions: &mut Vec<Action>) {
        let host = &self.hosts[client.host];
        let number = client.number;
        if client.heartbeat(&host.replica.state).is_some() {
            actions.push(Action::Heed(number));
        }
        if client.instance.is_some() && client.lives < LIVES_MAX && client.stand != Stand::Out {
            actions.push(Action::Restart(number));
        }
        if host.in_flight.is_some() {
            return;
        }
        match &client.stand {
            Stand::Out if client.lives < LIVES_MAX => actions.push(Action::Join(number)),
            Stand::Known => actions.push(Action::Join(number)),
            Stand::Joined { .. } => actions.push(Action::Sync(number)),
            Stand::Owner { commit, .. } => {
                if *commit == CommitStand::NotYet {
                    actions.push(Action::Commit(number));
                }
                if number == 0 && *commit != CommitStand::Asked {
                    actions.push(Action::Leave(number));
                }
            }
            Stand::Out | Stand::Joining | Stand::Syncing { .. } => {}
        }
    }

    pub(crate) fn after(mut self, action: &Action) -> Self {
        self.act(action);
        self
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Join(number) => {
                let client = &mut self.clients[usize::from(*number)];
                let issued = client.stand == Stand::Out;
                if issued {
                    client.lives += 1;
                }
                client.stand = Stand::Joining;
                let request = Request::Join { client: *number, id: client.id(), issued };
                self.hosts[client.host].in_flight = Some(request);
            }
            Action::Sync(number) => {
                let client = &mut self.clients[usize::from(*number)];
                let stand = std::mem::replace(&mut client.stand, Stand::Out);
                let Stand::Joined { generation, members } = stand else { panic!("{stand:?}") };
                client.stand = Stand::Syncing { generation };
                let members = members.unwrap_or_default();
                let request = Request::Sync { client: *number, id: client.id(), generation, members };
                self.hosts[client.host].in_flight = Some(request);
            }
            Action::Commit(number) => {
                let client = &mut self.clients[usize::from(*number)];
                let id = client.id();
                let Stand::Owner { generation, owns, commit } = &mut client.stand else { panic!("{client:?}") };
                *commit = CommitStand::Asked;
                let request = Request::Commit { client: *number, id, generation: *generation, owns: owns.clone() };
                self.hosts[client.host].in_flight = Some(request);
            }
            Action::Leave(number) => {
                let client = &mut self.clients[usize::from(*number)];
                client.stand = Stand::Out;
                let request = Request::Leave { client: *number, id: client.id() };
                self.hosts[client.host].in_flight = Some(request);
            }
            Action::Heed(number) => {
                let client = &mut self.clients[usize::from(*number)];
                if let Some(stand) = client.heartbeat(&self.hosts[client.host].replica.state) {
                    client.stand = stand;
                }
            }
            Action::Restart(number) => self.clients[usize::from(*number)].stand = Stand::Out,
            Action::Expire(number, id) => {
                let host = &mut self.hosts[*number];
                let seen = host.replica.state.member(id).map_or(0, |member| member.seen.entry);
                host.in_flight = Some(Request::Expire { id: id.clone(), seen });
            }
            Action::Timeout(number) => {
                let host = &mut self.hosts[*number];
                host.in_flight = Some(Request::Timeout { phase: host.replica.state.phase_began.entry });
            }
            Action::Land(number) => self.land(*number),
            Action::Apply(number) => self.apply(*number),
            Action::Crash => self.crash(),
        }
    }

    fn land(&mut self, host: usize) {
        let request = self.hosts[host].in_flight.take().expect("it lands");
        let written = Written { position: self.position + 1, host, request };
        let before = self.head.state.clone();
        let event = self.event(&written);
        let (outcome, changes) = self.head.step(written.position, &event);
        let after = &*self.head.state;
        self.fault = fault_of(after).or(fault_of_step(&before, &event, after, &outcome, &changes));
        self.replaced |= !changes.replaced.is_empty();
        if *after != *before {
            self.position = written.position;
        }
        self.tail.push(written);
    }

    fn apply(&mut self, number: usize) {
        let host = &mut self.hosts[number];
        let Some(written) = self.tail.get(host.applied).cloned() else { return };
        host.applied += 1;
        let event = self.event(&written);
        let replica = &mut self.hosts[number].replica;
        let (outcome, changes) = replica.step(written.position, &event);
        let state = replica.state.clone();
        for client in self.clients.iter_mut().filter(|client| client.host == number) {
            let waited = client.clone();
            if written.host == number && written.request.client() == Some(client.number) && waits_for(&written, client)
            {
                client.answer(&state, &outcome);
            }
            client.hear(&state, &changes);
            let newly = !matches!(waited.stand, Stand::Owner { .. });
            if let Stand::Owner { generation, owns, .. } = &client.stand
                && newly
            {
                let told = self.told.entry((*generation, client.id())).or_insert_with(|| owns.clone());
                if told != owns {
                    self.fault = Some("3: a member of a generation was told different assignments");
                }
                let stale = owns.iter().any(|partition| {
                    let acknowledged = self.acknowledged.get(partition).copied().unwrap_or(0);
                    state.offsets.of(TOPIC, (*partition).into()).map_or(0, |committed| committed.at.entry)
                        < acknowledged
                });
                if stale {
                    self.fault = Some("10: an acknowledged commit was not there for the next owner");
                }
            }
        }
        if let Request::Commit { owns, .. } = &written.request
            && written.host == number
        {
            if outcome == Outcome::Done {
                for partition in owns {
                    let at = self.acknowledged.entry(*partition).or_default();
                    *at = written.position.max(*at);
                }
            } else {
                self.refused_commit = true;
            }
        }
        let everywhere = self.hosts.iter().filter(|host| host.up).map(|host| host.applied).min().unwrap_or(0);
        self.tail.drain(..everywhere);
        for host in self.hosts.iter_mut().filter(|host| host.up) {
            host.applied -= everywhere;
        }
    }

    /// Host 0 is gone; what it had in flight may still land. Its consumers go to the other one.
    fn crash(&mut self) {
        let host = &mut self.hosts[0];
        host.up = false;
        host.applied = 0;
        host.replica = Replica::default();
        self.tail.drain(..self.hosts[1].applied);
        self.hosts[1].applied = 0;
        for client in self.clients.iter_mut().filter(|client| client.host == 0) {
            client.host = 1;
            match &mut client.stand {
                // The connection for which the id was given out is gone, too.
                Stand::Joining => client.stand = if client.lives < LIVES_MAX { Stand::Out } else { Stand::Known },
                Stand::Syncing { .. } => client.stand = Stand::Known,
                Stand::Owner { commit, .. } if *commit == CommitStand::Asked => *commit = CommitStand::Answered,
                Stand::Out | Stand::Known | Stand::Joined { .. } | Stand::Owner { .. } => {}
            }
        }
    }

    fn event(&self, written: &Written) -> Event {
        let instance = written.request.client().and_then(|client| self.clients[usize::from(client)].instance.clone());
        let kind = match written.request.clone() {
            Request::Join { id, issued, .. } => Kind::Join(Join {
                member: id,
                fresh: issued && instance.is_some(),
                issued: issued && instance.is_none(),
                instance,
                session_ms: 10_000,
                rebalance_ms: 60_000,
                protocol_type: "consumer".into(),
                protocols: vec![Protocol { name: "range".into(), metadata: Bytes::new() }],
                max_size: u32::MAX,
                ..Join::default()
            }),
            Request::Sync { id, generation, members, .. } => {
                let assignments = self.deal(&members);
                Kind::Sync(Sync { member: id, instance, generation, assignments, ..Sync::default() })
            }
            Request::Commit { id, generation, owns, .. } => {
                let partition = |partition: u8| PartitionOffset {
                    partition: partition.into(),
                    offset: generation.into(),
                    ..PartitionOffset::default()
                };
                let partitions = owns.into_iter().map(partition).collect();
                let topics = vec![TopicOffsets { name: TOPIC.into(), partitions }];
                Kind::Commit(Commit { member: id, instance, generation, topics })
            }
            Request::Leave { id, .. } => Kind::Leave(Leave { members: vec![Leaver { member: id, instance }] }),
            Request::Expire { id, seen } => Kind::Expire(Expire { member: id, seen: at(seen) }),
            Request::Timeout { phase } => Kind::Timeout(Timeout { phase: at(phase) }),
        };
        kind.into()
    }

    /// As many partitions as consumers, dealt round to the members.
    fn deal(&self, members: &[String]) -> Vec<Assignment> {
        let partitions = 0..self.clients.len();
        let owned = |place: usize| partitions.clone().filter(|p| p % members.len() == place).map(|p| p as u8).collect();
        let assignment = |(place, member): (usize, &String)| {
            let owned: Vec<u8> = owned(place);
            Assignment { member: member.clone(), bytes: owned.into() }
        };
        members.iter().enumerate().map(assignment).collect()
    }
}

/// Whether this is what the consumer asked for last, and not something it gave up.
fn waits_for(written: &Written, client: &Client) -> bool {
    match (&written.request, &client.stand) {
        (Request::Join { id, .. }, Stand::Joining) => *id == client.id(),
        (Request::Sync { id, generation, .. }, Stand::Syncing { generation: asked }) => {
            *id == client.id() && generation == asked
        }
        (Request::Commit { id, .. }, Stand::Owner { commit: CommitStand::Asked, .. }) => *id == client.id(),
        _ => false,
    }
}

fn at(entry: u64) -> EventPosition {
    EventPosition::new(Position { ledger: 0, entry }, 0)
}
