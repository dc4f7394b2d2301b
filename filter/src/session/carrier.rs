//! What a connection does for the groups it carries: their readers, producers and guards.

use std::collections::BTreeMap;

use crate::error::{AdminError, PulsarError};
use crate::group::id::GroupId;
use crate::group::log::message::{ProducerName, payload_of, write_send};
use crate::group::replica::link::{Command, Event, LinkError, ReadFrom};
use crate::ids::{ConsumerId, Position, ProducerId, RequestId};
use crate::pulsar::command;
use crate::session::admin::{CallId, HttpReply, Method};
use crate::session::io::Io;
use crate::session::producer_events::ProducerEvent;
use crate::session::requests::Reply;
use crate::time::Instant;
use crate::topics::let_go::LetGo;

/// One group's.
#[derive(Debug, Default)]
struct Carrier {
    reader: Option<Reader>,
    producer: Option<Producer>,
    guard: Option<Guard>,
    creating: Option<CallId>,
    letting_go: Option<LetGo>,
}

#[derive(Debug)]
struct Reader {
    consumer: ConsumerId,
    /// SUBSCRIBE.
    opening: Option<RequestId>,
    /// GET_LAST_MESSAGE_ID.
    asking: Option<RequestId>,
    closed: bool,
}

#[derive(Debug)]
enum Producer {
    Opening(ProducerId, RequestId),
    Open(ProducerName),
}

/// Attached for one purpose, then closed.
#[derive(Debug)]
struct Guard {
    consumer: ConsumerId,
    request: RequestId,
    /// What may be trimmed.
    acked: Option<Position>,
}

/// By group.
#[derive(Debug, Default)]
pub(super) struct Carriers(BTreeMap<GroupId, Carrier>);

impl Carriers {
    /// Carries out what the replicas ask for, and tells them what came of it.
    pub(super) fn poll(&mut self, io: &mut Io<'_>) {
        loop {
            while let Some((group, command)) = io.shared.groups.poll_command(io.client.connection) {
                self.0.entry(group.clone()).or_default().execute(&group, command, io);
            }
            if !self.deliver(io) {
                return;
            }
        }
    }

    /// When to poll them although nothing happened.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.0.values().filter_map(|carrier| carrier.letting_go.as_ref()?.next_wake()).min()
    }

    /// Whether the connection carries no group.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives one event to each replica that has one; whether there was any.
    fn deliver(&mut self, io: &mut Io<'_>) -> bool {
        let mut any = false;
        let mut orphaned = Vec::new();
        for (group, carrier) in &mut self.0 {
            if !io.shared.groups.is_carrier(io.client.connection, group) {
                carrier.close(io);
                orphaned.push(group.clone());
            } else if let Some(event) = carrier.poll(io) {
                any = true;
                io.shared.groups.on_event(io.client.connection, group, event, io.now);
            }
        }
        for group in orphaned {
            self.0.remove(&group);
        }
        any
    }
}

impl Carrier {
    fn execute(&mut self, group: &GroupId, command: Command, io: &mut Io<'_>) {
        match command {
            Command::OpenReader(from) => {
                self.close_reader(io);
                let start = match from {
                    ReadFrom::Earliest => Position::EARLIEST,
                    ReadFrom::Latest => Position::LATEST,
                    ReadFrom::At(position) => position,
                };
                let topic = group.topic(&io.shared.config);
                let unique = io.shared.random.next_u64();
                let (consumer, request) =
                    io.pulsar.subscribe(topic.as_str(), start.into(), &io.client.id, None, unique, io.now.instant);
                self.reader = Some(Reader { consumer, opening: Some(request), asking: None, closed: false });
            }
            Command::Flow(permits) => {
                if let Some(reader) = &self.reader {
                    io.pulsar.flow(reader.consumer, permits);
                }
            }
            Command::AskLast => {
                if let Some(reader) = &mut self.reader {
                    let consumer = reader.consumer.0;
                    let request = io.pulsar.ask(io.now.instant, |id| command::get_last_message_id(consumer, id));
                    reader.asking = Some(request);
                }
            }
            Command::CloseReader => self.close_reader(io),
            Command::OpenProducer => {
                self.close_producer(io);
                let topic = group.topic(&io.shared.config);
                let (producer, request) = io.pulsar.open_producer(topic.as_str(), None, &io.client.id, io.now.instant);
                self.producer = Some(Producer::Opening(producer, request));
            }
            Command::Send { sequence_id, payload } => {
                if let Some(Producer::Open(producer)) = &self.producer {
                    let publish_time = u64::try_from(io.now.unix.0).unwrap_or(0);
                    write_send(producer, sequence_id, publish_time, &payload, io.pulsar.out());
                }
            }
            Command::CloseProducer => self.close_producer(io),
            Command::Guard { acked } => {
                self.close_guard(io);
                let topic = group.topic(&io.shared.config);
                let (consumer, request) = io.pulsar.attach_guard(topic.as_str(), &io.client.id, io.now.instant);
                self.guard = Some(Guard { consumer, request, acked });
            }
            Command::LetGo => self.letting_go = Some(LetGo::new(&group.topic(&io.shared.config), io)),
            Command::CreateTopic => {
                let path = group.topic(&io.shared.config).admin_path("");
                self.creating = Some(io.admin.call(Method::Put, path, None, io.now.instant));
            }
        }
    }

    /// The next thing that happened.
    fn poll(&mut self, io: &mut Io<'_>) -> Option<Event> {
        self.poll_creating(io)
            .or_else(|| self.poll_letting_go(io))
            .or_else(|| self.poll_guard(io))
            .or_else(|| self.poll_producer(io))
            .or_else(|| self.poll_reader(io))
    }

    fn poll_reader(&mut self, io: &mut Io<'_>) -> Option<Event> {
        let reader = self.reader.as_mut()?;
        if let Some(request) = reader.opening {
            let reply = io.pulsar.take(request)?;
            reader.opening = None;
            let opened = reply.map(|_| ()).map_err(|error| link_error(&error));
            if opened.is_err() {
                self.close_reader(io);
            }
            return Some(Event::ReaderOpened(opened));
        }
        if let Some(request) = reader.asking
            && let Some(reply) = io.pulsar.take(request)
        {
            reader.asking = None;
            return Some(Event::Last(match reply {
                Ok(Reply::LastMessage { last, .. }) => Ok(last.map(|(position, _)| position)),
                Ok(_) => Err(LinkError::Other("another answer to GET_LAST_MESSAGE_ID".to_owned())),
                Err(error) => Err(link_error(&error)),
            }));
        }
        if reader.closed {
            return None;
        }
        match io.pulsar.take_message(reader.consumer) {
            Ok(None) => None,
            Ok(Some(message)) => Some(Event::Message(message.position, payload_of(&message.section))),
            Err(_) => {
                reader.closed = true;
                Some(Event::ReaderClosed)
            }
        }
    }

    fn poll_producer(&mut self, io: &mut Io<'_>) -> Option<Event> {
        match self.producer.as_ref()? {
            Producer::Opening(producer, request) => {
                let (id, reply) = (producer.0, io.pulsar.take(*request)?);
                let opened = match (reply, io.pulsar.max_message_size()) {
                    (Ok(Reply::Producer { name, .. }), Some(max_bytes)) => Ok((ProducerName { id, name }, max_bytes)),
                    (Ok(_), _) => Err(LinkError::Other("another answer to PRODUCER".to_owned())),
                    (Err(error), _) => Err(link_error(&error)),
                };
                let (producer, result) = match opened {
                    Ok((name, max_bytes)) => (Some(Producer::Open(name)), Ok(max_bytes)),
                    Err(error) => (None, Err(error)),
                };
                self.producer = producer;
                Some(Event::ProducerOpened(result))
            }
            Producer::Open(name) => match io.pulsar.poll_event_of(ProducerId(name.id))? {
                ProducerEvent::Receipt { sequence_id, position, .. } => Some(Event::Receipt { sequence_id, position }),
                ProducerEvent::Refused { .. } => {
                    self.close_producer(io);
                    Some(Event::ProducerClosed)
                }
                ProducerEvent::Closed(_) => {
                    self.producer = None;
                    Some(Event::ProducerClosed)
                }
            },
        }
    }

    fn poll_creating(&mut self, io: &mut Io<'_>) -> Option<Event> {
        let reply = io.admin.take(self.creating?)?;
        self.creating = None;
        let made = match reply.and_then(HttpReply::success) {
            // Another worker made it in the same moment.
            Ok(_) | Err(AdminError::Status(409, _)) => Ok(()),
            Err(error) => Err(error.message()),
        };
        Some(Event::TopicCreated(made))
    }

    fn poll_letting_go(&mut self, io: &mut Io<'_>) -> Option<Event> {
        let result = self.letting_go.as_mut()?.poll(io)?;
        self.letting_go = None;
        Some(Event::LetGo(result.map_err(|error| error.message())))
    }

    fn poll_guard(&mut self, io: &mut Io<'_>) -> Option<Event> {
        let Guard { consumer, request, acked } = *self.guard.as_ref()?;
        let reply = io.pulsar.take(request)?;
        self.guard = None;
        if let (Ok(_), Some(acked)) = (&reply, acked) {
            io.pulsar.acknowledge_up_to(consumer, acked);
        }
        io.pulsar.close_consumer(consumer, io.now.instant);
        Some(Event::GuardDone(reply.map(|_| ()).map_err(|error| link_error(&error))))
    }

    fn close(&mut self, io: &mut Io<'_>) {
        self.close_reader(io);
        self.close_producer(io);
        self.close_guard(io);
    }

    fn close_reader(&mut self, io: &mut Io<'_>) {
        if let Some(reader) = self.reader.take() {
            for request in [reader.opening, reader.asking].into_iter().flatten() {
                io.pulsar.forget(request);
            }
            io.pulsar.close_consumer(reader.consumer, io.now.instant);
        }
    }

    fn close_producer(&mut self, io: &mut Io<'_>) {
        match self.producer.take() {
            Some(Producer::Opening(id, request)) => {
                io.pulsar.forget(request);
                io.pulsar.close_producer(id, io.now.instant);
            }
            Some(Producer::Open(name)) => io.pulsar.close_producer(ProducerId(name.id), io.now.instant),
            None => {}
        }
    }

    fn close_guard(&mut self, io: &mut Io<'_>) {
        if let Some(guard) = self.guard.take() {
            io.pulsar.forget(guard.request);
            io.pulsar.close_consumer(guard.consumer, io.now.instant);
        }
    }
}

/// What an error means to a replica.
fn link_error(error: &PulsarError) -> LinkError {
    use crate::pulsar::proto::ServerError as Code;
    match error {
        PulsarError::Refused { code: Code::TopicNotFound, .. } => LinkError::NotFound,
        PulsarError::Refused { code: Code::AuthorizationError | Code::AuthenticationError, .. } => {
            LinkError::NotAuthorized
        }
        PulsarError::Refused { code: Code::ServiceNotReady, message } if is_elsewhere(message) => LinkError::NotOwner,
        PulsarError::Refused { code, message } => LinkError::Other(format!("{code:?}: {message}")),
        PulsarError::TimedOut
        | PulsarError::Disconnected
        | PulsarError::Closed
        | PulsarError::TooManyRequests
        | PulsarError::Malformed(_) => LinkError::Other(format!("{error:?}")),
    }
}

/// "Namespace bundle for topic (…) not served by this instance:…" (`BrokerService.checkTopicNsOwnership`).
fn is_elsewhere(message: &str) -> bool {
    message.contains("not served by this instance")
}
