//! Batches of one connection are stored in the order in which they came, whatever becomes known in which order.

use std::time::Duration;

use isthmus::config::Config;
use isthmus::pulsar::proto::base_command::Type;
use isthmus_host_tests::codes::NONE;
use isthmus_host_tests::pair::records::{batch, produce, produced};
use isthmus_host_tests::pair::{NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, Effect, Fault, ScriptedBroker};

const PATIENCE: Duration = Duration::from_secs(60);
const LATE: Duration = Duration::from_secs(1);

fn pair() -> Pair<NativeFilter> {
    let mut pair = Pair::new(NativeFilter::new(Config::default(), 7), ScriptedBroker::new(BrokerConfig::default()));
    pair.broker.create_topic("t", 1);
    pair
}

#[test]
fn a_batch_does_not_overtake_one_that_waits_for_what_another_connection_has_learned() {
    let mut pair = pair();
    let (client, other) = (pair.connect(), pair.connect());
    pair.broker.fault(Fault::on(Type::PartitionedMetadata, Effect::DelayAnswer(LATE)));
    let first = pair.send(client, &produce("t", 0, batch(&["first"], None)), 9);
    pair.settle();
    let between = pair.ask(other, &produce("t", 0, batch(&["of another"], None)), 9, LATE / 2).unwrap();
    let second = pair.send(client, &produce("t", 0, batch(&["second"], None)), 9);

    assert_eq!(produced(&between), (NONE, 0));
    assert_eq!(produced(&pair.wait(first, PATIENCE).unwrap()), (NONE, 1));
    assert_eq!(produced(&pair.wait(second, PATIENCE).unwrap()), (NONE, 2));
}

#[test]
fn what_waits_for_an_answer_that_never_comes_is_answered_all_the_same() {
    let mut pair = pair();
    let client = pair.connect();
    pair.broker.fault(Fault::on(Type::PartitionedMetadata, Effect::Ignore));
    let tickets = ["first", "second"].map(|text| pair.send(client, &produce("t", 0, batch(&[text], None)), 9));
    for ticket in tickets {
        assert_ne!(produced(&pair.wait(ticket, PATIENCE).unwrap()).0, NONE);
    }
    let third = pair.ask(client, &produce("t", 0, batch(&["third"], None)), 9, PATIENCE).unwrap();
    assert_eq!(produced(&third), (NONE, 0));
    assert_eq!(pair.awaited(), 0);
}
