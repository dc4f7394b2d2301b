//! One connection of a client, as the broker's `ServerCnx` keeps it.

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus::frame::Splitter;
use isthmus::pulsar::frame::max_frame_bytes;
use isthmus::time::Instant;

use super::fault::Effect;
use super::outbox::Outbox;

/// How long a SEND to a producer that the broker closed is dropped without a word (`recentlyClosedProducers`).
const RECENTLY_CLOSED: Duration = Duration::from_secs(30);

/// How far the handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// CONNECT is awaited; PING may come before.
    Fresh,
    /// CONNECT was accepted, but CONNECTED has not left: nothing may come.
    Accepted,
    Connected,
    Closed,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) phase: Phase,
    pub(super) splitter: Splitter,
    pub(super) outbox: Outbox,
    /// Protocol 18 and `supports_broker_entry_metadata`.
    pub(super) reads_entry_metadata: bool,
    /// Producer id to topic.
    pub(super) producers: BTreeMap<u64, String>,
    pub(super) consumers: BTreeMap<u64, Consumer>,
    recently_closed: BTreeMap<u64, Instant>,
    /// When the next PING is due, or the handshake is too late.
    pub(super) keep_alive_due: Option<Instant>,
    pub(super) heard_since_ping: bool,
}

#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) topic: String,
    pub(super) subscription: String,
    /// In messages; a batch may take it far below zero.
    pub(super) permits: i64,
}

/// How a command is to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) delay: Duration,
    pub(super) copies: u32,
}

impl Reply {
    pub(super) const USUAL: Self = Self { delay: Duration::ZERO, copies: 1 };

    pub(super) fn under(effect: Option<&Effect>) -> Self {
        match effect {
            Some(Effect::LoseAnswer | Effect::CloseAfter) => Self { copies: 0, ..Self::USUAL },
            Some(Effect::AnswerTwice) => Self { copies: 2, ..Self::USUAL },
            Some(Effect::DelayAnswer(delay)) => Self { delay: *delay, ..Self::USUAL },
            Some(
                Effect::Refuse(..)
                | Effect::Ignore
                | Effect::DelayWrite(_)
                | Effect::FailWrite
                | Effect::Unload
                | Effect::Crash { .. }
                | Effect::Close,
            )
            | None => Self::USUAL,
        }
    }
}

impl Connection {
    pub(super) fn new(max_message_bytes: usize, keep_alive_due: Option<Instant>) -> Self {
        Self {
            phase: Phase::Fresh,
            splitter: Splitter::new(max_frame_bytes(max_message_bytes)),
            outbox: Outbox::default(),
            reads_entry_metadata: false,
            producers: BTreeMap::new(),
            consumers: BTreeMap::new(),
            recently_closed: BTreeMap::new(),
            keep_alive_due,
            heard_since_ping: true,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase != Phase::Closed
    }

    /// The broker closed a producer: its id is remembered for a while.
    pub(super) fn remember_closed(&mut self, producer_id: u64, now: Instant) {
        self.producers.remove(&producer_id);
        self.recently_closed.insert(producer_id, now + RECENTLY_CLOSED);
    }

    pub(super) fn was_closed_recently(&self, producer_id: u64, now: Instant) -> bool {
        self.recently_closed.get(&producer_id).is_some_and(|until| now < *until)
    }

    pub(super) fn add_producer(&mut self, producer_id: u64, topic: String) {
        self.recently_closed.remove(&producer_id);
        self.producers.insert(producer_id, topic);
    }
}
