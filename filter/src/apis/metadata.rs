//! Metadata: topics, partitions and their leaders. Topics from GET_TOPICS_OF_NAMESPACE or by name, partitions from
//! PARTITIONED_METADATA, leaders from LOOKUP, all asked at once.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, default_deadline, respond, text};
use crate::config::Config;
use crate::error::{AdminError, PulsarError};
use crate::ids::RequestId;
use crate::kafka::header::RequestHeader;
use crate::pulsar::command;
use crate::session::admin::{CallId, Method};
use crate::session::io::Io;
use crate::session::requests::Reply;
use crate::session::wake::Parts;
use crate::topics::leader::FindLeader;
use crate::topics::leader_cache::Address;
use crate::topics::name::{KafkaTopic, PulsarTopic, split_partition};
use crate::topics::node::node_id;
use crate::topics::partitions::{CountPartitions, Partitions};

/// Kafka has no leader epochs to tell here; one value for ever, because clients ignore metadata whose epoch falls.
const LEADER_EPOCH: i32 = 0;

/// Authorized operations that were not asked for (`Int.MinValue`, KIP-430).
const NOT_ASKED: i32 = i32::MIN;

/// The name that is looked up to learn this broker's own address; no such topic is made.
pub const ANCHOR: &str = "__isthmus_anchor";

/// Begins to answer.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: MetadataRequest = request.decode()?;
    let version = request.header.api_version;
    // Version 0 cannot tell "all" from "none": an empty list means all. Later versions write null for all.
    let listing = match &body.topics {
        None => true,
        Some(topics) => version == 0 && topics.is_empty(),
    };
    let create = context.io.shared.config.auto_create_topics && (version < 4 || body.allow_auto_topic_creation);
    let io = &mut context.io;
    let anchor = PulsarTopic::internal(&io.shared.config, ANCHOR);
    let mut exchange = Metadata {
        header: request.header,
        listing: None,
        own_address: FindLeader::new(&anchor, io),
        all: listing,
        topics: Parts::new(io),
    };
    if listing {
        let namespace = format!("{}/{}", io.shared.config.tenant, io.shared.config.namespace);
        exchange.listing = Some(io.pulsar.ask(io.now.instant, |id| command::get_topics_of_namespace(namespace, id)));
    } else {
        let mut seen = BTreeSet::new();
        for topic in body.topics.unwrap_or_default() {
            let name = topic.name.map(|name| name.0.to_string());
            if seen.insert((name.clone(), topic.topic_id)) {
                exchange.topics.push(io, |io| Topic::asked(name, create, io));
            }
        }
    }
    let deadline = default_deadline(context);
    Ok(Started { exchange: Box::new(exchange), deadline })
}

struct Metadata {
    header: RequestHeader,
    /// The list of topics is awaited.
    listing: Option<RequestId>,
    own_address: FindLeader,
    /// Every topic was asked for: one that is deleted meanwhile is left out.
    all: bool,
    topics: Parts<Topic>,
}

struct Topic {
    name: String,
    state: State,
}

/// ```text
/// Counting ──missing, may create──▶ Creating ──▶ Counting(again)
///     ├──every leader is known──▶ Led
///     └──▶ Leading ──every partition──▶ done
/// ```
enum State {
    Failed(ResponseError),
    Counting { topic: KafkaTopic, count: CountPartitions, create: bool },
    Creating { topic: KafkaTopic, call: CallId },
    CreatingByBroker { topic: KafkaTopic, request: RequestId },
    Leading(Parts<Leader>),
    Led(Vec<Address>),
}

enum Leader {
    Finding(FindLeader),
    Found(Address),
    Failed(ResponseError),
}

impl Topic {
    fn asked(name: Option<String>, create: bool, io: &mut Io<'_>) -> Self {
        let Some(name) = name else {
            return Self { name: String::new(), state: State::Failed(ResponseError::UnknownTopicId) };
        };
        let state = match KafkaTopic::new(&name) {
            // Never from memory: a worker that remembers fewer partitions than another told a moment ago would make a consumer group's
            // leader leave out the new ones.
            Ok(topic) => State::Counting { count: CountPartitions::ask(&topic, io), topic, create },
            Err(_) => State::Failed(ResponseError::InvalidTopicException),
        };
        Self { name, state }
    }

    fn listed(topic: KafkaTopic, io: &mut Io<'_>) -> Self {
        let name = topic.as_str().to_owned();
        Self { name, state: State::Counting { count: CountPartitions::new(&topic, io), topic, create: false } }
    }

    /// Whether the topic is settled.
    fn poll(&mut self, io: &mut Io<'_>) -> bool {
        loop {
            let next = match &mut self.state {
                State::Failed(_) | State::Led(_) => return true,
                State::Counting { topic, count, create } => match count.poll(io) {
                    None => return false,
                    Some(Ok(partitions)) => lead(topic, partitions, io),
                    Some(Err(error)) if error.is_not_found() && *create => begin_create(topic.clone(), io),
                    Some(Err(error)) => State::Failed(error.kafka_code()),
                },
                State::Creating { topic, call } => match io.admin.take(*call) {
                    None => return false,
                    Some(reply) => match reply.and_then(|reply| reply.success()) {
                        // Somebody else may have created it in the same moment.
                        Ok(_) | Err(AdminError::Status(409, _)) => count_again(topic, io),
                        Err(error) => {
                            io.shared.log.warn(format!("topic {topic} was not created: {}", error.message()));
                            State::Failed(not_created(&error))
                        }
                    },
                },
                State::CreatingByBroker { topic, request } => match io.pulsar.take(*request) {
                    None => return false,
                    Some(Ok(Reply::Partitions(0))) => lead(topic, Partitions::NonPartitioned, io),
                    Some(Ok(Reply::Partitions(count))) => lead(topic, Partitions::Partitioned(count), io),
                    Some(Ok(_)) => State::Failed(ResponseError::UnknownServerError),
                    Some(Err(error)) => State::Failed(error.kafka_code()),
                },
                State::Leading(leaders) => return leaders.poll(io, Leader::poll),
            };
            self.state = next;
        }
    }

    fn response(&self, nodes: &mut Nodes<'_>) -> MetadataResponseTopic {
        let name = TopicName(text(self.name.clone()));
        let topic = MetadataResponseTopic::default().with_topic_authorized_operations(NOT_ASKED);
        let failed = |code: ResponseError| topic.clone().with_name(Some(name.clone())).with_error_code(code.code());
        match &self.state {
            State::Failed(ResponseError::UnknownTopicId) => {
                topic.with_name(None).with_error_code(ResponseError::UnknownTopicId.code())
            }
            State::Failed(code) => failed(*code),
            State::Counting { .. } | State::Creating { .. } | State::CreatingByBroker { .. } => {
                failed(ResponseError::LeaderNotAvailable)
            }
            State::Led(leaders) => {
                let partitions = (0i32..).zip(leaders).map(|(index, leader)| nodes.leads(index, leader));
                topic.with_name(Some(name)).with_partitions(partitions.collect())
            }
            State::Leading(leaders) => {
                let partitions = (0i32..).zip(leaders.iter()).map(|(index, leader)| match leader {
                    Leader::Found(address) => nodes.leads(index, address),
                    Leader::Failed(code) => unled(index, *code),
                    Leader::Finding(_) => unled(index, ResponseError::LeaderNotAvailable),
                });
                topic.with_name(Some(name)).with_partitions(partitions.collect())
            }
        }
    }
}

/// The nodes that a response names, by id.
struct Nodes<'a> {
    config: &'a Config,
    by_id: BTreeMap<i32, Address>,
    /// Partitions of one node mostly come one after the other.
    last: Option<(Address, i32)>,
}

impl Nodes<'_> {
    fn id_of(&mut self, address: &Address) -> i32 {
        if let Some((last, id)) = &self.last
            && Address::ptr_eq(last, address)
        {
            return *id;
        }
        let id = node_id(address, self.config);
        self.by_id.insert(id, Address::clone(address));
        self.last = Some((Address::clone(address), id));
        id
    }

    fn leads(&mut self, index: i32, leader: &Address) -> MetadataResponsePartition {
        let id = BrokerId(self.id_of(leader));
        partition(index).with_leader_id(id).with_replica_nodes(vec![id]).with_isr_nodes(vec![id])
    }
}

fn partition(index: i32) -> MetadataResponsePartition {
    MetadataResponsePartition::default().with_partition_index(index).with_leader_epoch(LEADER_EPOCH)
}

fn unled(index: i32, code: ResponseError) -> MetadataResponsePartition {
    partition(index).with_leader_id(BrokerId(-1)).with_error_code(code.code())
}

impl Leader {
    fn poll(&mut self, io: &mut Io<'_>) -> bool {
        if let Leader::Finding(find) = self {
            match find.poll(io) {
                None => return false,
                Some(Ok(address)) => *self = Leader::Found(address),
                Some(Err(error)) => *self = Leader::Failed(leader_code(&error)),
            }
        }
        true
    }
}

/// A partition without leader for now is `LEADER_NOT_AVAILABLE`: clients ask again.
fn leader_code(error: &PulsarError) -> ResponseError {
    let code = error.kafka_code();
    let passes = matches!(code, ResponseError::NotLeaderOrFollower | ResponseError::RequestTimedOut);
    if passes { ResponseError::LeaderNotAvailable } else { code }
}

fn lead(topic: &KafkaTopic, partitions: Partitions, io: &mut Io<'_>) -> State {
    let shared = &*io.shared;
    let base = topic.base(&shared.config);
    let known = match partitions {
        Partitions::Partitioned(count) => {
            shared.leaders.fresh_of_partitions(&base, count, io.now.instant, &shared.config).collect()
        }
        Partitions::NonPartitioned => shared.leaders.fresh(&base, io.now.instant, &shared.config).map(|one| vec![one]),
    };
    if let Some(leaders) = known {
        return State::Led(leaders);
    }
    let mut leaders = Parts::new(io);
    for partition in 0..partitions.count() {
        leaders.push(io, |io| match partitions {
            Partitions::Partitioned(_) => {
                Leader::Finding(FindLeader::new(&topic.partition(&io.shared.config, partition), io))
            }
            Partitions::NonPartitioned => Leader::Finding(FindLeader::new(&base, io)),
        });
    }
    State::Leading(leaders)
}

fn begin_create(topic: KafkaTopic, io: &mut Io<'_>) -> State {
    let base = topic.base(&io.shared.config);
    if io.shared.config.admin_cluster.is_empty() {
        let name = base.as_str().to_owned();
        let request = io.pulsar.ask(io.now.instant, |id| command::partitioned_metadata(name, id, true));
        return State::CreatingByBroker { topic, request };
    }
    let body = Bytes::from(io.shared.config.default_partitions.to_string());
    let call =
        io.admin.call(Method::Put, base.admin_path("/partitions"), Some(("application/json", body)), io.now.instant);
    State::Creating { topic, call }
}

/// Clients ask again while there is no leader; Apache Kafka tells those that may not create a topic so, too.
fn not_created(error: &AdminError) -> ResponseError {
    let code = error.kafka_code();
    if code == ResponseError::TopicAuthorizationFailed { code } else { ResponseError::LeaderNotAvailable }
}

fn count_again(topic: &KafkaTopic, io: &mut Io<'_>) -> State {
    io.shared.partitions.forget(topic);
    State::Counting { topic: topic.clone(), count: CountPartitions::ask(topic, io), create: false }
}

/// The topics behind a list of partitions, without what Kafka clients cannot name. How many partitions each has is asked of
/// the broker: those that nobody used yet need not be in the list.
pub(super) fn fold(names: &[String], io: &Io<'_>) -> BTreeSet<KafkaTopic> {
    let prefix = format!("persistent://{}/{}/", io.shared.config.tenant, io.shared.config.namespace);
    let locals = names.iter().filter_map(|name| name.strip_prefix(&prefix));
    let bases: BTreeSet<&str> = locals.map(|local| split_partition(local).map_or(local, |(base, _)| base)).collect();
    bases.into_iter().filter_map(|base| KafkaTopic::new(base).ok()).collect()
}

impl Metadata {
    fn response(&self, io: &Io<'_>) -> Answer {
        let mut nodes = Nodes { config: &io.shared.config, by_id: BTreeMap::new(), last: None };
        let own = match &self.own_address {
            FindLeader::Known(address) => Some(Address::clone(address)),
            FindLeader::Asking { .. } => io.client.endpoints.reached.clone().map(Address::new),
        };
        let topics = self.topics.iter().map(|topic| topic.response(&mut nodes));
        let gone = ResponseError::UnknownTopicOrPartition.code();
        let topics = topics.filter(|topic| !self.all || topic.error_code != gone).collect();
        let controller = own.map(|address| nodes.id_of(&address));
        let controller = controller.or_else(|| nodes.by_id.keys().next().copied()).unwrap_or(-1);
        let brokers = nodes
            .by_id
            .into_iter()
            .map(|(id, address)| {
                MetadataResponseBroker::default()
                    .with_node_id(BrokerId(id))
                    .with_host(text(address.host.clone()))
                    .with_port(i32::from(address.port))
            })
            .collect();
        let response = MetadataResponse::default()
            .with_brokers(brokers)
            .with_cluster_id(Some(text(io.shared.config.cluster_id.clone())))
            .with_controller_id(BrokerId(controller))
            .with_cluster_authorized_operations(NOT_ASKED)
            .with_topics(topics);
        respond(&self.header, &response)
    }
}

impl Exchange for Metadata {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let io = &mut context.io;
        if let Some(request) = self.listing {
            let topics = match io.pulsar.take(request)? {
                Ok(Reply::Topics(names)) => fold(&names, io),
                Ok(_) | Err(_) => {
                    // Metadata has no error code for the whole: an empty list would say that there are no topics.
                    return Some(Answer::Close("the broker did not list the namespace's topics".into()));
                }
            };
            self.listing = None;
            for topic in topics {
                self.topics.push(io, |io| Topic::listed(topic, io));
            }
        }
        let own_settled = self.own_address.poll(io).is_some();
        let settled = self.topics.poll(io, Topic::poll);
        (settled && own_settled).then(|| self.response(io))
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        if self.listing.is_some() {
            return Answer::Close("the broker did not list the namespace's topics in time".into());
        }
        self.response(&context.io)
    }
}
