//! Batches that the filter refuses itself: the broker never hears of them, and the client is told all the same.

use std::time::Duration;

use isthmus::config::Config;
use isthmus_host_tests::codes::{MESSAGE_TOO_LARGE, NONE};
use isthmus_host_tests::pair::records::{batch, produce, produced};
use isthmus_host_tests::pair::{NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, ScriptedBroker};

#[test]
fn a_batch_that_is_too_large_is_refused_at_once_though_the_producer_is_open_and_idle() {
    let mut broker = ScriptedBroker::new(BrokerConfig { max_message_bytes: 4096, ..BrokerConfig::default() });
    broker.create_topic("t", 1);
    let mut pair = Pair::new(NativeFilter::new(Config::default(), 7), broker);
    let client = pair.connect();
    let mut ask = |value: &str, within: Duration| {
        let ticket = pair.send(client, &produce("t", 0, batch(&[value], None)), 9);
        let answer = produced(&pair.wait(ticket, within).unwrap()).0;
        pair.run_for(Duration::from_millis(500));
        answer
    };
    let (soon, at_once) = (Duration::from_secs(1), Duration::ZERO);

    assert_eq!(ask("small", soon), NONE);
    assert_eq!(ask(&"x".repeat(5000), at_once), MESSAGE_TOO_LARGE);
    assert_eq!(ask("small", soon), NONE);
}
