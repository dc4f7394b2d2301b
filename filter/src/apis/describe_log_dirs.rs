//! DescribeLogDirs: how large partitions are. A broker has one log directory, `pulsar`, and no disk that could be told: what is
//! stored lies with the bookies, in copies that are not counted.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName};

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, default_deadline, respond, text};
use super::metadata::{ANCHOR, fold};
use crate::config::HostPort;
use crate::ids::RequestId;
use crate::kafka::header::RequestHeader;
use crate::pulsar::command;
use crate::session::io::Io;
use crate::session::requests::Reply;
use crate::time::Instant;
use crate::topics::change::Changes;
use crate::topics::leader::FindLeader;
use crate::topics::name::{KafkaTopic, PulsarTopic};
use crate::topics::sizes::MeasureTopic;

/// The name of the one directory.
const LOG_DIR: &str = "pulsar";

/// Begins to look up this broker's own address, and which topics there are where all are asked for.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: DescribeLogDirsRequest = request.decode()?;
    let deadline = default_deadline(context);
    let io = &mut context.io;
    let anchor = PulsarTopic::internal(&io.shared.config, ANCHOR);
    let own_address = FindLeader::new(&anchor, io);
    let wanted = match body.topics {
        Some(topics) => Wanted::These(topics),
        None => {
            let namespace = format!("{}/{}", io.shared.config.tenant, io.shared.config.namespace);
            Wanted::All(io.pulsar.ask(io.now.instant, |id| command::get_topics_of_namespace(namespace, id)))
        }
    };
    let phase = Phase::Preparing(own_address, wanted);
    Ok(Started { exchange: Box::new(DescribeLogDirs { header: request.header, phase }), deadline })
}

struct DescribeLogDirs {
    header: RequestHeader,
    phase: Phase,
}

/// Partitions by topic; none stands for all of a topic's.
type Partitions = BTreeMap<KafkaTopic, Option<BTreeSet<i32>>>;

enum Wanted {
    All(RequestId),
    These(Vec<DescribableLogDirTopic>),
}

/// ```text
/// Preparing ──▶ Measuring ──▶ answered
/// ```
enum Phase {
    Preparing(FindLeader, Wanted),
    Measuring(Partitions, Changes<KafkaTopic, MeasureTopic>),
}

impl Wanted {
    fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Partitions, ResponseError>> {
        match self {
            Wanted::All(request) => Some(match io.pulsar.take(*request)? {
                Ok(Reply::Topics(names)) => Ok(fold(&names, io).into_iter().map(|topic| (topic, None)).collect()),
                Ok(_) | Err(_) => Err(ResponseError::KafkaStorageError),
            }),
            // As in Apache Kafka, what is not there is left out.
            Wanted::These(topics) => {
                let named = std::mem::take(topics).into_iter().filter_map(|topic| {
                    let partitions = topic.partitions.into_iter().collect();
                    Some((KafkaTopic::new(&topic.topic).ok()?, Some(partitions)))
                });
                Some(Ok(named.collect()))
            }
        }
    }
}

impl DescribeLogDirs {
    fn respond(&self, result: DescribeLogDirsResult) -> Answer {
        let result = result.with_log_dir(text(LOG_DIR)).with_total_bytes(-1).with_usable_bytes(-1);
        respond(&self.header, &DescribeLogDirsResponse::default().with_results(vec![result]))
    }

    fn failed(&self) -> Answer {
        self.respond(DescribeLogDirsResult::default().with_error_code(ResponseError::KafkaStorageError.code()))
    }

    fn answer(&mut self, io: &mut Io<'_>) -> Answer {
        match self.phase.told(io) {
            Some(topics) => self.respond(DescribeLogDirsResult::default().with_topics(topics)),
            None => self.failed(),
        }
    }
}

impl Phase {
    /// Every topic with its sizes. A directory has one error code: one topic that cannot be measured is an error of the whole.
    fn told(&mut self, io: &mut Io<'_>) -> Option<Vec<DescribeLogDirsTopic>> {
        let Phase::Measuring(wanted, topics) = self else { return None };
        let told = topics.take(io).filter_map(|(topic, outcome)| {
            let mut sizes = match outcome {
                Ok(sizes) => sizes,
                Err(_) => return Some(None),
            };
            if let Some(Some(partitions)) = wanted.get(&topic) {
                sizes.retain(|(partition, _)| partitions.contains(partition));
            }
            if sizes.is_empty() {
                return None;
            }
            let partitions = sizes.into_iter().map(|(partition, size)| {
                DescribeLogDirsPartition::default().with_partition_index(partition).with_partition_size(size)
            });
            let name = TopicName(text(topic.as_str()));
            Some(Some(DescribeLogDirsTopic::default().with_name(name).with_partitions(partitions.collect())))
        });
        told.collect()
    }
}

fn begin(broker: &HostPort, wanted: &Partitions) -> Changes<KafkaTopic, MeasureTopic> {
    let mut topics = Changes::default();
    for topic in wanted.keys() {
        topics.push(topic.clone(), Ok(MeasureTopic::new(topic.clone(), broker.clone())));
    }
    topics
}

impl Exchange for DescribeLogDirs {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let io = &mut context.io;
        if let Phase::Preparing(own_address, wanted) = &mut self.phase {
            let own = own_address.poll(io)?.ok().map(|address| HostPort::clone(&address));
            let own = own.or_else(|| io.client.endpoints.reached.clone());
            match (wanted.poll(io)?, own) {
                (Ok(wanted), Some(own)) => self.phase = Phase::Measuring(wanted.clone(), begin(&own, &wanted)),
                (Err(_), _) | (_, None) => return Some(self.failed()),
            }
        }
        let Phase::Measuring(_, topics) = &mut self.phase else { return None };
        topics.poll(io).then(|| self.answer(io))
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        self.answer(&mut context.io)
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Preparing(..) => None,
            Phase::Measuring(_, topics) => topics.next_wake(),
        }
    }
}
