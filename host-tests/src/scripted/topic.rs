//! A topic that this broker has: its log, and who is attached to it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use isthmus::time::Instant;

use super::Conn;
use super::compaction::Compacted;
use super::connection::Reply;
use super::dedup::Dedup;
use super::entry::Entry;
use super::log::{Log, Position};

/// The most a dispatcher reads at once (`dispatcherMaxReadBatchSize`, `dispatcherMaxReadSizeBytes`).
const READ_ENTRIES_MAX: usize = 100;
const READ_BYTES_MAX: usize = 5 << 20;

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) log: Log,
    pub(super) compacted: Option<Compacted>,
    /// A compaction has begun, and has not ended.
    pub(super) is_compacting: bool,
    pub(super) dedup: Dedup,
    pub(super) producers: BTreeMap<(Conn, u64), Producer>,
    /// Names whose connection broke, and until when they are busy.
    pub(super) lingering: BTreeMap<String, Instant>,
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    /// On their way to the ledger, in order.
    pub(super) writes: VecDeque<Write>,
    pub(super) properties: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(super) struct Producer {
    pub(super) name: String,
    /// CLOSE_PRODUCER came while writes were under way: who asked, and how it is to be answered.
    pub(super) closing: Option<(u64, Reply)>,
}

/// A SEND on its way.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) due: Instant,
    pub(super) conn: Conn,
    pub(super) producer_id: u64,
    pub(super) producer_name: String,
    pub(super) sequence_id: u64,
    pub(super) highest_sequence_id: Option<u64>,
    pub(super) section: Bytes,
    /// As the command counts them: the index goes by it.
    pub(super) messages: u64,
    pub(super) reply: Reply,
    pub(super) fails: bool,
}

/// A cursor and its consumers.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) durable: bool,
    /// Failover: several consumers may be attached, of which one is active.
    pub(super) failover: bool,
    /// Failover: when the consumers are told who is active. Until then nobody gets anything.
    pub(super) announced: Option<Instant>,
    pub(super) mark: Position,
    pub(super) read: Position,
    pub(super) consumers: Vec<(Conn, u64)>,
    /// `read_compacted`: what compaction took out is not shown.
    pub(super) reads_compacted: bool,
}

impl Subscription {
    /// Who gets the messages. In a Failover subscription the broker chooses by a hash of its consumers; here it is the last that came.
    pub(super) fn active(&self) -> Option<(Conn, u64)> {
        if self.failover { self.consumers.last().copied() } else { self.consumers.first().copied() }
    }

    /// Consumers come or go by `change`; if another is active then, all are told a while later.
    pub(super) fn change(&mut self, announced: Instant, change: impl FnOnce(&mut Vec<(Conn, u64)>)) {
        let before = self.active();
        change(&mut self.consumers);
        if self.failover && self.active() != before {
            self.announced = Some(announced);
        }
    }
}

impl Topic {
    /// Whether there is no producer, and nothing that the `mode` of its policy for inactive topics waits for. Consumers are sent away
    /// (`PersistentTopic.delete`).
    pub(super) fn is_inactive(&self, mode: Option<&str>) -> bool {
        let needed = match mode {
            Some("delete_when_subscriptions_caught_up") => {
                self.subscriptions.values().any(|each| each.mark < self.log.last_confirmed())
            }
            Some(_) | None => !self.subscriptions.is_empty(),
        };
        self.producers.is_empty() && !needed
    }

    /// Whether anybody is attached. A subscription that nobody reads from goes with its topic (`PersistentTopic.delete`).
    pub(super) fn is_in_use(&self) -> bool {
        !self.producers.is_empty() || self.subscriptions.values().any(|subscription| !subscription.consumers.is_empty())
    }

    pub(super) fn new(ledger: i64) -> Self {
        Self {
            log: Log::new(ledger),
            compacted: None,
            is_compacting: false,
            dedup: Dedup::default(),
            producers: BTreeMap::new(),
            lingering: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            writes: VecDeque::new(),
            properties: BTreeMap::new(),
        }
    }

    /// Whether another producer of that name is, or may be, alive.
    pub(super) fn name_is_busy(&self, name: &str, now: Instant) -> bool {
        let lingers = self.lingering.get(name).is_some_and(|until| *until > now);
        lingers || self.producers.values().any(|producer| producer.name == name)
    }

    pub(super) fn has_writes_of(&self, conn: Conn, producer_id: u64) -> bool {
        self.writes.iter().any(|write| (write.conn, write.producer_id) == (conn, producer_id))
    }

    /// What one read of the dispatcher brings: at most `permits` entries, whatever is in them.
    pub(super) fn read(&mut self, subscription: &str, permits: i64) -> Vec<(Position, Entry)> {
        let Some(subscription) = self.subscriptions.get_mut(subscription) else { return Vec::new() };
        let wanted = usize::try_from(permits).unwrap_or(0).min(READ_ENTRIES_MAX);
        let mut read = Vec::new();
        let mut bytes = 0;
        while read.len() < wanted && bytes < READ_BYTES_MAX {
            let compacted = self
                .compacted
                .as_ref()
                .filter(|compacted| subscription.reads_compacted && subscription.read < compacted.horizon);
            let found = match compacted {
                None => self.log.after(subscription.read),
                Some(compacted) => compacted.after(subscription.read).or_else(|| self.log.after(compacted.horizon)),
            };
            let Some((position, entry)) = found else { break };
            subscription.read = position;
            if !entry.is_marker() {
                bytes += entry.section.len();
                read.push((position, entry.clone()));
            }
        }
        read
    }

    /// The last entry that a consumer could get (`ServerCnx.getLargestBatchIndexWhenPossible`).
    pub(super) fn last_readable(&self, reads_compacted: bool) -> Option<(Position, &Entry)> {
        let compacted = self.compacted.as_ref().filter(|_| reads_compacted);
        if let Some(compacted) = compacted.filter(|compacted| self.log.last_confirmed() <= compacted.horizon) {
            return compacted.last();
        }
        self.log.entries().rev().find(|(_, entry)| !entry.is_marker())
    }
}
