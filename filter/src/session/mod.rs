//! One client connection: the Kafka half, the Pulsar half, and what keeps them in step.
//!
//! Every `on_*` is one event; after it, drain [`Session::take_upstream`], [`Session::poll_admin`] and, after [`Session::on_upstream`],
//! [`Session::take_downstream`]: the client can be reached only while the host handles bytes from the broker.

pub mod admin;
mod carrier;
pub mod inboxes;
pub mod io;
pub mod kafka_conn;
pub mod ownership;
pub mod producer_events;
pub mod pulsar_conn;
mod replies;
pub mod requests;
pub mod subscriptions;
pub mod table;
pub mod wake;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::apis::exchange::{Answer, Context, Exchange, Refusal, Request, Started};
use crate::apis::{api_versions, find};
use crate::error::{AdminError, PulsarError};
use crate::fetch::readers::Readers;
use crate::ids::ConnectionId;
use crate::kafka::header::RequestHeader;
use crate::offsets::floors::questions::FloorQuestions;
use crate::produce::producers::Producers;
use crate::pulsar::command::Credentials;
use crate::sync::link::{Action, Joint, Window, act};
use crate::sync::order::{Order, Seq};
use crate::time::{Instant, Now};
use crate::topics::policies::{CheckPolicies, Purpose};
use crate::worker::metrics::{Api, Counter};
use crate::worker::shared::Shared;
use admin::{AdminCalls, CallId, HttpReply, HttpRequest};
use carrier::Carriers;
use io::{Client, Endpoints, Io};
use kafka_conn::KafkaConn;
use pulsar_conn::{Phase, PulsarConn};

/// How often readers and producers that nobody uses are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

/// Requests are looked at again when producers settled something of their own accord: a batch that is refused before it is
/// sent brings no answer of the broker, and thus no further event.
const EXCHANGE_PASSES: usize = 2;

/// Bound of a client id's length in Pulsar's stats (`maxConsumerMetadataSize` is 1024).
const MAX_CLIENT_ID_CHARS: usize = 128;

struct InFlight {
    exchange: Box<dyn Exchange>,
    deadline: Instant,
    since: Instant,
    api: Api,
}

/// See the module.
pub struct Session {
    kafka: KafkaConn,
    pulsar: PulsarConn,
    admin: AdminCalls,
    order: Order,
    in_flight: BTreeMap<Seq, InFlight>,
    producers: Producers,
    readers: Readers,
    carriers: Carriers,
    client: Client,
    /// The client will send nothing more; the host has passed that on, so nothing may be sent upstream either.
    half_closed: bool,
    close: bool,
    housekeeping: Instant,
    policies: Vec<CheckPolicies>,
    floors: FloorQuestions,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("client", &self.client)
            .field("in_flight", &self.in_flight.len())
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A fresh connection of a client.
    pub fn new(connection: ConnectionId, endpoints: Endpoints, shared: &Shared, now: Now) -> Self {
        let config = &shared.config;
        let credentials = config.pulsar_auth_method.clone().map(|method| Credentials {
            method,
            data: Bytes::copy_from_slice(config.pulsar_auth_data.as_ref().map_or("", |data| data.expose()).as_bytes()),
        });
        Self {
            kafka: KafkaConn::new(config.max_request_bytes),
            pulsar: PulsarConn::new(credentials, Duration::from_millis(config.request_timeout_ms.into())),
            admin: AdminCalls::default(),
            order: Order::new(config.max_in_flight_requests as usize),
            in_flight: BTreeMap::new(),
            producers: Producers::default(),
            readers: Readers::default(),
            carriers: Carriers::default(),
            client: Client { connection, id: String::new(), endpoints },
            half_closed: false,
            close: false,
            housekeeping: now.instant + HOUSEKEEPING,
            policies: Vec::new(),
            floors: FloorQuestions::default(),
        }
    }

    /// Bytes from the client.
    pub fn on_downstream(&mut self, chunk: Bytes, shared: &mut Shared, now: Now) {
        shared.metrics.count(Counter::BytesFromClients, chunk.len());
        self.kafka.on_bytes(chunk);
        self.pump(Window::Shut, shared, now);
    }

    /// Bytes from the broker.
    pub fn on_upstream(&mut self, chunk: Bytes, shared: &mut Shared, now: Now) {
        shared.metrics.count(Counter::BytesFromBrokers, chunk.len());
        self.pulsar.on_bytes(chunk, now.instant);
        self.pump(Window::Open, shared, now);
    }

    /// The host's answer to a call from [`Session::poll_admin`].
    pub fn on_admin(&mut self, call: CallId, reply: Result<HttpReply, AdminError>, shared: &mut Shared, now: Now) {
        self.admin.answer(call, reply, now.instant);
        self.pump(Window::Shut, shared, now);
    }

    /// What the worker's connections share has something for this one: an answer, or something to carry out.
    pub fn on_shared(&mut self, shared: &mut Shared, now: Now) {
        self.pump(Window::Shut, shared, now);
    }

    /// Time has passed.
    pub fn on_time(&mut self, shared: &mut Shared, now: Now) {
        self.pulsar.on_time(now.instant);
        self.admin.expire(now.instant);
        if self.housekeeping <= now.instant {
            self.housekeeping = now.instant + HOUSEKEEPING;
            let mut context = context(
                &mut self.pulsar,
                &mut self.admin,
                &self.client,
                &mut self.producers,
                &mut self.readers,
                shared,
                now,
            );
            context.producers.on_time(&mut context.io);
            context.readers.on_time(&mut context.io);
        }
        self.pump(Window::Shut, shared, now);
    }

    /// The client sends nothing more (FIN).
    pub fn on_half_close(&mut self, shared: &mut Shared, now: Now) {
        self.tell_what_is_lost(shared);
        shared.groups.detach(self.client.connection, now);
        self.half_closed = true;
    }

    /// Nothing goes to the broker any more: batches that nobody acknowledges would be lost without a word.
    fn tell_what_is_lost(&self, shared: &mut Shared) {
        if self.half_closed {
            return;
        }
        let requests = self.in_flight.values();
        let lost: Vec<(&str, usize)> =
            requests.flat_map(|request| request.exchange.unsent_and_unanswered(&self.producers)).collect();
        let Some((topic, _)) = lost.first() else { return };
        let batches = lost.iter().map(|(_, batches)| batches).sum();
        shared.metrics.count(Counter::LostBatches, batches);
        shared.log.warn(format!(
            "the connection of client '{}' ended before {batches} batches sent with acks=0 could go to the broker, the first of \
             them to '{topic}'; they are lost: let the client stay connected a moment after its last record, or use acks=1",
            self.client.id
        ));
    }

    /// The connection is gone: gives back what it holds of the worker's budgets.
    pub fn on_closed(&mut self, shared: &mut Shared, now: Now) {
        self.tell_what_is_lost(shared);
        self.pulsar.fail(PulsarError::Disconnected, now.instant);
        shared.groups.detach(self.client.connection, now);
        shared.floors.asking.detach(self.client.connection);
        let mut context = context(
            &mut self.pulsar,
            &mut self.admin,
            &self.client,
            &mut self.producers,
            &mut self.readers,
            shared,
            now,
        );
        context.producers.close_all(&mut context.io);
        context.readers.close_all(&mut context.io);
        self.in_flight.clear();
    }

    /// Carries everything as far as it goes.
    fn pump(&mut self, window: Window, shared: &mut Shared, now: Now) {
        self.advance(shared, now);
        let mut next = self.next_request(shared);
        loop {
            while let Some((header, body)) = next {
                self.begin(header, body, window, shared, now);
                next = self.next_request(shared);
            }
            self.advance(shared, now);
            // What was settled without a response made room, and nothing else would say so.
            next = self.next_request(shared);
            if next.is_none() {
                break;
            }
        }
        self.apply_link(window, shared, now);
        shared.metrics.count(Counter::Pings, usize::try_from(self.pulsar.take_pings()).unwrap_or(0));
        shared.groups.settled(self.client.connection);
    }

    fn next_request(&mut self, shared: &Shared) -> Option<(RequestHeader, Bytes)> {
        if self.is_full(shared) { None } else { self.kafka.next_request() }
    }

    fn begin(&mut self, header: RequestHeader, body: Bytes, window: Window, shared: &mut Shared, now: Now) {
        self.note_client(&header);
        let Some(seq) = self.order.open() else { return };
        // CONNECT goes out before whatever the request asks of the broker.
        self.apply_link(window, shared, now);
        let api = Api::of(header.api_key);
        shared.metrics.count_request(api);
        let served = find(header.api_key);
        let Some(entry) = served.filter(|entry| (entry.min..=entry.max).contains(&header.api_version)) else {
            let answer = match served {
                Some(entry) if entry.key == kafka_protocol::messages::ApiKey::ApiVersions => {
                    api_versions::unsupported(&header)
                }
                Some(_) | None => {
                    Answer::Close(format!("{:?} version {} is not served", header.api_key, header.api_version))
                }
            };
            return self.settle(seq, api, now.instant, answer, shared, now);
        };
        let mut context = context(
            &mut self.pulsar,
            &mut self.admin,
            &self.client,
            &mut self.producers,
            &mut self.readers,
            shared,
            now,
        );
        match (entry.start)(Request { header, body }, &mut context) {
            Ok(Started { exchange, deadline }) => {
                self.in_flight.insert(seq, InFlight { exchange, deadline, since: now.instant, api });
            }
            Err(Refusal::Malformed(error)) => {
                let reason = format!("{:?} request cannot be read: {error}", entry.key);
                self.settle(seq, api, now.instant, Answer::Close(reason), shared, now);
            }
        }
    }

    fn note_client(&mut self, header: &RequestHeader) {
        if let Some(id) = &header.client_id
            && self.client.id != id.as_str()
        {
            self.client.id = id.chars().take(MAX_CLIENT_ID_CHARS).collect();
        }
    }

    /// Lets producers, readers and exchanges take what came for them, and ask for what they need next.
    fn advance(&mut self, shared: &mut Shared, now: Now) {
        let mut context = context(
            &mut self.pulsar,
            &mut self.admin,
            &self.client,
            &mut self.producers,
            &mut self.readers,
            shared,
            now,
        );
        if context.io.pulsar.phase() == Phase::Ready && !context.io.shared.policies_looked_at {
            context.io.shared.policies_looked_at = true;
            self.policies.push(CheckPolicies::new(Purpose::Topics, &mut context.io));
        }
        if !self.carriers.is_empty() && !context.io.shared.groups_policies_looked_at {
            context.io.shared.groups_policies_looked_at = true;
            self.policies.push(CheckPolicies::new(Purpose::Groups, &mut context.io));
        }
        self.policies.retain_mut(|check| !check.poll(&mut context.io));
        self.floors.poll(&mut context.io);
        // Before the producers, which take all events of producers that are left.
        self.carriers.poll(&mut context.io);
        context.producers.poll(&mut context.io);
        context.readers.poll(&mut context.io);
        let mut settled = Vec::new();
        for _ in 0..EXCHANGE_PASSES {
            let mut answered = Vec::new();
            for (seq, request) in &mut self.in_flight {
                context.is_head = self.order.is_head(*seq);
                let answer = match request.exchange.poll(&mut context) {
                    Some(answer) => Some(answer),
                    None if request.deadline <= now.instant => Some(request.exchange.expire(&mut context)),
                    None => None,
                };
                if let Some(answer) = answer {
                    answered.push((*seq, answer));
                }
            }
            for (seq, answer) in answered {
                settled.extend(self.in_flight.remove(&seq).map(|request| (seq, request, answer)));
            }
            // What was asked of groups, and batches that were submitted just now, go out with this event.
            self.carriers.poll(&mut context.io);
            context.producers.poll(&mut context.io);
            if !context.producers.has_news() && !context.io.shared.groups.has_answers(context.io.client.connection) {
                break;
            }
        }
        // What was wanted just now goes out with this event.
        self.floors.poll(&mut context.io);
        for (seq, request, answer) in settled {
            self.settle(seq, request.api, request.since, answer, shared, now);
        }
    }

    fn settle(&mut self, seq: Seq, api: Api, since: Instant, answer: Answer, shared: &mut Shared, now: Now) {
        shared.metrics.observe_latency(api, now.instant.since(since));
        match answer {
            Answer::Respond(response) => {
                if response.failed {
                    shared.metrics.count_error(api);
                }
                self.order.fill(seq, Some(response));
            }
            Answer::Silent => self.order.fill(seq, None),
            Answer::Close(reason) => {
                shared.metrics.count_error(api);
                self.order.end_at(seq);
                self.kafka.close(reason);
            }
        }
    }

    fn apply_link(&mut self, window: Window, shared: &mut Shared, now: Now) {
        let joint = Joint {
            pulsar: self.pulsar.phase(),
            kafka_closing: self.kafka.closing().is_some(),
            requests_in_flight: self.order.is_waiting(),
            response_ready: self.order.has_ready(),
            window,
        };
        match act(joint) {
            Action::Rest => {}
            Action::Connect => self.pulsar.connect(now.instant),
            Action::Ping => self.pulsar.ping(now.instant),
            Action::Close if self.close => {}
            Action::Close => {
                self.close = true;
                if let Some(reason) = self.kafka.closing() {
                    shared.metrics.count(Counter::RefusedConnections, 1);
                    shared.log.info(format!("connection of client '{}' is closed: {reason}", self.client.id));
                } else if let Some(error) = self.pulsar.failure() {
                    shared.metrics.count(Counter::BrokerFailures, 1);
                    shared.log.warn(format!(
                        "connection of client '{}' is closed: the broker failed: {error:?}",
                        self.client.id
                    ));
                }
            }
        }
    }

    /// Bytes for the broker, to be sent now. `spare` is a buffer to go on with.
    pub fn take_upstream(&mut self, spare: Vec<u8>) -> Vec<u8> {
        if self.half_closed {
            return spare;
        }
        self.pulsar.take_out(spare)
    }

    /// Whether [`Session::take_upstream`] has bytes.
    pub fn has_upstream(&self) -> bool {
        !self.half_closed && self.pulsar.has_out()
    }

    /// Responses that may leave, in order. Only while the host handles bytes from the broker: the client can be reached at no other time.
    pub fn take_downstream(&mut self, into: &mut Vec<Bytes>, shared: &mut Shared, now: Now) {
        while let Some(response) = self.order.poll() {
            shared.metrics.count(Counter::BytesToClients, response.len());
            into.extend(response.segments);
        }
        // Room was made: requests that were held back go on.
        self.pump(Window::Open, shared, now);
    }

    /// Whether a response is ready.
    pub fn has_downstream(&self) -> bool {
        self.order.has_ready()
    }

    /// The next call for the host to make to the admin cluster.
    pub fn poll_admin(&mut self) -> Option<(CallId, HttpRequest)> {
        self.admin.poll()
    }

    /// Whether the host should close the client's connection. Not in a callback that hands over bytes: they would be lost.
    pub fn wants_close(&self) -> bool {
        self.close
    }

    /// Whether the client is to be held back: the host leaves its bytes where they are.
    pub fn is_full(&self, shared: &Shared) -> bool {
        self.order.is_full()
            || self.producers.held_bytes() >= shared.config.max_held_bytes_per_connection
            || (shared.held.is_exhausted() && self.producers.held_bytes() > 0)
    }

    /// When [`Session::on_time`] has work next.
    pub fn next_deadline(&self) -> Instant {
        let exchanges = self.in_flight.values().map(|request| request.deadline).min();
        let readers = (!self.readers.is_empty()).then_some(self.housekeeping);
        let polled = self.in_flight.values().filter_map(|request| request.exchange.next_wake()).min();
        [
            self.pulsar.next_deadline(),
            self.admin.next_deadline(),
            self.producers.next_deadline(),
            self.floors.next_wake(),
            exchanges,
            readers,
            polled,
            self.carriers.next_wake(),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(self.housekeeping)
        .min(self.housekeeping)
    }

    /// Requests in flight, tickets and readers: nothing of these may be left when a client is through.
    pub fn open_work(&self) -> usize {
        self.in_flight.len().saturating_add(self.producers.open_tickets())
    }

    /// Questions put to the broker, and looks at them, for tests.
    pub fn asked_and_looked(&self) -> (u64, u64) {
        self.pulsar.asked_and_looked()
    }

    /// Bytes that wait on this connection.
    pub fn buffered_bytes(&self) -> usize {
        self.kafka
            .buffered_bytes()
            .saturating_add(self.pulsar.buffered_bytes())
            .saturating_add(self.producers.held_bytes())
            .saturating_add(self.order.ready_bytes())
    }
}

/// Borrows the parts of a session that exchanges work on, beside those that hold the exchanges.
#[allow(clippy::too_many_arguments, reason = "each is another field, borrowed by itself")]
fn context<'a>(
    pulsar: &'a mut PulsarConn,
    admin: &'a mut AdminCalls,
    client: &'a Client,
    producers: &'a mut Producers,
    readers: &'a mut Readers,
    shared: &'a mut Shared,
    now: Now,
) -> Context<'a> {
    Context { io: Io { pulsar, admin, shared, client, now }, producers, readers, is_head: false }
}
