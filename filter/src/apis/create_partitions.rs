//! CreatePartitions: more partitions for topics that have some.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, deadline_of, respond, text};
use super::metadata::ANCHOR;
use crate::kafka::header::RequestHeader;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::change::{Changes, Refused};
use crate::topics::grow::{Assigned, GrowTopic};
use crate::topics::name::KafkaTopic;
use crate::topics::replicas::{FindNodes, Nodes};

/// Begins to answer.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: CreatePartitionsRequest = request.decode()?;
    let deadline = deadline_of(body.timeout_ms, context);
    let io = &mut context.io;
    let phase = if body.topics.iter().any(|topic| topic.assignments.is_some()) {
        Phase::FindingNodes { nodes: FindNodes::new(ANCHOR, io), body }
    } else {
        Phase::Growing(begin(&body, &Nodes::default()))
    };
    Ok(Started { exchange: Box::new(CreatePartitions { header: request.header, phase }), deadline })
}

struct CreatePartitions {
    header: RequestHeader,
    phase: Phase,
}

/// ```text
/// FindingNodes (only if a topic comes with assignments) ──▶ Growing
/// ```
enum Phase {
    FindingNodes { nodes: FindNodes, body: CreatePartitionsRequest },
    Growing(Changes<StrBytes, GrowTopic>),
}

fn begin(body: &CreatePartitionsRequest, nodes: &Nodes) -> Changes<StrBytes, GrowTopic> {
    let mut times = BTreeMap::new();
    for topic in &body.topics {
        let seen: &mut usize = times.entry(&topic.name).or_default();
        *seen = seen.saturating_add(1);
    }
    let mut changes = Changes::default();
    for topic in &body.topics {
        // A name that stands there twice is answered once.
        let change = match times.remove(&topic.name) {
            None => continue,
            // No topic has a name that cannot be.
            Some(1) => KafkaTopic::new(&topic.name)
                .map(|name| GrowTopic::new(name, topic.count, assigned(topic, nodes), body.validate_only))
                .map_err(|_| Refused::unknown_topic()),
            Some(_) => Err(Refused::duplicate()),
        };
        changes.push(topic.name.0.clone(), change);
    }
    changes
}

fn assigned(topic: &CreatePartitionsTopic, nodes: &Nodes) -> Option<Assigned> {
    let assignments = topic.assignments.as_ref()?;
    let checked = assignments.iter().try_for_each(|assignment| {
        let brokers: Vec<i32> = assignment.broker_ids.iter().map(|id| id.0).collect();
        nodes.check(&brokers)
    });
    Some(Assigned { partitions: assignments.len(), checked })
}

fn row(name: StrBytes, outcome: Result<(), Refused>) -> CreatePartitionsTopicResult {
    let row = CreatePartitionsTopicResult::default().with_name(TopicName(name)).with_error_message(None);
    match outcome {
        Ok(()) => row,
        Err(refused) => row.with_error_code(refused.code.code()).with_error_message(refused.message.map(text)),
    }
}

impl CreatePartitions {
    fn answer(&mut self, io: &mut Io<'_>) -> Answer {
        let results = match &mut self.phase {
            Phase::Growing(changes) => changes.take(io).map(|(name, outcome)| row(name, outcome)).collect(),
            Phase::FindingNodes { body, .. } => {
                let refused = Refused::because(ResponseError::RequestTimedOut, "the broker did not answer");
                std::mem::take(&mut body.topics)
                    .into_iter()
                    .map(|topic| row(topic.name.0, Err(refused.clone())))
                    .collect()
            }
        };
        respond(&self.header, &CreatePartitionsResponse::default().with_results(results))
    }
}

impl Exchange for CreatePartitions {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let io = &mut context.io;
        if let Phase::FindingNodes { nodes, body } = &mut self.phase {
            let nodes = nodes.poll(io)?;
            self.phase = Phase::Growing(begin(body, &nodes));
        }
        let Phase::Growing(changes) = &mut self.phase else { return None };
        changes.poll(io).then(|| self.answer(io))
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        self.answer(&mut context.io)
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Growing(changes) => changes.next_wake(),
            Phase::FindingNodes { .. } => None,
        }
    }
}
