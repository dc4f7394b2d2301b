//! What a retry of an idempotent producer is answered: the batch's own offset while it can be found, and never an acknowledgement of
//! what is not stored.

use std::time::Duration;

use isthmus::config::Config;
use isthmus::pulsar::proto::ServerError;
use isthmus::pulsar::proto::base_command::Type;
use isthmus_host_tests::codes::{
    DUPLICATE_SEQUENCE_NUMBER, KAFKA_STORAGE_ERROR, NOT_LEADER_OR_FOLLOWER, OUT_OF_ORDER_SEQUENCE_NUMBER,
    UNKNOWN_SERVER_ERROR,
};
use isthmus_host_tests::pair::records::{Identity, batch, metadata, produce, produced};
use isthmus_host_tests::pair::{ClientId, Filter, NativeFilter, Pair, Ticket};
use isthmus_host_tests::scripted::{BrokerConfig, Effect, Fault, HttpFault, ScriptedBroker};
use kafka_protocol::messages::ProduceRequest;

const SOON: Duration = Duration::from_secs(5);

fn pair() -> Pair<NativeFilter> {
    pair_with(Config::default())
}

fn pair_with(config: Config) -> Pair<NativeFilter> {
    let mut broker = ScriptedBroker::new(BrokerConfig::default());
    broker.create_topic("t", 1);
    Pair::new(NativeFilter::new(config, 7), broker)
}

/// Sends `count` records as producer 1.
fn send(pair: &mut Pair<NativeFilter>, client: ClientId, sequence: i32, count: i32) -> Ticket<ProduceRequest> {
    let values: Vec<String> = (sequence..sequence + count).map(|number| number.to_string()).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let batch = batch(&values, Some(Identity { id: 1, epoch: 0, sequence }));
    pair.send(client, &produce("t", 0, batch), 9)
}

/// Error code and base offset.
fn write(pair: &mut Pair<NativeFilter>, client: ClientId, sequence: i32, count: i32) -> (i16, i64) {
    let ticket = send(pair, client, sequence, count);
    produced(&pair.wait(ticket, SOON).unwrap())
}

/// `count` batches of somebody else, to the same partition.
fn others_write(pair: &mut Pair<NativeFilter>, count: usize) {
    let other = pair.connect();
    for _ in 0..count {
        let response = pair.ask(other, &produce("t", 0, batch(&["other"], None)), 9, SOON).unwrap();
        assert_eq!(produced(&response).0, 0);
    }
    pair.disconnect(other);
}

/// The same client, reconnected: the filter remembers nothing of its batches.
fn reconnected(pair: &mut Pair<NativeFilter>, client: ClientId) -> ClientId {
    pair.disconnect(client);
    pair.connect()
}

/// A connection on which the batch of sequence 1 was refused and that of sequence 2 stored.
fn one_batch_passed(pair: &mut Pair<NativeFilter>) -> ClientId {
    let client = pair.connect();
    assert_eq!(write(pair, client, 0, 1), (0, 0));
    pair.broker
        .fault(Fault::on(Type::Send, Effect::Refuse(ServerError::PersistenceError, "refused".into())).of_sequence(1));
    let refused = send(pair, client, 1, 1);
    let passes = send(pair, client, 2, 1);
    assert_ne!(produced(&pair.wait(refused, SOON).unwrap()).0, 0);
    assert_eq!(produced(&pair.wait(passes, SOON).unwrap()), (0, 1));
    client
}

#[test]
fn a_retry_has_the_first_and_the_last_sequence_of_the_batch_it_repeats() {
    let mut pair = pair();
    let client = pair.connect();
    assert_eq!(write(&mut pair, client, 0, 1), (0, 0));
    assert_eq!(write(&mut pair, client, 1, 3), (0, 1));

    assert_eq!(write(&mut pair, client, 1, 3), (0, 1));
    assert_eq!(write(&mut pair, client, 2, 2).0, OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(write(&mut pair, client, 1, 2).0, OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(write(&mut pair, client, 1, 4).0, OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(write(&mut pair, client, 4, 1), (0, 4));

    let client = reconnected(&mut pair, client);
    assert_eq!(write(&mut pair, client, 2, 2).0, OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(write(&mut pair, client, 1, 2).0, OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(write(&mut pair, client, 1, 3), (0, 1));
}

#[test]
fn a_retry_is_found_in_an_earlier_ledger() {
    let mut pair = pair();
    let client = pair.connect();
    assert_eq!(write(&mut pair, client, 0, 2), (0, 0));
    assert_eq!(write(&mut pair, client, 2, 1), (0, 2));
    for _ in 0..2 {
        pair.broker.roll_ledger("t-partition-0");
        others_write(&mut pair, 2);
    }
    let client = reconnected(&mut pair, client);
    assert_eq!(write(&mut pair, client, 0, 2), (0, 0));
    assert_eq!(write(&mut pair, client, 2, 1), (0, 2));
}

#[test]
fn without_admin_rest_a_retry_is_found_in_an_earlier_ledger_of_a_short_log() {
    let mut pair = pair();
    let client = pair.connect();
    assert_eq!(write(&mut pair, client, 0, 2), (0, 0));
    pair.broker.roll_ledger("t-partition-0");
    others_write(&mut pair, 2);
    pair.broker.http_fault(HttpFault { contains: "internalStats".into(), times: 1, answer: None });
    let client = reconnected(&mut pair, client);
    assert_eq!(write(&mut pair, client, 0, 2), (0, 0));
}

#[test]
fn a_batch_that_others_passed_is_not_acknowledged_on_any_connection() {
    let mut pair = pair();
    let client = one_batch_passed(&mut pair);
    assert_eq!(write(&mut pair, client, 1, 1).0, OUT_OF_ORDER_SEQUENCE_NUMBER);

    let client = reconnected(&mut pair, client);
    assert_eq!(write(&mut pair, client, 1, 1).0, OUT_OF_ORDER_SEQUENCE_NUMBER);

    pair.broker.roll_ledger("t-partition-0");
    others_write(&mut pair, 1);
    let client = reconnected(&mut pair, client);
    assert_eq!(write(&mut pair, client, 1, 1).0, OUT_OF_ORDER_SEQUENCE_NUMBER);
}

#[test]
fn batches_that_were_all_refused_are_stored_by_their_retries() {
    let mut pair = pair();
    let client = pair.connect();
    assert_eq!(write(&mut pair, client, 0, 1), (0, 0));
    let refuse = Effect::Refuse(ServerError::PersistenceError, "refused".into());
    pair.broker.fault(Fault::on(Type::Send, refuse).times(3));
    let refused = [1, 2, 3].map(|sequence| send(&mut pair, client, sequence, 1));
    for ticket in refused {
        assert_ne!(produced(&pair.wait(ticket, SOON).unwrap()).0, 0);
    }
    for sequence in [1, 2, 3] {
        assert_eq!(write(&mut pair, client, sequence, 1), (0, sequence.into()));
    }
}

#[test]
fn batches_in_doubt_are_sent_again_one_after_the_other() {
    let mut pair = pair();
    let client = pair.connect();
    assert_eq!(write(&mut pair, client, 0, 1), (0, 0));
    pair.broker.fault(Fault::on(Type::Send, Effect::LoseAnswer).times(3));
    for sequence in [1, 2, 3] {
        send(&mut pair, client, sequence, 1);
    }
    pair.settle();

    let client = reconnected(&mut pair, client);
    let refuse = Effect::Refuse(ServerError::PersistenceError, "refused".into());
    pair.broker.fault(Fault::on(Type::Send, refuse));
    let again = [1, 2, 3].map(|sequence| send(&mut pair, client, sequence, 1));
    let errors = again.map(|ticket| produced(&pair.wait(ticket, SOON).unwrap()).0);
    assert_eq!(errors, [KAFKA_STORAGE_ERROR, NOT_LEADER_OR_FOLLOWER, NOT_LEADER_OR_FOLLOWER]);

    for sequence in [1, 2, 3, 4] {
        assert_eq!(write(&mut pair, client, sequence, 1), (0, sequence.into()));
    }
}

#[test]
fn a_duplicate_too_far_back_to_be_found_counts_as_stored_and_is_logged() {
    let mut pair = pair_with(Config { idempotence_readback_entries: 3, ..Config::default() });
    let client = pair.connect();
    assert_eq!(write(&mut pair, client, 0, 2), (0, 0));
    others_write(&mut pair, 4);
    let client = reconnected(&mut pair, client);
    pair.filter.log();

    assert_eq!(write(&mut pair, client, 0, 2), (DUPLICATE_SEQUENCE_NUMBER, -1));

    let log = pair.filter.log();
    assert!(log.iter().any(|line| line.contains("idempotence_readback_entries")), "{log:?}");
}

#[test]
fn a_batch_of_which_the_first_entry_is_stored_gets_the_rest_and_its_offset() {
    let mut broker = ScriptedBroker::new(BrokerConfig { max_message_bytes: 400, ..BrokerConfig::default() });
    broker.create_topic("t", 1);
    let mut pair = Pair::new(NativeFilter::new(Config::default(), 7), broker);
    let long = "x".repeat(150);
    let values = [long.as_str(); 4];
    let batch = batch(&values, Some(Identity { id: 1, epoch: 0, sequence: 0 }));
    let client = pair.connect();
    // The second entry never comes to the broker: the connection breaks before.
    pair.broker.fault(Fault::on(Type::Send, Effect::Close).after(1));
    let ticket = pair.send(client, &produce("t", 0, batch.clone()), 9);
    assert!(pair.wait(ticket, SOON).is_err());
    let stored = pair.broker.messages("t-partition-0").unwrap().len();
    assert!((1..4).contains(&stored), "{stored} of 4 records");

    let client = pair.connect();
    for _ in 0..2 {
        let response = pair.ask(client, &produce("t", 0, batch.clone()), 9, SOON).unwrap();
        assert_eq!(produced(&response), (0, 0));
    }
    let client = reconnected(&mut pair, client);
    let response = pair.ask(client, &produce("t", 0, batch), 9, SOON).unwrap();
    assert_eq!(produced(&response), (0, 0));
    assert_eq!(pair.broker.messages("t-partition-0").unwrap().len(), 4);
}

#[test]
fn of_a_batch_that_is_stored_in_part_and_passed_nobody_is_told_success() {
    let mut broker = ScriptedBroker::new(BrokerConfig { max_message_bytes: 400, ..BrokerConfig::default() });
    broker.create_topic("t", 1);
    let mut pair = Pair::new(NativeFilter::new(Config::default(), 7), broker);
    let long = "x".repeat(150);
    let long = batch(&[long.as_str(); 4], Some(Identity { id: 1, epoch: 0, sequence: 0 }));
    let client = pair.connect();
    let refuse = Effect::Refuse(ServerError::PersistenceError, "refused".into());
    pair.broker.fault(Fault::on(Type::Send, refuse).after(1));
    let torn = pair.send(client, &produce("t", 0, long.clone()), 9);
    let passes = send(&mut pair, client, 4, 1);
    assert_ne!(produced(&pair.wait(torn, SOON).unwrap()).0, 0);
    assert_eq!(produced(&pair.wait(passes, SOON).unwrap()).0, 0);

    for reconnects in [false, true] {
        let client = if reconnects { reconnected(&mut pair, client) } else { client };
        let response = pair.ask(client, &produce("t", 0, long.clone()), 9, SOON).unwrap();
        assert_eq!(produced(&response).0, UNKNOWN_SERVER_ERROR);
    }
}

/// The producer's name is free, or the retry would be held up.
#[test]
fn a_producer_given_up_while_it_was_opened_does_not_keep_its_name() {
    let mut pair = pair();
    pair.broker.fault(Fault::on(Type::Producer, Effect::DelayAnswer(Duration::from_secs(40))));
    let client = pair.connect();
    let never = send(&mut pair, client, 0, 1);
    let gave_up = produced(&pair.wait(never, Duration::from_secs(45)).unwrap());
    assert_ne!(gave_up.0, 0);
    pair.run_for(Duration::from_secs(60));
    let other = pair.connect();
    assert_eq!(write(&mut pair, other, 0, 1), (0, 0));
    pair.run_for(SOON);
    assert_eq!(pair.ask(client, &metadata(&["t"]), 9, SOON).unwrap().topics[0].error_code, 0);
    assert_eq!(write(&mut pair, client, 1, 1), (0, 1));
}
