//! What a Kafka client meets: the worker natively, between clients and the scripted broker, on a virtual clock.

mod scenarios;

use isthmus::config::Config;
use isthmus_host_tests::pair::{NativeFilter, Pair, Splits};
use isthmus_host_tests::scripted::{BrokerConfig, ScriptedBroker};

fn pair() -> Pair<NativeFilter> {
    Pair::new(NativeFilter::new(Config::default(), 7), ScriptedBroker::new(BrokerConfig::default()))
}

macro_rules! run {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            for splits in [Splits::Whole, Splits::Bytes, Splits::Random { seed: 5, max: 700 }] {
                scenarios::$name(&mut pair().with_splits(splits));
            }
        }
    )*};
}

scenarios::all!(run);
