//! InitProducerId: an id for an idempotent producer (KIP-98, KIP-360). Transactions are not served.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::exchange::{Context, Refusal, Request, Started, answered, respond};

/// Answers at once: ids are random, so nobody has to be asked. Sixty-two bits make a collision between workers out of the question.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: InitProducerIdRequest = request.decode()?;
    let response = InitProducerIdResponse::default();
    let response = if body.transactional_id.is_some() {
        // Fatal to every client, so none retries it for ever.
        response
            .with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    } else {
        let (id, epoch) = next(body.producer_id.0, body.producer_epoch, context);
        response.with_producer_id(ProducerId(id)).with_producer_epoch(epoch)
    };
    Ok(answered(respond(&request.header, &response), context))
}

/// The same id with the next epoch where the producer asks for a bump (version 3, KIP-360), else a new id.
fn next(id: i64, epoch: i16, context: &mut Context<'_>) -> (i64, i16) {
    match epoch.checked_add(1) {
        Some(next) if id >= 0 && epoch >= 0 => (id, next),
        Some(_) | None => (i64::try_from(context.io.shared.random.next_u64() >> 2).unwrap_or(0), 0),
    }
}
