//! LeaveGroup: members leave, or an administrator removes them (KIP-345, KIP-571).

use std::iter;

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{ApiKey, LeaveGroupRequest, LeaveGroupResponse};

use super::exchange::{Context, Refusal, Request, Started, answered, default_deadline, respond};
use super::member::owned;
use super::one_group;
use crate::group::ask::{Ask, Reply};
use crate::group::error::GroupError;
use crate::group::id::GroupId;
use crate::group::log::entry::Leaver;

/// The first version that names several; before, the one member's code is the response's.
const BATCHED_SINCE: i16 = 3;

/// Asks the group.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: LeaveGroupRequest = request.decode()?;
    let version = request.header.api_version;
    let members = match version < BATCHED_SINCE {
        true => vec![MemberIdentity::default().with_member_id(body.member_id)],
        false => body.members,
    };
    if members.is_empty() && GroupId::new(&body.group_id).is_some() {
        return Ok(answered(respond(&request.header, &LeaveGroupResponse::default()), context));
    }
    let leavers = members.iter().map(|member| Leaver {
        member: member.member_id.to_string(),
        instance: owned(member.group_instance_id.as_ref()),
    });
    let ask = Ask::Leave(leavers.collect());
    let deadline = default_deadline(context);
    let response = move |result| response(version, members, result);
    Ok(one_group::ask(request.header, &body.group_id, ask, deadline, context, response))
}

fn response(version: i16, members: Vec<MemberIdentity>, result: Result<Reply, GroupError>) -> LeaveGroupResponse {
    let code = |error: GroupError| error.kafka_code(ApiKey::LeaveGroup).code();
    let response = LeaveGroupResponse::default();
    let results = match result {
        Ok(Reply::Left(results)) => results,
        // Of a group that is not there nobody is a member.
        Err(GroupError::UnknownMember | GroupError::GroupIdNotFound | GroupError::NoGroup) => {
            vec![Err(GroupError::UnknownMember); members.len()]
        }
        Ok(_) => return response.with_error_code(code(GroupError::NotAvailable)),
        Err(error) => return response.with_error_code(code(error)),
    };
    let codes = results.into_iter().map(|result| result.map_or_else(code, |()| 0));
    let mut codes = codes.chain(iter::repeat(code(GroupError::NotAvailable)));
    if version < BATCHED_SINCE {
        return response.with_error_code(codes.next().unwrap_or(0));
    }
    let row = |(member, code): (MemberIdentity, i16)| {
        MemberResponse::default()
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
            .with_error_code(code)
    };
    response.with_members(members.into_iter().zip(codes).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::response::encode;

    fn leavers(ids: &[&'static str]) -> Vec<MemberIdentity> {
        ids.iter().map(|id| MemberIdentity::default().with_member_id((*id).into())).collect()
    }

    fn codes(response: &LeaveGroupResponse) -> Vec<(&str, i16)> {
        response.members.iter().map(|member| (member.member_id.as_str(), member.error_code)).collect()
    }

    #[test]
    fn each_of_several_has_a_code_of_its_own() {
        let left = Ok(Reply::Left(vec![Ok(()), Err(GroupError::FencedInstance)]));
        let response = response(3, leavers(&["a", "b"]), left);
        assert_eq!((response.error_code, codes(&response)), (0, vec![("a", 0), ("b", 82)]));
    }

    #[test]
    fn up_to_version_2_the_code_of_the_one_is_the_responses() {
        let response = response(2, leavers(&["a"]), Ok(Reply::Left(vec![Err(GroupError::UnknownMember)])));
        assert_eq!((response.error_code, response.members.len()), (25, 0));
    }

    #[test]
    fn nobody_is_a_member_of_a_group_that_is_not_there() {
        let gone = || Err(GroupError::GroupIdNotFound);
        let many = response(5, leavers(&["a", "b"]), gone());
        assert_eq!((many.error_code, codes(&many)), (0, vec![("a", 25), ("b", 25)]));
        assert_eq!(response(0, leavers(&["a"]), gone()).error_code, 25);
    }

    #[test]
    fn what_is_wrong_with_the_group_stands_at_the_top() {
        let failed = response(5, leavers(&["a"]), Err(GroupError::NotCoordinator));
        assert_eq!((failed.error_code, failed.members.len()), (16, 0));
        assert_eq!(response(5, leavers(&["a"]), Err(GroupError::InvalidGroupId)).error_code, 24);
    }

    #[test]
    fn an_instance_comes_back_as_it_was_sent() {
        let by_instance = MemberIdentity::default().with_group_instance_id(Some("i1".into()));
        let response = response(4, vec![by_instance, MemberIdentity::default()], Ok(Reply::Left(vec![Ok(()), Ok(())])));
        let instances: Vec<_> = response.members.iter().map(|member| member.group_instance_id.as_deref()).collect();
        assert_eq!(instances, [Some("i1"), None]);
    }

    #[test]
    fn every_version_can_carry_both() {
        for version in 0..=5 {
            for result in [Ok(Reply::Left(vec![Ok(())])), Err(GroupError::Loading)] {
                encode(ApiKey::LeaveGroup, version, 0, &response(version, leavers(&["a"]), result)).unwrap();
            }
        }
    }
}
