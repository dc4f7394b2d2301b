//! Adds partitions to one topic.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::admin_change::AdminChange;
use super::change::{Change, MAX_PARTITIONS_PER_REQUEST, Refused, forget};
use super::confirm::{Confirm, Wanted};
use super::create::overdue;
use super::name::KafkaTopic;
use super::partitions::{CountPartitions, Partitions};
use crate::error::AdminError;
use crate::session::admin::Method;
use crate::session::io::Io;
use crate::time::Instant;

/// Where the client wants the new partitions: for how many it says so, and whether that can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Partitions with an assignment.
    pub partitions: usize,
    /// What is wrong with one of them.
    pub checked: Result<(), Refused>,
}

/// ```text
/// New ──▶ Counting ──▶ Growing ──▶ Confirming ──▶ done
///            └──only to be validated──────────────▶ done
/// ```
#[derive(Debug)]
enum State {
    New,
    Counting(CountPartitions),
    Growing(u32, AdminChange),
    Confirming(Confirm),
}

/// The change.
#[derive(Debug)]
pub struct GrowTopic {
    topic: KafkaTopic,
    /// As the client writes it: how many there are to be.
    wanted: i32,
    assigned: Option<Assigned>,
    validate_only: bool,
    state: State,
}

impl GrowTopic {
    /// Not yet begun.
    pub fn new(topic: KafkaTopic, wanted: i32, assigned: Option<Assigned>, validate_only: bool) -> Self {
        Self { topic, wanted, assigned, validate_only, state: State::New }
    }

    /// Kafka's rules in Kafka's order and words (`ReplicationControlManager.createPartitions`), and Pulsar's own.
    fn check(&self, partitions: Partitions) -> Result<u32, Refused> {
        let count = partitions.count();
        let invalid = |message: String| Refused::because(ResponseError::InvalidPartitions, message);
        let wanted = match u32::try_from(self.wanted) {
            Ok(wanted) if wanted == count => return Err(invalid(format!("Topic already has {count} partition(s)."))),
            Ok(wanted) if wanted > count => wanted,
            Ok(_) | Err(_) => {
                return Err(invalid(format!(
                    "The topic {} currently has {count} partition(s); {} would not be an increase.",
                    self.topic, self.wanted
                )));
            }
        };
        if partitions == Partitions::NonPartitioned {
            return Err(invalid(format!(
                "{} is a Pulsar topic without partitions: Pulsar cannot give it any",
                self.topic
            )));
        }
        let additional = wanted.saturating_sub(count);
        if u64::from(additional) > MAX_PARTITIONS_PER_REQUEST {
            return Err(Refused::because(
                ResponseError::PolicyViolation,
                "Excessively large number of partitions per request.",
            ));
        }
        if let Some(assigned) = &self.assigned {
            if usize::try_from(additional).ok() != Some(assigned.partitions) {
                let message = format!(
                    "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                    assigned.partitions
                );
                return Err(Refused::because(ResponseError::InvalidReplicaAssignment, message));
            }
            assigned.checked.clone()?;
        }
        Ok(wanted)
    }

    /// What Pulsar means by each status when a topic is to grow (`PersistentTopicsBase.internalUpdatePartitionedTopicAsync`).
    fn refused(&self, error: &AdminError, io: &mut Io<'_>) -> Refused {
        io.shared.log.warn(format!("topic {} did not grow: {}", self.topic, error.message()));
        let refused = Refused::by_admin(error);
        match error {
            AdminError::Status(404, _) => Refused::unknown_topic(),
            AdminError::Status(406 | 409 | 412 | 422, _) => {
                Refused { code: ResponseError::InvalidPartitions, ..refused }
            }
            AdminError::Status(..) | AdminError::NotConfigured | AdminError::Unreachable | AdminError::Malformed(_) => {
                refused
            }
        }
    }
}

impl Change for GrowTopic {
    type Made = ();

    fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<(), Refused>> {
        loop {
            let next = match &mut self.state {
                State::New => State::Counting(CountPartitions::ask(&self.topic, io)),
                State::Counting(count) => match count.poll(io)? {
                    Ok(partitions) => match self.check(partitions) {
                        Ok(_) if self.validate_only && io.shared.config.admin_cluster.is_empty() => {
                            return Some(Err(Refused::by_admin(&AdminError::NotConfigured)));
                        }
                        Ok(_) if self.validate_only => return Some(Ok(())),
                        Ok(wanted) => {
                            let path = self.topic.base(&io.shared.config).admin_path("/partitions");
                            let body = Bytes::from(wanted.to_string());
                            State::Growing(wanted, AdminChange::new(Method::Post, path, Some(body), io))
                        }
                        Err(refused) => return Some(Err(refused)),
                    },
                    Err(error) => return Some(Err(Refused::by_broker(&error))),
                },
                State::Growing(wanted, change) => {
                    let (wanted, done) = (*wanted, change.poll(io)?);
                    forget(&self.topic, wanted, io);
                    if let Err(error) = done {
                        return Some(Err(self.refused(&error, io)));
                    }
                    State::Confirming(Confirm::new(&self.topic, Wanted::Partitions(wanted), io))
                }
                State::Confirming(confirm) => {
                    return Some(confirm.poll(io)?.map_err(|error| Refused::by_broker(&error)));
                }
            };
            self.state = next;
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::New | State::Counting(_) => None,
            State::Growing(_, change) => change.next_wake(),
            State::Confirming(confirm) => confirm.next_wake(),
        }
    }

    fn overdue(&mut self, io: &mut Io<'_>) -> Refused {
        match &self.state {
            State::New | State::Counting(_) => Refused::because(ResponseError::RequestTimedOut, "nothing was added"),
            State::Growing(wanted, change) => {
                forget(&self.topic, *wanted, io);
                overdue(change)
            }
            State::Confirming(_) => {
                Refused::because(ResponseError::RequestTimedOut, "added, but this broker does not see it yet")
            }
        }
    }
}
