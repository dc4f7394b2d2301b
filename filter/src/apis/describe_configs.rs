//! DescribeConfigs: what is in force for topics, as Pulsar's policies say, and what a broker is told to be configured with.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::config_resource::{BROKER, TOPIC, check_broker, check_empty};
use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, default_deadline, respond, text};
use super::metadata::ANCHOR;
use crate::kafka::header::RequestHeader;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::change::{Changes, Refused};
use crate::topics::configs::broker::broker_configs;
use crate::topics::configs::defaults::{Defaults, ReadDefaults};
use crate::topics::configs::describe::DescribeTopic;
use crate::topics::configs::table;
use crate::topics::configs::view::{Shown, Source};
use crate::topics::name::KafkaTopic;
use crate::topics::replicas::{FindNodes, Nodes};

/// Waits for its turn: what the connection changed before is to be seen.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: DescribeConfigsRequest = request.decode()?;
    let deadline = default_deadline(context);
    let exchange = DescribeConfigs { header: request.header, body, phase: Phase::Waiting };
    Ok(Started { exchange: Box::new(exchange), deadline })
}

struct DescribeConfigs {
    header: RequestHeader,
    body: DescribeConfigsRequest,
    phase: Phase,
}

/// ```text
/// Waiting ──head of the line──▶ Preparing ──▶ Reading ──▶ answered
/// ```
enum Phase {
    Waiting,
    Preparing(ReadDefaults, FindNodes),
    Reading(Defaults, Nodes, Changes<usize, DescribeTopic>),
}

impl DescribeConfigs {
    fn begin(&self, defaults: &Defaults) -> Changes<usize, DescribeTopic> {
        let mut topics = Changes::default();
        for (at, resource) in self.body.resources.iter().enumerate() {
            if resource.resource_type != TOPIC {
                continue;
            }
            let topic = KafkaTopic::new(&resource.resource_name).map_err(|invalid| {
                let message = format!("Topic name is invalid: {}", invalid.0);
                Refused::because(ResponseError::InvalidTopicException, message)
            });
            topics.push(at, topic.map(|topic| DescribeTopic::new(topic, defaults.clone())));
        }
        topics
    }

    fn answer(&mut self, io: &mut Io<'_>) -> Answer {
        let mut told: Vec<Result<Vec<DescribeConfigsResourceResult>, Refused>> = Vec::new();
        let silent = Refused::because(ResponseError::RequestTimedOut, "the broker did not answer");
        told.resize(self.body.resources.len(), Err(silent));
        if let Phase::Reading(defaults, nodes, topics) = &mut self.phase {
            for (at, outcome) in topics.take(io) {
                if let Some(told) = told.get_mut(at) {
                    *told = outcome.map(|shown| shown.into_iter().map(of_topic).collect());
                }
            }
            for (resource, told) in self.body.resources.iter().zip(&mut told) {
                match resource.resource_type {
                    TOPIC => {}
                    BROKER => *told = of_broker(&resource.resource_name, nodes, defaults, io),
                    other => *told = check_empty(other, &resource.resource_name, nodes).map(|()| Vec::new()),
                }
            }
        }
        let resources = std::mem::take(&mut self.body.resources).into_iter().zip(told);
        let results = resources.map(|(resource, told)| self.result(resource, told)).collect();
        respond(&self.header, &DescribeConfigsResponse::default().with_results(results))
    }

    fn result(
        &self,
        resource: DescribeConfigsResource,
        told: Result<Vec<DescribeConfigsResourceResult>, Refused>,
    ) -> DescribeConfigsResult {
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        match told {
            Ok(mut configs) => {
                // As in Apache Kafka, an empty list of keys asks for all.
                let keys: BTreeSet<StrBytes> = resource.configuration_keys.into_iter().flatten().collect();
                configs.retain(|config| keys.is_empty() || keys.contains(&config.name));
                for config in &mut configs {
                    self.leave_out(config);
                }
                result.with_error_message(Some(StrBytes::default())).with_configs(configs)
            }
            Err(refused) => result.with_error_code(refused.code.code()).with_error_message(refused.message.map(text)),
        }
    }

    /// What was not asked for, or is not in this version.
    fn leave_out(&self, config: &mut DescribeConfigsResourceResult) {
        if !self.body.include_synonyms {
            config.synonyms.clear();
        }
        if !self.body.include_documentation || self.header.api_version < 3 {
            config.documentation = None;
        }
        if self.header.api_version < 3 {
            config.config_type = 0;
        }
    }
}

fn synonym(name: &'static str, value: String, source: Source) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default().with_name(text(name)).with_value(Some(text(value))).with_source(source as i8)
}

fn of_topic(shown: Shown) -> DescribeConfigsResourceResult {
    let Some(config) = table::find(shown.name) else { return DescribeConfigsResourceResult::default() };
    let own = (shown.source == Source::DynamicTopic).then(|| synonym(config.name, shown.value.clone(), shown.source));
    let of_broker = config.synonym.zip(shown.default).map(|(name, (value, source))| synonym(name, value, source));
    DescribeConfigsResourceResult::default()
        .with_name(text(config.name))
        .with_value(Some(text(shown.value)))
        .with_read_only(!config.mapping.is_settable())
        .with_config_source(shown.source as i8)
        .with_synonyms(own.into_iter().chain(of_broker).collect())
        .with_config_type(config.kind.code())
        .with_documentation(Some(text(config.about)))
}

/// An empty name stands for what all brokers were given together: nothing.
fn of_broker(
    name: &StrBytes,
    nodes: &Nodes,
    defaults: &Defaults,
    io: &Io<'_>,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let broker_id = check_broker(name, "Broker", nodes)?;
    let told = broker_configs(broker_id, &io.shared.config, defaults).into_iter().map(|config| {
        DescribeConfigsResourceResult::default()
            .with_name(text(config.name))
            .with_value(Some(text(config.value.clone())))
            .with_read_only(true)
            .with_config_source(config.source as i8)
            .with_synonyms(vec![synonym(config.name, config.value, config.source)])
            .with_config_type(config.kind.code())
            .with_documentation(Some(text(config.about)))
    });
    Ok(told.collect())
}

impl Exchange for DescribeConfigs {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let io = &mut context.io;
        loop {
            match &mut self.phase {
                Phase::Waiting if context.is_head => {
                    self.phase = Phase::Preparing(ReadDefaults::new(io), FindNodes::new(ANCHOR, io));
                }
                Phase::Waiting => return None,
                Phase::Preparing(defaults, nodes) => {
                    let defaults = defaults.poll(io);
                    let (nodes, defaults) = (nodes.poll(io)?, defaults?);
                    let topics = self.begin(&defaults);
                    self.phase = Phase::Reading(defaults, nodes, topics);
                }
                Phase::Reading(_, _, topics) => return topics.poll(io).then(|| self.answer(io)),
            }
        }
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        self.answer(&mut context.io)
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Waiting => None,
            Phase::Preparing(defaults, _) => defaults.next_wake(),
            Phase::Reading(_, _, topics) => topics.next_wake(),
        }
    }
}
