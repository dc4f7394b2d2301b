//! What a Kafka client meets: the worker natively, between clients and the scripted broker, on a virtual clock.

mod scenarios;

use isthmus::config::Config;
use isthmus_host_tests::pair::{NativeFilter, Pair, Splits};
use isthmus_host_tests::scripted::{BrokerConfig, ScriptedBroker};

fn pair() -> Pair<NativeFilter> {
    Pair::new(NativeFilter::new(Config::default(), 7), ScriptedBroker::new(BrokerConfig::default()))
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            for splits in [Splits::Whole, Splits::Bytes, Splits::Random { seed: 5, max: 700 }] {
                scenarios::$name(&mut pair().with_splits(splits));
            }
        }
    )*};
}

scenarios!(
    a_client_learns_what_is_served,
    the_first_request_of_a_connection_may_be_any,
    a_named_topic_is_created_and_its_leader_told,
    what_is_produced_is_fetched_with_its_offsets,
    pipelined_batches_are_stored_once_and_in_order,
    a_fetch_at_the_end_waits_for_the_next_record,
    a_fetch_at_the_end_is_answered_empty_when_its_time_is_up,
    an_offset_past_the_end_is_out_of_range,
    the_offsets_of_a_partition_are_told,
);
