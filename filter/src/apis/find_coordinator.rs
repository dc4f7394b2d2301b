//! FindCoordinator: the broker that owns the topic of a group's log, which is the one whose filters serve the group.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{ApiKey, BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, default_deadline, respond, text};
use crate::config::Config;
use crate::error::PulsarError;
use crate::group::error::GroupError;
use crate::group::id::GroupId;
use crate::kafka::header::RequestHeader;
use crate::session::io::Io;
use crate::session::wake::Parts;
use crate::topics::leader::FindLeader;
use crate::topics::leader_cache::Address;
use crate::topics::node::node_id;

/// The first version that asks for many at once (KIP-699).
const BATCHED_SINCE: i16 = 4;

/// `FindCoordinatorRequest.CoordinatorType` of Kafka's clients.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// Begins to look up.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: FindCoordinatorRequest = request.decode()?;
    let keys = if request.header.api_version < BATCHED_SINCE { vec![body.key] } else { body.coordinator_keys };
    let mut searches = Parts::new(&context.io);
    for key in keys {
        searches.push(&mut context.io, |io| Search::begin(key, body.key_type, io));
    }
    let deadline = default_deadline(context);
    Ok(Started { exchange: Box::new(FindCoordinator { header: request.header, searches }), deadline })
}

struct FindCoordinator {
    header: RequestHeader,
    searches: Parts<Search>,
}

struct Search {
    key: StrBytes,
    state: State,
}

/// ```text
/// Finding ──▶ Found | Failed
/// ```
enum State {
    Finding(FindLeader),
    Found(Address),
    Failed(ResponseError),
}

impl Search {
    fn begin(key: StrBytes, key_type: i8, io: &mut Io<'_>) -> Self {
        let state = match (key_type, GroupId::new(&key)) {
            (GROUP, Some(group)) => State::Finding(FindLeader::new(&group.topic(&io.shared.config), io)),
            (GROUP, None) => State::Failed(code(GroupError::InvalidGroupId)),
            // Fatal to every client, so none retries it for ever.
            (TRANSACTION, _) => State::Failed(ResponseError::TransactionalIdAuthorizationFailed),
            (_, _) => State::Failed(ResponseError::InvalidRequest),
        };
        Self { key, state }
    }

    fn poll(&mut self, io: &mut Io<'_>) -> bool {
        if let State::Finding(find) = &mut self.state {
            match find.poll(io) {
                None => return false,
                Some(Ok(address)) => self.state = State::Found(address),
                Some(Err(error)) => self.state = State::Failed(code(PulsarError::group_error(&error))),
            }
        }
        true
    }

    fn coordinator(&self, config: &Config) -> Coordinator {
        let coordinator = Coordinator::default().with_key(self.key.clone()).with_error_message(None);
        let failed = |code: ResponseError| {
            coordinator.clone().with_error_code(code.code()).with_node_id(BrokerId(-1)).with_port(-1)
        };
        match &self.state {
            State::Found(address) => coordinator
                .clone()
                .with_node_id(BrokerId(node_id(address, config)))
                .with_host(text(address.host.clone()))
                .with_port(address.port.into()),
            State::Failed(code) => failed(*code),
            State::Finding(_) => failed(ResponseError::CoordinatorNotAvailable),
        }
    }
}

fn code(error: GroupError) -> ResponseError {
    error.kafka_code(ApiKey::FindCoordinator)
}

fn response(version: i16, coordinators: Vec<Coordinator>) -> FindCoordinatorResponse {
    let response = FindCoordinatorResponse::default().with_error_message(None);
    if version >= BATCHED_SINCE {
        return response.with_coordinators(coordinators);
    }
    // One key was asked for.
    let only = coordinators.into_iter().next().unwrap_or_default();
    response.with_error_code(only.error_code).with_node_id(only.node_id).with_host(only.host).with_port(only.port)
}

impl FindCoordinator {
    fn answer(&self, config: &Config) -> Answer {
        let coordinators = self.searches.iter().map(|search| search.coordinator(config)).collect();
        respond(&self.header, &response(self.header.api_version, coordinators))
    }
}

impl Exchange for FindCoordinator {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let settled = self.searches.poll(&mut context.io, Search::poll);
        settled.then(|| self.answer(&context.io.shared.config))
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        self.answer(&context.io.shared.config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::response::encode;

    fn found() -> State {
        State::Found(Address::new("kafka-0.test:9092".parse().unwrap()))
    }

    fn search(key: &'static str, state: State) -> Search {
        Search { key: StrBytes::from_static_str(key), state }
    }

    #[test]
    fn up_to_version_3_the_answer_is_about_the_one_key() {
        let found = search("g", found()).coordinator(&Config::default());
        let response = response(3, vec![found.clone()]);
        assert_eq!((response.host.as_str(), response.port, response.error_code), ("kafka-0.test", 9092, 0));
        assert_eq!(response.node_id, found.node_id);
        assert!(response.coordinators.is_empty());
    }

    #[test]
    fn since_version_4_every_key_has_its_own_result() {
        let config = Config::default();
        let found = search("g", found()).coordinator(&config);
        let failed = search("h", State::Failed(ResponseError::CoordinatorNotAvailable)).coordinator(&config);
        let response = response(4, vec![found, failed]);
        let told: Vec<_> = response.coordinators.iter().map(|told| (told.key.as_str(), told.error_code)).collect();
        assert_eq!(told, [("g", 0), ("h", 15)]);
        assert_eq!(response.coordinators[1].node_id, BrokerId(-1));
    }

    #[test]
    fn every_version_can_carry_what_is_said() {
        for version in 0..=4 {
            for state in [State::Failed(ResponseError::InvalidGroupId), found()] {
                let coordinator = search("g", state).coordinator(&Config::default());
                encode(ApiKey::FindCoordinator, version, 0, &response(version, vec![coordinator])).unwrap();
            }
        }
    }

    #[test]
    fn a_lookup_that_fails_for_any_reason_but_permission_can_be_asked_again() {
        for error in [PulsarError::TimedOut, PulsarError::Disconnected, PulsarError::Malformed("?")] {
            assert_eq!(code(error.group_error()), ResponseError::CoordinatorNotAvailable, "{error:?}");
        }
        assert_eq!(code(GroupError::NotAuthorized), ResponseError::GroupAuthorizationFailed);
        assert_eq!(code(GroupError::InvalidGroupId), ResponseError::InvalidGroupId);
    }
}
