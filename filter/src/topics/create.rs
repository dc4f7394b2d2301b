//! Makes one partitioned topic.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::admin_change::AdminChange;
use super::change::{Change, Refused, forget};
use super::confirm::{Confirm, Wanted};
use super::name::KafkaTopic;
use super::partitions::CountPartitions;
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
    Creating(u32, AdminChange),
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
        let partitions = if topic.can_be_partitioned() {
            partitions
        } else {
            Err(Refused::because(
                ResponseError::InvalidTopicException,
                "Topic name is invalid: Pulsar makes no partitioned topic whose name contains '-partition-'",
            ))
        };
        Self { topic, partitions, validate_only, state: State::New }
    }

    fn exists(&self) -> Refused {
        Refused::because(ResponseError::TopicAlreadyExists, format!("Topic '{}' already exists.", self.topic))
    }

    fn begin(&self, io: &mut Io<'_>) -> State {
        match self.partitions {
            Ok(count) if !self.validate_only => {
                let path = self.topic.base(&io.shared.config).admin_path("/partitions");
                let body = Bytes::from(count.to_string());
                State::Creating(count, AdminChange::new(Method::Put, path, Some(body), io))
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
            AdminError::Status(406, _) => Refused { code: ResponseError::InvalidPartitions, ..refused },
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
                State::Creating(count, change) => {
                    let (count, done) = (*count, change.poll(io)?);
                    if let Err(error) = done {
                        return Some(Err(self.refused(&error, io)));
                    }
                    forget(&self.topic, count, io);
                    State::Confirming(Confirm::new(&self.topic, Wanted::Partitions(count), io))
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
