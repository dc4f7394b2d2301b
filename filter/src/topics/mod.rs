//! Kafka topics as Pulsar topics: names, partitions, leaders, broker addresses, and how topics are made, grown and deleted.

pub mod admin_change;
pub mod change;
pub mod configs;
pub mod confirm;
pub mod create;
pub mod delete;
pub mod grow;
pub mod leader;
pub mod leader_cache;
pub mod let_go;
pub mod name;
pub mod node;
pub mod partitions;
pub mod policies;
pub mod replicas;
pub mod sizes;
