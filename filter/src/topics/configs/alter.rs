//! Changes what is in force for one topic.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::converge::Converge;
use super::defaults::Defaults;
use super::plan::Plan;
use super::read::ReadTopic;
use super::stop_compaction::{HELD_BACK, StopCompaction};
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
/// New ──▶ Looking ──it exists──▶ Reading ──to be changed──▶ Converging ──▶ Releasing ──▶ Remembering ──▶ done
///                                   └──only to be validated──▶ done           (if compaction ends)
/// ```
#[derive(Debug)]
enum State {
    New,
    Looking(CountPartitions),
    Reading(Box<ReadTopic>),
    Converging(Converge, Rest),
    /// What it was compacted by. It is remembered until that is gone: who says the same again is then understood.
    Releasing(StopCompaction, Rest),
    Remembering(AdminChange, Rest),
}

/// What is still to be done when the policies are there.
#[derive(Debug, Default)]
struct Rest {
    ends_compaction: bool,
    /// Properties to set.
    set: Option<Bytes>,
    /// Properties to remove.
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
        let mut wanted = self.wish.resolve(&view(topic, &self.defaults), limits)?;
        if let Wish::Whole(_) = self.wish {
            // An alteration that was not finished leaves what is remembered and no longer in force.
            wanted.touched.extend(topic.remembered.keys());
        }
        let threshold = i64::try_from(config.compaction_threshold_bytes).unwrap_or(i64::MAX);
        Plan::new(&wanted, topic, &self.defaults, threshold)
    }

    /// What comes next, if anything does.
    fn go_on(&self, mut rest: Rest, io: &mut Io<'_>) -> Option<State> {
        let base = self.topic.base(&io.shared.config);
        if std::mem::take(&mut rest.ends_compaction) {
            return Some(State::Releasing(StopCompaction::new(base, io), rest));
        }
        let change = match (rest.set.take(), rest.unset.pop()) {
            (Some(body), unset) => {
                rest.unset.extend(unset);
                AdminChange::repeatable(Method::Put, base.admin_path("/properties"), Some(body), io)
            }
            (None, Some(key)) => {
                AdminChange::new(Method::Delete, base.admin_path(&format!("/properties?key={key}")), None, io)
            }
            (None, None) => return None,
        };
        Some(State::Remembering(change, rest))
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
                    let rest = Rest { ends_compaction: plan.ends_compaction, set, unset: plan.unset };
                    if topic.policies == plan.policies {
                        self.go_on(rest, io)
                    } else {
                        let converge = Converge::new(&self.topic, topic.policies, plan.policies, io);
                        Some(State::Converging(converge, rest))
                    }
                }
                State::Converging(converge, rest) => {
                    if let Err(refused) = converge.poll(io)? {
                        return Some(Err(refused));
                    }
                    let rest = std::mem::take(rest);
                    self.go_on(rest, io)
                }
                State::Releasing(stop, rest) => {
                    if let Err(refused) = stop.poll(io)? {
                        return Some(Err(refused));
                    }
                    let rest = std::mem::take(rest);
                    self.go_on(rest, io)
                }
                State::Remembering(change, rest) => {
                    if let Err(error) = change.poll(io)? {
                        return Some(Err(self.refused(&error, io)));
                    }
                    let rest = std::mem::take(rest);
                    self.go_on(rest, io)
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
            State::Releasing(stop, _) => stop.next_wake(),
            State::Remembering(change, _) => change.next_wake(),
        }
    }

    fn overdue(&mut self, _: &mut Io<'_>) -> Refused {
        let words = match &self.state {
            State::New | State::Looking(_) | State::Reading(_) => "nothing was changed",
            State::Releasing(..) => HELD_BACK,
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
