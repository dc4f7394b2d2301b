//! A worker between clients and a broker: connections come and go, requests, answers, noise and time arrive in any order.
//!
//! Whatever happens, nothing panics or grows without bound, responses leave in the order of their requests, everything is answered
//! once its time is up, what was due is not due again, and when all are gone nothing is held.

mod broker;
mod client;
mod configs;
mod groups;
mod source;

use std::time::Duration;

use bytes::Bytes;
use isthmus::config::{Config, OffsetMode};
use isthmus::error::AdminError;
use isthmus::ids::ConnectionId;
use isthmus::session::admin::{CallId, HttpReply};
use isthmus::session::io::Endpoints;
use isthmus::time::{Instant, Now, UnixMillis};
use isthmus::worker::Worker;

use broker::{Broker, Log};
use client::Client;
use source::Source;

const CONNECTIONS_MAX: usize = 4;

const STEPS_MS: [u64; 8] = [0, 1, 10, 100, 1_000, 10_000, 31_000, 100_000];

/// Far above what the configuration below allows to be held, and far below what an input of some KiB could be blown up to.
const BUFFERED_MAX: usize = 4 << 20;

/// Longer than every deadline of the filter, one after the other.
const PATIENCE: Duration = Duration::from_secs(2_400);

const REPLIES: [(u16, &str); 13] = [
    (200, r#"{"kafka.log-start.a":"0=1,1=4","kafka.log-start.b":"0=3"}"#),
    (200, r#"{"kafka.changed":"1"}"#),
    (200, r#"{"retentionTimeInMinutes":5,"retentionSizeInMB":-1}"#),
    (200, r#"{"kafka.cleanup.policy":"compact","defaultRetentionTimeInMinutes":"5"}"#),
    (200, r#"{"storageSize":7,"partitions":{"persistent://public/default/t-partition-0":{"storageSize":7}}}"#),
    (200, r#"{"partitions":2}"#),
    (204, ""),
    (200, r#"{"lastConfirmedEntry":"7:2","properties":{"index":"5"},"ledgers":[{"ledgerId":7,"entries":3}]}"#),
    (200, r#"{"ledgerId":7,"entryId":1}"#),
    (404, r#"{"reason":"not found"}"#),
    (409, r#"{"reason":"exists"}"#),
    (500, "?"),
    (200, "[]"),
];

/// Reads `input` as operations, one after the other.
pub fn run(input: &[u8]) {
    let mut source = Source(input);
    let mut world = World::new(&mut source);
    while !source.is_empty() {
        world.operate(&mut source);
    }
    world.come_to_rest();
    world.close_all();
}

struct World {
    worker: Worker,
    now: Instant,
    links: Vec<Link>,
    log: Log,
    last_connection: u32,
}

/// One connection with both its ends.
struct Link {
    id: ConnectionId,
    client: Client,
    broker: Broker,
    /// Written by the client and not yet delivered.
    written: Vec<u8>,
    /// Delivered, and left where it is because the worker is full.
    held: Vec<u8>,
    calls: Vec<CallId>,
    half_closed: bool,
}

impl World {
    fn new(source: &mut Source<'_>) -> Self {
        let choices = source.byte();
        let config = Config {
            max_request_bytes: 8 << 10,
            max_held_bytes_per_connection: 16 << 10,
            max_held_bytes_per_worker: 24 << 10,
            max_in_flight_requests: 8,
            max_connections_per_worker: 3,
            max_producers_per_connection: 2,
            max_readers_per_connection: 2,
            idempotence_readback_entries: 3,
            entry_per_key: choices & 1 == 1,
            offsets: if choices & 2 == 2 { OffsetMode::MessageId } else { OffsetMode::Index },
            ..Config::default()
        };
        let mut world = Self {
            worker: Worker::new(config, 7),
            now: Instant::from_millis(1_000),
            links: Vec::new(),
            log: Log::default(),
            last_connection: 0,
        };
        world.open();
        world
    }

    fn now(&self) -> Now {
        let millis = i64::try_from(self.now.since(Instant::default()).as_millis()).unwrap_or(0);
        Now { instant: self.now, unix: UnixMillis(1_700_000_000_000 + millis) }
    }

    fn operate(&mut self, source: &mut Source<'_>) {
        let operation = source.byte();
        if self.links.is_empty() || operation >= 250 {
            return self.open();
        }
        let at = if self.links.len() == 1 { 0 } else { source.below(self.links.len()) };
        match operation {
            0..70 => {
                let request = self.links[at].client.request(source);
                self.links[at].written.extend(request);
                if operation >= 10 {
                    self.deliver(at, usize::MAX);
                }
            }
            70..80 => self.deliver(at, 1 + source.below(64)),
            80..90 => {
                let count = source.below(32);
                self.links[at].client.garbled = true;
                self.links[at].written.extend(source.bytes(count));
                self.deliver(at, usize::MAX);
            }
            90..180 => {
                let bytes = self.links[at].broker.answer(&mut self.log, source);
                self.upstream(at, bytes, source);
            }
            180..195 => {
                let bytes = self.links[at].broker.unasked(&self.log, source);
                self.upstream(at, bytes, source);
            }
            195..200 => {
                let count = source.below(32);
                let bytes = source.bytes(count);
                self.upstream(at, bytes, source);
            }
            200..220 => self.admin(at, source),
            220..240 => self.wait(Duration::from_millis(*source.pick(&STEPS_MS))),
            240..244 => self.half_close(at),
            _ => self.close(at),
        }
    }

    fn open(&mut self) {
        if self.links.len() >= CONNECTIONS_MAX {
            return;
        }
        self.last_connection += 1;
        let id = ConnectionId(self.last_connection);
        let now = self.now();
        let reached = "127.0.0.1:9092".parse().ok();
        if self.worker.on_open(id, Endpoints { reached, peer: None }, now) {
            let (client, broker) = (Client::new(), Broker::new());
            let (written, held, calls) = Default::default();
            self.links.push(Link { id, client, broker, written, held, calls, half_closed: false });
        }
    }

    /// The client's bytes arrive, up to `count` of them.
    fn deliver(&mut self, at: usize, count: usize) {
        let link = &mut self.links[at];
        if link.half_closed {
            return;
        }
        let count = count.min(link.written.len());
        link.held.extend(link.written.drain(..count));
        if !self.worker.is_full(link.id) {
            self.take_in(at);
        }
        self.after(at);
    }

    fn take_in(&mut self, at: usize) {
        let (id, now) = (self.links[at].id, self.now());
        let held = std::mem::take(&mut self.links[at].held);
        if !held.is_empty() {
            self.worker.on_downstream(id, held.into(), now);
        }
    }

    /// The broker's bytes arrive, in one piece or two: only then the client can be reached.
    fn upstream(&mut self, at: usize, bytes: Vec<u8>, source: &mut Source<'_>) {
        let cut = if source.byte() < 200 { bytes.len() } else { source.below(bytes.len() + 1) };
        let bytes = Bytes::from(bytes);
        for piece in [bytes.slice(..cut), bytes.slice(cut..)] {
            if !piece.is_empty() {
                self.hear(at, piece);
            }
        }
    }

    fn hear(&mut self, at: usize, bytes: Bytes) {
        let (id, now) = (self.links[at].id, self.now());
        let mut segments = Vec::new();
        self.worker.on_upstream(id, bytes, now);
        self.worker.take_downstream(id, &mut segments, now);
        if !self.worker.is_full(id) {
            self.take_in(at);
            self.worker.take_downstream(id, &mut segments, now);
        }
        for segment in segments {
            self.links[at].client.on_bytes(segment);
        }
        self.after(at);
    }

    fn admin(&mut self, at: usize, source: &mut Source<'_>) {
        let calls = &mut self.links[at].calls;
        if calls.is_empty() {
            return;
        }
        let call = calls.remove(source.below(calls.len()));
        let reply = match source.below(10) {
            0 => Err(AdminError::Unreachable),
            1 => Ok(HttpReply { status: 200, body: source.bytes(16).into() }),
            _ => {
                let (status, body) = *source.pick(&REPLIES);
                Ok(HttpReply { status, body: body.into() })
            }
        };
        let now = self.now();
        self.worker.on_admin(self.links[at].id, call, reply, now);
        self.after(at);
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.tick();
    }

    fn tick(&mut self) {
        let now = self.now();
        for id in self.worker.on_time(now) {
            if let Some(at) = self.links.iter().position(|link| link.id == id) {
                self.after(at);
            }
        }
        let next = self.worker.next_deadline();
        assert!(next.is_none_or(|next| next > self.now), "what was due is due again: {next:?} at {:?}", self.now);
        while let Some(at) = self.links.iter().position(|link| self.worker.wants_close(link.id)) {
            self.close(at);
        }
    }

    fn half_close(&mut self, at: usize) {
        if !self.links[at].half_closed {
            self.deliver(at, usize::MAX);
            self.take_in(at);
            self.after(at);
            self.links[at].half_closed = true;
            let now = self.now();
            self.worker.on_half_close(self.links[at].id, now);
            self.after_touched();
        }
    }

    fn close(&mut self, at: usize) {
        let link = self.links.remove(at);
        let now = self.now();
        self.worker.on_close(link.id, now);
        self.after_touched();
    }

    /// Carries out what the worker asks for, as the host does.
    fn after(&mut self, at: usize) {
        self.drain(at);
        self.after_touched();
    }

    /// Members of a group give each other something to do.
    fn after_touched(&mut self) {
        loop {
            let touched = self.worker.take_touched();
            if touched.is_empty() {
                return;
            }
            for id in touched {
                if let Some(at) = self.links.iter().position(|link| link.id == id) {
                    self.drain(at);
                }
            }
        }
    }

    fn drain(&mut self, at: usize) {
        let id = self.links[at].id;
        while self.worker.has_upstream(id) {
            self.take_in(at);
            let bytes = self.worker.take_upstream(id, Vec::new());
            assert!(!self.links[at].half_closed, "nothing may be sent after the end of the stream");
            self.links[at].broker.on_bytes(bytes.into());
        }
        while let Some((call, _)) = self.worker.poll_admin(id) {
            self.links[at].calls.push(call);
        }
        self.worker.drain_log();
        let buffered = self.worker.session(id).map_or(0, |session| session.buffered_bytes());
        assert!(buffered <= BUFFERED_MAX, "{buffered} bytes are held for one connection");
    }

    /// The broker says no more than that it lives: everything is answered all the same, or its connection is closed.
    fn come_to_rest(&mut self) {
        for at in 0..self.links.len() {
            self.deliver(at, usize::MAX);
        }
        let until = self.now + PATIENCE;
        while self.now < until {
            for at in 0..self.links.len() {
                loop {
                    let pongs = self.links[at].broker.pongs();
                    if pongs.is_empty() {
                        break;
                    }
                    self.hear(at, pongs.into());
                }
            }
            let next = self.worker.next_deadline().unwrap_or(until);
            self.now = next.max(self.now + Duration::from_millis(1)).min(until);
            self.tick();
        }
        for link in &self.links {
            let work = self.worker.session(link.id).map_or(0, |session| session.open_work());
            assert_eq!(work, 0, "requests are still in flight");
            let is_answered = link.client.garbled || link.half_closed || link.client.awaited() == 0;
            assert!(is_answered, "{} requests are not answered", link.client.awaited());
        }
    }

    fn close_all(&mut self) {
        while !self.links.is_empty() {
            self.close(0);
        }
        let shared = self.worker.shared();
        assert_eq!((shared.held.used(), shared.prefetch.used()), (0, 0), "bytes are held for nobody");
        assert_eq!(self.worker.next_deadline(), None);
    }
}
