//! What a Kafka client meets: the real module in its host, between clients and the scripted broker, on a virtual clock.

mod scenarios;

use std::sync::OnceLock;

use isthmus::time::{Instant, Now};
use isthmus_host_tests::pair::{Pair, Splits};
use isthmus_host_tests::scripted::{BrokerConfig, ScriptedBroker};
use isthmus_host_tests::wasm::{Code, HostConfig, WasmFilter, module};

fn code() -> &'static Code {
    static CODE: OnceLock<Code> = OnceLock::new();
    CODE.get_or_init(|| Code::from_file(&module().unwrap()).unwrap())
}

fn pair() -> Pair<WasmFilter> {
    let now = Now { instant: Instant::from_millis(1000), ..Now::default() };
    let filter = WasmFilter::start(code(), HostConfig::default(), now).unwrap();
    Pair::new(filter, ScriptedBroker::new(BrokerConfig::default()))
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
