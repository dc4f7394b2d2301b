//! Topic configurations: Kafka's names and values, Pulsar's policies behind them.
//!
//! [`table`] says what each configuration is on Pulsar. What is in force is read from the topic's policies ([`pulsar`]) and, where
//! the topic has none, from the namespace and the broker ([`defaults`]); [`view`] puts it in Kafka's words. A change is first a
//! [`wish`], then a [`plan`] of policies and properties, which [`converge`] brings about and looks for until it is there;
//! [`stop_compaction`] takes away what a compaction that has ended would leave.
//!
//! Every value a client sets is also remembered in a property of the topic, `kafka.` and its name: policies know neither
//! milliseconds nor whether `delete` stands beside `compact`. A remembered value is shown only as long as Pulsar's policy still is
//! what it asks for.

pub mod alter;
pub mod broker;
pub mod converge;
pub mod defaults;
pub mod describe;
pub mod plan;
pub mod pulsar;
pub mod read;
pub mod settle;
pub mod stop_compaction;
pub mod table;
pub mod value;
pub mod view;
pub mod wish;
