//! One connection to the broker: what the host's carrier keeps of it, what the broker has attached to it, and the wires between.

mod broker;

use std::collections::BTreeSet;

use bytes::Bytes;
use isthmus::group::replica::link::{Command, Event, LinkError, ReadFrom};
use isthmus::ids::{ConnectionId, Position};

use crate::time::{MS, Micros, SECOND};
use crate::world::{Happening, World};

/// How long a connection waits for an answer of the broker.
const ANSWER: Micros = 30 * SECOND;

/// The largest message.
const MAX_BYTES: usize = 5 * 1024 * 1024;

/// Which of the carrier's things an event is of. Their events overtake each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Reader(u64),
    Producer(u64),
    Guard(u64),
    Policies(u64),
}

/// To the broker.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    Subscribe { reader: u64, from: ReadFrom },
    Flow { reader: u64, permits: u32 },
    AskLast { reader: u64, request: u64 },
    CloseReader { reader: u64 },
    Producer { producer: u64 },
    Send { producer: u64, sequence_id: u64, payload: Bytes },
    CloseProducer { producer: u64 },
    Guard { guard: u64, acknowledged: Option<Position> },
}

#[derive(Debug)]
pub(crate) struct Reader {
    id: u64,
    /// The next entry to be delivered is this or the first behind it.
    next: Position,
    permits: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) host: usize,
    pub(crate) client: usize,
    /// Nothing that comes later reaches the broker.
    pub(crate) ends: Option<Micros>,
    pub(crate) latency: Micros,
    /// Nothing comes from the broker any more.
    pub(crate) deaf: bool,
    /// Nothing reaches the broker any more.
    pub(crate) mute: bool,
    /// Its broker does not know that it lost the topic: it sees no entry from here on.
    pub(crate) deposed: Option<usize>,
    to_broker: Micros,
    to_host: [Micros; 4],
    /// The carrier's.
    reader: Option<u64>,
    producer: Option<u64>,
    guard: Option<u64>,
    policies: Option<u64>,
    awaited: BTreeSet<u64>,
    /// The broker's.
    at_broker: Option<Reader>,
    producer_at_broker: Option<u64>,
}

impl Link {
    pub(crate) fn new(host: usize, client: usize, latency: Micros) -> Self {
        Self {
            host,
            client,
            ends: None,
            latency,
            deaf: false,
            mute: false,
            deposed: None,
            to_broker: 0,
            to_host: [0; 4],
            reader: None,
            producer: None,
            guard: None,
            policies: None,
            awaited: BTreeSet::new(),
            at_broker: None,
            producer_at_broker: None,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.ends.is_none()
    }

    fn carries_anything(&self) -> bool {
        self.reader.is_some() || self.producer.is_some() || self.guard.is_some()
    }

    /// Whether it has a producer at the broker.
    pub(crate) fn may_write(&self) -> bool {
        self.producer_at_broker.is_some()
    }

    /// Whether the broker holds anything for it.
    pub(crate) fn is_attached(&self) -> bool {
        self.at_broker.is_some() || self.producer_at_broker.is_some()
    }
}

impl World {
    /// The connection acts: its carrier does what it is told, its client gets its answer.
    pub(crate) fn attend(&mut self, connection: u32) {
        let Some(link) = self.links.get(&connection).filter(|link| link.is_open()) else { return };
        let (host, client) = (link.host, link.client);
        loop {
            while let Some((_, command)) = self.hosts[host].groups.poll_command(ConnectionId(connection)) {
                self.execute(connection, command);
            }
            if !self.take_answer(client, host) {
                break;
            }
        }
        let is_carrier = self.hosts[host].groups.is_carrier(ConnectionId(connection), &self.group);
        if !is_carrier && self.links[&connection].carries_anything() {
            self.close_carrier(connection);
        }
        self.hosts[host].groups.settled(ConnectionId(connection));
    }

    fn execute(&mut self, connection: u32, command: Command) {
        let id = self.new_id();
        match command {
            Command::OpenReader(from) => {
                self.close_reader(connection);
                self.links.get_mut(&connection).expect("open").reader = Some(id);
                self.request(connection, id, Frame::Subscribe { reader: id, from });
            }
            Command::Flow(permits) => {
                if let Some(reader) = self.links[&connection].reader {
                    self.send(connection, Frame::Flow { reader, permits });
                }
            }
            Command::AskLast => {
                if let Some(reader) = self.links[&connection].reader {
                    self.request(connection, id, Frame::AskLast { reader, request: id });
                }
            }
            Command::CloseReader => self.close_reader(connection),
            Command::OpenProducer => {
                self.close_producer(connection);
                self.links.get_mut(&connection).expect("open").producer = Some(id);
                self.request(connection, id, Frame::Producer { producer: id });
            }
            Command::Send { sequence_id, payload } => {
                if let Some(producer) = self.links[&connection].producer {
                    self.send(connection, Frame::Send { producer, sequence_id, payload });
                }
            }
            Command::CloseProducer => self.close_producer(connection),
            Command::Guard { acked } => {
                self.links.get_mut(&connection).expect("open").guard = Some(id);
                self.request(connection, id, Frame::Guard { guard: id, acknowledged: acked });
            }
            // By the admin REST, which knows nothing of the connection's state and refuses now and then.
            Command::LetGo => {
                self.links.get_mut(&connection).expect("open").policies = Some(id);
                let result = if self.dice.permille(100) { Err("unavailable".to_owned()) } else { Ok(()) };
                if result.is_ok() && self.topic.exists {
                    self.counts.let_go += 1;
                    self.topic.let_go = true;
                }
                let at = self.now + self.dice.between(MS, 2 * SECOND);
                let of = Of::Policies(id);
                self.at(at, Happening::Overdue { connection, request: id, of, event: Event::LetGo(result) });
                self.links.get_mut(&connection).expect("open").awaited.insert(id);
            }
            // This broker makes topics by itself.
            Command::CreateTopic => {}
        }
    }

    fn close_carrier(&mut self, connection: u32) {
        self.close_reader(connection);
        self.close_producer(connection);
        let link = self.links.get_mut(&connection).expect("open");
        link.guard = None;
        link.policies = None;
    }

    fn close_reader(&mut self, connection: u32) {
        if let Some(reader) = self.links.get_mut(&connection).and_then(|link| link.reader.take()) {
            self.send(connection, Frame::CloseReader { reader });
        }
    }

    fn close_producer(&mut self, connection: u32) {
        if let Some(producer) = self.links.get_mut(&connection).and_then(|link| link.producer.take()) {
            self.send(connection, Frame::CloseProducer { producer });
        }
    }

    fn request(&mut self, connection: u32, request: u64, frame: Frame) {
        self.links.get_mut(&connection).expect("open").awaited.insert(request);
        let of = match frame {
            Frame::Subscribe { reader, .. } | Frame::AskLast { reader, .. } => Of::Reader(reader),
            Frame::Producer { producer } => Of::Producer(producer),
            Frame::Guard { guard, .. } => Of::Guard(guard),
            Frame::Flow { .. } | Frame::CloseReader { .. } | Frame::Send { .. } | Frame::CloseProducer { .. } => return,
        };
        let error = Err(LinkError::Other("no answer in time".to_owned()));
        let event = match frame {
            Frame::Subscribe { .. } => Event::ReaderOpened(error),
            Frame::AskLast { .. } => Event::Last(Err(LinkError::Other("no answer in time".to_owned()))),
            Frame::Producer { .. } => Event::ProducerOpened(Err(LinkError::Other("no answer in time".to_owned()))),
            Frame::Guard { .. } => Event::GuardDone(error),
            Frame::Flow { .. } | Frame::CloseReader { .. } | Frame::Send { .. } | Frame::CloseProducer { .. } => return,
        };
        self.after(ANSWER, Happening::Overdue { connection, request, of, event });
        self.send(connection, frame);
    }

    fn delay(&mut self, connection: u32) -> Micros {
        let latency = self.links[&connection].latency;
        let late = if self.dice.permille(5) { self.dice.between(0, 50 * MS) } else { 0 };
        latency + self.dice.between(0, latency) + late
    }

    fn send(&mut self, connection: u32, frame: Frame) {
        let at = self.now + self.delay(connection);
        let link = self.links.get_mut(&connection).expect("open");
        link.to_broker = link.to_broker.max(at);
        if !link.mute {
            let at = link.to_broker;
            self.at(at, Happening::AtBroker { connection, frame });
        }
    }

    fn tell(&mut self, connection: u32, of: Of, request: Option<u64>, event: Event) {
        let Some(link) = self.links.get(&connection).filter(|link| link.is_open() && !link.deaf) else { return };
        let stream = match of {
            Of::Reader(_) => 0,
            Of::Producer(_) => 1,
            Of::Guard(_) => 2,
            Of::Policies(_) => 3,
        };
        let _ = link;
        let at = self.now + self.delay(connection);
        let link = self.links.get_mut(&connection).expect("open");
        link.to_host[stream] = link.to_host[stream].max(at);
        let at = link.to_host[stream];
        self.at(at, Happening::AtHost { connection, of, request, event });
    }

    /// The broker did not answer in time.
    pub(crate) fn overdue(&mut self, connection: u32, request: u64, of: Of, event: Event) {
        if self.links.get(&connection).is_some_and(|link| link.awaited.contains(&request)) {
            self.at_host(connection, of, Some(request), event, true);
        }
    }

    /// Something comes from the broker.
    pub(crate) fn at_host(&mut self, connection: u32, of: Of, request: Option<u64>, event: Event, own: bool) {
        let Some(link) = self.links.get_mut(&connection).filter(|link| link.is_open() && (own || !link.deaf)) else {
            return;
        };
        if let Some(request) = request
            && !link.awaited.remove(&request)
        {
            return;
        }
        let known = match of {
            Of::Reader(id) => link.reader == Some(id),
            Of::Producer(id) => link.producer == Some(id),
            Of::Guard(id) => link.guard == Some(id),
            Of::Policies(id) => link.policies == Some(id),
        };
        if !known {
            return;
        }
        match &event {
            Event::ReaderOpened(Err(_)) | Event::ReaderClosed => link.reader = None,
            Event::ProducerOpened(Err(_)) | Event::ProducerClosed => link.producer = None,
            Event::GuardDone(_) => link.guard = None,
            Event::LetGo(_) => link.policies = None,
            Event::ReaderOpened(Ok(()))
            | Event::Message(..)
            | Event::Last(_)
            | Event::TopicCreated(_)
            | Event::ProducerOpened(Ok(_))
            | Event::Receipt { .. } => {}
        }
        let host = link.host;
        let group = self.group.clone();
        let carries = self.on_host(host, Some(connection), |groups, now| {
            groups.on_event(ConnectionId(connection), &group, event, now)
        });
        if !carries && self.links[&connection].is_open() {
            self.close_carrier(connection);
        }
    }
}
