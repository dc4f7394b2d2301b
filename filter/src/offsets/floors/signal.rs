//! The signal that a floor of the namespace was raised: a property of a topic of the filter's own, another value each time.
//!
//! A property of the namespace would do, if it were not that Pulsar then looks at every topic of the namespace again: on 4.2.4 that
//! took a quarter of a second of a processor for a thousand topics; that of a topic takes a few milliseconds.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::property::properties;
use crate::error::AdminError;
use crate::session::admin::Method;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::admin_change::AdminChange;
use crate::topics::name::{LOG_STARTS, PulsarTopic};

/// The property.
const CHANGED: &str = "kafka.changed";

/// Where it is read and written.
pub fn path(io: &Io<'_>) -> String {
    topic(io).admin_path("/properties")
}

/// Its value in the topic's properties.
pub fn token(body: &[u8]) -> Result<Option<String>, AdminError> {
    Ok(properties(body)?.remove(CHANGED))
}

fn topic(io: &Io<'_>) -> PulsarTopic {
    PulsarTopic::internal(&io.shared.config, LOG_STARTS)
}

/// ```text
/// Looking ──no such topic──▶ Creating ──▶ Writing ──▶ done
///    └──────────────────────────────────────▲
/// ```
#[derive(Debug)]
enum State {
    /// Brokers before 4.1 never answer who writes a property of a topic that is not there.
    Looking(AdminChange),
    Creating(AdminChange),
    Writing(AdminChange),
}

/// The change of the signal. Floors that it is to tell of must be in their properties before.
#[derive(Debug)]
pub struct Raise(State);

impl Raise {
    /// Begins.
    pub fn new(io: &mut Io<'_>) -> Self {
        Self(State::Looking(AdminChange::read(path(io), io)))
    }

    /// Whether it is done; `None` while something is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<(), AdminError>> {
        loop {
            self.0 = match &mut self.0 {
                State::Looking(read) => match read.poll(io)? {
                    Ok(_) => write(io),
                    Err(AdminError::Status(404, _)) => {
                        let path = topic(io).admin_path("/partitions");
                        State::Creating(AdminChange::new(Method::Put, path, Some(Bytes::from_static(b"1")), io))
                    }
                    Err(error) => return Some(Err(error)),
                },
                State::Creating(create) => match create.poll(io)? {
                    // Another was quicker.
                    Ok(_) | Err(AdminError::Status(409, _)) => write(io),
                    Err(error) => return Some(Err(error)),
                },
                State::Writing(write) => return Some(write.poll(io)?.map(|_| ())),
            };
        }
    }

    /// When to poll it although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        match &self.0 {
            State::Looking(call) | State::Creating(call) | State::Writing(call) => call.next_wake(),
        }
    }
}

/// Changes it without waiting for whether that is done: there is no more time.
pub fn send(io: &mut Io<'_>) {
    let (path, body) = (path(io), new_value(io));
    io.admin.call(Method::Put, path, Some(("application/json", body)), io.now.instant);
}

fn write(io: &mut Io<'_>) -> State {
    let (path, body) = (path(io), new_value(io));
    State::Writing(AdminChange::repeatable(Method::Put, path, Some(body), io))
}

fn new_value(io: &mut Io<'_>) -> Bytes {
    let token = format!("{:016x}", io.shared.random.next_u64());
    serde_json::to_vec(&BTreeMap::from([(CHANGED, token)])).unwrap_or_default().into()
}
