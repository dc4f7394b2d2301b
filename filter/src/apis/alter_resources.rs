//! What IncrementalAlterConfigs and AlterConfigs have in common: resources, each with a wish, each with its own outcome.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::config_resource::{BROKER, TOPIC, check_broker, unknown_type};
use super::exchange::{Answer, Context, Exchange, Started, default_deadline};
use super::metadata::ANCHOR;
use crate::kafka::header::RequestHeader;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::change::{Changes, Refused};
use crate::topics::configs::alter::AlterTopic;
use crate::topics::configs::defaults::{Defaults, ReadDefaults};
use crate::topics::configs::wish::{Operation, Wish};
use crate::topics::name::KafkaTopic;
use crate::topics::replicas::{FindNodes, Nodes};

/// What a resource is called in the answer: its type and its name.
pub type Key = (i8, StrBytes);

/// One resource of a request.
#[derive(Debug)]
pub struct Resource {
    /// Type and name.
    pub key: Key,
    /// What is asked for, or what is wrong with it.
    pub wish: Result<Wish, Refused>,
}

/// How an outcome is written.
pub type Respond = fn(&RequestHeader, Vec<(Key, Result<(), Refused>)>) -> Answer;

/// Waits for its turn, then changes.
pub fn start(
    header: RequestHeader,
    resources: Vec<Resource>,
    validate_only: bool,
    respond: Respond,
    context: &Context<'_>,
) -> Started {
    let exchange = AlterResources { header, validate_only, respond, phase: Phase::Waiting(resources) };
    Started { exchange: Box::new(exchange), deadline: default_deadline(context) }
}

struct AlterResources {
    header: RequestHeader,
    validate_only: bool,
    respond: Respond,
    phase: Phase,
}

/// ```text
/// Waiting ──head of the line──▶ Preparing ──▶ Altering ──▶ answered
/// ```
enum Phase {
    Waiting(Vec<Resource>),
    Preparing(Vec<Resource>, ReadDefaults, FindNodes),
    Altering(Changes<Key, AlterTopic>, Vec<(Key, Result<(), Refused>)>),
}

impl AlterResources {
    fn begin(&self, resources: Vec<Resource>, defaults: &Defaults, nodes: &Nodes) -> Phase {
        let mut times: BTreeMap<Key, usize> = BTreeMap::new();
        for resource in &resources {
            let seen = times.entry(resource.key.clone()).or_default();
            *seen = seen.saturating_add(1);
        }
        let (mut topics, mut others) = (Changes::default(), Vec::new());
        for Resource { key, wish } in resources {
            // A resource that stands there twice is answered once.
            let once = match times.remove(&key) {
                None => continue,
                Some(1) => wish,
                Some(_) => {
                    Err(Refused::because(ResponseError::InvalidRequest, "Each resource must appear at most once."))
                }
            };
            match key.0 {
                TOPIC => {
                    let change = once.and_then(|wish| {
                        let topic = KafkaTopic::new(&key.1).map_err(|invalid| {
                            let message = format!("Topic name is invalid: {}", invalid.0);
                            Refused::because(ResponseError::InvalidTopicException, message)
                        })?;
                        Ok(AlterTopic::new(topic, wish, defaults.clone(), self.validate_only))
                    });
                    topics.push(key, change);
                }
                BROKER => {
                    let outcome = once.and_then(|wish| alter_broker(&key.1, &wish, nodes));
                    others.push((key, outcome));
                }
                other => others.push((key, Err(unknown_type(other)))),
            }
        }
        Phase::Altering(topics, others)
    }

    fn answer(&mut self, io: &mut Io<'_>) -> Answer {
        let silent = Refused::because(ResponseError::RequestTimedOut, "the broker did not answer");
        let unanswered = |resources: &mut Vec<Resource>| {
            std::mem::take(resources).into_iter().map(|resource| (resource.key, Err(silent.clone()))).collect()
        };
        let outcomes = match &mut self.phase {
            Phase::Waiting(resources) | Phase::Preparing(resources, ..) => unanswered(resources),
            Phase::Altering(topics, others) => topics.take(io).chain(std::mem::take(others)).collect(),
        };
        (self.respond)(&self.header, outcomes)
    }
}

/// A broker's configurations are Pulsar's and the filter's; in Kafka's words for those that only a restart changes.
fn alter_broker(name: &str, wish: &Wish, nodes: &Nodes) -> Result<(), Refused> {
    if !name.is_empty() {
        check_broker(name, "Node", nodes)?;
    }
    let set: Vec<&str> = match wish {
        Wish::Each(operations) => operations
            .iter()
            .filter(|(_, operation)| *operation != Operation::Delete)
            .map(|(name, _)| name.as_str())
            .collect(),
        Wish::Whole(values) => values.iter().map(|(name, _)| name.as_str()).collect(),
    };
    if set.is_empty() {
        return Ok(());
    }
    let message = format!("Cannot update these configs dynamically: [{}]", set.join(", "));
    Err(Refused::because(ResponseError::InvalidRequest, message))
}

impl Exchange for AlterResources {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let io = &mut context.io;
        loop {
            match &mut self.phase {
                Phase::Waiting(resources) if context.is_head => {
                    let resources = std::mem::take(resources);
                    self.phase = Phase::Preparing(resources, ReadDefaults::new(io), FindNodes::new(ANCHOR, io));
                }
                Phase::Waiting(_) => return None,
                Phase::Preparing(resources, defaults, nodes) => {
                    let defaults = defaults.poll(io);
                    let (nodes, defaults) = (nodes.poll(io)?, defaults?);
                    let resources = std::mem::take(resources);
                    self.phase = self.begin(resources, &defaults, &nodes);
                }
                Phase::Altering(topics, _) => return topics.poll(io).then(|| self.answer(io)),
            }
        }
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        self.answer(&mut context.io)
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Waiting(_) => None,
            Phase::Preparing(_, defaults, _) => defaults.next_wake(),
            Phase::Altering(topics, _) => topics.next_wake(),
        }
    }
}
