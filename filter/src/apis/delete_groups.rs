//! DeleteGroups: groups without members go, with their offsets.

use std::collections::BTreeSet;

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{ApiKey, DeleteGroupsRequest, DeleteGroupsResponse, GroupId as Name};

use super::each_group::{EachGroup, Row, Told};
use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, default_deadline, respond};
use crate::group::ask::Ask;
use crate::group::error::GroupError;
use crate::group::id::GroupId;
use crate::kafka::header::RequestHeader;

/// Begins to ask the groups.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: DeleteGroupsRequest = request.decode()?;
    let names = distinct(body.groups_names);
    let groups = EachGroup::new(|| Ask::Delete, names.iter().map(|name| GroupId::new(name)));
    let deadline = default_deadline(context);
    Ok(Started { exchange: Box::new(DeleteGroups { header: request.header, names, groups }), deadline })
}

/// What stands there twice is answered once, as by Apache Kafka.
fn distinct(names: Vec<Name>) -> Vec<Name> {
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

struct DeleteGroups {
    header: RequestHeader,
    names: Vec<Name>,
    groups: EachGroup<DeletableGroupResult>,
}

impl Row for DeletableGroupResult {
    fn bytes(&self) -> usize {
        size_of::<Self>().saturating_add(self.group_id.len())
    }
}

fn row(name: Name, result: Result<(), GroupError>) -> DeletableGroupResult {
    let code = result.map_or_else(|error| error.kafka_code(ApiKey::DeleteGroups).code(), |()| 0);
    DeletableGroupResult::default().with_group_id(name).with_error_code(code)
}

fn told(names: &[Name], told: Told<'_>) -> DeletableGroupResult {
    row(names.get(told.index).cloned().unwrap_or_default(), told.result.map(|_| ()))
}

impl DeleteGroups {
    fn answer(&mut self) -> Answer {
        respond(&self.header, &DeleteGroupsResponse::default().with_results(self.groups.take().collect()))
    }
}

impl Exchange for DeleteGroups {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let names = &self.names;
        self.groups.poll(&mut context.io, |group| told(names, group)).then(|| self.answer())
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        let names = &self.names;
        let groups = &mut context.io.shared.groups;
        self.groups.give_up(GroupError::NotCoordinator, groups, |group| told(names, group));
        self.answer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_named_twice_is_deleted_once() {
        let names = ["a", "b", "a"].map(|name| Name(name.into())).to_vec();
        assert_eq!(distinct(names), ["a", "b"].map(|name| Name(name.into())));
    }

    #[test]
    fn only_a_group_without_members_is_deleted() {
        let code = |result| row(Name("g".into()), result).error_code;
        assert_eq!(code(Ok(())), 0);
        assert_eq!(code(Err(GroupError::NonEmptyGroup)), 68);
        assert_eq!(code(Err(GroupError::GroupIdNotFound)), 69);
        assert_eq!(code(Err(GroupError::InvalidGroupId)), 24);
    }
}
