//! CreateTopics: partitioned Pulsar topics with their policies, made by the admin REST. Checks, codes and words are those of Apache Kafka's
//! `ControllerApis.createTopics` and `ReplicationControlManager.createTopics` with one broker.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, deadline_of, respond, text};
use super::metadata::ANCHOR;
use crate::config::Config;
use crate::kafka::header::RequestHeader;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::change::{Changes, MAX_PARTITIONS_PER_REQUEST, Refused};
use crate::topics::configs::defaults::{Defaults, ReadDefaults};
use crate::topics::configs::plan::Plan;
use crate::topics::configs::table;
use crate::topics::configs::view::{TopicState, view};
use crate::topics::configs::wish::{Limits, Wish};
use crate::topics::create::{CreateTopic, NewTopic};
use crate::topics::name::KafkaTopic;
use crate::topics::replicas::{FindNodes, Nodes, check_all};

/// The first version that tells the configurations of what was made.
const TELLS_CONFIGS: i16 = 5;

/// Begins to answer.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: CreateTopicsRequest = request.decode()?;
    let deadline = deadline_of(body.timeout_ms, context);
    let io = &mut context.io;
    let is_configured = body.topics.iter().any(|topic| !topic.configs.is_empty());
    let is_assigned = body.topics.iter().any(|topic| !topic.assignments.is_empty());
    let defaults = if is_configured || request.header.api_version >= TELLS_CONFIGS {
        ToKnow::Asked(ReadDefaults::new(io))
    } else {
        ToKnow::Known(Defaults::unknown(0))
    };
    let phase = if is_configured || is_assigned {
        let nodes =
            if is_assigned { ToKnow::Asked(FindNodes::new(ANCHOR, io)) } else { ToKnow::Known(Nodes::default()) };
        Phase::Preparing { nodes, body }
    } else {
        Phase::Creating(begin(&body, &Nodes::default(), &Defaults::unknown(0), io))
    };
    Ok(Started { exchange: Box::new(CreateTopics { header: request.header, defaults, phase }), deadline })
}

struct CreateTopics {
    header: RequestHeader,
    defaults: ToKnow<ReadDefaults, Defaults>,
    phase: Phase,
}

/// What has to be known, on its way.
enum ToKnow<Question, Answer> {
    Asked(Question),
    Known(Answer),
}

impl<Question, Answer> ToKnow<Question, Answer> {
    /// The answer, once there is one.
    fn get(&mut self, poll: impl FnOnce(&mut Question) -> Option<Answer>) -> Option<&Answer> {
        if let Self::Asked(question) = self {
            *self = Self::Known(poll(question)?);
        }
        match self {
            Self::Known(answer) => Some(answer),
            Self::Asked(_) => None,
        }
    }
}

/// ```text
/// Preparing (only if a topic comes with assignments or configurations) ──▶ Creating
/// ```
enum Phase {
    Preparing { nodes: ToKnow<FindNodes, Nodes>, body: CreateTopicsRequest },
    Creating(Changes<StrBytes, CreateTopic>),
}

fn begin(
    body: &CreateTopicsRequest,
    nodes: &Nodes,
    defaults: &Defaults,
    io: &Io<'_>,
) -> Changes<StrBytes, CreateTopic> {
    let default_partitions = io.shared.config.default_partitions;
    let mut times = BTreeMap::new();
    for topic in &body.topics {
        let seen: &mut usize = times.entry(&topic.name).or_default();
        *seen = seen.saturating_add(1);
    }
    let asked = body.topics.iter().map(|topic| partitions_asked(topic, default_partitions));
    let too_many = asked.fold(0, u64::saturating_add) > MAX_PARTITIONS_PER_REQUEST;
    let mut changes = Changes::default();
    for topic in &body.topics {
        // A name that stands there twice is answered once.
        let change = match times.remove(&topic.name) {
            None => continue,
            Some(1) if too_many => Err(Refused::because(
                ResponseError::PolicyViolation,
                "Excessively large number of partitions per request.",
            )),
            Some(1) => match KafkaTopic::new(&topic.name) {
                Ok(name) => {
                    Ok(CreateTopic::new(name, check(topic, nodes, defaults, io), body.validate_only, io.now.instant))
                }
                Err(invalid) => Err(Refused::because(
                    ResponseError::InvalidTopicException,
                    format!("Topic name is invalid: {}", invalid.0),
                )),
            },
            Some(_) => Err(Refused::duplicate()),
        };
        changes.push(topic.name.0.clone(), change);
    }
    changes
}

/// What is to be made of one topic of the request.
fn check(topic: &CreatableTopic, nodes: &Nodes, defaults: &Defaults, io: &Io<'_>) -> Result<NewTopic, Refused> {
    let plan = check_configs(topic, defaults, io)?;
    let partitions = check_partitions(topic, nodes, &io.shared.config)?;
    Ok(NewTopic { partitions, plan })
}

fn check_configs(topic: &CreatableTopic, defaults: &Defaults, io: &Io<'_>) -> Result<Plan, Refused> {
    let values: Result<Vec<(String, String)>, Refused> = topic
        .configs
        .iter()
        .map(|config| match &config.value {
            Some(value) => Ok((config.name.to_string(), value.to_string())),
            None => {
                let message = format!("Null value not supported for topic configs: {}", config.name);
                Err(Refused::because(ResponseError::InvalidConfig, message))
            }
        })
        .collect();
    let limits = Limits::new(defaults, &io.shared.config);
    let wanted = Wish::Whole(values?).resolve(&[], limits)?;
    let threshold = i64::try_from(io.shared.config.compaction_threshold_bytes).unwrap_or(i64::MAX);
    Plan::new(&wanted, &TopicState::default(), defaults, threshold)
}

fn partitions_asked(topic: &CreatableTopic, default: u32) -> u64 {
    match (topic.assignments.len(), topic.num_partitions) {
        (0, -1) => default.into(),
        (0, partitions) => u64::try_from(partitions).unwrap_or(0),
        (assigned, _) => u64::try_from(assigned).unwrap_or(u64::MAX),
    }
}

/// How many partitions the topic gets.
fn check_partitions(topic: &CreatableTopic, nodes: &Nodes, config: &Config) -> Result<u32, Refused> {
    if !topic.assignments.is_empty() {
        return check_assignments(topic, nodes);
    }
    let invalid_factor = |message: String| Err(Refused::because(ResponseError::InvalidReplicationFactor, message));
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        return invalid_factor("Replication factor must be larger than 0, or -1 to use the default value.".into());
    }
    let partitions = match topic.num_partitions {
        -1 => config.default_partitions,
        partitions => match u32::try_from(partitions) {
            Ok(partitions) if partitions > 0 => partitions,
            Ok(_) | Err(_) => {
                return Err(Refused::because(
                    ResponseError::InvalidPartitions,
                    "Number of partitions was set to an invalid non-positive value.",
                ));
            }
        },
    };
    let (factor, most) = (topic.replication_factor, config.max_replication_factor);
    if u32::try_from(factor).is_ok_and(|factor| factor > most) {
        return invalid_factor(format!(
            "Unable to replicate the partition {factor} time(s): a partition has 1 replica here, the broker that owns it, and \
             Pulsar keeps its copies by itself. Ask for {most} at most, or raise the filter's max_replication_factor"
        ));
    }
    Ok(partitions)
}

fn check_assignments(topic: &CreatableTopic, nodes: &Nodes) -> Result<u32, Refused> {
    let beside = |what: &str| {
        let message = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err(Refused::because(ResponseError::InvalidRequest, message))
    };
    if topic.replication_factor != -1 {
        return beside("replication factor");
    }
    if topic.num_partitions != -1 {
        return beside("numPartitions");
    }
    let brokers: Vec<Vec<i32>> =
        topic.assignments.iter().map(|assignment| assignment.broker_ids.iter().map(|id| id.0).collect()).collect();
    let indexes = topic.assignments.iter().map(|assignment| assignment.partition_index);
    let assignments: Vec<(i32, &[i32])> = indexes.zip(brokers.iter().map(Vec::as_slice)).collect();
    check_all(nodes, assignments.into_iter())
}

fn row(name: StrBytes, outcome: Result<NewTopic, Refused>, defaults: &Defaults) -> CreatableTopicResult {
    let row = CreatableTopicResult::default().with_name(TopicName(name));
    match outcome {
        Ok(made) => row
            .with_error_message(None)
            .with_num_partitions(i32::try_from(made.partitions).unwrap_or(i32::MAX))
            .with_replication_factor(1)
            .with_configs(Some(configs_of(made, defaults))),
        Err(refused) => {
            row.with_error_code(refused.code.code()).with_error_message(refused.message.map(text)).with_configs(None)
        }
    }
}

/// As DescribeConfigs would tell them.
fn configs_of(made: NewTopic, defaults: &Defaults) -> Vec<CreatableTopicConfigs> {
    let topic = TopicState { remembered: made.plan.remembered(), policies: made.plan.policies };
    let shown = view(&topic, defaults).into_iter().map(|shown| {
        CreatableTopicConfigs::default()
            .with_name(text(shown.name))
            .with_value(Some(text(shown.value)))
            .with_read_only(table::find(shown.name).is_some_and(|config| !config.mapping.is_settable()))
            .with_config_source(shown.source as i8)
    });
    shown.collect()
}

impl CreateTopics {
    fn answer(&mut self, io: &mut Io<'_>) -> Answer {
        let unknown = Defaults::unknown(0);
        let defaults = match &self.defaults {
            ToKnow::Known(defaults) => defaults,
            ToKnow::Asked(_) => &unknown,
        };
        let topics = match &mut self.phase {
            Phase::Creating(changes) => changes.take(io).map(|(name, outcome)| row(name, outcome, defaults)).collect(),
            Phase::Preparing { body, .. } => {
                let refused = Refused::because(ResponseError::RequestTimedOut, "the broker did not answer");
                std::mem::take(&mut body.topics)
                    .into_iter()
                    .map(|topic| row(topic.name.0, Err(refused.clone()), defaults))
                    .collect()
            }
        };
        respond(&self.header, &CreateTopicsResponse::default().with_topics(topics))
    }
}

impl Exchange for CreateTopics {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let io = &mut context.io;
        let defaults = self.defaults.get(|question| question.poll(io));
        if let Phase::Preparing { nodes, body } = &mut self.phase {
            let nodes = nodes.get(|question| question.poll(io))?;
            self.phase = Phase::Creating(begin(body, nodes, defaults?, io));
        }
        let Phase::Creating(changes) = &mut self.phase else { return None };
        let all_settled = changes.poll(io);
        // The answer tells the defaults too.
        (all_settled && matches!(self.defaults, ToKnow::Known(_))).then(|| self.answer(io))
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        self.answer(&mut context.io)
    }

    fn next_wake(&self) -> Option<Instant> {
        let of_defaults = match &self.defaults {
            ToKnow::Asked(question) => question.next_wake(),
            ToKnow::Known(_) => None,
        };
        let of_changes = match &self.phase {
            Phase::Creating(changes) => changes.next_wake(),
            Phase::Preparing { .. } => None,
        };
        of_defaults.into_iter().chain(of_changes).min()
    }
}
