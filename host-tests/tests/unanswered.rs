//! Batches sent with acks=0: nobody is told what becomes of them, but for the end of the connection and a line in the log.

use std::time::Duration;

use isthmus::config::Config;
use isthmus::pulsar::proto::ServerError;
use isthmus::pulsar::proto::base_command::Type;
use isthmus_host_tests::pair::records::{api_versions, batch, metadata, produce, produced};
use isthmus_host_tests::pair::{ClientId, Filter, NativeFilter, NoAnswer, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, Effect, Fault, ScriptedBroker};

const SOON: Duration = Duration::from_secs(5);

fn pair() -> Pair<NativeFilter> {
    let mut broker = ScriptedBroker::new(BrokerConfig::default());
    broker.create_topic("t", 1);
    broker.create_topic("u", 1);
    Pair::new(NativeFilter::new(Config::default(), 7), broker)
}

fn send_unanswered(pair: &mut Pair<NativeFilter>, client: ClientId, topic: &str) {
    let request = produce(topic, 0, batch(&["x"], None)).with_acks(0);
    pair.send_unanswered(client, &request, 9);
}

#[test]
fn requests_before_a_failed_batch_are_answered_and_those_after_it_are_not() {
    let mut pair = pair();
    let client = pair.connect();
    pair.ask(client, &api_versions(), 3, SOON).unwrap();
    let slow = Effect::DelayAnswer(Duration::from_secs(2));
    pair.broker.fault(Fault::on(Type::Producer, slow).of_topic("persistent://public/default/u-partition-0"));

    let before = pair.send(client, &produce("u", 0, batch(&["y"], None)), 9);
    send_unanswered(&mut pair, client, "missing");
    let after = pair.send(client, &metadata(&["t"]), 9);

    assert_eq!(produced(&pair.wait(before, SOON).unwrap()), (0, 0));
    assert_eq!(pair.wait(after, SOON).map(drop), Err(NoAnswer::Closed));
}

#[test]
fn a_request_that_cannot_be_read_ends_the_connection_after_the_answers_before_it() {
    let mut pair = pair();
    let client = pair.connect();
    pair.broker.fault(Fault::on(Type::Producer, Effect::DelayAnswer(Duration::from_secs(2))));

    let before = pair.send(client, &produce("t", 0, batch(&["y"], None)), 9);
    pair.send_bytes(client, b"\xff\xff\xff\xffno request");

    assert_eq!(produced(&pair.wait(before, SOON).unwrap()), (0, 0));
    pair.run_for(SOON);
    assert!(pair.is_closed(client));
}

#[test]
fn more_of_them_than_may_be_in_flight_do_not_wedge_a_connection() {
    let mut broker = ScriptedBroker::new(BrokerConfig::default());
    broker.create_topic("t", 1);
    let config = Config { max_in_flight_requests: 4, ..Config::default() };
    let mut pair = Pair::new(NativeFilter::new(config, 7), broker);
    let client = pair.connect();
    for _ in 0..10 {
        send_unanswered(&mut pair, client, "t");
    }
    let last = pair.send(client, &metadata(&["t"]), 9);
    pair.wait(last, SOON).unwrap();
    assert_eq!(pair.broker.messages("t-partition-0").unwrap().len(), 10);
}

#[test]
fn a_failed_batch_ends_the_connection_although_nothing_else_is_asked() {
    let mut pair = pair();
    let client = pair.connect();
    pair.broker.fault(Fault::on(Type::Send, Effect::Refuse(ServerError::PersistenceError, "refused".into())));
    send_unanswered(&mut pair, client, "t");
    pair.run_for(SOON);
    assert!(pair.is_closed(client));
}

#[test]
fn batches_of_a_client_that_leaves_before_they_could_go_are_logged() {
    let mut pair = pair();
    let client = pair.connect();
    pair.ask(client, &api_versions(), 3, SOON).unwrap();
    pair.broker.fault(Fault::on(Type::Producer, Effect::DelayAnswer(Duration::from_secs(2))));
    send_unanswered(&mut pair, client, "t");
    send_unanswered(&mut pair, client, "t");
    pair.settle();
    pair.filter.log();

    pair.disconnect(client);

    let log = pair.filter.log();
    let told = log.iter().find(|line| line.contains("acks=0")).expect("a line in the log");
    assert!(told.contains(" 2 batches") && told.contains("'t'") && told.contains("acks=1"), "{told}");
}

#[test]
fn a_client_whose_batches_went_out_leaves_without_a_word() {
    let mut pair = pair();
    let client = pair.connect();
    send_unanswered(&mut pair, client, "t");
    pair.run_for(SOON);
    pair.filter.log();
    pair.disconnect(client);
    assert_eq!(pair.filter.log(), Vec::<String>::new());
    assert_eq!(pair.broker.messages("t-partition-0").unwrap().len(), 1);
}
