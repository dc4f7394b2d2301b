//! JoinGroup: a member joins the round that is open, and waits for its end.

use std::time::Duration;

use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{ApiKey, JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::exchange::{Context, Refusal, Request, Started, answered, respond, text};
use super::member::{client_host, optional, owned};
use super::one_group;
use crate::config::Config;
use crate::group::ask::{Ask, JoinAsk, Joined, JoinedMember, Reply};
use crate::group::error::GroupError;
use crate::group::id::GroupId;
use crate::group::log::entry::Protocol;
use crate::group::state::limits::{JOIN_BYTES_MAX, JOIN_PROTOCOLS_MAX};
use crate::session::io::Client;

/// The longest that a round waits for its members, whatever they ask for.
pub const MAX_REBALANCE_MS: u32 = 30 * 60 * 1000;

/// How much longer than a round a request waits: the group answers first.
pub const GRACE: Duration = Duration::from_secs(30);

/// The first version with a rebalance timeout of its own; before, it is the session's (KIP-62).
const REBALANCE_TIMEOUT_SINCE: i16 = 1;
/// The first version whose client joins again with the id that it is given (KIP-394).
const MUST_KNOW_ID_SINCE: i16 = 4;
/// The first version in which no protocol is null, not empty.
const NULLABLE_PROTOCOL_SINCE: i16 = 7;
/// The first version in which a leader can be told not to assign (KIP-814).
const SKIP_ASSIGNMENT_SINCE: i16 = 9;

/// Asks the group.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: JoinGroupRequest = request.decode()?;
    let (version, member) = (request.header.api_version, body.member_id.clone());
    let group = body.group_id.clone();
    let named = GroupId::new(&group).ok_or(GroupError::InvalidGroupId);
    let join = match named.and_then(|_| ask(version, body, context.io.client, &context.io.shared.config)) {
        Ok(join) => join,
        Err(error) => {
            let refused = response(version, member, Err(error));
            return Ok(answered(respond(&request.header, &refused), context));
        }
    };
    let deadline = context.io.now.instant + Duration::from_millis(join.rebalance_ms.into()) + GRACE;
    let response = move |result| response(version, member, result);
    Ok(one_group::ask(request.header, &group, Ask::Join(join), deadline, context, response))
}

/// Checks what needs no group to be checked, in Kafka's order.
fn ask(version: i16, body: JoinGroupRequest, client: &Client, config: &Config) -> Result<JoinAsk, GroupError> {
    let session_ms = u32::try_from(body.session_timeout_ms)
        .ok()
        .filter(|ms| (config.group_min_session_timeout_ms..=config.group_max_session_timeout_ms).contains(ms))
        .ok_or(GroupError::InvalidSessionTimeout)?;
    let of_protocols =
        body.protocols.iter().map(|protocol| protocol.name.len().saturating_add(protocol.metadata.len()));
    let instance_bytes = body.group_instance_id.as_ref().map_or(0, |instance| instance.len());
    let named = [body.member_id.len(), body.protocol_type.len(), instance_bytes];
    let bytes = of_protocols.chain(named).fold(0, usize::saturating_add);
    if body.protocols.len() > JOIN_PROTOCOLS_MAX || bytes > JOIN_BYTES_MAX {
        return Err(GroupError::InconsistentProtocol);
    }
    let rebalance_ms = match version < REBALANCE_TIMEOUT_SINCE {
        true => session_ms,
        // Kafka takes a negative one for none.
        false => u32::try_from(body.rebalance_timeout_ms).unwrap_or(0),
    };
    Ok(JoinAsk {
        member: body.member_id.to_string(),
        instance: owned(body.group_instance_id.as_ref()),
        client_id: client.id.clone(),
        client_host: client_host(client.endpoints.peer.as_ref()),
        session_ms,
        rebalance_ms: rebalance_ms.min(MAX_REBALANCE_MS),
        protocol_type: body.protocol_type.to_string(),
        protocols: body
            .protocols
            .into_iter()
            .map(|protocol| Protocol { name: protocol.name.to_string(), metadata: protocol.metadata })
            .collect(),
        must_know_id: version >= MUST_KNOW_ID_SINCE && body.group_instance_id.is_none(),
    })
}

/// `member` is the id that the client sent.
fn response(version: i16, member: StrBytes, result: Result<Reply, GroupError>) -> JoinGroupResponse {
    match result {
        Ok(Reply::Joined(joined)) => in_generation(version, joined),
        Ok(Reply::Issued(id)) => failed(version, text(id), GroupError::MemberIdRequired),
        Ok(_) => failed(version, member, GroupError::NotAvailable),
        Err(error @ GroupError::GroupMaxSize) => failed(version, StrBytes::default(), error),
        Err(error) => failed(version, member, error),
    }
}

fn in_generation(version: i16, joined: Joined) -> JoinGroupResponse {
    let Joined { generation, protocol_type, protocol, leader, skip_assignment, member, members } = joined;
    let response = JoinGroupResponse::default()
        .with_generation_id(generation)
        .with_protocol_type(optional(protocol_type))
        .with_protocol_name(protocol_name(version, protocol))
        .with_member_id(text(member.clone()));
    let row = |member: JoinedMember| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.id))
            .with_group_instance_id(optional(member.instance))
            .with_metadata(member.metadata)
    };
    match (skip_assignment, version >= SKIP_ASSIGNMENT_SINCE) {
        (false, _) => response.with_leader(text(leader)).with_members(members.into_iter().map(row).collect()),
        (true, true) => response
            .with_leader(text(member))
            .with_skip_assignment(true)
            .with_members(members.into_iter().map(row).collect()),
        // It is not told that it leads, or it would assign.
        (true, false) => response.with_leader(text(leader)),
    }
}

fn failed(version: i16, member: StrBytes, error: GroupError) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_error_code(error.kafka_code(ApiKey::JoinGroup).code())
        .with_generation_id(-1)
        .with_protocol_name(protocol_name(version, None))
        .with_member_id(member)
}

fn protocol_name(version: i16, protocol: Option<String>) -> Option<StrBytes> {
    match protocol {
        None if version < NULLABLE_PROTOCOL_SINCE => Some(StrBytes::default()),
        protocol => optional(protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ConnectionId;
    use crate::kafka::response::encode;
    use crate::session::io::Endpoints;
    use bytes::Bytes;
    use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;

    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=9;

    fn request() -> JoinGroupRequest {
        JoinGroupRequest::default()
            .with_session_timeout_ms(45_000)
            .with_rebalance_timeout_ms(300_000)
            .with_protocol_type("consumer".into())
            .with_protocols(vec![protocol(b"topics")])
    }

    fn protocol(metadata: &'static [u8]) -> JoinGroupRequestProtocol {
        JoinGroupRequestProtocol::default().with_name("range".into()).with_metadata(Bytes::from_static(metadata))
    }

    fn asked(version: i16, body: JoinGroupRequest) -> Result<JoinAsk, GroupError> {
        let endpoints = Endpoints { reached: None, peer: Some("10.0.0.7:40000".parse().unwrap()) };
        ask(version, body, &Client { connection: ConnectionId(1), id: "app".into(), endpoints }, &Config::default())
    }

    fn joined() -> Joined {
        let member = JoinedMember { id: "m1".into(), instance: Some("i1".into()), metadata: Bytes::from_static(b"x") };
        Joined {
            generation: 3,
            protocol_type: Some("consumer".into()),
            protocol: Some("range".into()),
            leader: "m1".into(),
            skip_assignment: false,
            member: "m1".into(),
            members: vec![member],
        }
    }

    fn answered(version: i16, result: Result<Reply, GroupError>) -> JoinGroupResponse {
        response(version, "sent".into(), result)
    }

    #[test]
    fn a_member_brings_what_people_are_told_of_it() {
        let join = asked(9, request()).unwrap();
        assert_eq!((join.client_id.as_str(), join.client_host.as_str()), ("app", "/10.0.0.7"));
        assert_eq!((join.session_ms, join.rebalance_ms), (45_000, 300_000));
    }

    #[test]
    fn a_session_out_of_bounds_is_refused() {
        for session in [-1, 0, 5_999, 1_800_001, i32::MAX] {
            let refused = asked(9, request().with_session_timeout_ms(session));
            assert_eq!(refused, Err(GroupError::InvalidSessionTimeout), "{session}");
        }
        for session in [6_000, 1_800_000] {
            assert!(asked(9, request().with_session_timeout_ms(session)).is_ok(), "{session}");
        }
    }

    #[test]
    fn version_0_waits_for_a_round_as_long_as_for_a_session() {
        assert_eq!(asked(0, request()).unwrap().rebalance_ms, 45_000);
    }

    #[test]
    fn no_round_waits_longer_than_the_bound() {
        let waits = |ms| asked(9, request().with_rebalance_timeout_ms(ms)).unwrap().rebalance_ms;
        assert_eq!(waits(i32::MAX), MAX_REBALANCE_MS);
        assert_eq!(waits(-1), 0);
    }

    #[test]
    fn more_protocols_than_the_bound_are_refused() {
        let of = |count| asked(9, request().with_protocols(vec![protocol(b""); count]));
        assert!(of(JOIN_PROTOCOLS_MAX).is_ok());
        assert_eq!(of(JOIN_PROTOCOLS_MAX + 1), Err(GroupError::InconsistentProtocol));
    }

    #[test]
    fn larger_protocols_than_the_bound_are_refused() {
        let large = vec![protocol(b"").with_metadata(vec![0; JOIN_BYTES_MAX].into())];
        assert_eq!(asked(9, request().with_protocols(large)), Err(GroupError::InconsistentProtocol));
    }

    #[test]
    fn a_dynamic_member_must_know_its_id_since_version_4() {
        assert!(!asked(3, request()).unwrap().must_know_id);
        assert!(asked(4, request()).unwrap().must_know_id);
        assert!(!asked(5, request().with_group_instance_id(Some("i".into()))).unwrap().must_know_id);
    }

    #[test]
    fn an_id_to_join_with_comes_as_an_error() {
        let response = answered(4, Ok(Reply::Issued("app-1".into())));
        assert_eq!((response.error_code, response.member_id.as_str()), (79, "app-1"));
    }

    #[test]
    fn a_refused_member_is_called_what_it_called_itself() {
        let response = answered(9, Err(GroupError::UnknownMember));
        assert_eq!((response.error_code, response.member_id.as_str()), (25, "sent"));
        assert_eq!((response.generation_id, response.leader.as_str(), response.members.len()), (-1, "", 0));
    }

    #[test]
    fn a_member_that_finds_the_group_full_is_called_nothing() {
        let response = answered(9, Err(GroupError::GroupMaxSize));
        assert_eq!((response.error_code, response.member_id.as_str()), (81, ""));
    }

    #[test]
    fn no_protocol_is_null_since_version_7_and_empty_before() {
        assert_eq!(answered(6, Err(GroupError::NotCoordinator)).protocol_name.as_deref(), Some(""));
        assert_eq!(answered(7, Err(GroupError::NotCoordinator)).protocol_name, None);
    }

    #[test]
    fn the_leader_gets_every_member_with_its_metadata() {
        let response = answered(9, Ok(Reply::Joined(joined())));
        assert_eq!((response.generation_id, response.leader.as_str()), (3, "m1"));
        let [member] = response.members.as_slice() else { panic!("{response:?}") };
        assert_eq!((member.member_id.as_str(), member.group_instance_id.as_deref()), ("m1", Some("i1")));
        assert_eq!(member.metadata, b"x".as_slice());
    }

    #[test]
    fn a_static_leader_that_came_back_leads_without_assigning() {
        let back = Joined { leader: "old".into(), skip_assignment: true, ..joined() };
        let response = answered(9, Ok(Reply::Joined(back.clone())));
        assert_eq!((response.leader.as_str(), response.skip_assignment, response.members.len()), ("m1", true, 1));

        let response = answered(8, Ok(Reply::Joined(back)));
        assert_eq!((response.leader.as_str(), response.skip_assignment, response.members.len()), ("old", false, 0));
    }

    #[test]
    fn every_version_can_carry_every_answer() {
        let back = Joined { skip_assignment: true, ..joined() };
        for version in VERSIONS {
            let results = [
                Ok(Reply::Joined(joined())),
                Ok(Reply::Joined(back.clone())),
                Ok(Reply::Joined(Joined { protocol: None, protocol_type: None, ..joined() })),
                Ok(Reply::Issued("m".into())),
                Err(GroupError::InconsistentProtocol),
            ];
            for result in results {
                encode(ApiKey::JoinGroup, version, 0, &answered(version, result)).unwrap();
            }
        }
    }
}
