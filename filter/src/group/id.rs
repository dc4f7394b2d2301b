//! Names of groups and the topics that hold their logs.

use std::fmt;
use std::sync::Arc;

/// A group's id, as clients give it: never empty, at most [`GroupId::MAX_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(Arc<str>);

impl GroupId {
    /// Bound of an id's length: its topic's name is up to three times as long.
    pub const MAX_BYTES: usize = 200;

    /// `None` for a name that no group can have.
    pub fn new(id: &str) -> Option<Self> {
        (!id.is_empty() && id.len() <= Self::MAX_BYTES).then(|| Self(id.into()))
    }

    /// As clients give it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
