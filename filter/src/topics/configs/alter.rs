//! Changes what is in force for one topic.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::converge::Converge;
use super::defaults::Defaults;
use super::plan::Plan;
use super::read::ReadTopic;
use super::view::{TopicState, view};
use super::wish::{Limits, Wish};
use crate::error::AdminError;
use crate::session::admin::Method;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::admin_change::AdminChange;
use crate::topics::change::{Change, Refused};
use crate::topics::name::KafkaTopic;
use crate::topics::partitions::CountPartitions;

/// ```text
/// New ──▶ Looking ──it exists──▶ Reading ──to be changed──▶ Converging ──▶ Remembering ──▶ done
///                                   └──only to be validated──▶ done
/// ```
#[derive(Debug)]
enum State {
    New,
    Looking(CountPartitions),
    Reading(Box<ReadTopic>),
    Converging(Converge, Properties),
    Remembering(AdminChange, Properties),
}

/// Properties that are still to be set or removed.
#[derive(Debug, Default)]
struct Properties {
    set: Option<Bytes>,
    unset: Vec<String>,
}

/// The change of one topic.
#[derive(Debug)]
pub struct AlterTopic {
    topic: KafkaTopic,
    wish: Wish,
    defaults: Defaults,
    validate_only: bool,
    state: State,
}

impl AlterTopic {
    /// Not yet begun.
    pub fn new(topic: KafkaTopic, wish: Wish, defaults: Defaults, validate_only: bool) -> Self {
        Self { topic, wish, defaults, validate_only, state: State::New }
    }

    fn plan(&self, topic: &TopicState, io: &Io<'_>) -> Result<Plan, Refused> {
        let config = &io.shared.config;
        let limits = Limits::new(&self.defaults, config);
        let wanted = self.wish.resolve(&view(topic, &self.defaults), limits)?;
        let threshold = i64::try_from(config.compaction_threshold_bytes).unwrap_or(i64::MAX);
        Ok(Plan::new(&wanted, topic, &self.defaults, threshold))
    }

    /// The next property to set or remove, if there is one.
    fn remember(&self, mut properties: Properties, io: &mut Io<'_>) -> Option<State> {
        let base = self.topic.base(&io.shared.config);
        let change = match (properties.set.take(), properties.unset.pop()) {
            (Some(body), unset) => {
                properties.unset.extend(unset);
                AdminChange::repeatable(Method::Put, base.admin_path("/properties"), Some(body), io)
            }
            (None, Some(key)) => {
                AdminChange::new(Method::Delete, base.admin_path(&format!("/properties?key={key}")), None, io)
            }
            (None, None) => return None,
        };
        Some(State::Remembering(change, properties))
    }

    fn refused(&self, error: &AdminError, io: &mut Io<'_>) -> Refused {
        io.shared.log.warn(format!("topic {} was not configured: {}", self.topic, error.message()));
        Refused::by_admin(error)
    }
}

impl Change for AlterTopic {
    type Made = ();

    fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<(), Refused>> {
        loop {
            let next = match &mut self.state {
                State::New => Some(State::Looking(CountPartitions::new(&self.topic, io))),
                State::Looking(count) => match count.poll(io)? {
                    Ok(_) => Some(State::Reading(Box::new(ReadTopic::new(&self.topic, io)))),
                    Err(error) if error.is_not_found() => return Some(Err(does_not_exist(&self.topic))),
                    Err(error) => return Some(Err(Refused::by_broker(&error))),
                },
                State::Reading(read) => {
                    let topic = match read.poll(io)? {
                        Ok(topic) => topic,
                        Err(error) => return Some(Err(self.refused(&error, io))),
                    };
                    let plan = match self.plan(&topic, io) {
                        Ok(plan) => plan,
                        Err(refused) => return Some(Err(refused)),
                    };
                    if self.validate_only {
                        return Some(Ok(()));
                    }
                    let set = (!plan.set.is_empty()).then(|| serde_json::to_vec(&plan.set).unwrap_or_default().into());
                    let properties = Properties { set, unset: plan.unset };
                    if topic.policies == plan.policies {
                        self.remember(properties, io)
                    } else {
                        let converge = Converge::new(&self.topic, topic.policies, plan.policies, io);
                        Some(State::Converging(converge, properties))
                    }
                }
                State::Converging(converge, properties) => {
                    if let Err(refused) = converge.poll(io)? {
                        return Some(Err(refused));
                    }
                    let properties = std::mem::take(properties);
                    self.remember(properties, io)
                }
                State::Remembering(change, properties) => {
                    if let Err(error) = change.poll(io)? {
                        return Some(Err(self.refused(&error, io)));
                    }
                    let properties = std::mem::take(properties);
                    self.remember(properties, io)
                }
            };
            match next {
                Some(next) => self.state = next,
                None => return Some(Ok(())),
            }
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::New | State::Looking(_) => None,
            State::Reading(read) => read.next_wake(),
            State::Converging(converge, _) => converge.next_wake(),
            State::Remembering(change, _) => change.next_wake(),
        }
    }

    fn overdue(&mut self, _: &mut Io<'_>) -> Refused {
        let words = match &self.state {
            State::New | State::Looking(_) | State::Reading(_) => "nothing was changed",
            State::Converging(..) | State::Remembering(..) => {
                "Pulsar did not answer in time; some of the changes may be in force"
            }
        };
        Refused::because(ResponseError::RequestTimedOut, words)
    }
}

/// In Kafka's words (`ConfigurationControlManager`).
fn does_not_exist(topic: &KafkaTopic) -> Refused {
    Refused::because(ResponseError::UnknownTopicOrPartition, format!("The topic '{topic}' does not exist."))
}
