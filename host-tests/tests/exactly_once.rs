//! Idempotent producers: whatever happens to single SENDs and to connections, every record is stored once and in order.
//!
//! Pulsar's deduplication never looks for gaps, so the filter must: the scripted broker takes the retry of a batch that a later one
//! has passed for a duplicate, acknowledges it, and loses it.

mod support;

use std::time::Duration;

use isthmus::config::Config;
use isthmus::pulsar::proto::ServerError;
use isthmus::pulsar::proto::base_command::Type;
use isthmus_host_tests::pair::{Filter, LeftOver, NativeFilter, Outcome, Pair, Splits, produce_all};
use isthmus_host_tests::scripted::{BrokerConfig, Effect, Fault, Noise, ScriptedBroker};
use proptest::prelude::*;

/// What goes wrong with a SEND while its producer, or its connection, is told.
fn effect() -> impl Strategy<Value = Effect> {
    let millis = (1_u64..5_000).prop_map(Duration::from_millis);
    prop_oneof![
        Just(Effect::LoseAnswer),
        millis.clone().prop_map(Effect::DelayAnswer),
        millis.prop_map(Effect::DelayWrite),
        Just(Effect::AnswerTwice),
        Just(Effect::FailWrite),
        Just(Effect::Unload),
        (0_usize..4).prop_map(|stored| Effect::Crash { stored }),
        Just(Effect::Close),
        Just(Effect::CloseAfter),
    ]
}

/// A SEND is passed over while later ones of its producer are stored: its place in the order is gone then, whoever retries it. No
/// broker was seen to do that to a healthy producer; the filter must neither lose nor double the batch all the same.
fn passed_over() -> impl Strategy<Value = Effect> {
    prop_oneof![
        Just(Effect::Refuse(ServerError::NotAllowedError, "refused by the script".into())),
        Just(Effect::Refuse(ServerError::PersistenceError, "refused by the script".into())),
        Just(Effect::Ignore),
    ]
}

fn on_send(effect: impl Strategy<Value = Effect>) -> impl Strategy<Value = Fault> {
    (effect, 0_u32..12, 1_u32..3)
        .prop_map(|(effect, skip, times)| Fault::on(Type::Send, effect).after(skip).times(times))
}

fn on_producer() -> impl Strategy<Value = Fault> {
    let effect = prop_oneof![
        Just(Effect::Refuse(ServerError::ServiceNotReady, "not here".into())),
        Just(Effect::Refuse(ServerError::ProducerBusy, "still connected".into())),
        Just(Effect::DelayAnswer(Duration::from_secs(3))),
        Just(Effect::LoseAnswer),
        Just(Effect::Ignore),
        Just(Effect::Close),
    ];
    (0_u32..3, effect).prop_map(|(skip, effect)| Fault::on(Type::Producer, effect).after(skip))
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    proptest::collection::vec(prop_oneof![4 => on_send(effect()), 1 => on_producer()], 0..5)
}

fn noise() -> impl Strategy<Value = Option<Noise>> {
    let noise = (any::<u64>(), 1_u64..200, any::<bool>()).prop_map(|(seed, millis, break_order)| Noise {
        seed,
        max_delay: Duration::from_millis(millis),
        of: [Type::SendReceipt, Type::SendError, Type::ProducerSuccess, Type::LookupResponse, Type::Pong].into(),
        break_order,
    });
    proptest::option::of(noise)
}

/// Batches of one to three records, of about so many bytes each.
fn batches(record_bytes: usize) -> Vec<Vec<String>> {
    let record = |batch, record| format!("{batch}.{record}{}", ".".repeat(record_bytes));
    (0..12).map(|batch| (0..=batch % 3).map(|at| record(batch, at)).collect()).collect()
}

fn values(pair: &Pair<NativeFilter>) -> Vec<String> {
    let messages = pair.broker.messages("t-partition-0").unwrap();
    messages.into_iter().map(|message| String::from_utf8(message.value.unwrap().to_vec()).unwrap()).collect()
}

/// Every record of an acknowledged batch is there once and, where that is possible, in the order it was sent; of one that failed for
/// good at most once.
fn check(
    batches: Vec<Vec<String>>,
    stored: &[String],
    outcomes: &[Outcome],
    ordered: bool,
) -> Result<(), TestCaseError> {
    let mut acknowledged = Vec::new();
    for (batch, outcome) in batches.into_iter().zip(outcomes) {
        let at = stored.iter().position(|value| *value == batch[0]);
        for record in &batch {
            let times = stored.iter().filter(|value| *value == record).count();
            match outcome {
                Outcome::Stored(_) => prop_assert_eq!(times, 1, "{} was acknowledged; stored: {:?}", record, stored),
                Outcome::Failed(_) => prop_assert!(times <= 1, "{} is there {times} times", record),
            }
        }
        if let Outcome::Stored(offset) = outcome {
            let at = i64::try_from(at.unwrap_or_default()).unwrap();
            prop_assert!(*offset == -1 || *offset == at, "{} is at {at}, and {offset} was told", batch[0]);
            acknowledged.extend(batch);
        }
    }
    if !ordered {
        return Ok(());
    }
    let in_order: Vec<&String> = stored.iter().filter(|value| acknowledged.contains(value)).collect();
    prop_assert_eq!(in_order, acknowledged.iter().collect::<Vec<_>>());
    Ok(())
}

/// A broker with one topic, in which `faults` happen.
fn broker(faults: Vec<Fault>, config: BrokerConfig) -> ScriptedBroker {
    let mut broker = ScriptedBroker::new(config);
    broker.create_topic("t", 1);
    for fault in faults {
        broker.fault(fault);
    }
    broker
}

/// How a run differs from the plainest.
#[derive(Clone, Copy, Debug)]
struct Plan {
    splits: Splits,
    /// Each record becomes an entry of its own.
    cut: bool,
    /// The filter is loaded anew after so many milliseconds.
    reload_after_ms: Option<u64>,
    /// Whether the broker keeps the order of healthy SENDs.
    ordered: bool,
}

const PLAIN: Plan = Plan { splits: Splits::Whole, cut: false, reload_after_ms: None, ordered: true };

/// A message size that takes one record of [`CUT_RECORD_BYTES`] and not two.
const CUT_MESSAGE_BYTES: usize = 400;
const CUT_RECORD_BYTES: usize = 200;

fn run(faults: Vec<Fault>, noise: Option<Noise>, config: BrokerConfig, plan: Plan) -> Result<(), TestCaseError> {
    let max_message_bytes = if plan.cut { CUT_MESSAGE_BYTES } else { config.max_message_bytes };
    let mut broker = broker(faults, BrokerConfig { max_message_bytes, ..config });
    broker.set_noise(noise);
    let mut pair = Pair::new(NativeFilter::new(Config::default(), 7), broker).with_splits(plan.splits);
    if let Some(millis) = plan.reload_after_ms {
        let at = pair.now().instant + Duration::from_millis(millis);
        pair.filter.reload_at(at, Config::default());
    }
    let batches = batches(if plan.cut { CUT_RECORD_BYTES } else { 0 });

    let outcomes = produce_all(&mut pair, "t", &batches);

    let stuck = |stuck| TestCaseError::fail(format!("{stuck:?}; stored {:?}", values(&pair)));
    check(batches, &values(&pair), &outcomes.map_err(stuck)?, plan.ordered)?;
    pair.run_for(Duration::from_secs(40));
    prop_assert_eq!(pair.awaited(), 0);
    prop_assert_eq!(pair.filter.left_over(), Some(LeftOver::default()));
    Ok(())
}

proptest! {
    #![proptest_config(support::cases(48))]

    #[test]
    fn every_acknowledged_record_is_stored_once_and_in_order(
        faults in faults(),
        noise in noise(),
        splits in support::splits(),
        write_delay_ms in prop_oneof![Just(0_u64), 1_u64..50],
        linger_ms in prop_oneof![Just(0_u64), 1_u64..8_000],
        cut in any::<bool>(),
        reload_after_ms in proptest::option::of(prop_oneof![0_u64..100, 0_u64..5_000]),
    ) {
        let config = BrokerConfig {
            write_delay: Duration::from_millis(write_delay_ms),
            producer_linger: Duration::from_millis(linger_ms),
            ..BrokerConfig::default()
        };
        run(faults, noise, config, Plan { splits, cut, reload_after_ms, ..PLAIN })?;
    }

    #[test]
    fn a_batch_that_later_ones_passed_is_neither_lost_nor_doubled(
        faults in faults(),
        passed in on_send(passed_over()),
        splits in support::splits(),
        cut in any::<bool>(),
        reload_after_ms in proptest::option::of(prop_oneof![0_u64..100, 0_u64..5_000]),
    ) {
        let faults = faults.into_iter().chain([passed]).collect();
        run(faults, None, BrokerConfig::default(), Plan { splits, cut, reload_after_ms, ordered: false })?;
    }
}

/// The broker loads the topic for longer than the filter waits, and has the producer at last.
#[test]
fn a_producer_whose_opening_was_never_answered_is_opened_again() {
    let never_answered = Fault::on(Type::Producer, Effect::LoseAnswer);
    run(vec![never_answered], None, BrokerConfig::default(), PLAIN).unwrap();
}
