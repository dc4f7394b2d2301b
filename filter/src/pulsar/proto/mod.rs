//! Pulsar's binary protocol, as Rust types.
//!
//! Field names, tags and defaults are those of `PulsarApi.proto` (Apache Pulsar 4.2, package `pulsar.proto`), named as
//! prost-build would name them; written as derives so that no build needs `protoc`. That file is their documentation.
//! Left out: transactions (50 to 63) and topic-list watching (64 to 67). Unknown fields are skipped when decoding.
//!
//! `uint64` fields carry `-1` as `u64::MAX`: the `request_id` of a close that the broker began, the ids of an empty topic.
#![allow(missing_docs, reason = "the proto file documents them")]

mod base;
mod connection;
mod consumer;
mod message;
mod producer;
mod topic;

pub use base::*;
pub use connection::*;
pub use consumer::*;
pub use message::*;
pub use producer::*;
pub use topic::*;
