//! Batches that the filter refuses itself: the broker never hears of them, and the client is told all the same.

use std::time::Duration;

use isthmus::config::Config;
use isthmus_host_tests::pair::records::{batch, produce, produced};
use isthmus_host_tests::pair::{NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, ScriptedBroker};

const NONE: i16 = 0;
const MESSAGE_TOO_LARGE: i16 = 10;

/// What a PING takes on the scripted network, and more; every timer of the filter that could come to the rescue is longer.
const AT_ONCE: Duration = Duration::from_millis(100);

#[test]
fn a_batch_that_is_too_large_is_refused_at_once_though_the_producer_is_open_and_idle() {
    let mut broker = ScriptedBroker::new(BrokerConfig { max_message_bytes: 4096, ..BrokerConfig::default() });
    broker.create_topic("t", 1);
    let mut pair = Pair::new(NativeFilter::new(Config::default(), 7), broker);
    let client = pair.connect();
    let mut ask = |value: &str| {
        let ticket = pair.send(client, &produce("t", 0, batch(&[value], None)), 9);
        produced(&pair.wait(ticket, AT_ONCE).unwrap()).0
    };

    assert_eq!(ask("small"), NONE);
    assert_eq!(ask(&"x".repeat(5000)), MESSAGE_TOO_LARGE);
    assert_eq!(ask("small"), NONE);
}
