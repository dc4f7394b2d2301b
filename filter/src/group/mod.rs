//! Consumer groups: a group is a Pulsar topic, and its state is what its log says.
//!
//! `docs/group-log.md` is the specification.

pub mod apply;
pub mod ask;
pub mod error;
pub mod groups;
pub mod id;
pub mod log;
pub mod outcome;
pub mod replica;
pub mod state;
