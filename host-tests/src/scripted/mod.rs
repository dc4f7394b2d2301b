//! A scripted Pulsar broker: a mock for the inner rings of tests, and for a local run without Java.
//!
//! It speaks Pulsar's binary protocol and the part of the admin REST that the filter uses, as measured and read on 4.2.4. It does no
//! I/O and reads no clock, so every run of one script is the same. What a test wants to go wrong is data: [`Fault`], [`Noise`],
//! [`HttpFault`]. It is no broker: nothing survives it, one broker owns everything but what a test gives away, and transactions,
//! schemas and shared subscriptions are not there. The last word on Pulsar's behaviour is the end-to-end ring's.

mod admin;
mod broker;
mod commands;
mod compaction;
mod config;
mod connection;
mod consume;
mod dedup;
mod entry;
mod fault;
mod http_fault;
mod log;
mod lookup;
mod name;
mod outbox;
mod policies;
mod produce;
mod readback;
mod subscriptions;
mod topic;

pub use broker::{Attached, ScriptedBroker};
pub use config::{AutoCreate, BrokerConfig};
pub use entry::{Entry, SectionError, build_section, parse_section};
pub use fault::{Effect, Fault, Noise};
pub use http_fault::HttpFault;
pub use log::{Log, Position};
pub use readback::{Message, ReadError};

/// Names a connection of a client to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn(pub u32);
