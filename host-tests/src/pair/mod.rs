//! Kafka clients, the filter and the scripted broker on one virtual clock: the second and third ring of tests.
//!
//! [`Pair`] moves bytes until nobody has anything to say, then the clock to the next thing that is due. How bytes are cut is part
//! of a test ([`Splits`]); so are the broker's faults. Nothing here sleeps, and one seed is one run.

mod client;
mod filter;
mod fleet;
mod module;
mod native;
mod producer;
pub mod records;

use std::time::Duration;

use isthmus::time::{Instant, Now, UnixMillis};
use kafka_protocol::protocol::Request;

use crate::scripted::{Conn, ScriptedBroker};
use client::Client;
pub use client::{ClientError, Ticket};
pub use filter::{CallToken, Filter, FilterConn, LeftOver};
pub use fleet::Fleet;
pub use native::NativeFilter;
pub use producer::{Outcome, Stuck, produce_all};

/// The wall clock's start.
const UNIX_START_MS: i64 = 1_700_000_000_000;

/// Rounds of moving bytes without the clock moving: more is a livelock.
const ROUNDS_MAX: u32 = 10_000;

/// Steps without the clock moving: more is a deadline that is never met.
const STEPS_STANDING_MAX: u32 = 1_000;

/// How a stream is cut on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splits {
    /// As it was written.
    Whole,
    /// Byte by byte.
    Bytes,
    /// In pieces of random size up to `max`.
    Random {
        /// One seed, one run.
        seed: u64,
        /// The largest piece.
        max: usize,
    },
}

/// How long an answer of the admin REST takes.
const HTTP_DELAY: Duration = Duration::from_millis(3);

/// Clients, filter, broker, clock.
pub struct Pair<F> {
    /// The filter under test.
    pub filter: F,
    /// The broker behind it.
    pub broker: ScriptedBroker,
    now: Instant,
    standing: u32,
    splits: Splits,
    links: Vec<Link>,
    http: Vec<(Instant, CallToken, crate::http::HttpRequest)>,
}

/// One client, its connection to the filter, and the filter's to the broker.
struct Link {
    client: Client,
    filter: FilterConn,
    broker: Conn,
    /// The client has seen the end.
    closed: bool,
    error: Option<ClientError>,
}

/// Names a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId(usize);

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The connection was closed.
    Closed,
    /// Not within the time that the caller gave.
    TimedOut,
    /// What came was no good answer.
    Broken(ClientError),
}

impl<F: Filter> Pair<F> {
    /// Nobody is connected yet.
    pub fn new(filter: F, broker: ScriptedBroker) -> Self {
        Self {
            filter,
            broker,
            now: Instant::from_millis(1000),
            standing: 0,
            splits: Splits::Whole,
            links: Vec::new(),
            http: Vec::new(),
        }
    }

    /// Cuts every stream like this from now on.
    pub fn with_splits(mut self, splits: Splits) -> Self {
        self.splits = splits;
        self
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        let millis = i64::try_from(self.now.since(Instant::default()).as_millis()).unwrap_or(i64::MAX);
        Now { instant: self.now, unix: UnixMillis(UNIX_START_MS + millis) }
    }

    /// A client connects.
    pub fn connect(&mut self) -> ClientId {
        let now = self.now();
        let link = Link {
            client: Client::new(),
            filter: self.filter.open(now),
            broker: self.broker.connect(now),
            closed: false,
            error: None,
        };
        self.links.push(link);
        ClientId(self.links.len() - 1)
    }

    /// Queues a request; nothing moves yet.
    pub fn send<R: Request>(&mut self, client: ClientId, request: &R, version: i16) -> Ticket<R> {
        self.links[client.0].client.request(client.0, request, version, true)
    }

    /// Queues a request that has no answer.
    pub fn send_unanswered<R: Request>(&mut self, client: ClientId, request: &R, version: i16) {
        self.links[client.0].client.request(client.0, request, version, false);
    }

    /// Queues bytes that are no request.
    pub fn send_bytes(&mut self, client: ClientId, bytes: &[u8]) {
        self.links[client.0].client.out.extend_from_slice(bytes);
    }

    /// Sends a request and runs until it is answered, or `within` has passed.
    pub fn ask<R: Request>(
        &mut self,
        client: ClientId,
        request: &R,
        version: i16,
        within: Duration,
    ) -> Result<R::Response, NoAnswer> {
        let ticket = self.send(client, request, version);
        self.wait(ticket, within)
    }

    /// Runs until `ticket` is answered, or `within` has passed.
    pub fn wait<R: Request>(&mut self, ticket: Ticket<R>, within: Duration) -> Result<R::Response, NoAnswer> {
        let until = self.now + within;
        loop {
            self.settle();
            let link = &mut self.links[ticket.client];
            if let Some(error) = &link.error {
                return Err(NoAnswer::Broken(error.clone()));
            }
            if link.client.has_answer(ticket.correlation_id) {
                return link.client.answer(ticket).ok_or(NoAnswer::TimedOut);
            }
            if link.closed {
                return Err(NoAnswer::Closed);
            }
            if !self.step(until) {
                return Err(NoAnswer::TimedOut);
            }
        }
    }

    /// Runs for `time`.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        self.settle();
        while self.step(until) {
            self.settle();
        }
    }

    /// Closes a client's connection from the client's side.
    pub fn disconnect(&mut self, client: ClientId) {
        let now = self.now();
        let link = &mut self.links[client.0];
        link.closed = true;
        self.filter.downstream_gone(link.filter, now);
        self.broker.disconnect(link.broker, now);
    }

    /// Whether the client's connection is over.
    pub fn is_closed(&self, client: ClientId) -> bool {
        self.links[client.0].closed
    }

    /// The broker's side of a client's connection, to be closed by a test.
    pub fn broker_conn(&self, client: ClientId) -> Conn {
        self.links[client.0].broker
    }

    /// Requests without an answer, over all clients whose connection is open.
    pub fn awaited(&self) -> usize {
        self.links.iter().filter(|link| !link.closed).map(|link| link.client.awaited()).sum()
    }

    /// Moves bytes until nobody has anything to say now.
    pub fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if !self.round() {
                return;
            }
        }
        panic!("bytes move for ever at {:?}", self.now);
    }

    /// Moves the clock to what is due next, or to `until` if that comes first: then there is no further step.
    fn step(&mut self, until: Instant) -> bool {
        let due = self.broker.poll_timeout().into_iter().chain(self.filter.poll_timeout());
        let next = due.chain(self.http.iter().map(|(at, _, _)| *at)).min();
        // What is overdue is done now: a step, though the clock stands still.
        let at = next.map_or(until, |next| next.max(self.now)).min(until);
        self.standing = if at == self.now { self.standing + 1 } else { 0 };
        assert!(
            self.standing < STEPS_STANDING_MAX,
            "the clock stands still at {at:?}: due are the broker's {:?} and the filter's {:?}",
            self.broker.poll_timeout(),
            self.filter.poll_timeout()
        );
        self.now = at;
        let now = self.now();
        self.broker.handle_timeout(now);
        self.filter.handle_timeout(now);
        next.is_some_and(|next| next < until)
    }

    /// One exchange in every direction; whether anything moved.
    fn round(&mut self) -> bool {
        let now = self.now();
        let mut moved = self.answer_http(now);
        for at in 0..self.links.len() {
            let link = &mut self.links[at];
            let (filter, broker) = (link.filter, link.broker);
            if !link.closed && !link.client.out.is_empty() && self.filter.wants_downstream(filter) {
                let bytes = std::mem::take(&mut link.client.out);
                moved = true;
                for piece in pieces(&mut self.splits, &bytes) {
                    self.filter.downstream(filter, piece, now);
                }
            }
            let bytes = self.filter.take_upstream(filter);
            moved |= !bytes.is_empty();
            for piece in pieces(&mut self.splits, &bytes) {
                self.broker.on_bytes(broker, piece, now);
            }
            while let Some(bytes) = self.broker.poll_output(broker, now) {
                moved = true;
                for piece in pieces(&mut self.splits, &bytes) {
                    self.filter.upstream(filter, piece, now);
                }
            }
            let bytes = self.filter.take_downstream(filter);
            moved |= !bytes.is_empty();
            let link = &mut self.links[at];
            for piece in pieces(&mut self.splits, &bytes) {
                if link.error.is_none() {
                    link.error = link.client.on_bytes(piece).err();
                }
            }
            moved |= self.end(at, now);
        }
        moved
    }

    /// Ends travel to the other side.
    fn end(&mut self, at: usize, now: Now) -> bool {
        let link = &mut self.links[at];
        if link.closed {
            return false;
        }
        let by_filter = self.filter.is_closed(link.filter);
        let by_broker = self.broker.is_closed(link.broker);
        if by_broker && !by_filter {
            self.filter.upstream_end(link.filter, now);
        }
        if by_filter || by_broker {
            link.closed = true;
            // A client that sees the end closes too.
            self.filter.downstream_gone(link.filter, now);
            self.broker.disconnect(link.broker, now);
        }
        link.closed
    }

    fn answer_http(&mut self, now: Now) -> bool {
        while let Some((call, request)) = self.filter.poll_http() {
            self.http.push((self.now + HTTP_DELAY, call, request));
        }
        let due: Vec<_> = self.http.extract_if(.., |(at, _, _)| *at <= now.instant).collect();
        let moved = !due.is_empty();
        for (_, call, request) in due {
            let answer = self.broker.http(&request, now);
            self.filter.http_answer(call, answer, now);
        }
        moved
    }
}

/// Cuts `bytes`; none are no piece.
fn pieces<'a>(splits: &mut Splits, bytes: &'a [u8]) -> Vec<&'a [u8]> {
    match splits {
        Splits::Whole => bytes.chunks(bytes.len().max(1)).collect(),
        Splits::Bytes => bytes.chunks(1).collect(),
        Splits::Random { seed, max } => {
            let mut pieces = Vec::new();
            let mut rest = bytes;
            while !rest.is_empty() {
                let size = 1 + usize::try_from(crate::draw(seed) % (*max as u64)).unwrap_or(0);
                let (piece, after) = rest.split_at(size.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces
        }
    }
}
