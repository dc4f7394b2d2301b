//! The host side of the tests: a Wasm host without Envoy, a Pulsar broker made of a script, and a driver for both.

pub mod codes;
pub mod group_log;
pub mod http;
pub mod pair;
pub mod scripted;
pub mod serve;
pub mod wasm;

/// SplitMix64: the next number of a seeded sequence.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
