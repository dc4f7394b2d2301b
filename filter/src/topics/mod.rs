//! Kafka topics as Pulsar topics: names, partitions, leaders, broker addresses.

pub mod leader;
pub mod name;
pub mod node;
pub mod partitions;
pub mod policies;
