//! What becomes of one record batch.

use kafka_protocol::error::ResponseError;

use crate::error::PulsarError;
use crate::ids::Offset;
use crate::offsets::OffsetError;
use crate::records::BatchError;

/// Where to ask for the outcome of a batch; unique on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The end of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored, once. The offset of its first record.
    Stored(Offset),
    /// Stored before, at an offset that nobody remembers.
    Duplicate,
    /// Not stored, or not known to be.
    Failed(ProduceError),
}

/// Why a batch was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProduceError {
    /// The client's batch is at fault.
    Batch(BatchError),
    /// The broker refused, closed or did not answer.
    Pulsar(PulsarError),
    /// Stored, but its offset cannot be told.
    Offset(OffsetError),
    /// The sequence is not the next one of its producer.
    OutOfOrderSequence,
    /// Only a part of it is stored, and the rest can no longer be.
    Torn,
    /// The broker has taken it, but readers do not see it yet.
    NotVisible,
    /// A newer epoch of the same producer was seen.
    StaleEpoch,
    /// Too much waits to be sent.
    Overloaded,
    /// The client's time is over; the batch may still be stored.
    TimedOut,
}

impl ProduceError {
    /// The Kafka code.
    pub fn kafka_code(&self) -> ResponseError {
        match self {
            ProduceError::Batch(error) => error.kafka_error(),
            ProduceError::Pulsar(error) => error.kafka_code(),
            ProduceError::Offset(error) => error.kafka_code(),
            ProduceError::OutOfOrderSequence => ResponseError::OutOfOrderSequenceNumber,
            // Not for a client to retry: nothing it could send would be neither a loss nor a repetition.
            ProduceError::Torn => ResponseError::UnknownServerError,
            ProduceError::NotVisible => ResponseError::NotEnoughReplicasAfterAppend,
            ProduceError::StaleEpoch => ResponseError::InvalidProducerEpoch,
            ProduceError::Overloaded => ResponseError::NotEnoughReplicas,
            ProduceError::TimedOut => ResponseError::RequestTimedOut,
        }
    }

    /// Whether sending the same batch again to the same broker may help at once: the broker's own words for it.
    pub fn is_undetermined(&self) -> bool {
        matches!(self, ProduceError::Pulsar(PulsarError::Refused { message, .. }) if message.contains("Cannot determine"))
    }
}
