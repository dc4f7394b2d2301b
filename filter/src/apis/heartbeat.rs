//! Heartbeat: whether the member and its generation are the group's.

use kafka_protocol::messages::{ApiKey, HeartbeatRequest, HeartbeatResponse};

use super::exchange::{Context, Refusal, Request, Started, default_deadline};
use super::{member, one_group};
use crate::group::ask::{Ask, Reply};
use crate::group::error::GroupError;

/// Asks the group.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: HeartbeatRequest = request.decode()?;
    let by = member::membership(&body.member_id, body.group_instance_id.as_ref(), body.generation_id);
    let deadline = default_deadline(context);
    Ok(one_group::ask(request.header, &body.group_id, Ask::Heartbeat(by), deadline, context, response))
}

fn response(result: Result<Reply, GroupError>) -> HeartbeatResponse {
    let code = result.map_or_else(|error| error.kafka_code(ApiKey::Heartbeat).code(), |_| 0);
    HeartbeatResponse::default().with_error_code(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_the_generation_is_told_so() {
        assert_eq!(response(Ok(Reply::Done)).error_code, 0);
    }

    #[test]
    fn whoever_is_not_is_told_why() {
        let code = |error| response(Err(error)).error_code;
        assert_eq!(code(GroupError::UnknownMember), 25);
        assert_eq!(code(GroupError::IllegalGeneration), 22);
        assert_eq!(code(GroupError::RebalanceInProgress), 27);
        assert_eq!(code(GroupError::FencedInstance), 82);
    }

    #[test]
    fn while_the_group_is_loaded_the_member_looks_for_its_coordinator_anew() {
        assert_eq!(response(Err(GroupError::Loading)).error_code, 16);
    }
}
