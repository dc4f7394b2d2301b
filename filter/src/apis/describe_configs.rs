//! DescribeConfigs: which configurations a topic or broker has. None is served yet, and none is claimed: the list is empty.
//!
//! Served because `kafka-topics --describe` asks for it beside Metadata.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, default_deadline, poll_all, respond};
use crate::kafka::header::RequestHeader;
use crate::session::io::Io;
use crate::topics::name::KafkaTopic;
use crate::topics::partitions::CountPartitions;

/// `ConfigResource.Type` of Kafka's clients.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Begins to look whether the topics exist.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: DescribeConfigsRequest = request.decode()?;
    let resources = body
        .resources
        .into_iter()
        .map(|resource| {
            let state = match (resource.resource_type, KafkaTopic::new(&resource.resource_name)) {
                (TOPIC, Ok(topic)) => State::Looking(CountPartitions::new(&topic, &mut context.io)),
                (TOPIC, Err(_)) => State::Failed(ResponseError::InvalidTopicException),
                (BROKER, _) => State::Known,
                (_, _) => State::Failed(ResponseError::InvalidRequest),
            };
            Resource { kind: resource.resource_type, name: resource.resource_name, state }
        })
        .collect();
    let deadline = default_deadline(context);
    Ok(Started { exchange: Box::new(DescribeConfigs { header: request.header, resources }), deadline })
}

struct DescribeConfigs {
    header: RequestHeader,
    resources: Vec<Resource>,
}

struct Resource {
    kind: i8,
    name: StrBytes,
    state: State,
}

/// ```text
/// Looking ──▶ Known | Failed
/// ```
enum State {
    Looking(CountPartitions),
    Known,
    Failed(ResponseError),
}

impl Resource {
    fn poll(&mut self, io: &mut Io<'_>) -> bool {
        if let State::Looking(count) = &mut self.state {
            match count.poll(io) {
                None => return false,
                Some(Ok(_)) => self.state = State::Known,
                Some(Err(error)) => self.state = State::Failed(error.kafka_code()),
            }
        }
        true
    }

    fn result(&self) -> DescribeConfigsResult {
        let result =
            DescribeConfigsResult::default().with_resource_type(self.kind).with_resource_name(self.name.clone());
        let code = match &self.state {
            State::Known => return result,
            State::Failed(code) => *code,
            State::Looking(_) => ResponseError::RequestTimedOut,
        };
        result.with_error_code(code.code())
    }
}

impl DescribeConfigs {
    fn answer(&self) -> Answer {
        let results = self.resources.iter().map(Resource::result).collect();
        respond(&self.header, &DescribeConfigsResponse::default().with_results(results))
    }
}

impl Exchange for DescribeConfigs {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        poll_all(&mut self.resources, |resource| resource.poll(&mut context.io)).then(|| self.answer())
    }

    fn expire(&mut self, _: &mut Context<'_>) -> Answer {
        self.answer()
    }
}
