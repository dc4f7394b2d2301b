//! ApiVersions: what the table says. Answered before anything else, also before authentication (KIP-35, KIP-511).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use super::exchange::{Answer, Context, Refusal, Request, Started, answered, respond};
use super::{APIS, Api};
use crate::kafka::header::RequestHeader;

/// Answers at once.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    request.decode::<ApiVersionsRequest>()?;
    let body = ApiVersionsResponse::default().with_api_keys(APIS.iter().map(advertised).collect());
    Ok(answered(respond(&request.header, &body), context))
}

/// The answer to a version that is not served: version 0, with the range of ApiVersions alone (KIP-511).
pub fn unsupported(header: &RequestHeader) -> Answer {
    let own = APIS.iter().filter(|api| api.key == ApiKey::ApiVersions).map(advertised).collect();
    let body =
        ApiVersionsResponse::default().with_error_code(ResponseError::UnsupportedVersion.code()).with_api_keys(own);
    respond(&RequestHeader { api_version: 0, ..header.clone() }, &body)
}

fn advertised(api: &Api) -> ApiVersion {
    ApiVersion::default().with_api_key(api.key as i16).with_min_version(api.advertised_min).with_max_version(api.max)
}
