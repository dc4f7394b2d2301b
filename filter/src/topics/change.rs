//! Changes to several topics at once, each on its own way to its own outcome.

use std::collections::VecDeque;

use kafka_protocol::error::ResponseError;

use super::name::{KafkaTopic, PulsarTopic};
use crate::error::{AdminError, PulsarError};
use crate::session::io::Io;
use crate::time::Instant;

/// Bound of changes of one request that are under way at once; the others wait for their turn.
pub const MAX_UNDER_WAY: usize = 32;

/// Kafka's own bound of partitions that one request may ask for (`ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`).
pub const MAX_PARTITIONS_PER_REQUEST: u64 = 10_000;

/// Why a change was not made: Kafka's code, and words where the code alone says too little.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// As clients know it.
    pub code: ResponseError,
    /// For people; without it clients show their own words for the code.
    pub message: Option<String>,
}

impl Refused {
    /// With words.
    pub fn because(code: ResponseError, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// The topic is not there. Clients have words enough for it.
    pub fn unknown_topic() -> Self {
        Self { code: ResponseError::UnknownTopicOrPartition, message: None }
    }

    /// The same topic stands twice in a request.
    pub fn duplicate() -> Self {
        Self::because(ResponseError::InvalidRequest, "Duplicate topic name.")
    }

    /// The broker did not tell what had to be known first. Clients of admin requests do not retry `NOT_LEADER_OR_FOLLOWER`.
    pub fn by_broker(error: &PulsarError) -> Self {
        let code = error.kafka_code();
        if matches!(code, ResponseError::NotLeaderOrFollower | ResponseError::RequestTimedOut) {
            Self::because(ResponseError::RequestTimedOut, "the broker did not answer")
        } else {
            Self { code, message: None }
        }
    }

    /// The admin REST did not do it.
    pub fn by_admin(error: &AdminError) -> Self {
        let mut message = error.message();
        message.push_str(match error {
            AdminError::Status(307, _) => {
                "; another broker owns the topic, so admin_cluster must reach every broker, or a proxy that follows redirects"
            }
            // Envoy's own answers for a cluster that it does not reach are among these.
            AdminError::Status(502..=504, _) => "; check the admin_cluster",
            AdminError::Status(..)
            | AdminError::NotConfigured
            | AdminError::Unreachable
            | AdminError::Malformed(_) => "",
        });
        Self::because(error.kafka_code(), message)
    }
}

/// One topic's change. The first poll begins it.
pub trait Change {
    /// What is there afterwards.
    type Made: std::fmt::Debug;

    /// The outcome; `None` while something is awaited.
    fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Self::Made, Refused>>;

    /// When to poll it although nothing happened.
    fn next_wake(&self) -> Option<Instant>;

    /// The outcome at the deadline of the request; what the broker was asked to do may yet be done.
    fn overdue(&mut self, io: &mut Io<'_>) -> Refused;
}

/// The topics of one request, in its order; `K` is what the answer calls a topic.
#[derive(Debug)]
pub struct Changes<K, C: Change> {
    rows: Vec<Row<K, C>>,
    /// At most [`MAX_UNDER_WAY`].
    under_way: Vec<usize>,
    waiting: VecDeque<usize>,
}

#[derive(Debug)]
struct Row<K, C: Change> {
    key: K,
    state: State<C>,
}

#[derive(Debug)]
enum State<C: Change> {
    Open(C),
    Settled(Result<C::Made, Refused>),
}

impl<K, C: Change> Default for Changes<K, C> {
    fn default() -> Self {
        Self { rows: Vec::new(), under_way: Vec::new(), waiting: VecDeque::new() }
    }
}

impl<K, C: Change> Changes<K, C> {
    /// Adds a topic: its change, or why there is none to be made.
    pub fn push(&mut self, key: K, change: Result<C, Refused>) {
        let state = match change {
            Ok(change) => {
                self.waiting.push_back(self.rows.len());
                State::Open(change)
            }
            Err(refused) => State::Settled(Err(refused)),
        };
        self.rows.push(Row { key, state });
    }

    /// Carries the changes on; whether all are settled.
    pub fn poll(&mut self, io: &mut Io<'_>) -> bool {
        let rows = &mut self.rows;
        let mut is_open = |at: &usize| {
            let Some(row) = rows.get_mut(*at) else { return false };
            let State::Open(change) = &mut row.state else { return false };
            let Some(outcome) = change.poll(io) else { return true };
            row.state = State::Settled(outcome);
            false
        };
        self.under_way.retain(&mut is_open);
        while self.under_way.len() < MAX_UNDER_WAY
            && let Some(next) = self.waiting.pop_front()
        {
            if is_open(&next) {
                self.under_way.push(next);
            }
        }
        self.under_way.is_empty()
    }

    /// When to poll although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        let rows = self.under_way.iter().filter_map(|at| self.rows.get(*at));
        rows.filter_map(|row| match &row.state {
            State::Open(change) => change.next_wake(),
            State::Settled(_) => None,
        })
        .min()
    }

    /// Every topic with its outcome; what is still open is overdue.
    pub fn take(&mut self, io: &mut Io<'_>) -> impl Iterator<Item = (K, Result<C::Made, Refused>)> {
        self.under_way.clear();
        self.waiting.clear();
        std::mem::take(&mut self.rows).into_iter().map(|row| {
            let outcome = match row.state {
                State::Open(mut change) => Err(change.overdue(io)),
                State::Settled(outcome) => outcome,
            };
            (row.key, outcome)
        })
    }
}

/// What this worker knew of a topic with so many partitions holds no longer.
pub fn forget(topic: &KafkaTopic, partitions: u32, io: &mut Io<'_>) {
    let shared = &mut *io.shared;
    shared.partitions.forget(topic);
    shared.floors.forget(&topic.base(&shared.config), io.now.instant, shared.config.lookup_cache_entries as usize);
    let known = partitions.min(shared.config.lookup_cache_entries);
    let of_partitions: Vec<PulsarTopic> = (0..known).map(|index| topic.partition(&shared.config, index)).collect();
    for topic in of_partitions.iter().chain([&topic.base(&shared.config)]) {
        shared.leaders.forget(topic);
        shared.entries.forget(topic);
    }
}
