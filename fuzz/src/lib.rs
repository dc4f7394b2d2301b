//! What each fuzz target does with its input. Kept apart from libFuzzer so that `cargo test` can replay inputs.

pub mod kafka_frame;
pub mod pulsar_frame;
