//! Makes one partitioned topic.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::admin_change::AdminChange;
use super::change::{Change, Refused, forget};
use super::configs::converge::Converge;
use super::configs::plan::{PROPERTY_PREFIX, Plan};
use super::configs::pulsar::{Policy, TopicPolicies};
use super::configs::settle::Settle;
use super::confirm::{Confirm, Wanted};
use super::name::KafkaTopic;
use super::partitions::CountPartitions;
use crate::error::AdminError;
use crate::session::admin::Method;
use crate::session::io::Io;
use crate::time::Instant;

/// The content type of a creation with properties (`PersistentTopics.createPartitionedTopic`).
const WITH_PROPERTIES: &str = "application/vnd.partitioned-topic-metadata+json";

/// A topic that is older is not taken back: meanwhile others may have written to it.
const TAKEN_BACK_WITHIN: Duration = Duration::from_secs(2);

/// What is to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// How many partitions.
    pub partitions: u32,
    /// Policies and properties that it begins with.
    pub plan: Plan,
}

impl NewTopic {
    /// A number, or an object where there are properties.
    fn body(&self) -> (&'static str, Bytes) {
        if self.plan.set.is_empty() {
            return ("application/json", Bytes::from(self.partitions.to_string()));
        }
        let body = serde_json::json!({ "partitions": self.partitions, "properties": self.plan.set });
        (WITH_PROPERTIES, Bytes::from(body.to_string()))
    }
}

/// ```text
/// New ──nothing against it──▶ Creating ──▶ Confirming ──▶ Configuring ──▶ done
///  │                             │                            └──Pulsar refuses at once──▶ TakingBack ──▶ done
///  │                             └──it exists──▶ Settling ──▶ done
///  └──only to be validated, or nobody to make it, or refused for something else──▶ Looking ──▶ done
/// ```
#[derive(Debug)]
enum State {
    New,
    Looking(CountPartitions),
    Creating(u32, AdminChange),
    /// Whoever is told that a topic exists may ask for its configurations: if another client is making it, they come a moment later.
    Settling(Settle),
    Confirming(Confirm),
    /// Since when.
    Configuring(Converge, Instant),
    TakingBack(AdminChange, Refused),
}

/// The change; makes what it says.
#[derive(Debug)]
pub struct CreateTopic {
    topic: KafkaTopic,
    /// What to make, or what is wrong with the request. That the topic exists goes before that, as in Kafka.
    new: Result<NewTopic, Refused>,
    validate_only: bool,
    /// When the request came.
    asked: Instant,
    state: State,
}

impl CreateTopic {
    /// Not yet begun.
    pub fn new(topic: KafkaTopic, new: Result<NewTopic, Refused>, validate_only: bool, asked: Instant) -> Self {
        let new = if topic.can_be_partitioned() {
            new
        } else {
            Err(Refused::because(
                ResponseError::InvalidTopicException,
                "Topic name is invalid: Pulsar makes no partitioned topic whose name contains '-partition-'",
            ))
        };
        Self { topic, new, validate_only, asked, state: State::New }
    }

    fn exists(&self) -> Refused {
        Refused::because(ResponseError::TopicAlreadyExists, format!("Topic '{}' already exists.", self.topic))
    }

    fn begin(&mut self, io: &mut Io<'_>) -> State {
        if self.validate_only && self.new.is_ok() && io.shared.config.admin_cluster.is_empty() {
            self.new = Err(Refused::by_admin(&AdminError::NotConfigured));
        }
        match &self.new {
            Ok(new) if !self.validate_only => {
                let path = self.topic.base(&io.shared.config).admin_path("/partitions");
                State::Creating(new.partitions, AdminChange::of_type(Method::Put, path, new.body(), io))
            }
            Ok(_) | Err(_) => State::Looking(CountPartitions::ask(&self.topic, io)),
        }
    }

    /// A topic that cannot have its configurations is none that was asked for.
    fn take_back(&self, refused: Refused, io: &mut Io<'_>) -> State {
        io.shared.log.warn(format!(
            "topic {} is deleted again, because it could not be configured: {}",
            self.topic,
            refused.message.as_deref().unwrap_or("no reason given")
        ));
        let path = self.topic.base(&io.shared.config).admin_path("/partitions");
        State::TakingBack(AdminChange::new(Method::Delete, path, None, io), refused)
    }

    /// The topic stays, and whoever asked for it is told what it lacks.
    fn without(&self, converge: &Converge) -> Refused {
        let is_asked = |name: &&str| {
            self.new.as_ref().is_ok_and(|new| new.plan.set.contains_key(&format!("{PROPERTY_PREFIX}{name}")))
        };
        let missing: BTreeSet<&str> = converge.missing().flat_map(Policy::configs).copied().filter(is_asked).collect();
        let missing = Vec::from_iter(missing).join(", ");
        let reason = converge.last_error().map(|error| format!("; {}", error.message())).unwrap_or_default();
        Refused::because(
            ResponseError::RequestTimedOut,
            format!("the topic exists, but Pulsar did not take all its configurations in time: {missing}{reason}"),
        )
    }

    /// What Pulsar means by each status when a topic is to be created (`AdminResource.internalCreatePartitionedTopic`).
    fn refused(&self, error: &AdminError, io: &mut Io<'_>) -> Refused {
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
    type Made = NewTopic;

    fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<NewTopic, Refused>> {
        loop {
            let next = match &mut self.state {
                State::New => self.begin(io),
                State::Looking(count) => {
                    return Some(match count.poll(io)? {
                        Ok(_) => Err(self.exists()),
                        Err(error) if error.is_not_found() => self.new.clone(),
                        Err(error) => Err(Refused::by_broker(&error)),
                    });
                }
                State::Creating(count, change) => {
                    let (count, done) = (*count, change.poll(io)?);
                    match done {
                        Ok(_) => {
                            forget(&self.topic, count, io);
                            State::Confirming(Confirm::new(&self.topic, Wanted::Partitions(count), io))
                        }
                        Err(AdminError::Status(409, _)) => State::Settling(Settle::new(&self.topic, self.asked, io)),
                        // Programs that create their topics if they are not there need to know.
                        Err(error @ AdminError::NotConfigured) => {
                            self.new = Err(self.refused(&error, io));
                            State::Looking(CountPartitions::ask(&self.topic, io))
                        }
                        Err(error) => return Some(Err(self.refused(&error, io))),
                    }
                }
                State::Settling(settle) => {
                    settle.poll(io)?;
                    return Some(Err(self.exists()));
                }
                State::Confirming(confirm) => {
                    if let Err(error) = confirm.poll(io)? {
                        return Some(Err(Refused::by_broker(&error)));
                    }
                    match &self.new {
                        Ok(new) if new.plan.policies != TopicPolicies::default() => {
                            let converge = Converge::persistently(&self.topic, new.plan.policies, io);
                            State::Configuring(converge, io.now.instant)
                        }
                        Ok(_) | Err(_) => return Some(self.new.clone()),
                    }
                }
                State::Configuring(converge, since) => match converge.poll(io)? {
                    Ok(()) => return Some(self.new.clone()),
                    Err(refused) if io.now.instant.since(*since) < TAKEN_BACK_WITHIN => self.take_back(refused, io),
                    Err(refused) => return Some(Err(unconfigured(refused))),
                },
                State::TakingBack(change, refused) => {
                    let (done, refused) = (change.poll(io)?, refused.clone());
                    let partitions = self.new.as_ref().map_or(0, |new| new.partitions);
                    forget(&self.topic, partitions, io);
                    return Some(Err(match done {
                        Ok(_) => refused,
                        Err(_) => unconfigured(refused),
                    }));
                }
            };
            self.state = next;
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::New | State::Looking(_) => None,
            State::Creating(_, change) => change.next_wake(),
            State::Settling(settle) => settle.next_wake(),
            State::Confirming(confirm) => confirm.next_wake(),
            State::Configuring(converge, _) => converge.next_wake(),
            State::TakingBack(change, _) => change.next_wake(),
        }
    }

    fn overdue(&mut self, io: &mut Io<'_>) -> Refused {
        match &self.state {
            State::New | State::Looking(_) => Refused::because(ResponseError::RequestTimedOut, "nothing was created"),
            State::Creating(_, change) => overdue(change),
            State::Settling(_) => self.exists(),
            State::Confirming(_) => {
                io.shared.partitions.forget(&self.topic);
                Refused::because(ResponseError::RequestTimedOut, "created, but this broker does not see it yet")
            }
            State::Configuring(converge, _) => self.without(converge),
            State::TakingBack(_, refused) => unconfigured(refused.clone()),
        }
    }
}

/// The topic is there, and it is not as it was asked for.
fn unconfigured(refused: Refused) -> Refused {
    let reason = refused.message.unwrap_or_default();
    Refused { message: Some(format!("created, but without its configurations: {reason}")), ..refused }
}

/// The words for an admin change that was not done in time.
pub(super) fn overdue(change: &AdminChange) -> Refused {
    let message = match change.last_error() {
        Some(error) => Refused::by_admin(error).message,
        None => Some("Pulsar's admin REST did not answer in time".to_owned()),
    };
    Refused { code: ResponseError::RequestTimedOut, message }
}
