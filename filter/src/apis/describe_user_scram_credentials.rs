//! DescribeUserScramCredentials (KIP-554): there are none. Served because `kafka-configs --entity-type users` asks for them beside
//! quotas.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult;
use kafka_protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};

use super::exchange::{Context, Refusal, Request, Started, answered, respond, text};

/// Answers; a user that is named has none, in Kafka's words.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: DescribeUserScramCredentialsRequest = request.decode()?;
    let named = body.users.unwrap_or_default().into_iter().map(|user| {
        let words = format!("Attempt to describe a user credential that does not exist: {}", user.name);
        DescribeUserScramCredentialsResult::default()
            .with_user(user.name)
            .with_error_code(ResponseError::ResourceNotFound.code())
            .with_error_message(Some(text(words)))
    });
    let response =
        DescribeUserScramCredentialsResponse::default().with_error_message(None).with_results(named.collect());
    Ok(answered(respond(&request.header, &response), context))
}
