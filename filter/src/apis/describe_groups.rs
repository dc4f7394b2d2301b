//! DescribeGroups: state and members of groups, as Apache Kafka tells them.

use bytes::Bytes;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{ApiKey, DescribeGroupsRequest, DescribeGroupsResponse, GroupId as Name};
use kafka_protocol::protocol::StrBytes;

use super::each_group::{EachGroup, Row, Told};
use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, default_deadline, respond, text};
use super::member::optional;
use crate::group::ask::Ask;
use crate::group::error::GroupError;
use crate::group::id::GroupId;
use crate::group::state::{Member, Phase, State};
use crate::kafka::header::RequestHeader;

/// Authorized operations that were not asked for (`Int.MinValue`, KIP-430).
const NOT_ASKED: i32 = i32::MIN;

/// READ, DELETE and DESCRIBE, as bits by `AclOperation`: without ACLs everybody may do what a group knows.
const EVERYTHING: i32 = 1 << 3 | 1 << 6 | 1 << 8;

/// What a group is called that does not exist; no error up to version 5.
const DEAD: StrBytes = StrBytes::from_static_str("Dead");

/// Begins to ask the groups.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: DescribeGroupsRequest = request.decode()?;
    let operations = if body.include_authorized_operations { EVERYTHING } else { NOT_ASKED };
    let names = body.groups;
    let groups = EachGroup::new(|| Ask::Confirm, names.iter().map(|name| GroupId::new(name)));
    let deadline = default_deadline(context);
    Ok(Started { exchange: Box::new(DescribeGroups { header: request.header, names, operations, groups }), deadline })
}

struct DescribeGroups {
    header: RequestHeader,
    names: Vec<Name>,
    operations: i32,
    groups: EachGroup<DescribedGroup>,
}

impl Row for DescribedGroup {
    fn bytes(&self) -> usize {
        let members = self.members.iter().map(|member| {
            let names = [&member.member_id, &member.client_id, &member.client_host].into_iter();
            let text = names.chain(&member.group_instance_id).map(|name| name.len()).fold(0, usize::saturating_add);
            let opaque = member.member_metadata.len().saturating_add(member.member_assignment.len());
            size_of::<DescribedGroupMember>().saturating_add(text).saturating_add(opaque)
        });
        members.fold(size_of::<Self>(), usize::saturating_add)
    }
}

/// `None`: there is no such group.
fn row(name: Name, operations: i32, state: Result<Option<&State>, GroupError>) -> DescribedGroup {
    let group = DescribedGroup::default().with_group_id(name);
    match state {
        Err(error) => group.with_error_code(error.kafka_code(ApiKey::DescribeGroups).code()),
        Ok(None) => group.with_group_state(DEAD).with_authorized_operations(operations),
        Ok(Some(state)) => {
            // What is not settled is not told: protocol and subscriptions only of a stable group.
            let protocol = match state.phase {
                Phase::Stable => state.protocol.as_deref(),
                Phase::Empty { .. } | Phase::Preparing { .. } | Phase::Completing => None,
            };
            group
                .with_group_state(state_name(state))
                .with_protocol_type(text(state.protocol_type.clone().unwrap_or_default()))
                .with_protocol_data(text(protocol.unwrap_or_default()))
                .with_members(state.members.iter().map(|member| member_row(member, protocol)).collect())
                .with_authorized_operations(operations)
        }
    }
}

/// Kafka's name of the state of a group that exists.
pub fn state_name(state: &State) -> StrBytes {
    StrBytes::from_static_str(match state.phase {
        Phase::Empty { .. } => "Empty",
        Phase::Preparing { .. } => "PreparingRebalance",
        Phase::Completing => "CompletingRebalance",
        Phase::Stable => "Stable",
    })
}

fn member_row(member: &Member, protocol: Option<&str>) -> DescribedGroupMember {
    let chosen = member.protocols.iter().find(|offered| Some(offered.name.as_str()) == protocol);
    DescribedGroupMember::default()
        .with_member_id(text(member.id.clone()))
        .with_group_instance_id(optional(member.instance.clone()))
        .with_client_id(text(member.client_id.clone()))
        .with_client_host(text(member.client_host.clone()))
        .with_member_metadata(chosen.map_or_else(Bytes::new, |chosen| chosen.metadata.clone()))
        .with_member_assignment(member.assignment.clone())
}

fn told(names: &[Name], operations: i32, told: Told<'_>) -> DescribedGroup {
    let name = names.get(told.index).cloned().unwrap_or_default();
    row(name, operations, told.result.map(|_| told.state))
}

impl DescribeGroups {
    fn answer(&mut self) -> Answer {
        respond(&self.header, &DescribeGroupsResponse::default().with_groups(self.groups.take().collect()))
    }
}

impl Exchange for DescribeGroups {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let (names, operations) = (&self.names, self.operations);
        self.groups.poll(&mut context.io, |group| told(names, operations, group)).then(|| self.answer())
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        let (names, operations) = (&self.names, self.operations);
        let groups = &mut context.io.shared.groups;
        self.groups.give_up(GroupError::NotCoordinator, groups, |group| told(names, operations, group));
        self.answer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::log::entry::{EventPosition, Protocol};
    use crate::group::state::Members;
    use crate::kafka::response::encode;

    fn state(phase: Phase) -> State {
        let protocols = ["range", "sticky"].map(|name| Protocol { name: name.into(), metadata: name.into() });
        let member = Member {
            id: "m1".into(),
            instance: Some("i1".into()),
            client_id: "app".into(),
            client_host: "/10.0.0.7".into(),
            session_ms: 45_000,
            rebalance_ms: 300_000,
            protocols: protocols.to_vec(),
            assignment: "mine".into(),
            joined: false,
            synced: true,
            seen: EventPosition::default(),
        };
        State {
            exists: true,
            phase,
            protocol_type: Some("consumer".into()),
            protocol: Some("sticky".into()),
            members: [member].into_iter().collect(),
            ..State::default()
        }
    }

    fn described(state: Result<Option<&State>, GroupError>) -> DescribedGroup {
        row(Name("g".into()), NOT_ASKED, state)
    }

    #[test]
    fn a_stable_group_is_told_with_its_protocol_and_what_each_member_said_for_it() {
        let group = described(Ok(Some(&state(Phase::Stable))));
        assert_eq!((group.group_state.as_str(), group.protocol_type.as_str()), ("Stable", "consumer"));
        assert_eq!(group.protocol_data.as_str(), "sticky");
        let [member] = group.members.as_slice() else { panic!("{group:?}") };
        assert_eq!((member.member_id.as_str(), member.group_instance_id.as_deref()), ("m1", Some("i1")));
        assert_eq!((member.client_id.as_str(), member.client_host.as_str()), ("app", "/10.0.0.7"));
        assert_eq!((&member.member_metadata[..], &member.member_assignment[..]), (&b"sticky"[..], &b"mine"[..]));
    }

    #[test]
    fn during_a_rebalance_neither_protocol_nor_subscriptions_are_told() {
        let phases =
            [(Phase::Preparing { initial: false }, "PreparingRebalance"), (Phase::Completing, "CompletingRebalance")];
        for (phase, name) in phases {
            let group = described(Ok(Some(&state(phase))));
            assert_eq!((group.group_state.as_str(), group.protocol_data.as_str()), (name, ""));
            assert_eq!((group.members.len(), group.members[0].member_metadata.len()), (1, 0));
        }
    }

    #[test]
    fn a_group_without_members_is_empty() {
        let state = State { members: Members::default(), ..state(Phase::Empty { since_ms: 0 }) };
        let group = described(Ok(Some(&state)));
        assert_eq!((group.group_state.as_str(), group.members.len(), group.error_code), ("Empty", 0, 0));
    }

    #[test]
    fn a_group_that_does_not_exist_is_dead_without_error() {
        let group = described(Ok(None));
        assert_eq!((group.group_state.as_str(), group.error_code), ("Dead", 0));
    }

    #[test]
    fn a_group_that_cannot_be_read_has_no_state() {
        let group = described(Err(GroupError::Loading));
        assert_eq!((group.group_state.as_str(), group.error_code), ("", 14));
    }

    #[test]
    fn what_one_may_do_is_told_where_it_is_asked() {
        assert_eq!(row(Name("g".into()), EVERYTHING, Ok(None)).authorized_operations, 328);
        assert_eq!(described(Ok(None)).authorized_operations, i32::MIN);
    }

    #[test]
    fn every_version_can_carry_every_row() {
        let stable = state(Phase::Stable);
        for version in 0..=5 {
            for state in [Ok(Some(&stable)), Ok(None), Err(GroupError::NotCoordinator)] {
                let response = DescribeGroupsResponse::default().with_groups(vec![described(state)]);
                encode(ApiKey::DescribeGroups, version, 0, &response).unwrap();
            }
        }
    }

    #[test]
    fn a_row_counts_what_its_members_brought() {
        let small = described(Ok(Some(&state(Phase::Stable)))).bytes();
        let large = state(Phase::Stable);
        let fatter = large.members.iter().cloned().map(|member| Member { assignment: vec![0; 1000].into(), ..member });
        let large = State { members: fatter.collect(), ..large };
        assert_eq!(described(Ok(Some(&large))).bytes(), small + 1000 - "mine".len());
    }
}
