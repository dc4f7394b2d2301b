//! Kafka clients on Apache Pulsar: the translation, as state machines that do no I/O.
//!
//! Bytes and `now` go in, bytes and timeouts come out; the same crate runs natively in tests and as Wasm in Envoy.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod frame;
pub mod kafka;
pub mod pulsar;
pub mod records;
pub mod time;
