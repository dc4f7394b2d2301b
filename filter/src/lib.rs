//! Kafka clients on Apache Pulsar: the translation, as state machines that do no I/O.
//!
//! Bytes and `now` go in, bytes and timeouts come out; the same crate runs natively in tests and as Wasm in Envoy.
//! [`worker::Worker`] is what a host drives: one per thread, with one [`session::Session`] per client connection. In a session
//! stand the three machines: [`session::kafka_conn`] takes Kafka requests, [`session::pulsar_conn`] handles Pulsar's responses,
//! and [`sync`] keeps them in step. [`apis`] holds one file for each Kafka API.
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

pub mod apis;
pub mod config;
pub mod error;
pub mod fetch;
pub mod frame;
pub mod group;
pub mod ids;
pub mod kafka;
pub mod offsets;
pub mod produce;
pub mod pulsar;
pub mod records;
pub mod session;
pub mod sync;
pub mod time;
pub mod topics;
pub mod worker;

#[cfg(all(target_arch = "wasm32", feature = "envoy"))]
mod shell;
