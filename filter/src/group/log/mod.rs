//! What stands in a group's topic.

pub mod entry;
pub mod message;
mod read;
pub mod snapshot;
