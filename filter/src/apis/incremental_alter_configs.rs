//! IncrementalAlterConfigs (KIP-339): single configurations of topics, set, deleted, appended to, subtracted from.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::alter_resources::{self, Key, Resource};
use super::exchange::{Answer, Context, Refusal, Request, Started, respond, text};
use crate::kafka::header::RequestHeader;
use crate::topics::change::Refused;
use crate::topics::configs::wish::{Operation, Wish};

/// Begins to change.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: IncrementalAlterConfigsRequest = request.decode()?;
    let resources = body.resources.into_iter().map(|resource| Resource {
        key: (resource.resource_type, resource.resource_name),
        wish: wish(&resource.configs),
    });
    Ok(alter_resources::start(request.header, resources.collect(), body.validate_only, answer, context))
}

fn wish(configs: &[AlterableConfig]) -> Result<Wish, Refused> {
    let names: BTreeSet<_> = configs.iter().map(|config| &config.name).collect();
    if names.len() < configs.len() {
        return Err(Refused::because(ResponseError::InvalidRequest, "Error due to duplicate config keys"));
    }
    let operations: Result<_, Refused> = configs
        .iter()
        .map(|config| {
            let operation = Operation::new(config.config_operation, &config.name, config.value.as_deref())?;
            Ok((config.name.to_string(), operation))
        })
        .collect();
    operations.map(Wish::Each)
}

fn answer(header: &RequestHeader, outcomes: Vec<(Key, Result<(), Refused>)>) -> Answer {
    let rows = outcomes.into_iter().map(|((kind, name), outcome)| {
        let row = AlterConfigsResourceResponse::default()
            .with_resource_type(kind)
            .with_resource_name(name)
            .with_error_message(None);
        match outcome {
            Ok(()) => row,
            Err(refused) => row.with_error_code(refused.code.code()).with_error_message(refused.message.map(text)),
        }
    });
    respond(header, &IncrementalAlterConfigsResponse::default().with_responses(rows.collect()))
}
