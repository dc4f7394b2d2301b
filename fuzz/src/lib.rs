//! What each fuzz target does with its input. Kept apart from libFuzzer so that `cargo test` can replay inputs.

pub mod group_entry;
pub mod kafka_frame;
pub mod pulsar_entry;
pub mod pulsar_frame;
pub mod record_batch;
pub mod session_ops;
