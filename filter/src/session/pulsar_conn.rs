//! The machine that handles Pulsar's responses: handshake, questions and answers, messages by consumer.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::inboxes::{Inboxes, Message};
use super::ownership::{Next, Ownership};
use super::producer_events::ProducerEvent;
use super::replies::{position_of, reply_of};
use super::requests::{Reply, Requests};
use super::subscriptions::{self, Start, client_metadata, message_id};
use super::wake::Waker;
use crate::error::PulsarError;
use crate::frame::Splitter;
use crate::ids::{ConsumerId, Position, ProducerId, RequestId};
use crate::pulsar::command::{self, Credentials};
use crate::pulsar::frame::{self, DEFAULT_MAX_FRAME_BYTES, max_frame_bytes, parse_frame, write_command};
use crate::pulsar::proto::{BaseCommand, ServerError, base_command::Type};
use crate::time::Instant;

/// The broker closes a connection whose handshake takes longer than its keep-alive interval.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a PING may stay unanswered before the connection counts as dead.
const PONG_TIMEOUT: Duration = Duration::from_secs(30);

/// ```text
/// Idle ──first Kafka bytes──▶ ExpectConnected ──CONNECTED──▶ Ready
///                                   └── ERROR, deadline ──▶ Failed ◀── ERROR without request, bad frame, no PONG ──┘
/// ```
#[derive(Debug)]
enum State {
    Idle,
    /// CONNECT is sent. With authentication on, the broker closes if anything but PING follows before CONNECTED.
    ExpectConnected {
        deadline: Instant,
        /// Commands that wait for CONNECTED.
        held: Vec<u8>,
    },
    Ready {
        /// `CONNECTED.max_message_size`.
        max_message_size: usize,
    },
    Failed(PulsarError),
}

/// How the other machines see [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was sent to the broker.
    Idle,
    /// CONNECT waits for its answer.
    ExpectConnected,
    /// Commands go straight out.
    Ready,
    /// Of no use any more.
    Failed,
}

/// The Pulsar half of a connection.
#[derive(Debug)]
pub struct PulsarConn {
    state: State,
    splitter: Splitter,
    out: Vec<u8>,
    requests: Requests,
    ownership: Ownership,
    inboxes: Inboxes,
    events: VecDeque<ProducerEvent>,
    ping_deadline: Option<Instant>,
    pings: u64,
    last_consumer: u64,
    last_producer: u64,
    credentials: Option<Credentials>,
    request_timeout: Duration,
}

impl PulsarConn {
    /// A connection on which nothing was said yet.
    pub fn new(credentials: Option<Credentials>, request_timeout: Duration) -> Self {
        Self {
            state: State::Idle,
            splitter: Splitter::new(DEFAULT_MAX_FRAME_BYTES),
            out: Vec::new(),
            requests: Requests::default(),
            ownership: Ownership::default(),
            inboxes: Inboxes::default(),
            events: VecDeque::new(),
            ping_deadline: None,
            pings: 0,
            last_consumer: 0,
            last_producer: 0,
            credentials,
            request_timeout,
        }
    }

    /// Where the handshake stands.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Idle => Phase::Idle,
            State::ExpectConnected { .. } => Phase::ExpectConnected,
            State::Ready { .. } => Phase::Ready,
            State::Failed(_) => Phase::Failed,
        }
    }

    /// Why the connection is of no use, if it is.
    pub fn failure(&self) -> Option<&PulsarError> {
        match &self.state {
            State::Failed(error) => Some(error),
            State::Idle | State::ExpectConnected { .. } | State::Ready { .. } => None,
        }
    }

    /// Bound of one message's bytes, once the broker told it.
    pub fn max_message_size(&self) -> Option<usize> {
        match self.state {
            State::Ready { max_message_size } => Some(max_message_size),
            State::Idle | State::ExpectConnected { .. } | State::Failed(_) => None,
        }
    }

    /// Sends CONNECT, once.
    pub fn connect(&mut self, now: Instant) {
        if matches!(self.state, State::Idle) {
            write_command(&command::connect(self.credentials.clone()), &mut self.out);
            self.state = State::ExpectConnected { deadline: now + HANDSHAKE_TIMEOUT, held: Vec::new() };
        }
    }

    /// Takes bytes from the broker.
    pub fn on_bytes(&mut self, chunk: Bytes, now: Instant) {
        self.splitter.push(chunk);
        loop {
            if matches!(self.state, State::Failed(_)) {
                return;
            }
            match self.splitter.next_frame() {
                Ok(Some(bytes)) => match parse_frame(bytes) {
                    Ok(frame) => self.on_frame(frame, now),
                    Err(_) => self.fail(PulsarError::Malformed("a frame from the broker cannot be read"), now),
                },
                Ok(None) => return,
                Err(_) => self.fail(PulsarError::Malformed("a frame from the broker has an impossible length"), now),
            }
        }
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the commands of a broker to which nothing is to be done are many"
    )]
    fn on_frame(&mut self, frame: frame::Frame, now: Instant) {
        let frame::Frame { command, section } = frame;
        let kind = command.r#type();
        match kind {
            Type::Message => self.on_message(command, section),
            Type::SendReceipt | Type::SendError | Type::CloseProducer => self.on_producer_command(command),
            Type::Connected => self.on_connected(command, now),
            Type::Ping => write_command(&command::pong(), &mut self.out),
            Type::Pong => self.ping_deadline = None,
            Type::AuthChallenge => {
                if let Some(credentials) = self.credentials.clone() {
                    write_command(&command::auth_response(credentials), &mut self.out);
                }
            }
            Type::CloseConsumer => {
                self.ownership.forget_all();
                if let Some(close) = command.close_consumer {
                    self.inboxes.end(ConsumerId(close.consumer_id));
                }
            }
            _ => match reply_of(command) {
                Some((id, reply)) if id.0 == u64::MAX => {
                    // An error that answers no request: the handshake failed, or the broker is about to close.
                    let error = reply.err().unwrap_or(PulsarError::Malformed("an answer without request"));
                    self.fail(error, now);
                }
                Some((id, reply)) => self.on_reply(id, reply, now),
                // Commands of no concern here (ACTIVE_CONSUMER_CHANGE, REACHED_END_OF_TOPIC, TOPIC_MIGRATED, …) ask for nothing.
                None => {}
            },
        }
    }

    fn on_reply(&mut self, id: RequestId, reply: Result<Reply, PulsarError>, now: Instant) {
        if matches!(&reply, Err(PulsarError::Refused { code: ServerError::ServiceNotReady, .. })) {
            self.ownership.forget_all();
        }
        if !self.ownership.awaits(id) {
            return self.requests.answer(id, reply, now);
        }
        self.requests.forget(id);
        match self.ownership.on_reply(id, reply, now) {
            Some(Next::Send(commands)) => {
                for (request, command) in commands {
                    if self.requests.is_waiting(request) {
                        write_command(&command, self.out());
                    }
                }
            }
            Some(Next::Claim(topic)) => {
                let lookup = self.ask(now, |request_id| command::lookup(topic, request_id, true, None));
                self.ownership.claim(id, lookup);
            }
            Some(Next::Fail(requests, error)) => {
                for request in requests {
                    self.requests.answer(request, Err(error.clone()), now);
                }
            }
            None => {}
        }
    }

    /// Asks for something that only the topic's owner does; looks the topic up first, if that was not done lately.
    fn ask_owner(&mut self, topic: &str, now: Instant, build: impl FnOnce(u64) -> BaseCommand) -> RequestId {
        if self.ownership.is_known(topic, now) {
            return self.ask(now, build);
        }
        let request = self.requests.open(now + self.request_timeout);
        if let State::Failed(error) = &self.state {
            self.requests.answer(request, Err(error.clone()), now);
        } else if self.requests.is_waiting(request)
            && let Some(command) = self.ownership.join(topic, request, build(request.0))
        {
            let lookup = self.ask(now, |request_id| command::lookup(topic.to_owned(), request_id, false, None));
            self.ownership.begin(lookup, topic, now + self.request_timeout, request, command);
        }
        request
    }

    fn on_connected(&mut self, command: BaseCommand, now: Instant) {
        let State::ExpectConnected { held, .. } = &mut self.state else {
            return self.fail(PulsarError::Malformed("CONNECTED came a second time"), now);
        };
        let held = std::mem::take(held);
        let announced = command.connected.and_then(|connected| connected.max_message_size);
        const DEFAULT_MAX_MESSAGE_SIZE: usize = 5 * 1024 * 1024;
        let max_message_size = announced
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| *size > 0)
            .unwrap_or(DEFAULT_MAX_MESSAGE_SIZE);
        self.splitter.set_max_frame_bytes(max_frame_bytes(max_message_size).max(DEFAULT_MAX_FRAME_BYTES));
        self.out.extend_from_slice(&held);
        self.state = State::Ready { max_message_size };
    }

    fn on_message(&mut self, command: BaseCommand, section: Bytes) {
        let Some(message) = command.message else { return };
        let entry = Message { position: position_of(&message.message_id), section };
        self.inboxes.put(ConsumerId(message.consumer_id), entry);
    }

    fn on_producer_command(&mut self, command: BaseCommand) {
        let Some(event) = ProducerEvent::of(command) else { return };
        if let ProducerEvent::Closed(_) = event {
            self.ownership.forget_all();
        }
        self.events.push_back(event);
    }

    /// The next thing that happened to this producer.
    pub fn poll_event_of(&mut self, producer: ProducerId) -> Option<ProducerEvent> {
        let index = self.events.iter().position(|event| event.producer() == producer)?;
        self.events.remove(index)
    }

    /// The next thing that happened to a producer.
    pub fn poll_event(&mut self) -> Option<ProducerEvent> {
        self.events.pop_front()
    }

    /// Gives up the connection: whatever waits is answered with `error`, and so is all that comes later.
    pub fn fail(&mut self, error: PulsarError, now: Instant) {
        if matches!(self.state, State::Failed(_)) {
            return;
        }
        self.requests.fail_all(&error, now);
        self.inboxes.end_all();
        self.ping_deadline = None;
        self.state = State::Failed(error);
    }

    /// The buffer that commands are written to: straight out, or held until CONNECTED.
    pub fn out(&mut self) -> &mut Vec<u8> {
        match &mut self.state {
            State::ExpectConnected { held, .. } => held,
            State::Idle | State::Ready { .. } | State::Failed(_) => &mut self.out,
        }
    }

    /// Asks a question; `build` gets its `request_id`.
    pub fn ask(&mut self, now: Instant, build: impl FnOnce(u64) -> BaseCommand) -> RequestId {
        let id = self.requests.open(now + self.request_timeout);
        if let State::Failed(error) = &self.state {
            self.requests.answer(id, Err(error.clone()), now);
        } else if self.requests.is_waiting(id) {
            let command = build(id.0);
            write_command(&command, self.out());
        }
        id
    }

    /// Who asks at the moment, for a part of whatever does.
    pub fn asker(&self) -> Option<Waker> {
        self.requests.asker()
    }

    /// Who asks from now on, instead of whom.
    pub fn set_asker(&mut self, asker: Option<Waker>) -> Option<Waker> {
        self.requests.set_asker(asker)
    }

    /// Takes an answer; `None` while it is awaited.
    pub fn take(&mut self, id: RequestId) -> Option<Result<Reply, PulsarError>> {
        self.requests.take(id)
    }

    /// The answer is of no interest any more.
    pub fn forget(&mut self, id: RequestId) {
        self.requests.forget(id);
    }

    /// Opens a reader at `start` (inclusive, by entry) on a subscription of its own that leaves no trace on the broker.
    ///
    /// `force_topic_creation` is off: reading must not make a topic. A start behind the end falls back to latest.
    pub fn subscribe(
        &mut self,
        topic: &str,
        start: Start,
        client_id: &str,
        expires: Option<Instant>,
        unique: u64,
        now: Instant,
    ) -> (ConsumerId, RequestId) {
        self.last_consumer = self.last_consumer.wrapping_add(1);
        let consumer = ConsumerId(self.last_consumer);
        self.inboxes.open(consumer, expires, self.requests.asker());
        let request = self.ask_owner(topic, now, |request_id| {
            subscriptions::reader(topic, start, client_id, unique, consumer, request_id)
        });
        self.inboxes.opened_by(consumer, request);
        (consumer, request)
    }

    /// Attaches to the durable subscription that holds back the trimming of a group's log, and makes it at the log's beginning where
    /// there is none. Failover: the broker would PING an Exclusive subscription's first consumer when a second one comes.
    pub fn attach_guard(&mut self, topic: &str, client_id: &str, now: Instant) -> (ConsumerId, RequestId) {
        self.last_consumer = self.last_consumer.wrapping_add(1);
        let consumer = ConsumerId(self.last_consumer);
        let request =
            self.ask_owner(topic, now, |request_id| subscriptions::guard(topic, client_id, consumer, request_id));
        self.inboxes.open(consumer, None, self.requests.asker());
        self.inboxes.opened_by(consumer, request);
        (consumer, request)
    }

    /// ACK, cumulative; nobody answers it.
    pub fn acknowledge_up_to(&mut self, consumer: ConsumerId, position: Position) {
        write_command(&command::ack_cumulative(consumer.0, message_id(position)), self.out());
    }

    /// Allows `permits` more messages.
    pub fn flow(&mut self, consumer: ConsumerId, permits: u32) {
        if let Some(flow) = command::flow(consumer.0, permits) {
            write_command(&flow, self.out());
        }
    }

    /// The next entry for `consumer`: `Ok(None)` while none is there, an error when none will come.
    pub fn take_message(&mut self, consumer: ConsumerId) -> Result<Option<Message>, PulsarError> {
        self.inboxes.take(consumer)
    }

    /// Closes a reader and drops what it still had.
    pub fn close_consumer(&mut self, consumer: ConsumerId, now: Instant) {
        let Some(left) = self.inboxes.close(consumer) else { return };
        if let Some(request) = left.request {
            self.requests.forget(request);
        }
        if left.open && matches!(self.state, State::Ready { .. }) {
            let request = self.ask(now, |request_id| command::close_consumer(consumer.0, request_id));
            self.requests.forget(request);
        }
    }

    /// Opens a producer. `None`: the broker makes a name.
    pub fn open_producer(
        &mut self,
        topic: &str,
        name: Option<String>,
        client_id: &str,
        now: Instant,
    ) -> (ProducerId, RequestId) {
        self.last_producer = self.last_producer.wrapping_add(1);
        let producer = ProducerId(self.last_producer);
        let request = self.ask_owner(topic, now, |request_id| {
            command::producer(topic.to_owned(), producer.0, request_id, name, client_metadata(client_id))
        });
        (producer, request)
    }

    /// Closes a producer without waiting for the answer.
    pub fn close_producer(&mut self, producer: ProducerId, now: Instant) {
        if matches!(self.state, State::Ready { .. }) {
            let request = self.ask(now, |request_id| command::close_producer(producer.0, request_id));
            self.requests.forget(request);
        }
    }

    /// Asks for a sign of life, so that responses find a frame to leave with. One at a time: whichever frame comes first serves all.
    pub fn ping(&mut self, now: Instant) {
        if self.ping_deadline.is_none() && matches!(self.state, State::Ready { .. }) {
            write_command(&command::ping(), &mut self.out);
            self.ping_deadline = Some(now + PONG_TIMEOUT);
            self.pings = self.pings.saturating_add(1);
        }
    }

    /// PINGs sent since the last call.
    pub fn take_pings(&mut self) -> u64 {
        std::mem::take(&mut self.pings)
    }

    /// Bytes for the broker, to be sent now.
    pub fn take_out(&mut self, spare: Vec<u8>) -> Vec<u8> {
        debug_assert!(spare.is_empty());
        std::mem::replace(&mut self.out, spare)
    }

    /// Whether bytes for the broker are waiting.
    pub fn has_out(&self) -> bool {
        !self.out.is_empty()
    }

    /// Bytes that wait here: parts of frames, entries nobody has taken, commands before CONNECTED.
    pub fn buffered_bytes(&self) -> usize {
        let held = match &self.state {
            State::ExpectConnected { held, .. } => held.len(),
            State::Idle | State::Ready { .. } | State::Failed(_) => 0,
        };
        self.splitter.buffered_bytes().saturating_add(held)
    }

    /// Applies deadlines.
    pub fn on_time(&mut self, now: Instant) {
        self.requests.expire(now);
        self.ownership.expire(now);
        for consumer in self.inboxes.overdue(now) {
            self.close_consumer(consumer, now);
        }
        let handshake_overdue = matches!(&self.state, State::ExpectConnected { deadline, .. } if *deadline <= now);
        if handshake_overdue || self.ping_deadline.is_some_and(|deadline| deadline <= now) {
            self.fail(PulsarError::TimedOut, now);
        }
    }

    /// When [`PulsarConn::on_time`] has work next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let handshake = match &self.state {
            State::ExpectConnected { deadline, .. } => Some(*deadline),
            State::Idle | State::Ready { .. } | State::Failed(_) => None,
        };
        [handshake, self.ping_deadline, self.inboxes.next_deadline(), self.requests.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether the broker owes an answer or a message that an exchange waits for.
    pub fn expects_frames(&self) -> bool {
        self.ping_deadline.is_some()
    }

    /// See [`Requests::asked_and_looked`].
    pub fn asked_and_looked(&self) -> (u64, u64) {
        self.requests.asked_and_looked()
    }

    /// Consumers that are open.
    pub fn consumers(&self) -> usize {
        self.inboxes.count()
    }
}
