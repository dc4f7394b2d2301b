//! Kafka's wire protocol: frames, headers, the guard in front of the message types.

pub mod failed;
pub mod guard;
pub mod header;
mod reader;
pub mod response;
pub mod shape;
pub mod shapes;
