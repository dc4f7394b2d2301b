//! ListGroups: the groups whose topics this broker owns, as each broker of a Kafka cluster tells those it coordinates.

use std::collections::BTreeSet;
use std::time::Duration;

use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{ApiKey, GroupId as Name, ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;

use super::describe_groups::state_name;
use super::each_group::{EachGroup, Row, Told};
use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, respond, text};
use crate::error::PulsarError;
use crate::group::ask::Ask;
use crate::group::error::GroupError;
use crate::group::groups::Groups;
use crate::group::id::{GroupId, namespace};
use crate::ids::RequestId;
use crate::kafka::header::RequestHeader;
use crate::pulsar::command;
use crate::session::io::Io;
use crate::session::requests::Reply;

/// Groups that one request tells of; further ones are left out.
const MAX_GROUPS: usize = 10_000;

/// How long the logs of groups may take to be read.
const DEADLINE: Duration = Duration::from_secs(20);

/// The first version that tells and filters states (KIP-518).
const STATES_SINCE: i16 = 4;

/// The type of every group here (KIP-848 has others).
const CLASSIC: StrBytes = StrBytes::from_static_str("classic");

/// Begins to list the namespace's topics.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: ListGroupsRequest = request.decode()?;
    let io = &mut context.io;
    let namespace = namespace(&io.shared.config);
    let listing = io.pulsar.ask(io.now.instant, |id| command::get_topics_of_namespace(namespace, id));
    let exchange = ListGroups {
        header: request.header,
        filter: Filter { states: lowercase(&body.states_filter), types: lowercase(&body.types_filter) },
        phase: Phase::Listing(listing),
    };
    Ok(Started { exchange: Box::new(exchange), deadline: io.now.instant + DEADLINE })
}

struct ListGroups {
    header: RequestHeader,
    filter: Filter,
    phase: Phase,
}

/// ```text
/// Listing ──▶ Asking(each group that there is)
/// ```
enum Phase {
    Listing(RequestId),
    Asking { names: Vec<GroupId>, groups: EachGroup<Found> },
}

/// Nothing named: everything passes. Case does not matter, as to Apache Kafka.
#[derive(Debug, Default)]
struct Filter {
    states: BTreeSet<String>,
    types: BTreeSet<String>,
}

fn lowercase(names: &[StrBytes]) -> BTreeSet<String> {
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

impl Filter {
    fn passes(&self, group: &ListedGroup) -> bool {
        let among =
            |names: &BTreeSet<String>, name: &StrBytes| names.is_empty() || names.contains(&name.to_ascii_lowercase());
        among(&self.states, &group.group_state) && among(&self.types, &CLASSIC)
    }
}

/// What was found of a topic.
#[derive(Clone, Debug, PartialEq)]
enum Found {
    Group(ListedGroup),
    /// A log without a group, or another broker's, or one that the client may not see.
    Nothing,
    /// Not yet known: the list would be wrong without it.
    Unknown(GroupError),
}

impl Row for Found {
    fn bytes(&self) -> usize {
        let text = match self {
            Found::Group(group) => group.group_id.len().saturating_add(group.protocol_type.len()),
            Found::Nothing | Found::Unknown(_) => 0,
        };
        size_of::<Self>().saturating_add(text)
    }
}

/// Asks for the state of every group as far as it is read: nothing is written for a list. A log that is not loaded is read first,
/// which also tells whether this broker owns it.
fn ask_each(names: &[GroupId]) -> EachGroup<Found> {
    EachGroup::new(|| Ask::Peek, names.iter().cloned().map(Some))
}

fn found(names: &[GroupId], told: Told<'_>) -> Found {
    let Some(group) = names.get(told.index) else { return Found::Nothing };
    let listed = ListedGroup::default().with_group_id(Name(text(group.as_str())));
    match (told.result, told.state) {
        (Ok(_), None) => Found::Nothing,
        (Ok(_), Some(state)) => Found::Group(
            listed
                .with_protocol_type(text(state.protocol_type.clone().unwrap_or_default()))
                .with_group_state(state_name(state))
                .with_group_type(CLASSIC),
        ),
        (Err(GroupError::NotCoordinator | GroupError::NotAuthorized | GroupError::GroupIdNotFound), _) => {
            Found::Nothing
        }
        (Err(error @ GroupError::Loading), _) => Found::Unknown(error),
        // One broken log does not hide the others, nor itself: its group is there, in no state.
        (Err(_), _) => Found::Group(listed.with_group_type(CLASSIC)),
    }
}

fn response(version: i16, filter: &Filter, found: impl Iterator<Item = Found>) -> ListGroupsResponse {
    let mut groups = Vec::new();
    for found in found {
        match found {
            Found::Group(group) if filter.passes(&group) => groups.push(group),
            Found::Group(_) | Found::Nothing => {}
            Found::Unknown(error) => return failed(error),
        }
    }
    if version < STATES_SINCE {
        groups.iter_mut().for_each(|group| group.group_state = StrBytes::default());
    }
    ListGroupsResponse::default().with_groups(groups)
}

fn failed(error: GroupError) -> ListGroupsResponse {
    ListGroupsResponse::default().with_error_code(error.kafka_code(ApiKey::ListGroups).code())
}

impl ListGroups {
    fn answer(&mut self) -> Answer {
        let response = match &mut self.phase {
            Phase::Listing(_) => failed(GroupError::Loading),
            Phase::Asking { groups, .. } => response(self.header.api_version, &self.filter, groups.take()),
        };
        respond(&self.header, &response)
    }

    /// The list of topics, once it is there.
    fn listed(&mut self, listing: RequestId, io: &mut Io<'_>) -> Option<Result<Vec<GroupId>, GroupError>> {
        let topics = match io.pulsar.take(listing)? {
            Ok(Reply::Topics(topics)) => topics,
            Ok(_) => {
                return Some(Err(PulsarError::Malformed("another answer to GET_TOPICS_OF_NAMESPACE").group_error()));
            }
            Err(error) => return Some(Err(error.group_error())),
        };
        let config = &io.shared.config;
        let mut names: Vec<GroupId> = topics.iter().filter_map(|topic| GroupId::of_topic(topic, config)).collect();
        names.sort_unstable();
        if names.len() > MAX_GROUPS {
            let left_out = names.len().saturating_sub(MAX_GROUPS);
            io.shared.log.warn(format!("{left_out} consumer groups are not listed: {MAX_GROUPS} are the most"));
            names.truncate(MAX_GROUPS);
        }
        Some(Ok(names))
    }
}

impl Exchange for ListGroups {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        if let Phase::Listing(listing) = self.phase {
            match self.listed(listing, &mut context.io)? {
                Ok(names) => self.phase = Phase::Asking { groups: ask_each(&names), names },
                Err(error) => return Some(respond(&self.header, &failed(error))),
            }
        }
        let Phase::Asking { names, groups } = &mut self.phase else { return None };
        let names = &*names;
        groups.poll(&mut context.io, |group| found(names, group)).then(|| self.answer())
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        let shared: &mut Groups = &mut context.io.shared.groups;
        match &mut self.phase {
            Phase::Listing(listing) => context.io.pulsar.forget(*listing),
            Phase::Asking { names, groups } => {
                let names = &*names;
                groups.give_up(GroupError::Loading, shared, |group| found(names, group));
            }
        }
        self.answer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::ask::Reply as GroupReply;
    use crate::group::state::{self, State};
    use crate::kafka::response::encode;

    fn told(result: Result<Option<&State>, GroupError>) -> Found {
        let told = Told { index: 0, result: result.map(|_| GroupReply::Confirmed), state: result.ok().flatten() };
        found(&[GroupId::new("g").unwrap()], told)
    }

    fn stable() -> State {
        let protocol_type = Some("consumer".into());
        State { exists: true, phase: state::Phase::Stable, protocol_type, ..State::default() }
    }

    fn names(response: &ListGroupsResponse) -> Vec<&str> {
        response.groups.iter().map(|group| group.group_id.as_str()).collect()
    }

    fn filter(states: &[&'static str], types: &[&'static str]) -> Filter {
        let set = |names: &[&'static str]| lowercase(&names.iter().map(|name| (*name).into()).collect::<Vec<_>>());
        Filter { states: set(states), types: set(types) }
    }

    #[test]
    fn a_group_is_listed_with_its_type_and_state() {
        let Found::Group(group) = told(Ok(Some(&stable()))) else { panic!() };
        assert_eq!((group.group_id.as_str(), group.protocol_type.as_str()), ("g", "consumer"));
        assert_eq!((group.group_state.as_str(), group.group_type.as_str()), ("Stable", "classic"));
    }

    #[test]
    fn a_group_that_is_no_more_or_belongs_to_another_broker_is_not_listed() {
        assert_eq!(told(Ok(None)), Found::Nothing);
        assert_eq!(told(Err(GroupError::NotCoordinator)), Found::Nothing);
        assert_eq!(told(Err(GroupError::NotAuthorized)), Found::Nothing);
    }

    #[test]
    fn a_group_whose_log_is_broken_is_listed_without_a_state() {
        let response = response(4, &Filter::default(), [told(Err(GroupError::NotAvailable))].into_iter());
        assert_eq!((names(&response), response.groups[0].group_state.as_str()), (vec!["g"], ""));
    }

    #[test]
    fn a_list_that_cannot_be_whole_yet_is_asked_for_again() {
        let found = [told(Ok(Some(&stable()))), told(Err(GroupError::Loading))];
        let response = response(4, &Filter::default(), found.into_iter());
        assert_eq!((response.error_code, response.groups.len()), (14, 0));
    }

    #[test]
    fn only_states_and_types_that_are_asked_for_are_listed() {
        let state = stable();
        let passes = |states: &[&'static str], types: &[&'static str]| {
            !response(5, &filter(states, types), [told(Ok(Some(&state)))].into_iter()).groups.is_empty()
        };
        assert!(passes(&[], &[]));
        assert!(passes(&["Empty", "stable"], &["Classic", "consumer"]));
        assert!(!passes(&["Empty"], &[]));
        assert!(!passes(&[], &["consumer"]));
    }

    #[test]
    fn a_namespace_that_cannot_be_listed_is_an_error_that_passes() {
        assert_eq!(failed(PulsarError::TimedOut.group_error()).error_code, 15);
        assert_eq!(failed(GroupError::NotAuthorized).error_code, 30);
    }

    #[test]
    fn every_version_can_carry_it() {
        for version in 0..=5 {
            let response = response(version, &Filter::default(), [told(Ok(Some(&stable())))].into_iter());
            encode(ApiKey::ListGroups, version, 0, &response).unwrap();
        }
    }
}
