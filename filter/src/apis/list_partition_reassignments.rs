//! ListPartitionReassignments (KIP-455): none is ever under way. Pulsar moves partitions by itself, and at once.

use kafka_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use super::exchange::{Context, Refusal, Request, Started, answered, respond};

/// Answers.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    request.decode::<ListPartitionReassignmentsRequest>()?;
    let response = ListPartitionReassignmentsResponse::default().with_error_message(None);
    Ok(answered(respond(&request.header, &response), context))
}
