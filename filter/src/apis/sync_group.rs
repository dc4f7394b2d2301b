//! SyncGroup: a member's assignment; the leader brings everybody's.

use std::time::Duration;

use kafka_protocol::messages::{ApiKey, SyncGroupRequest, SyncGroupResponse};

use super::exchange::{Context, Refusal, Request, Started, answered, respond};
use super::join_group::{GRACE, MAX_REBALANCE_MS};
use super::member::{membership, optional, owned};
use super::one_group;
use crate::group::ask::{Ask, Reply, SyncAsk};
use crate::group::error::GroupError;
use crate::group::log::entry::Assignment;

/// The first version that names type and protocol; both must be there (KIP-559).
const NAMES_PROTOCOL_SINCE: i16 = 5;

/// Asks the group; a follower waits for its leader.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: SyncGroupRequest = request.decode()?;
    let names_all = body.protocol_type.is_some() && body.protocol_name.is_some();
    if request.header.api_version >= NAMES_PROTOCOL_SINCE && !names_all {
        let refused = response(Err(GroupError::InconsistentProtocol));
        return Ok(answered(respond(&request.header, &refused), context));
    }
    let group = body.group_id.clone();
    let deadline = context.io.now.instant + Duration::from_millis(MAX_REBALANCE_MS.into()) + GRACE;
    Ok(one_group::ask(request.header, &group, Ask::Sync(ask(body)), deadline, context, response))
}

fn ask(body: SyncGroupRequest) -> SyncAsk {
    SyncAsk {
        by: membership(&body.member_id, body.group_instance_id.as_ref(), body.generation_id),
        protocol_type: owned(body.protocol_type.as_ref()),
        protocol: owned(body.protocol_name.as_ref()),
        assignments: body
            .assignments
            .into_iter()
            .map(|assigned| Assignment { member: assigned.member_id.to_string(), bytes: assigned.assignment })
            .collect(),
    }
}

fn response(result: Result<Reply, GroupError>) -> SyncGroupResponse {
    let response = SyncGroupResponse::default();
    let error = match result {
        Ok(Reply::Assigned { protocol_type, protocol, assignment }) => {
            return response
                .with_protocol_type(optional(protocol_type))
                .with_protocol_name(optional(protocol))
                .with_assignment(assignment);
        }
        Ok(_) => GroupError::NotAvailable,
        Err(error) => error,
    };
    response.with_error_code(error.kafka_code(ApiKey::SyncGroup).code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::response::encode;
    use bytes::Bytes;

    fn assigned() -> Result<Reply, GroupError> {
        let (protocol_type, protocol) = (Some("consumer".into()), Some("range".into()));
        Ok(Reply::Assigned { protocol_type, protocol, assignment: Bytes::from_static(b"mine") })
    }

    #[test]
    fn an_assignment_comes_with_the_protocol_it_is_for() {
        let response = response(assigned());
        assert_eq!(response.assignment, b"mine".as_slice());
        assert_eq!(response.protocol_type.as_deref(), Some("consumer"));
        assert_eq!(response.protocol_name.as_deref(), Some("range"));
    }

    #[test]
    fn an_error_comes_without_anything() {
        let response = response(Err(GroupError::RebalanceInProgress));
        assert_eq!((response.error_code, response.assignment.len()), (27, 0));
        assert_eq!((response.protocol_type, response.protocol_name), (None, None));
    }

    #[test]
    fn while_the_group_is_loaded_the_member_joins_anew() {
        assert_eq!(response(Err(GroupError::Loading)).error_code, 27);
    }

    #[test]
    fn every_version_can_carry_both() {
        for version in 0..=5 {
            for result in [assigned(), Err(GroupError::UnknownMember)] {
                encode(ApiKey::SyncGroup, version, 0, &response(result)).unwrap();
            }
        }
    }
}
