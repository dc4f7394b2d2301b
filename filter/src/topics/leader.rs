//! Which Kafka node leads a partition: LOOKUP, turned into a Kafka address.

use std::rc::Rc;

use super::leader_cache::Address;
use super::name::PulsarTopic;
use super::node::{address_of_url, mapped};
use crate::config::HostPort;
use crate::error::PulsarError;
use crate::ids::RequestId;
use crate::pulsar::command;
use crate::pulsar::proto::ServerError;
use crate::session::io::Io;
use crate::session::requests::{LookupReply, Reply};

/// The question, on its way to its answer.
///
/// ```text
/// Known
/// Asking(listener) ──no such listener──▶ Asking(no listener) ──▶ map or pattern, else the address the client reached
/// ```
#[derive(Debug)]
pub enum FindLeader {
    /// Known from a moment ago.
    Known(Address),
    /// LOOKUP is sent.
    Asking {
        /// The partition.
        topic: PulsarTopic,
        /// The question.
        request: RequestId,
        /// Whether the answer is under the configured listener, thus a Kafka address.
        by_listener: bool,
    },
}

impl FindLeader {
    /// Asks, unless the answer is fresh.
    pub fn new(topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        match io.shared.leaders.fresh(topic, io.now.instant, &io.shared.config) {
            Some(address) => Self::Known(address),
            None => Self::ask(topic.clone(), io),
        }
    }

    /// Asks, whatever is remembered.
    pub fn ask(topic: PulsarTopic, io: &mut Io<'_>) -> Self {
        let listener = &io.shared.config.advertised_listener;
        let by_listener = !listener.is_empty() && !io.shared.leaders.listener_missing;
        let (name, listener) = (topic.as_str().to_owned(), by_listener.then(|| listener.clone()));
        let request = io.pulsar.ask(io.now.instant, |id| command::lookup(name, id, false, listener));
        Self::Asking { topic, request, by_listener }
    }

    /// The leader; `None` while it is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Address, PulsarError>> {
        loop {
            let Self::Asking { topic, request, by_listener } = self else {
                let Self::Known(address) = self else { return None };
                return Some(Ok(Rc::clone(address)));
            };
            match io.pulsar.take(*request)? {
                Ok(Reply::Lookup(reply)) => {
                    let address = match kafka_address(&reply, *by_listener, io) {
                        Some(address) => address,
                        None => return Some(Err(PulsarError::Malformed("LOOKUP gave no usable address"))),
                    };
                    // A redirect names a candidate, not an owner; it may be another one the next time.
                    let address = io.shared.leaders.intern(address);
                    if reply.connect {
                        io.shared.leaders.insert(topic, Rc::clone(&address), io.now.instant, &io.shared.config);
                    }
                    *self = Self::Known(address);
                }
                Err(error) if *by_listener && is_missing_listener(&error) => {
                    io.shared.leaders.listener_missing = true;
                    io.shared.log.warn(format!(
                        "the brokers advertise no listener '{}': Kafka addresses come from broker_addresses or \
                         broker_address_pattern, else from the address the client reached",
                        io.shared.config.advertised_listener
                    ));
                    *self = Self::ask(topic.clone(), io);
                }
                Err(error) => return Some(Err(error)),
                Ok(_) => return Some(Err(PulsarError::Malformed("another answer to LOOKUP"))),
            }
        }
    }
}

fn kafka_address(reply: &LookupReply, by_listener: bool, io: &Io<'_>) -> Option<HostPort> {
    if by_listener {
        return address_of_url(&reply.url);
    }
    mapped(&reply.url, &io.shared.config).or_else(|| io.client.endpoints.reached.clone())
}

/// "the broker do not have kafka listener" (`TopicLookupBase`, as `ServiceNotReady`).
fn is_missing_listener(error: &PulsarError) -> bool {
    matches!(error, PulsarError::Refused { code: ServerError::ServiceNotReady, message } if message.contains("listener"))
}
