//! What a broker refuses becomes a Kafka error in time: never silence, and a retriable one where it may pass.

use std::time::Duration;

use isthmus::config::Config;
use isthmus::pulsar::proto::ServerError;
use isthmus::pulsar::proto::base_command::Type;
use isthmus_host_tests::pair::records::{batch, fetch, fetched, produce, produced};
use isthmus_host_tests::pair::{ClientId, Filter, NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, Effect, Fault, ScriptedBroker};
use kafka_protocol::error::ResponseError;

const IN_TIME: Duration = Duration::from_secs(40);

fn pair_with(config: Config, broker: BrokerConfig) -> Pair<NativeFilter> {
    let mut broker = ScriptedBroker::new(broker);
    broker.create_topic("t", 1);
    Pair::new(NativeFilter::new(config, 7), broker)
}

fn pair() -> Pair<NativeFilter> {
    pair_with(Config::default(), BrokerConfig::default())
}

fn produce_code(pair: &mut Pair<NativeFilter>, client: ClientId) -> Option<ResponseError> {
    let ticket = pair.send(client, &produce("t", 0, batch(&["x"], None)), 9);
    ResponseError::try_from_code(produced(&pair.wait(ticket, IN_TIME).unwrap()).0)
}

fn fetch_code(pair: &mut Pair<NativeFilter>, client: ClientId) -> Option<ResponseError> {
    let ticket = pair.send(client, &fetch("t", 0, 0, 100), 11);
    ResponseError::try_from_code(fetched(&pair.wait(ticket, IN_TIME).unwrap(), 0).0)
}

#[test]
fn a_producer_that_is_refused_tells_the_client_why() {
    use ResponseError::{KafkaStorageError, NotLeaderOrFollower, TopicAuthorizationFailed, UnknownTopicOrPartition};
    for (refusal, code) in [
        (ServerError::ServiceNotReady, NotLeaderOrFollower),
        (ServerError::TooManyRequests, NotLeaderOrFollower),
        (ServerError::MetadataError, NotLeaderOrFollower),
        (ServerError::ProducerBlockedQuotaExceededException, KafkaStorageError),
        (ServerError::PersistenceError, KafkaStorageError),
        (ServerError::TopicNotFound, UnknownTopicOrPartition),
        (ServerError::AuthorizationError, TopicAuthorizationFailed),
    ] {
        let mut pair = pair();
        let client = pair.connect();
        pair.broker.fault(Fault::on(Type::Producer, Effect::Refuse(refusal, "refused".into())));

        assert_eq!(produce_code(&mut pair, client), Some(code), "{refusal:?}");
        assert_eq!(produce_code(&mut pair, client), None, "after {refusal:?} passed");
    }
}

#[test]
fn a_reader_that_is_refused_tells_the_client_what_a_fetch_may_tell() {
    use ResponseError::{NotLeaderOrFollower, UnknownTopicOrPartition};
    for (refusal, code) in [
        (ServerError::ServiceNotReady, NotLeaderOrFollower),
        (ServerError::ConsumerBusy, NotLeaderOrFollower),
        (ServerError::TooManyRequests, NotLeaderOrFollower),
        (ServerError::TopicNotFound, UnknownTopicOrPartition),
    ] {
        let mut pair = pair();
        let client = pair.connect();
        assert_eq!(produce_code(&mut pair, client), None);
        pair.broker.fault(Fault::on(Type::Subscribe, Effect::Refuse(refusal, "refused".into())));

        assert_eq!(fetch_code(&mut pair, client), Some(code), "{refusal:?}");
        assert_eq!(fetch_code(&mut pair, client), None, "after {refusal:?} passed");
    }
}

#[test]
fn a_broker_that_throttles_by_refusing_sends_is_tried_again() {
    let mut pair = pair();
    let client = pair.connect();
    let refusal = Effect::Refuse(ServerError::TooManyRequests, "slow down".into());
    pair.broker.fault(Fault::on(Type::Send, refusal));

    assert_eq!(produce_code(&mut pair, client), Some(ResponseError::NotLeaderOrFollower));
    assert_eq!(produce_code(&mut pair, client), None);
}

#[test]
fn a_topic_unloaded_under_a_batch_is_a_retriable_error() {
    let mut pair = pair();
    let client = pair.connect();
    assert_eq!(produce_code(&mut pair, client), None);
    pair.broker.fault(Fault::on(Type::Send, Effect::Unload));

    let code = produce_code(&mut pair, client).expect("the batch is not stored");
    assert!(code.is_retriable(), "{code:?}");
    assert_eq!(produce_code(&mut pair, client), None);
}

#[test]
fn wrong_credentials_are_told_end_the_connection_and_are_logged() {
    let credentials = vec![("token".to_owned(), "right".into())];
    let broker = || BrokerConfig { credentials: credentials.clone(), ..BrokerConfig::default() };
    let config = |token: &str| {
        let json = format!(r#"{{"pulsar_auth_method": "token", "pulsar_auth_data": "{token}"}}"#);
        Config::from_json(json.as_bytes()).unwrap()
    };

    let mut right = pair_with(config("right"), broker());
    let client = right.connect();
    assert_eq!(produce_code(&mut right, client), None);

    let mut wrong = pair_with(config("wrong"), broker());
    let client = wrong.connect();
    assert_eq!(produce_code(&mut wrong, client), Some(ResponseError::TopicAuthorizationFailed));
    wrong.run_for(IN_TIME);
    assert!(wrong.is_closed(client));
    assert!(wrong.filter.log().iter().any(|line| line.contains("AuthenticationError")), "the log says why");
}
