//! The host side of the tests: a Wasm host without Envoy, and a Pulsar broker made of a script.

pub mod http;
pub mod scripted;
pub mod wasm;
