//! DescribeClientQuotas (KIP-546): there are none. What limits clients are policies of Pulsar's namespaces and topics.

use kafka_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use super::exchange::{Context, Refusal, Request, Started, answered, respond};

/// Answers.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    request.decode::<DescribeClientQuotasRequest>()?;
    let response = DescribeClientQuotasResponse::default().with_error_message(None).with_entries(Some(Vec::new()));
    Ok(answered(respond(&request.header, &response), context))
}
