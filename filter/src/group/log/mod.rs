//! What stands in a group's topic.

pub mod entry;
mod read;
pub mod snapshot;
