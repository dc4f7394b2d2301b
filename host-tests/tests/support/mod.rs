//! What the property tests share.

use isthmus_host_tests::pair::Splits;
use proptest::prelude::*;

/// So many cases, or as many as `PROPTEST_CASES` says. A failure prints its case, smallest first; nothing is written to disk.
pub(super) fn cases(usual: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { usual };
    ProptestConfig { cases, max_shrink_iters: 200, failure_persistence: None, ..default }
}

/// Any way to cut the streams.
pub(super) fn splits() -> impl Strategy<Value = Splits> {
    prop_oneof![
        Just(Splits::Whole),
        Just(Splits::Bytes),
        (any::<u64>(), 1_usize..2_000).prop_map(|(seed, max)| Splits::Random { seed, max }),
    ]
}
