//! Makes one topic: partitioned, if Pulsar lets its name be.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::admin_change::AdminChange;
use super::change::{Change, Refused, forget};
use super::confirm::{Confirm, Wanted};
use super::name::KafkaTopic;
use super::partitions::{CountPartitions, Partitions};
use crate::error::AdminError;
use crate::session::admin::Method;
use crate::session::io::Io;
use crate::time::Instant;

/// ```text
/// New ──nothing against it──▶ Creating ──▶ Confirming ──▶ done
///  └──only to be validated, or refused for something else──▶ Looking ──▶ done
/// ```
#[derive(Debug)]
enum State {
    New,
    Looking(CountPartitions),
    Creating(Partitions, AdminChange),
    Confirming(Confirm),
}

/// The change; makes so many partitions as it says.
#[derive(Debug)]
pub struct CreateTopic {
    topic: KafkaTopic,
    /// How many partitions, or what is wrong with the request. That the topic exists goes before that, as in Kafka.
    partitions: Result<u32, Refused>,
    validate_only: bool,
    state: State,
}

impl CreateTopic {
    /// Not yet begun.
    pub fn new(topic: KafkaTopic, partitions: Result<u32, Refused>, validate_only: bool) -> Self {
        let partitions = partitions.and_then(|partitions| match partitions {
            2.. if !topic.can_be_partitioned() => Err(Refused::because(
                ResponseError::InvalidPartitions,
                "Pulsar gives a topic no partitions whose name contains '-partition-': it can have 1, as Kafka counts",
            )),
            _ => Ok(partitions),
        });
        Self { topic, partitions, validate_only, state: State::New }
    }

    fn exists(&self) -> Refused {
        Refused::because(ResponseError::TopicAlreadyExists, format!("Topic '{}' already exists.", self.topic))
    }

    fn begin(&self, io: &mut Io<'_>) -> State {
        match self.partitions {
            Ok(count) if !self.validate_only => {
                let (partitions, rest, body) = if self.topic.can_be_partitioned() {
                    (Partitions::Partitioned(count), "/partitions", Bytes::from(count.to_string()))
                } else {
                    // The body is the topic's properties, of which there are none.
                    (Partitions::NonPartitioned, "", Bytes::from_static(b"{}"))
                };
                let path = self.topic.base(&io.shared.config).admin_path(rest);
                State::Creating(partitions, AdminChange::new(Method::Put, path, Some(body), io))
            }
            Ok(_) | Err(_) => State::Looking(CountPartitions::ask(&self.topic, io)),
        }
    }

    /// What Pulsar means by each status when a topic is to be created (`AdminResource.internalCreatePartitionedTopic`).
    fn refused(&self, error: &AdminError, io: &mut Io<'_>) -> Refused {
        if let AdminError::Status(409, _) = error {
            return self.exists();
        }
        let refused = Refused::by_admin(error);
        io.shared.log.warn(format!("topic {} was not created: {}", self.topic, error.message()));
        match error {
            // Pulsar makes no partitioned topic whose name holds "-partition-" anywhere.
            AdminError::Status(412, reason) if reason.contains("-partition-") => {
                Refused { code: ResponseError::InvalidTopicException, ..refused }
            }
            AdminError::Status(406, _) => Refused { code: ResponseError::InvalidPartitions, ..refused },
            // "-partition-" followed by a number that is not how Pulsar writes one.
            AdminError::Status(412, _) if !self.topic.can_be_partitioned() => {
                Refused { code: ResponseError::InvalidTopicException, ..refused }
            }
            // No such namespace, or as many topics as its policies allow.
            AdminError::Status(404 | 412, _) => Refused { code: ResponseError::PolicyViolation, ..refused },
            AdminError::Status(..) | AdminError::NotConfigured | AdminError::Unreachable | AdminError::Malformed(_) => {
                refused
            }
        }
    }
}

impl Change for CreateTopic {
    type Made = u32;

    fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<u32, Refused>> {
        loop {
            let next = match &mut self.state {
                State::New => self.begin(io),
                State::Looking(count) => {
                    return Some(match count.poll(io)? {
                        Ok(_) => Err(self.exists()),
                        Err(error) if error.is_not_found() => self.partitions.clone(),
                        Err(error) => Err(Refused::by_broker(&error)),
                    });
                }
                State::Creating(partitions, change) => {
                    let (partitions, done) = (*partitions, change.poll(io)?);
                    if let Err(error) = done {
                        return Some(Err(self.refused(&error, io)));
                    }
                    forget(&self.topic, partitions.count(), io);
                    State::Confirming(Confirm::new(&self.topic, Wanted::There(partitions), io))
                }
                State::Confirming(confirm) => {
                    return Some(match confirm.poll(io)? {
                        Ok(()) => self.partitions.clone(),
                        Err(error) => Err(Refused::by_broker(&error)),
                    });
                }
            };
            self.state = next;
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::New | State::Looking(_) => None,
            State::Creating(_, change) => change.next_wake(),
            State::Confirming(confirm) => confirm.next_wake(),
        }
    }

    fn overdue(&mut self, io: &mut Io<'_>) -> Refused {
        match &self.state {
            State::New | State::Looking(_) => Refused::because(ResponseError::RequestTimedOut, "nothing was created"),
            State::Creating(_, change) => overdue(change),
            State::Confirming(_) => {
                io.shared.partitions.forget(&self.topic);
                Refused::because(ResponseError::RequestTimedOut, "created, but this broker does not see it yet")
            }
        }
    }
}

/// The words for an admin change that was not done in time.
pub(super) fn overdue(change: &AdminChange) -> Refused {
    let message = match change.last_error() {
        Some(error) => Refused::by_admin(error).message,
        None => Some("Pulsar's admin REST did not answer in time".to_owned()),
    };
    Refused { code: ResponseError::RequestTimedOut, message }
}
