//! One group on one worker: its state as far as the log was read, what is to be written, and who waits.
//!
//! Sans-IO: requests and the carrier's events go in, commands for the carrier and answers come out. Several connections share a
//! replica; the oldest that can carries its reader and its producer.

pub mod append;
mod applying;
pub mod asks;
pub mod clock;
mod driving;
pub mod link;
mod liveness;
pub mod load;
mod proposals;
mod reading;
mod requests;
mod retirement;
mod snapshots;
mod writing;

use std::collections::VecDeque;
use std::time::Duration;

use self::append::Appender;
use self::asks::{Answered, Asks};
use self::clock::{Arrivals, LiveClock, Pace};
use self::link::{Command, Event, LinkError};
use self::liveness::Liveness;
use self::load::Load;
use self::proposals::Proposals;
use self::retirement::Retirement;
use self::snapshots::Snapshots;
use super::ask::Ask;
use super::error::GroupError;
use super::groups::AskId;
use super::id::GroupId;
use super::state::State;
use crate::ids::{ConnectionId, Position};
use crate::time::{Instant, Now};
use crate::worker::log::Level;
use crate::worker::random::Random;

/// Permits of the reader, topped up when half of them are used.
const PERMITS: u32 = 1000;
const TOP_UP: u32 = 500;

/// How long a failed attempt is not repeated, at first and at most.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// How often a log that cannot be followed is read before the operator is told again.
const BREACHES_PER_LINE: u32 = 100;

/// A group that nobody asks about for so long is forgotten.
const IDLE: Duration = Duration::from_secs(60);

/// What the operator set.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `group_initial_rebalance_delay_ms`.
    pub initial_delay: Duration,
    /// `group_max_size`.
    pub max_size: u32,
    /// `offsets_retention_minutes`.
    pub offsets_retention: Duration,
}

/// How far the log was read.
#[derive(Debug)]
enum Body {
    /// Not at all.
    Unloaded,
    /// The topic is being made, for a request that makes groups.
    Creating {
        /// By the admin REST, because brokers do not by themselves.
        asked: bool,
    },
    /// It is being read.
    Loading { load: Load, since: Instant },
    /// To its end, and the reader goes on.
    Loaded(Box<State>),
}

/// The reader behind a loaded state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// None.
    Closed,
    /// SUBSCRIBE waits for its answer.
    Opening,
    /// Open at the last entry applied, which comes first.
    AtApplied(Position),
    /// Behind it.
    Following,
}

/// What outlives a replica, so that coming and going restarts no deadline.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    clock: LiveClock,
    arrivals: Arrivals,
}

impl Memory {
    /// Entries that it remembers.
    pub fn entries(&self) -> usize {
        self.arrivals.len()
    }
}

/// See the module.
#[derive(Debug)]
pub struct Replica {
    name: GroupId,
    settings: Settings,
    random: Random,
    body: Body,
    tail: Tail,
    /// Messages since the last FLOW.
    taken: u32,
    carried: bool,
    appender: Appender,
    guard: Guard,
    identity: Identity,
    asks: Asks,
    clock: LiveClock,
    arrivals: Arrivals,
    liveness: Liveness,
    proposals: Proposals,
    snapshots: Snapshots,
    retirement: Retirement,
    commands: VecDeque<Command>,
    log: Vec<(Level, String)>,
    retry_at: Option<Instant>,
    backoff: Duration,
    breaches: u32,
    /// When an own entry was confirmed last, or the state was loaded.
    confirmed_at: Instant,
    used_at: Instant,
    /// The carrier did not do what it should: another one should try.
    wants_other_carrier: bool,
}

/// The durable subscription that holds back trimming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    Unknown,
    Making,
    Made,
}

/// Whether the producer writes to the topic that the reader reads: one that was deleted is made again by PRODUCER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// The reader, which was there before the producer, is asked for the last entry.
    Asked {
        since: Instant,
    },
    Same,
}

impl Replica {
    /// A replica that has read nothing.
    pub fn new(name: GroupId, settings: Settings, memory: Memory, seed: u64, now: Instant) -> Self {
        let mut random = Random::new(seed);
        let appender = Appender::new(random.next_u64());
        Self {
            name,
            settings,
            random,
            body: Body::Unloaded,
            tail: Tail::Closed,
            taken: 0,
            carried: false,
            appender,
            guard: Guard::Unknown,
            identity: Identity::Same,
            asks: Asks::default(),
            clock: memory.clock,
            arrivals: memory.arrivals,
            liveness: Liveness::default(),
            proposals: Proposals::default(),
            snapshots: Snapshots::default(),
            retirement: Retirement::default(),
            commands: VecDeque::new(),
            log: Vec::new(),
            retry_at: None,
            backoff: BACKOFF_MIN,
            breaches: 0,
            confirmed_at: now,
            used_at: now,
            wants_other_carrier: false,
        }
    }

    /// What outlives it: of the entries, those that the state refers to.
    pub fn into_memory(mut self) -> Memory {
        if let Body::Loaded(state) = &self.body {
            self.arrivals.keep(&applying::referenced(state));
        }
        Memory { clock: self.clock, arrivals: self.arrivals }
    }

    /// The state, once it was read.
    pub fn state(&self) -> Option<&State> {
        match &self.body {
            Body::Loaded(state) => Some(state),
            Body::Unloaded | Body::Creating { .. } | Body::Loading { .. } => None,
        }
    }

    /// A request; its answer comes with [`Replica::take_answered`].
    pub fn ask(&mut self, id: AskId, connection: ConnectionId, ask: Ask, now: Now) {
        self.used_at = now.instant;
        self.advance_clock(now.instant);
        self.asks.open(id, connection, ask, now.instant);
        self.drive(now);
    }

    /// Nobody waits for the answer any more.
    pub fn forget(&mut self, id: AskId) {
        self.asks.forget(id);
        self.appender.forget(|ask| ask == id);
    }

    /// A connection is gone, with its requests.
    pub fn forget_connection(&mut self, connection: ConnectionId, now: Now) {
        self.advance_clock(now.instant);
        for member in self.asks.parked_members() {
            self.liveness.hear(member, self.clock.now());
        }
        let forgotten = self.asks.forget_connection(connection);
        self.appender.forget(|ask| forgotten.contains(&ask));
    }

    /// A connection carries the reader and the producer from now on.
    pub fn carried(&mut self, now: Now) {
        self.advance_clock(now.instant);
        self.carried = true;
        self.retry_at = None;
        self.drive(now);
    }

    /// The carrier is gone, and what it had open.
    pub fn uncarried(&mut self, now: Now) {
        self.advance_clock(now.instant);
        self.carried = false;
        self.commands.clear();
        self.lose_link();
    }

    /// Whether another connection should carry it; asked once.
    pub fn take_wants_other_carrier(&mut self) -> bool {
        std::mem::take(&mut self.wants_other_carrier)
    }

    /// The next thing for the carrier to do.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Whether [`Replica::poll_command`] has something.
    pub fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    /// Takes all answers.
    pub fn take_answered(&mut self) -> Vec<Answered> {
        self.asks.take_answered()
    }

    /// Takes all lines for the operator.
    pub fn take_log(&mut self) -> Vec<(Level, String)> {
        std::mem::take(&mut self.log)
    }

    /// Whether it may be dropped: nobody waits, and nobody asked for a while.
    pub fn is_idle(&self, now: Instant) -> bool {
        self.asks.is_empty()
            && self.appender.is_idle()
            && now.since(self.used_at) >= IDLE
            && !self.state().is_some_and(|state| self.liveness.serves_any(state, self.clock.now()))
    }

    /// The clock has what the link's state until now makes of the time since the last call.
    fn advance_clock(&mut self, now: Instant) {
        let pace = match (self.appender.epoch_is_open(), self.appender.in_flight_since()) {
            (false, _) => Pace::Stands,
            (true, None) => Pace::Runs,
            (true, Some(sent)) => Pace::RunsSince(sent),
        };
        self.clock.advance(now, pace);
    }

    /// What the carrier tells.
    pub fn on_event(&mut self, event: Event, now: Now) {
        self.advance_clock(now.instant);
        match event {
            Event::ReaderOpened(Ok(())) => self.on_reader_opened(),
            Event::ReaderOpened(Err(error)) | Event::Last(Err(error)) => self.on_reader_failed(error, now),
            Event::Last(Ok(last)) => match &mut self.body {
                Body::Loading { load, .. } => {
                    let step = load.on_last(last);
                    self.on_step(step, now);
                }
                // Nothing of a log that was followed so far can be gone from its end.
                Body::Loaded(state) if last >= state.log.applied => self.identity = Identity::Same,
                Body::Loaded(_) => {
                    self.on_reader_failed(LinkError::Other("the log is shorter than it was".into()), now)
                }
                Body::Unloaded | Body::Creating { .. } => {}
            },
            Event::Message(position, payload) => self.on_message(position, payload, now),
            Event::ReaderClosed => match self.body {
                Body::Loading { .. } => self.fail_load(now.instant),
                Body::Unloaded | Body::Creating { .. } | Body::Loaded(_) => {
                    self.tail = Tail::Closed;
                    self.guard = Guard::Unknown;
                }
            },
            Event::ProducerOpened(Ok(max_bytes)) => self.on_producer_opened(max_bytes, now),
            Event::ProducerOpened(Err(LinkError::NotFound)) if matches!(self.body, Body::Creating { asked: false }) => {
                self.body = Body::Creating { asked: true };
                self.commands.push_back(Command::CreateTopic);
            }
            Event::ProducerOpened(Err(error)) => {
                self.appender.closed();
                self.on_link_error(error, now);
            }
            Event::TopicCreated(Ok(())) => {
                self.appender.opening(now.instant);
                self.commands.push_back(Command::OpenProducer);
            }
            Event::TopicCreated(Err(reason)) => {
                self.log.push((
                    Level::Warn,
                    format!(
                        "group {}: its topic cannot be made: {reason}; let brokers create topics in the groups' namespace, \
                         or set admin_cluster",
                        self.name
                    ),
                ));
                self.appender.closed();
                self.on_link_error(LinkError::NotFound, now);
            }
            Event::Receipt { sequence_id, position: Some(position) } => self.on_receipt(sequence_id, position, now),
            // Names are the broker's and never used twice: it cannot know the sequence. The read-back decides.
            Event::Receipt { position: None, .. } => {}
            Event::ProducerClosed => self.appender.closed(),
            Event::GuardDone(result) => self.on_guard_done(result, now),
            Event::LetGo(result) => self.on_let_go(result),
        }
        self.drive(now);
    }

    fn on_link_error(&mut self, error: LinkError, now: Now) {
        match error {
            LinkError::NotOwner => self.drop_state(Some(GroupError::NotCoordinator)),
            LinkError::NotAuthorized => self.drop_state(Some(GroupError::NotAuthorized)),
            LinkError::NotFound | LinkError::Other(_) => {
                if let LinkError::Other(reason) = error {
                    self.log.push((Level::Debug, format!("group {}: the broker refused: {reason}", self.name)));
                }
                if let Body::Creating { .. } = self.body {
                    self.body = Body::Unloaded;
                }
            }
        }
        self.back_off(now.instant);
    }

    fn back_off(&mut self, now: Instant) {
        self.retry_at = Some(now + self.backoff);
        self.backoff = self.backoff.saturating_mul(2).min(BACKOFF_MAX);
    }

    /// Everything that was read is forgotten. What was sent may be found in the log when it is read again, by nobody who would
    /// know it: those that wait for it ask anew.
    fn drop_state(&mut self, answer: Option<GroupError>) {
        self.body = Body::Unloaded;
        self.commands.push_back(Command::CloseReader);
        self.commands.push_back(Command::CloseProducer);
        self.lose_link();
        self.proposals = Proposals::default();
        self.snapshots = Snapshots::default();
        self.appender.clear();
        match answer {
            Some(error) => self.asks.fail_all(error),
            None => self.asks.fail_appending(),
        }
    }

    fn lose_link(&mut self) {
        self.tail = Tail::Closed;
        self.appender.closed();
        // The topic may be another one when it is met again.
        self.guard = Guard::Unknown;
        self.retirement.lost();
        self.asks.answer_deleted();
        if let Body::Loading { .. } | Body::Creating { .. } = self.body {
            self.body = Body::Unloaded;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::ask::JoinAsk;
    use crate::group::log::entry::Protocol;
    use crate::time::UnixMillis;

    const CONNECTION: ConnectionId = ConnectionId(1);

    fn at(millis: u64) -> Now {
        Now { instant: Instant::from_millis(millis), unix: UnixMillis::default() }
    }

    fn replica() -> Replica {
        let settings =
            Settings { initial_delay: Duration::ZERO, max_size: 10, offsets_retention: Duration::from_secs(60) };
        let mut replica = Replica::new(GroupId::new("g").unwrap(), settings, Memory::default(), 1, at(0).instant);
        replica.carried(at(0));
        replica
    }

    fn join() -> Ask {
        Ask::Join(JoinAsk {
            member: String::new(),
            instance: None,
            client_id: "app".into(),
            client_host: "/".into(),
            session_ms: 10_000,
            rebalance_ms: 300_000,
            protocol_type: "consumer".into(),
            protocols: vec![Protocol { name: "range".into(), metadata: bytes::Bytes::new() }],
            must_know_id: false,
        })
    }

    /// A broker that has no topic and makes none.
    fn refuse(command: &Command) -> Option<Event> {
        match command {
            Command::OpenReader(_) => Some(Event::ReaderOpened(Err(LinkError::NotFound))),
            Command::OpenProducer => Some(Event::ProducerOpened(Err(LinkError::NotFound))),
            Command::CreateTopic => Some(Event::TopicCreated(Err("no".into()))),
            Command::Flow(_)
            | Command::AskLast
            | Command::CloseReader
            | Command::Send { .. }
            | Command::CloseProducer
            | Command::LetGo
            | Command::Guard { .. } => None,
        }
    }

    #[test]
    fn who_would_make_a_group_is_told_in_time_that_its_topic_cannot_be_made() {
        let mut replica = replica();
        replica.ask(AskId(1), CONNECTION, join(), at(0));
        let mut now = 0;
        let answered = loop {
            while let Some(command) = replica.poll_command() {
                if let Some(event) = refuse(&command) {
                    replica.on_event(event, at(now));
                }
            }
            let answered = replica.take_answered();
            if !answered.is_empty() {
                break answered;
            }
            now += 10;
            assert!(now <= 5_000, "nobody waits longer for a log to be read");
            replica.on_time(at(now));
        };
        assert_eq!(answered, [(AskId(1), CONNECTION, Err(GroupError::Loading))]);
    }
}
