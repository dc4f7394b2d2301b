//! One group on one worker: its state as far as the log was read, what is to be written, and who waits.
//!
//! Sans-IO: requests and the carrier's events go in, commands for the carrier and answers come out. Several connections share a
//! replica; the oldest that can carries its reader and its producer.

pub mod append;
pub mod asks;
pub mod clock;
pub mod link;
mod liveness;
pub mod load;
mod proposals;
mod requests;
mod snapshots;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use self::append::{Appender, Moment, Producer};
use self::asks::{Answered, Asks};
use self::clock::{Arrivals, LiveClock, Pace};
use self::link::{Command, Event, LinkError, ReadFrom};
use self::liveness::Liveness;
use self::load::{Breach, Load, Step};
use self::proposals::Proposals;
use self::snapshots::Snapshots;
use super::apply::{Accepted, apply};
use super::ask::Ask;
use super::error::GroupError;
use super::groups::AskId;
use super::id::GroupId;
use super::log::entry::{Entry, FORMAT};
use super::state::State;
use crate::ids::{ConnectionId, Position};
use crate::time::{Instant, Now};
use crate::worker::log::Level;
use crate::worker::random::Random;

/// Permits of the reader, topped up when half of them are used.
const PERMITS: u32 = 1000;
const TOP_UP: u32 = 500;

/// How long the log may take to be read.
const LOADING: Duration = Duration::from_secs(20);

/// How long an entry may go without a sign before a new epoch begins.
const SILENCE: Duration = Duration::from_secs(10);

/// A replica without a confirmed entry for so long might lag into what is trimmed: it forgets its state.
const STALE: Duration = Duration::from_secs(30);

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

/// See the module.
#[derive(Debug)]
pub struct Replica {
    name: GroupId,
    settings: Settings,
    random: Random,
    writer: u64,
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
        let writer = random.next_u64();
        Self {
            name,
            settings,
            random,
            writer,
            body: Body::Unloaded,
            tail: Tail::Closed,
            taken: 0,
            carried: false,
            appender: Appender::new(writer),
            guard: Guard::Unknown,
            identity: Identity::Same,
            asks: Asks::default(),
            clock: memory.clock,
            arrivals: memory.arrivals,
            liveness: Liveness::default(),
            proposals: Proposals::default(),
            snapshots: Snapshots::default(),
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

    /// What outlives it.
    pub fn into_memory(self) -> Memory {
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
        self.wants_other_carrier = false;
    }

    /// Whether another connection should carry it.
    pub fn wants_other_carrier(&self) -> bool {
        self.wants_other_carrier
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
        }
        self.drive(now);
    }

    fn on_reader_opened(&mut self) {
        self.taken = 0;
        match &mut self.body {
            Body::Loading { load, .. } => {
                if let Step::Do(commands) = load.on_opened(PERMITS) {
                    self.commands.extend(commands);
                }
            }
            Body::Loaded(state) => {
                self.tail = state.log.applied.map_or(Tail::Following, Tail::AtApplied);
                self.commands.push_back(Command::Flow(PERMITS));
            }
            Body::Unloaded | Body::Creating { .. } => {}
        }
    }

    fn on_reader_failed(&mut self, error: LinkError, now: Now) {
        self.tail = Tail::Closed;
        if self.state().is_some() {
            // A producer without a reader may be in another topic of the same name.
            self.commands.push_back(Command::CloseReader);
            self.commands.push_back(Command::CloseProducer);
            self.appender.closed();
            self.guard = Guard::Unknown;
        }
        if error == LinkError::NotFound {
            self.appender.closed();
            return self.on_no_topic(now);
        }
        if let Body::Loading { .. } = self.body {
            self.body = Body::Unloaded;
        }
        self.on_link_error(error, now);
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

    /// There is no such topic: there is no such group, but for those that make one.
    fn on_no_topic(&mut self, now: Now) {
        if !matches!(self.body, Body::Loading { load: Load::Probing, .. }) {
            // It was there a moment ago: it was deleted. Whoever waits for what was in it is told so.
            self.asks.fail_all(GroupError::NotCoordinator);
            self.drop_state(None);
            return;
        }
        self.body = Body::Unloaded;
        self.guard = Guard::Unknown;
        for (id, connection, ask) in self.asks.take_loading() {
            if self.asks.creates(connection, &ask) {
                self.asks.open(id, connection, ask, now.instant);
            } else {
                self.refuse_without_group(id, connection, ask);
            }
        }
        if self.asks.any_creating() {
            self.body = Body::Creating { asked: false };
            self.appender.opening(now.instant);
            self.commands.push_back(Command::OpenProducer);
        }
    }

    fn on_producer_opened(&mut self, max_bytes: usize, now: Now) {
        self.appender.opened(max_bytes);
        self.identity = Identity::Asked { since: now.instant };
        match self.body {
            Body::Creating { .. } => self.begin_load(now.instant),
            // PRODUCER makes a topic that was just deleted; the reader, which was there before, knows whether it is the same.
            Body::Loaded(_) => self.commands.push_back(Command::AskLast),
            Body::Unloaded | Body::Loading { .. } => {}
        }
    }

    fn begin_load(&mut self, now: Instant) {
        let (load, command) = Load::begin();
        self.tail = Tail::Closed;
        self.body = Body::Loading { load, since: now };
        self.commands.push_back(command);
    }

    fn on_step(&mut self, step: Step, now: Now) {
        match step {
            Step::Wait => {}
            Step::Do(commands) => {
                self.taken = 0;
                self.commands.extend(commands);
            }
            Step::Loaded(state) => {
                self.tail = Tail::Following;
                self.on_loaded(state, now);
            }
            Step::Empty => {
                self.tail = Tail::Closed;
                self.on_loaded(Box::default(), now);
            }
        }
    }

    fn on_loaded(&mut self, state: Box<State>, now: Now) {
        self.breaches = 0;
        self.backoff = BACKOFF_MIN;
        // A producer that was there before the log was read writes to what was read.
        self.identity = Identity::Same;
        self.confirmed_at = now.instant;
        if state.format > FORMAT {
            self.log.push((
                Level::Error,
                format!("group {}: its log is in format {}, which this filter does not know", self.name, state.format),
            ));
            return self.drop_state(Some(GroupError::UnknownFormat));
        }
        if let Some(applied) = state.log.applied {
            self.note_arrival(applied, false, &state);
        }
        self.asks.on_reload(&state);
        self.body = Body::Loaded(state);
        self.proposals.look_now();
        for (id, connection, ask) in self.asks.take_loading() {
            self.start(id, connection, ask, now);
        }
    }

    fn note_arrival(&mut self, position: Position, own: bool, state: &State) {
        let arrival = clock::Arrival { at: self.clock.now(), own };
        self.arrivals.note(position, arrival, || referenced(state));
    }

    fn fail_load(&mut self, now: Instant) {
        self.body = Body::Unloaded;
        self.tail = Tail::Closed;
        self.back_off(now);
    }

    fn on_message(&mut self, position: Position, payload: Option<Bytes>, now: Now) {
        self.taken = self.taken.saturating_add(1);
        if self.taken >= TOP_UP {
            self.commands.push_back(Command::Flow(self.taken));
            self.taken = 0;
        }
        match &mut self.body {
            Body::Unloaded | Body::Creating { .. } => {}
            Body::Loading { load, .. } => match load.on_message(position, payload) {
                Ok(step) => self.on_step(step, now),
                Err(breach) => self.on_breach(breach, now),
            },
            Body::Loaded(state) => {
                if let Tail::AtApplied(applied) = self.tail {
                    self.tail = Tail::Following;
                    if position != applied {
                        return self.on_breach(Breach("the last entry that was read is not there any more"), now);
                    }
                }
                if state.log.applied.is_some_and(|applied| position <= applied) {
                    return;
                }
                let entry = load::decode(payload.as_ref());
                self.apply(position, entry.as_ref(), payload.as_ref().map_or(0, Bytes::len), now);
            }
        }
    }

    /// Fast path: what was stored right behind the last entry applied need not be read back.
    fn on_receipt(&mut self, sequence_id: u64, position: Position, now: Now) {
        let Body::Loaded(state) = &self.body else { return };
        let follows = state.log.applied.is_some_and(|applied| applied.is_followed_by(position));
        let Some(sent) = self.appender.in_flight(sequence_id).filter(|_| follows) else { return };
        let (entry, bytes) = (sent.entry.clone(), sent.bytes);
        self.apply(position, Some(&entry), bytes, now);
    }

    /// The one place where the loaded state changes.
    fn apply(&mut self, position: Position, entry: Option<&Entry>, bytes: usize, now: Now) {
        let Body::Loaded(mut state) = std::mem::replace(&mut self.body, Body::Unloaded) else { return };
        if let Err(breach) = load::check_next(state.log.applied, position, entry) {
            return self.on_breach(breach, now);
        }
        let own = entry.filter(|entry| entry.writer == self.writer);
        let sent = own.and_then(|entry| self.appender.take_sent(entry));
        let phase_began = state.phase_began;
        let asks = &mut self.asks;
        let accepted = apply(&mut state, position, entry, bytes, |state, index, outcome, changes| {
            let waiting = sent.as_ref().and_then(|sent| sent.asks.get(index).copied().flatten());
            asks.on_event(state, waiting, outcome, changes, now.instant);
        });
        self.note_arrival(position, own.is_some(), &state);
        if state.phase_began != phase_began {
            self.proposals.look_now();
        }
        self.snapshots.on_applied(&state, position, entry, now.instant, &mut self.random, &mut self.log);
        self.body = Body::Loaded(state);
        match (own, accepted, sent) {
            (Some(entry), Accepted::Yes, sent) => {
                self.appender.applied(entry);
                if let Some(sent) = sent {
                    self.confirmed_at = now.instant;
                    self.liveness.on_own_applied(&sent, position);
                    self.proposals.on_confirmed(sent.number);
                    self.answer_confirmed(sent.number, now);
                }
            }
            (Some(_), Accepted::No, Some(sent)) if self.appender.epoch_is_open() => {
                self.appender.refused(sent);
                self.commands.push_back(Command::CloseProducer);
            }
            // Void: written again when the current epoch is open.
            (Some(_), Accepted::No, Some(sent)) => self.appender.void(sent),
            (Some(_), Accepted::No, None) | (None, ..) => {}
        }
    }

    /// The log is not what it must be: it is read anew, and the second time nobody is kept waiting.
    fn on_breach(&mut self, Breach(what): Breach, now: Now) {
        self.breaches = self.breaches.saturating_add(1);
        if self.breaches == 1 {
            self.log.push((Level::Warn, format!("group {}: its log is read anew: {what}", self.name)));
        }
        let again = self.breaches > 1;
        // Once, and then once in a while: it is read again and again.
        if self.breaches % BREACHES_PER_LINE == 2 {
            self.log.push((
                Level::Error,
                format!(
                    "group {}: its log cannot be followed: {what}; was something trimmed from it, by TTL or by hand? \
                     Deleting its topic deletes the group with its offsets",
                    self.name
                ),
            ));
        }
        self.drop_state(again.then_some(GroupError::NotAvailable));
        self.back_off(now.instant);
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
        if let Body::Loading { .. } | Body::Creating { .. } = self.body {
            self.body = Body::Unloaded;
        }
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Now) {
        self.advance_clock(now.instant);
        let overdue = self.asks.expire(now.instant);
        if !overdue.is_empty() {
            self.appender.forget(|ask| overdue.contains(&ask));
        }
        if let Body::Loading { since, .. } = self.body
            && now.instant.since(since) >= LOADING
        {
            self.log.push((Level::Warn, format!("group {}: its log was not read within 20 s", self.name)));
            self.commands.push_back(Command::CloseReader);
            self.asks.fail_all(GroupError::NotAvailable);
            self.fail_load(now.instant);
            self.wants_other_carrier = true;
        }
        if self.silent_since().is_some_and(|since| now.instant.since(since) >= SILENCE) {
            self.commands.push_back(Command::CloseReader);
            self.commands.push_back(Command::CloseProducer);
            self.lose_link();
            self.wants_other_carrier = true;
        }
        if self.state().is_some() && now.instant.since(self.confirmed_at) >= STALE {
            self.drop_state(None);
            self.wants_other_carrier = true;
        }
        self.drive(now);
    }

    /// Since when the broker owes a sign of life.
    fn silent_since(&self) -> Option<Instant> {
        let identity = match (self.appender.producer(), self.identity) {
            (Producer::Open { .. }, Identity::Asked { since }) if self.state().is_some() => Some(since),
            (Producer::Open { .. } | Producer::Opening { .. } | Producer::Closed, _) => None,
        };
        self.appender.in_flight_since().or(self.appender.opening_since()).or(identity)
    }

    /// Carries everything as far as it goes.
    fn drive(&mut self, now: Now) {
        if self.retry_at.is_some_and(|at| at <= now.instant) {
            self.retry_at = None;
        }
        if !self.carried || self.retry_at.is_some() {
            return;
        }
        match &self.body {
            Body::Unloaded if self.asks.any_loading() || !self.asks.is_empty() || self.appender.has_queued() => {
                self.begin_load(now.instant);
            }
            Body::Unloaded | Body::Creating { .. } | Body::Loading { .. } => {}
            Body::Loaded(state) => {
                if self.tail == Tail::Closed {
                    self.tail = Tail::Opening;
                    let from = state.log.applied.map_or(ReadFrom::Earliest, ReadFrom::At);
                    self.commands.push_back(Command::OpenReader(from));
                }
                for (id, connection, ask) in self.asks.take_loading() {
                    self.start(id, connection, ask, now);
                }
                self.beat(now);
                self.propose(now);
                self.write_snapshot(now.instant);
                self.write(now);
            }
        }
    }

    /// Sends the next entry, if there is one and it may go.
    fn write(&mut self, now: Now) {
        let Body::Loaded(state) = &self.body else { return };
        let sent = self.appender.next_number().saturating_sub(1);
        let wanted = self.asks.wants_entry(sent) || self.proposals.wants_entry(sent);
        // A producer would make a topic that is gone; the reader tells whether it is still the same.
        if self.tail != Tail::Following || (!wanted && !self.appender.has_queued()) {
            return;
        }
        if self.appender.producer() == Producer::Closed {
            self.appender.opening(now.instant);
            self.commands.push_back(Command::OpenProducer);
            return;
        }
        if !matches!(self.appender.producer(), Producer::Open { .. }) || self.identity != Identity::Same {
            return;
        }
        match self.guard {
            Guard::Made => {}
            Guard::Making => return,
            Guard::Unknown => {
                self.guard = Guard::Making;
                self.commands.push_back(Command::Guard { acked: None });
                return;
            }
        }
        let moment = Moment { instant: now.instant, unix: now.unix, applied: state.log.applied, base: state.log.base };
        loop {
            match self.appender.next(wanted, &moment) {
                None => return,
                Some(Ok((sequence_id, payload))) => {
                    self.commands.push_back(Command::Send { sequence_id, payload });
                    return;
                }
                Some(Err(item)) => self.refuse(&item, GroupError::TooLarge),
            }
        }
    }

    fn on_guard_done(&mut self, result: Result<(), LinkError>, now: Now) {
        match result {
            Ok(()) => {
                if self.guard == Guard::Making {
                    self.guard = Guard::Made;
                }
            }
            Err(error) => {
                self.guard = Guard::Unknown;
                self.on_link_error(error, now);
            }
        }
    }

    /// When [`Replica::on_time`] has work next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let loading = match &self.body {
            Body::Loading { since, .. } => Some(*since + LOADING),
            Body::Unloaded | Body::Creating { .. } | Body::Loaded(_) => None,
        };
        let loaded = matches!(self.body, Body::Loaded(_)) && self.carried;
        let state_goes = self.state().map(|_| self.confirmed_at + STALE);
        let silence = self.silent_since().map(|since| since + SILENCE);
        // Nothing of this is done before the next attempt: what is due meanwhile is not to be called for over and over.
        let driven = loaded && self.retry_at.is_none();
        let beat = self.liveness.next_beat().filter(|_| driven);
        let proposals = self.proposals.next_look().filter(|_| driven);
        let snapshot = self.snapshots.next_deadline().filter(|_| driven);
        let retry = self.retry_at.filter(|_| self.carried);
        let own = [loading, state_goes, silence, beat, proposals, snapshot, retry, self.asks.next_deadline()];
        own.into_iter().flatten().min()
    }
}

fn referenced(state: &State) -> BTreeSet<Position> {
    let members = state.members.iter().map(|member| member.seen);
    let events = members.chain([state.phase_began, state.round_began]);
    events.map(|event| Position { ledger: event.ledger, entry: event.entry }).collect()
}
