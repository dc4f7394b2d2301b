//! Waits until the broker behind this connection sees what the admin REST was told: another broker may have answered there.

use std::time::Duration;

use super::name::KafkaTopic;
use super::partitions::{CountPartitions, Partitions};
use crate::error::PulsarError;
use crate::session::io::Io;
use crate::time::Instant;

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// So many partitions, or more.
    Partitions(u32),
    /// No such topic.
    Gone,
}

impl Wanted {
    fn is_seen(self, counted: &Result<Partitions, PulsarError>) -> bool {
        match (self, counted) {
            (Wanted::Partitions(wanted), Ok(Partitions::Partitioned(count))) => *count >= wanted,
            (Wanted::Partitions(_), Ok(Partitions::NonPartitioned) | Err(_)) | (Wanted::Gone, Ok(_)) => false,
            (Wanted::Gone, Err(error)) => error.is_not_found(),
        }
    }
}

#[derive(Debug)]
enum State {
    Looking(CountPartitions),
    Waiting { until: Instant },
}

/// The wait; only the deadline of the request ends it otherwise.
#[derive(Debug)]
pub struct Confirm {
    topic: KafkaTopic,
    wanted: Wanted,
    state: State,
}

impl Confirm {
    /// Looks for the first time.
    pub fn new(topic: &KafkaTopic, wanted: Wanted, io: &mut Io<'_>) -> Self {
        Self { topic: topic.clone(), wanted, state: State::Looking(CountPartitions::ask(topic, io)) }
    }

    /// Whether it is seen; an error if the connection to the broker is gone.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<(), PulsarError>> {
        loop {
            match &mut self.state {
                State::Looking(count) => {
                    let counted = count.poll(io)?;
                    let is_seen = self.wanted.is_seen(&counted);
                    if !is_seen || self.wanted == Wanted::Gone {
                        // What was counted, here or meanwhile for another request, is out of date.
                        io.shared.partitions.forget(&self.topic);
                    }
                    if is_seen {
                        return Some(Ok(()));
                    }
                    if let Err(error @ PulsarError::Disconnected) = counted {
                        return Some(Err(error));
                    }
                    self.state = State::Waiting { until: io.now.instant + LOOK_AGAIN };
                }
                State::Waiting { until } if *until <= io.now.instant => {
                    self.state = State::Looking(CountPartitions::ask(&self.topic, io));
                }
                State::Waiting { .. } => return None,
            }
        }
    }

    /// When to poll it although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        match self.state {
            State::Looking(_) => None,
            State::Waiting { until } => Some(until),
        }
    }
}
