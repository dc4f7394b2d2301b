//! ElectLeaders: nobody needs to be elected. A partition's one replica, the broker that owns it, is its preferred leader, and Pulsar
//! finds another by itself when it is gone.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse, TopicName};

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, deadline_of, respond, text};
use crate::error::PulsarError;
use crate::kafka::header::RequestHeader;
use crate::session::io::Io;
use crate::session::wake::Parts;
use crate::topics::change::Refused;
use crate::topics::name::KafkaTopic;
use crate::topics::partitions::{CountPartitions, Partitions};

/// Begins to look which of the partitions there are. Of all partitions, as in Apache Kafka, only those with a new leader are told:
/// none.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: ElectLeadersRequest = request.decode()?;
    let deadline = deadline_of(body.timeout_ms, context);
    let mut topics = Parts::new(&context.io);
    for topic in body.topic_partitions.unwrap_or_default() {
        topics.push(&mut context.io, |io| Topic::new(topic.topic, topic.partitions, io));
    }
    Ok(Started { exchange: Box::new(ElectLeaders { header: request.header, topics }), deadline })
}

struct ElectLeaders {
    header: RequestHeader,
    topics: Parts<Topic>,
}

struct Topic {
    name: TopicName,
    partitions: Vec<i32>,
    state: State,
}

/// ```text
/// Counting ──▶ Counted
/// ```
enum State {
    Counting(CountPartitions),
    Counted(Result<Partitions, PulsarError>),
    Impossible,
}

impl Topic {
    fn new(name: TopicName, partitions: Vec<i32>, io: &mut Io<'_>) -> Self {
        let state = match KafkaTopic::new(&name) {
            Ok(topic) => State::Counting(CountPartitions::new(&topic, io)),
            Err(_) => State::Impossible,
        };
        Self { name, partitions, state }
    }

    fn poll(&mut self, io: &mut Io<'_>) -> bool {
        if let State::Counting(count) = &mut self.state {
            match count.poll(io) {
                None => return false,
                Some(counted) => self.state = State::Counted(counted),
            }
        }
        true
    }

    fn outcome(&self, partition: i32) -> Refused {
        let none = |what: String| Refused::because(ResponseError::UnknownTopicOrPartition, what);
        let topic = &*self.name;
        match &self.state {
            State::Counted(Ok(partitions)) => {
                let is_there = u32::try_from(partition).is_ok_and(|index| index < partitions.count());
                if is_there {
                    Refused::because(
                        ResponseError::ElectionNotNeeded,
                        "Leader election not needed for topic partition.",
                    )
                } else {
                    none(format!("No such partition as {topic}-{partition}"))
                }
            }
            State::Counted(Err(error)) if error.is_not_found() => none(format!("No such topic as {topic}")),
            State::Impossible => none(format!("No such topic as {topic}")),
            State::Counted(Err(error)) => Refused::by_broker(error),
            State::Counting(_) => Refused::because(ResponseError::RequestTimedOut, "the broker did not answer"),
        }
    }
}

impl ElectLeaders {
    fn answer(&self) -> Answer {
        let results = self.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let outcome = topic.outcome(*partition);
                PartitionResult::default()
                    .with_partition_id(*partition)
                    .with_error_code(outcome.code.code())
                    .with_error_message(outcome.message.map(text))
            });
            ReplicaElectionResult::default().with_topic(topic.name.clone()).with_partition_result(partitions.collect())
        });
        respond(&self.header, &ElectLeadersResponse::default().with_replica_election_results(results.collect()))
    }
}

impl Exchange for ElectLeaders {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        self.topics.poll(&mut context.io, Topic::poll).then(|| self.answer())
    }

    fn expire(&mut self, _: &mut Context<'_>) -> Answer {
        self.answer()
    }
}
