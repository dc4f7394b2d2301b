//! The world: one clock, one seed, everything that happens in one queue.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use bytes::Bytes;
use isthmus::config::Config;
use isthmus::group::groups::AskId;
use isthmus::group::id::GroupId;
use isthmus::group::log::entry::Entry;
use isthmus::group::replica::link::{Event, LinkError};
use isthmus::ids::ConnectionId;

use crate::client::{Client, Role};
use crate::counts::Counts;
use crate::dice::Dice;
use crate::host::Host;
use crate::invariants;
use crate::link::{Frame, Link, Of};
use crate::time::{MS, Micros, SECOND, Skewed};
use crate::topic::Topic;
use crate::truth::Effects;

/// What happens at some time.
#[derive(Debug)]
pub(crate) enum Happening {
    HostTime { host: usize, run: u64 },
    Wake { connection: u32 },
    AtBroker { connection: u32, frame: Frame },
    AtHost { connection: u32, of: Of, request: Option<u64>, event: Event },
    Overdue { connection: u32, request: u64, of: Of, event: Event },
    Store { connection: u32, producer: u64, sequence_id: u64, payload: Bytes, incarnation: u64 },
    Fenced { connection: u32, producer: u64 },
    Client { client: usize, timer: u64 },
    Revive { client: usize },
    AskDue { client: usize, ask: AskId, connection: u32 },
    GiveUp { client: usize, ask: AskId, connection: u32 },
    Fault,
    Break { connection: u32 },
    Healed { connection: u32 },
    Reinstated { connection: u32 },
}

struct Queued {
    at: Micros,
    order: u64,
    happening: Happening,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// A run has this many steps if something in it never ends.
const MOST_STEPS: u64 = 3_000_000;

/// What a run is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Times of faults, each followed by a time of quiet.
    pub(crate) rounds: u64,
    pub(crate) every_digest: bool,
}

/// See the module.
pub(crate) struct World {
    pub(crate) now: Micros,
    pub(crate) dice: Dice,
    pub(crate) counts: Counts,
    pub(crate) group: GroupId,
    pub(crate) topic: Topic,
    pub(crate) hosts: Vec<Host>,
    pub(crate) links: BTreeMap<u32, Link>,
    pub(crate) clients: Vec<Client>,
    /// The next leader's assignments, by life, generation and member.
    pub(crate) handed_out: HashMap<(u64, i32, String), Bytes>,
    pub(crate) partitions: u32,
    /// Commits have long metadata.
    pub(crate) wide: bool,
    /// Longest time between two commits of a member.
    pub(crate) commit_every: Micros,
    /// No faults.
    pub(crate) quiet: bool,
    quiet_since: Micros,
    /// Until then only the administrator is there.
    pub(crate) abandoned_until: Micros,
    /// Clients ask no more.
    pub(crate) resting: bool,
    /// Of a thousand SENDs, receipts: so many are lost or doubled.
    pub(crate) lossy: u64,
    pub(crate) refusal: Option<(Micros, LinkError)>,
    pub(crate) stalled_until: Micros,
    pub(crate) stores_at: Micros,
    pub(crate) config: Config,
    queue: BinaryHeap<Reverse<Queued>>,
    order: u64,
    last_id: u64,
    /// What happens between these is printed: `ISTHMUS_TEST_TRACE=<from ms>-<to ms>`.
    traced: std::ops::Range<Micros>,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let mut dice = Dice::new(plan.seed);
        let config = Config {
            group_initial_rebalance_delay_ms: *dice.pick(&[0, 500, 3000]).expect("some"),
            ..Config::default()
        };
        let hosts = (0..dice.between(2, 5)).map(|_| new_host(&config, &mut dice, 0)).collect();
        let mut clients: Vec<Client> =
            (0..dice.between(2, 5)).map(|_| Client::new(Role::Member(None), &mut dice)).collect();
        for instance in 0..dice.between(0, 2) {
            clients.push(Client::new(Role::Member(Some(instance as usize)), &mut dice));
        }
        for role in [Role::Committer, Role::Reader, Role::Admin, Role::Stale] {
            clients.push(Client::new(role, &mut dice));
        }
        let wide = dice.permille(500);
        let mut world = Self {
            now: 0,
            counts: Counts { every_digest: plan.every_digest, ..Counts::default() },
            group: GroupId::new("g").expect("a name"),
            topic: Topic::new(),
            hosts,
            links: BTreeMap::new(),
            clients,
            handed_out: HashMap::new(),
            partitions: dice.between(2, 3) as u32,
            wide,
            commit_every: *dice.pick(&[200 * MS, SECOND, 8 * SECOND]).expect("some"),
            quiet: false,
            quiet_since: 0,
            abandoned_until: 0,
            resting: false,
            lossy: dice.between(0, 8),
            refusal: None,
            stalled_until: 0,
            stores_at: 0,
            config,
            queue: BinaryHeap::new(),
            order: 0,
            last_id: 0,
            traced: traced(),
            dice,
        };
        for client in 0..world.clients.len() {
            let begins = world.dice.between(0, 5 * SECOND);
            world.later(client, begins);
        }
        world
    }

    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        if self.traced.contains(&self.now) {
            eprintln!("{:>12.3} {}", self.now as f64 / MS as f64, what());
        }
    }

    pub(crate) fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn at(&mut self, at: Micros, happening: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Queued { at: at.max(self.now), order: self.order, happening }));
    }

    pub(crate) fn after(&mut self, delay: Micros, happening: Happening) {
        self.at(self.now + delay, happening);
    }

    /// The whole of a run.
    pub(crate) fn run(&mut self, plan: Plan) {
        for _ in 0..plan.rounds {
            self.quiet = false;
            self.lossy = self.dice.between(0, 15);
            self.after(0, Happening::Fault);
            let long = self.dice.between(20, 120) * SECOND;
            self.run_until(self.now + long);
            self.heal();
            let rebalance = self.clients.iter().map(|client| client.rebalance).max().unwrap_or(0);
            let session = self.clients.iter().map(|client| client.session).max().unwrap_or(0);
            let bound = (rebalance + 2 * session + 20 * SECOND) * 1000 / 960;
            self.run_until(self.now + bound);
            self.check_settled();
            // And it stays so.
            let (rounds, still) = (self.counts.rounds, self.dice.between(20, 150) * SECOND);
            self.run_until(self.now + still);
            self.check_settled();
            assert_eq!(self.counts.rounds, rounds, "invariant 12: a group that nothing disturbs rebalances");
            self.counts.quiet_phases += 1;
        }
        self.rest();
    }

    fn check_settled(&self) {
        // A topic that nobody joined or committed to does not exist.
        invariants::twelve_the_group_is_what_its_living_members_are(&self.topic.truth.state, &self.living());
    }

    /// The clients stay connected and ask for nothing: whatever was under way comes to an end, and is forgotten.
    fn rest(&mut self) {
        self.resting = true;
        self.run_until(self.now + 240 * SECOND);
        for (index, client) in self.clients.iter().enumerate() {
            assert!(client.ask.is_none(), "invariant 11: at rest client {index} waits for {:?}", client.ask);
        }
        for (index, host) in self.hosts.iter().enumerate() {
            assert_eq!(host.groups.sizes(), (0, 0), "invariant 11: at rest host {index} still has a replica");
            assert_eq!(host.groups.next_deadline(), None, "invariant 11: at rest host {index} waits for something");
        }
        for (connection, link) in self.links.iter().filter(|(_, link)| link.is_open()) {
            assert!(!link.is_attached(), "invariant 11: at rest connection {connection} holds a reader or a producer");
        }
        self.replay_all();
    }

    fn run_until(&mut self, end: Micros) {
        while let Some(Reverse(next)) = self.queue.peek() {
            if next.at > end {
                break;
            }
            let Some(Reverse(Queued { at, happening, .. })) = self.queue.pop() else { break };
            self.now = at;
            self.counts.steps += 1;
            assert!(self.counts.steps < MOST_STEPS, "invariant 11: the world spins at {} ms", at / MS);
            self.trace(|| brief(&happening));
            self.happen(happening);
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::HostTime { host, run } => self.host_time(host, run),
            Happening::Wake { connection } => {
                if let Some(link) = self.links.get(&connection).filter(|link| link.is_open()) {
                    self.on_host(link.host, Some(connection), |_, _| ());
                }
            }
            Happening::AtBroker { connection, frame } => self.at_broker(connection, frame),
            Happening::AtHost { connection, of, request, event } => {
                self.at_host(connection, of, request, event, false);
            }
            Happening::Overdue { connection, request, of, event } => self.overdue(connection, request, of, event),
            Happening::Store { connection, producer, sequence_id, payload, incarnation } => {
                self.store(connection, producer, sequence_id, payload, incarnation);
            }
            Happening::Fenced { connection, producer } => self.fenced(connection, producer),
            Happening::Client { client, timer } => {
                if self.clients[client].timer == timer {
                    self.client_turn(client);
                }
            }
            Happening::Revive { client } => {
                if !self.clients[client].alive {
                    self.clients[client].alive = true;
                    self.later(client, 0);
                }
            }
            Happening::AskDue { client, ask, connection } => self.ask_due(client, ask, connection),
            Happening::GiveUp { client, ask, connection } => self.give_up(client, ask, connection),
            Happening::Fault => {
                if !self.quiet {
                    self.fault();
                    let next = self.dice.between(100 * MS, 8 * SECOND);
                    self.after(next, Happening::Fault);
                }
            }
            Happening::Break { connection } => self.break_connection(connection),
            Happening::Healed { connection } => {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.latency = 500;
                }
            }
            Happening::Reinstated { connection } => {
                if self.links.get(&connection).is_some_and(|link| link.deposed.is_some()) {
                    self.close_at_broker(connection);
                }
            }
        }
    }

    /// A client closes its connection, or it breaks.
    pub(crate) fn disconnect(&mut self, client: usize) {
        self.clients[client].ask = None;
        let Some(connection) = self.clients[client].connection.take() else { return };
        // What is on its way may arrive, up to some moment.
        let ends = self.now + if self.dice.permille(500) { 0 } else { self.dice.between(0, 100 * MS) };
        let Some(link) = self.links.get_mut(&connection) else { return };
        link.ends = Some(ends);
        let host = link.host;
        self.on_host(host, None, |groups, now| groups.detach(ConnectionId(connection), now));
        let now = self.now;
        self.links.retain(|_, link| link.ends.is_none_or(|ends| ends >= now));
    }

    /// What an entry did, against what the clients know.
    pub(crate) fn judge_effects(&self, effects: &Effects) {
        if !self.quiet || self.now < self.quiet_since + 40 * SECOND || self.resting {
            return;
        }
        for member in &effects.expired {
            if let Some(client) = self.clients.iter().find(|client| client.alive && client.member == *member) {
                let waits = client.ask.is_some();
                let heard = if waits { self.now } else { client.heard };
                invariants::twelve_who_is_heard_is_not_expired(member, heard, client.session * 9 / 10, self.now);
            }
        }
    }

    /// The faults are over.
    fn heal(&mut self) {
        self.quiet = true;
        self.quiet_since = self.now;
        self.lossy = 0;
        self.refusal = None;
        self.stalled_until = self.now;
        self.abandoned_until = self.now;
        let connections: Vec<u32> = self.links.keys().copied().collect();
        for connection in connections {
            let Some(link) = self.links.get_mut(&connection) else { continue };
            link.latency = link.latency.min(1000);
            if link.deaf || link.mute {
                self.break_connection(connection);
            } else if link.deposed.is_some() {
                self.close_at_broker(connection);
            }
        }
        for client in 0..self.clients.len() {
            if !self.clients[client].alive && self.clients[client].is_member() && self.dice.permille(300) {
                self.clients[client].alive = true;
                self.later(client, 0);
            }
        }
    }

    /// Loads from the log as it is, and as it was a while ago.
    pub(crate) fn replay_now_and_then(&mut self) {
        if self.dice.permille(2) {
            let kept = self.topic.kept();
            let index = self.dice.between(kept.start as u64, kept.end as u64 - 1) as usize;
            self.replay(index);
        }
    }

    fn replay_all(&mut self) {
        let kept = self.topic.kept();
        for index in kept.clone().rev().take(1).chain(kept.rev().step_by(97).take(10)) {
            self.replay(index);
        }
    }

    fn replay(&mut self, index: usize) {
        let Some((position, _)) = self.topic.get(index).cloned() else { return };
        // What the guard does not hold is read by nobody any more, but as the last one.
        if !self.topic.is_guarded(position) && index + 1 < self.topic.len() {
            return;
        }
        match self.topic.load_up_to(index) {
            Ok(state) => {
                assert_eq!(state.log.applied, Some(position), "invariant 2: a load ends elsewhere");
                invariants::one_equal_logs_make_equal_states(&self.topic.truth, &state, position, true);
                self.counts.loads_replayed += 1;
            }
            Err(breach) => assert!(
                index + 1 < self.topic.len() && self.topic.kept().start > 0,
                "invariant 2: the log up to {position:?} cannot be loaded: {breach:?}"
            ),
        }
    }
}

pub(crate) fn new_host(config: &Config, dice: &mut Dice, run: u64) -> Host {
    let clock = Skewed {
        offset_nanos: dice.between(0, 1_000_000_000_000),
        rate: dice.between(970, 1030),
        unix_offset_ms: dice.between(0, 2000) as i64 - 1000,
    };
    Host::new(config, dice.next(), clock, run)
}

fn traced() -> std::ops::Range<Micros> {
    let given = std::env::var("ISTHMUS_TEST_TRACE").unwrap_or_default();
    let mut ends = given.split('-').map(|end| end.parse::<Micros>().map_or(Micros::MAX, |end| end * MS));
    let from = ends.next().unwrap_or(Micros::MAX);
    from..ends.next().unwrap_or(Micros::MAX)
}

/// A line of a trace: what entries hold instead of their bytes.
fn brief(happening: &Happening) -> String {
    let entry = |payload: &Bytes| {
        let Some(entry) = Entry::read(payload) else { return "unreadable".to_owned() };
        let events: Vec<String> = entry.events.iter().map(|event| format!("{:.60?}", event.kind)).collect();
        let writer = entry.writer % 1000;
        format!(
            "w{writer} e{} s{}{} {}",
            entry.epoch,
            entry.seq,
            if entry.open { " open" } else { "" },
            events.join(", ")
        )
    };
    #[allow(clippy::wildcard_enum_match_arm, reason = "the rest is shown as it is")]
    match happening {
        Happening::AtBroker { connection, frame: Frame::Send { producer, sequence_id, payload } } => {
            format!("#{connection} SEND p{producer} {sequence_id}: {}", entry(payload))
        }
        Happening::Store { connection, producer, payload, .. } => {
            format!("#{connection} store p{producer}: {}", entry(payload))
        }
        Happening::AtHost { connection, event: Event::Message(position, Some(payload)), .. } => {
            format!("#{connection} MESSAGE {}:{} {}", position.ledger, position.entry, entry(payload))
        }
        other => format!("{other:?}"),
    }
}
