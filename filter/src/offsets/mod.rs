//! Kafka offsets from Pulsar's positions, in two modes behind one set of operations.
//!
//! `index`: contiguous, from the index the broker writes beside each entry (`AppendIndexMetadataInterceptor`).
//! `message-id`: sparse, packed from ledger, entry and batch index; needs no broker configuration.

pub mod appends;
pub mod by_time;
pub mod floors;
pub mod head;
pub mod locate;
pub mod message_id;
pub mod newest;
pub mod peek;
pub mod search;
pub mod start;
pub mod stats;
pub mod tail;

use kafka_protocol::error::ResponseError;

use crate::config::OffsetMode;
use crate::error::{AdminError, PulsarError};
use crate::ids::{Offset, Position};
use crate::records::{Entry, EntryError};

/// Why an offset cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OffsetError {
    /// The broker did not help.
    Pulsar(PulsarError),
    /// The admin REST did not help.
    Admin(AdminError),
    /// The entry cannot be read.
    Entry(EntryError),
    /// The entry has no index: it was written before the interceptor was on, or the broker does not expose it.
    NoIndex,
    /// A transactional batch of several messages takes one index: its records have no offsets of their own.
    TransactionalBatch,
    /// The position does not fit the bits of a message-id offset.
    Overflow(Position),
    /// Kafka's OFFSET_OUT_OF_RANGE.
    OutOfRange {
        /// First offset there is.
        log_start: Offset,
        /// One past the last.
        high_watermark: Offset,
    },
}

impl From<PulsarError> for OffsetError {
    fn from(error: PulsarError) -> Self {
        Self::Pulsar(error)
    }
}

impl From<EntryError> for OffsetError {
    fn from(error: EntryError) -> Self {
        Self::Entry(error)
    }
}

impl OffsetError {
    /// The Kafka code for a partition.
    pub fn kafka_code(&self) -> ResponseError {
        match self {
            OffsetError::Pulsar(error) => error.kafka_code(),
            OffsetError::Admin(_) => ResponseError::KafkaStorageError,
            OffsetError::OutOfRange { .. } => ResponseError::OffsetOutOfRange,
            OffsetError::Entry(error) => error.kafka_error(),
            OffsetError::NoIndex | OffsetError::TransactionalBatch | OffsetError::Overflow(_) => {
                ResponseError::UnknownServerError
            }
        }
    }

    /// A line for the operator where the cause lies in the data or in the broker's configuration.
    pub fn advice(&self) -> Option<String> {
        match self {
            OffsetError::Pulsar(_) | OffsetError::OutOfRange { .. } => None,
            OffsetError::Admin(error) => Some(error.message()),
            OffsetError::Entry(error) => Some(format!("an entry cannot be read: {error}")),
            OffsetError::NoIndex => Some(
                "an entry carries no index: set brokerEntryMetadataInterceptors to AppendIndexMetadataInterceptor and \
                 exposingBrokerEntryMetadataToClientEnabled to true on the brokers, or use offsets: message-id"
                    .into(),
            ),
            OffsetError::TransactionalBatch => Some(
                "a transactional batch of several messages has one index: its offsets cannot be told in index mode"
                    .into(),
            ),
            OffsetError::Overflow(position) => Some(format!(
                "position {}:{} does not fit a message-id offset: use offsets: index",
                position.ledger, position.entry
            )),
        }
    }
}

/// Offset of the message with batch index 0 in `entry`.
pub fn base_offset(mode: OffsetMode, position: Position, entry: &Entry<'_>) -> Result<Offset, OffsetError> {
    match mode {
        OffsetMode::MessageId => message_id::encode(position, 0),
        OffsetMode::Index => {
            let last = entry.index().ok_or(OffsetError::NoIndex)?;
            let messages = entry.num_messages();
            if entry.is_transactional() && messages > 1 {
                return Err(OffsetError::TransactionalBatch);
            }
            first_of(last, messages).ok_or(OffsetError::NoIndex)
        }
    }
}

/// The first of `messages` offsets that end with the index `last`.
pub fn first_of(last: u64, messages: u32) -> Option<Offset> {
    let first = last.checked_add(1)?.checked_sub(u64::from(messages.max(1)))?;
    Offset::new(i64::try_from(first).ok()?)
}
