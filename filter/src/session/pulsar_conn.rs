//! The machine that handles Pulsar's responses: handshake, questions and answers, messages by consumer.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::ownership::{Next, Ownership};
use super::replies::{position_of, reply_of};
use super::requests::{Reply, Requests};
use crate::error::PulsarError;
use crate::frame::Splitter;
use crate::ids::{ConsumerId, Position, ProducerId, RequestId};
use crate::pulsar::command::{self, Credentials};
use crate::pulsar::frame::{self, DEFAULT_MAX_FRAME_BYTES, max_frame_bytes, parse_frame, write_command};
use crate::pulsar::proto::{
    BaseCommand, CommandSubscribe, KeyValue, MessageIdData, ServerError, base_command::Type, command_subscribe,
};
use crate::time::Instant;

/// The broker closes a connection whose handshake takes longer than its keep-alive interval.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a PING may stay unanswered before the connection counts as dead.
const PONG_TIMEOUT: Duration = Duration::from_secs(30);

/// Name of the durable subscription on a group's log.
const GUARD: &str = "kafka-group";

/// Bound of entries that lie in one consumer's inbox: what a peek or a reader allowed the broker to send, and a little more.
const MAX_INBOX_ENTRIES: usize = 4096;

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

/// One MESSAGE.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where the entry lies.
    pub position: Position,
    /// What follows the command: broker entry metadata, checksum, metadata, payload.
    pub section: Bytes,
}

#[derive(Debug, Default)]
struct Inbox {
    messages: VecDeque<Message>,
    closed: bool,
    /// SUBSCRIBE, which may still wait for a lookup.
    request: Option<RequestId>,
    /// Peeks are short: one that outlives this is closed, whoever forgot it.
    expires: Option<Instant>,
}

/// What happened to a producer; the producers' machine takes it from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProducerEvent {
    /// SEND_RECEIPT. `position` is `None` for a duplicate (`ledgerId` and `entryId` are -1).
    Receipt {
        /// Whose.
        producer: ProducerId,
        /// The SEND's lowest sequence id.
        sequence_id: u64,
        /// Where the entry was stored.
        position: Option<Position>,
    },
    /// SEND_ERROR.
    Refused {
        /// Whose.
        producer: ProducerId,
        /// For a batch, its highest sequence id.
        sequence_id: u64,
        /// Why.
        error: PulsarError,
    },
    /// CLOSE_PRODUCER: in-flight SENDs may be lost without a word.
    Closed(ProducerId),
}

impl ProducerEvent {
    /// Whose.
    pub fn producer(&self) -> ProducerId {
        match self {
            Self::Receipt { producer, .. } | Self::Refused { producer, .. } | Self::Closed(producer) => *producer,
        }
    }
}

/// The Pulsar half of a connection.
#[derive(Debug)]
pub struct PulsarConn {
    state: State,
    splitter: Splitter,
    out: Vec<u8>,
    requests: Requests,
    ownership: Ownership,
    inboxes: BTreeMap<ConsumerId, Inbox>,
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
            inboxes: BTreeMap::new(),
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
                if let Some(inbox) =
                    command.close_consumer.and_then(|close| self.inboxes.get_mut(&ConsumerId(close.consumer_id)))
                {
                    inbox.closed = true;
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
        let Some(inbox) = self.inboxes.get_mut(&ConsumerId(message.consumer_id)) else { return };
        if inbox.messages.len() < MAX_INBOX_ENTRIES {
            inbox.messages.push_back(Message { position: position_of(&message.message_id), section });
        } else {
            // More than was permitted: the reader starts over rather than skip an entry.
            inbox.closed = true;
        }
    }

    fn on_producer_command(&mut self, command: BaseCommand) {
        if let Some(receipt) = command.send_receipt {
            let position = receipt.message_id.as_ref().map(position_of).filter(|position| position.ledger != u64::MAX);
            let producer = ProducerId(receipt.producer_id);
            self.events.push_back(ProducerEvent::Receipt { producer, sequence_id: receipt.sequence_id, position });
        } else if let Some(error) = command.send_error {
            let code = ServerError::try_from(error.error).unwrap_or(ServerError::UnknownError);
            self.events.push_back(ProducerEvent::Refused {
                producer: ProducerId(error.producer_id),
                sequence_id: error.sequence_id,
                error: PulsarError::Refused { code, message: error.message },
            });
        } else if let Some(close) = command.close_producer {
            self.ownership.forget_all();
            self.events.push_back(ProducerEvent::Closed(ProducerId(close.producer_id)));
        }
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
        for inbox in self.inboxes.values_mut() {
            inbox.closed = true;
        }
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
        start: Position,
        client_id: &str,
        expires: Option<Instant>,
        unique: u64,
        now: Instant,
    ) -> (ConsumerId, RequestId) {
        self.last_consumer = self.last_consumer.wrapping_add(1);
        let consumer = ConsumerId(self.last_consumer);
        self.inboxes.insert(consumer, Inbox { expires, ..Inbox::default() });
        let request = self.ask_owner(topic, now, |request_id| {
            CommandSubscribe {
                topic: topic.to_owned(),
                subscription: format!("isthmus-{unique:016x}"),
                sub_type: command_subscribe::SubType::Exclusive.into(),
                consumer_id: consumer.0,
                request_id,
                consumer_name: Some(client_id.to_owned()),
                durable: Some(false),
                start_message_id: Some(message_id(start)),
                metadata: client_metadata(client_id),
                initial_position: Some(command_subscribe::InitialPosition::Latest.into()),
                force_topic_creation: Some(false),
                ..CommandSubscribe::default()
            }
            .into()
        });
        if let Some(inbox) = self.inboxes.get_mut(&consumer) {
            inbox.request = Some(request);
        }
        (consumer, request)
    }

    /// Attaches to the durable subscription that holds back the trimming of a group's log, and makes it at the log's beginning where
    /// there is none. Failover: the broker would PING an Exclusive subscription's first consumer when a second one comes.
    pub fn attach_guard(&mut self, topic: &str, client_id: &str, now: Instant) -> (ConsumerId, RequestId) {
        self.last_consumer = self.last_consumer.wrapping_add(1);
        let consumer = ConsumerId(self.last_consumer);
        let request = self.ask_owner(topic, now, |request_id| {
            CommandSubscribe {
                topic: topic.to_owned(),
                subscription: GUARD.to_owned(),
                sub_type: command_subscribe::SubType::Failover.into(),
                consumer_id: consumer.0,
                request_id,
                durable: Some(true),
                metadata: client_metadata(client_id),
                initial_position: Some(command_subscribe::InitialPosition::Earliest.into()),
                force_topic_creation: Some(false),
                ..CommandSubscribe::default()
            }
            .into()
        });
        self.inboxes.insert(consumer, Inbox { request: Some(request), ..Inbox::default() });
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
        let inbox = self.inboxes.get_mut(&consumer).ok_or(PulsarError::Closed)?;
        match inbox.messages.pop_front() {
            Some(message) => Ok(Some(message)),
            None if inbox.closed => Err(PulsarError::Closed),
            None => Ok(None),
        }
    }

    /// Closes a reader and drops what it still had.
    pub fn close_consumer(&mut self, consumer: ConsumerId, now: Instant) {
        let Some(inbox) = self.inboxes.remove(&consumer) else { return };
        if let Some(request) = inbox.request {
            self.requests.forget(request);
        }
        if !inbox.closed && matches!(self.state, State::Ready { .. }) {
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
        let overdue: Vec<ConsumerId> = self
            .inboxes
            .iter()
            .filter(|(_, inbox)| inbox.expires.is_some_and(|expires| expires <= now))
            .map(|(id, _)| *id)
            .collect();
        for consumer in overdue {
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
        let inboxes = self.inboxes.values().filter_map(|inbox| inbox.expires).min();
        [handshake, self.ping_deadline, inboxes, self.requests.next_deadline()].into_iter().flatten().min()
    }

    /// Whether the broker owes an answer or a message that an exchange waits for.
    pub fn expects_frames(&self) -> bool {
        self.ping_deadline.is_some()
    }

    /// Consumers that are open.
    pub fn consumers(&self) -> usize {
        self.inboxes.len()
    }
}

fn client_metadata(client_id: &str) -> Vec<KeyValue> {
    vec![KeyValue { key: Bytes::from_static(b"kafka.client.id"), value: Bytes::copy_from_slice(client_id.as_bytes()) }]
}

fn message_id(position: Position) -> MessageIdData {
    MessageIdData { ledger_id: position.ledger, entry_id: position.entry, ..MessageIdData::default() }
}
