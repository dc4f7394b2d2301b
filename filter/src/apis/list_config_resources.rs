//! ListConfigResources (KIP-1142): what DescribeConfigs can be asked about. Version 0 asks for client metrics alone, of which there
//! are none.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::config_resource::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, default_deadline, respond, text};
use super::metadata::{ANCHOR, fold};
use crate::ids::RequestId;
use crate::kafka::header::RequestHeader;
use crate::pulsar::command;
use crate::session::requests::Reply;
use crate::topics::replicas::FindNodes;

/// The types that Kafka lists (`ListConfigResourcesRequest.supportedResourceTypes`).
const LISTED: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

/// Begins to list.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: ListConfigResourcesRequest = request.decode()?;
    let types: BTreeSet<i8> = match (request.header.api_version, body.resource_types.is_empty()) {
        (0, _) => BTreeSet::new(),
        (_, true) => LISTED.into(),
        (_, false) => body.resource_types.into_iter().collect(),
    };
    let deadline = default_deadline(context);
    let io = &mut context.io;
    let is_known = types.iter().all(|kind| LISTED.contains(kind));
    let listing = (is_known && types.contains(&TOPIC)).then(|| {
        let namespace = format!("{}/{}", io.shared.config.tenant, io.shared.config.namespace);
        io.pulsar.ask(io.now.instant, |id| command::get_topics_of_namespace(namespace, id))
    });
    let nodes = (is_known && types.contains(&BROKER)).then(|| FindNodes::new(ANCHOR, io));
    let refused = (!is_known).then_some(ResponseError::UnsupportedVersion);
    let exchange = ListConfigResources { header: request.header, listing, nodes, refused, found: Vec::new() };
    Ok(Started { exchange: Box::new(exchange), deadline })
}

struct ListConfigResources {
    header: RequestHeader,
    listing: Option<RequestId>,
    nodes: Option<FindNodes>,
    refused: Option<ResponseError>,
    found: Vec<ConfigResource>,
}

fn resource(kind: i8, name: String) -> ConfigResource {
    ConfigResource::default().with_resource_type(kind).with_resource_name(text(name))
}

impl ListConfigResources {
    fn answer(&mut self) -> Answer {
        let response = match self.refused {
            None => ListConfigResourcesResponse::default().with_config_resources(std::mem::take(&mut self.found)),
            Some(code) => ListConfigResourcesResponse::default().with_error_code(code.code()),
        };
        respond(&self.header, &response)
    }
}

impl Exchange for ListConfigResources {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let io = &mut context.io;
        if let Some(request) = self.listing {
            match io.pulsar.take(request)? {
                Ok(Reply::Topics(names)) => {
                    let topics = fold(&names, io).into_iter();
                    self.found.extend(topics.map(|topic| resource(TOPIC, topic.as_str().to_owned())));
                }
                Ok(_) | Err(_) => self.refused = Some(ResponseError::RequestTimedOut),
            }
            self.listing = None;
        }
        if let Some(nodes) = &mut self.nodes {
            let nodes = nodes.poll(io)?;
            self.found.extend(nodes.ids().map(|id| resource(BROKER, id.to_string())));
            self.nodes = None;
        }
        Some(self.answer())
    }

    fn expire(&mut self, _: &mut Context<'_>) -> Answer {
        self.refused = Some(ResponseError::RequestTimedOut);
        self.answer()
    }
}
