//! Why a configuration is refused.

use std::fmt;

/// Why the filter does not load. Each message names the field and says what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The configuration is no JSON object, or one that says something twice.
    NotAnObject {
        /// What the parser says, with line and column.
        error: String,
    },
    /// There is no such field.
    Unknown {
        /// As it stands in the configuration.
        field: String,
    },
    /// A field has a value it may not have.
    Invalid {
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What is wrong with the value.
        reason: String,
    },
    /// Two fields do not go together.
    Conflict {
        /// The one to change.
        field: &'static str,
        /// What it must be.
        reason: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject { error } => {
                write!(f, "configuration: must be a JSON object with each field once: {error}")
            }
            Self::Unknown { field } => {
                write!(f, "configuration: there is no field `{field}`; docs/configuration.md lists those there are")
            }
            Self::Invalid { field, expected, reason } => {
                write!(f, "configuration: `{field}` must be {expected}: {reason}")
            }
            Self::Conflict { field, reason } => write!(f, "configuration: `{field}` {reason}"),
        }
    }
}

impl std::error::Error for ConfigError {}
