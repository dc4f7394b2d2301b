//! Pulsar's binary protocol: frames, commands, the connection.

pub mod command;
pub mod frame;
pub mod proto;
