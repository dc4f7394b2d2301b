//! DescribeAcls: there are none, as on an Apache Kafka without an authorizer. Who may do what is for Pulsar to say.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

use super::exchange::{Context, Refusal, Request, Started, answered, respond, text};

/// Answers, in the words of Kafka's `AclApis.handleDescribeAcls`.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    request.decode::<DescribeAclsRequest>()?;
    let response = DescribeAclsResponse::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(text("No Authorizer is configured on the broker")));
    Ok(answered(respond(&request.header, &response), context))
}
