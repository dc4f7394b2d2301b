//! What the broker says of producers, unasked.

use super::replies::position_of;
use crate::error::PulsarError;
use crate::ids::{Position, ProducerId};
use crate::pulsar::proto::{BaseCommand, ServerError};

/// What happened to a producer; the producers' machine takes it from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProducerEvent {
    /// SEND_RECEIPT. `position` is `None` for a duplicate (`ledgerId` and `entryId` are -1).
    Receipt {
        /// Whose.
        producer: ProducerId,
        /// The SEND's lowest sequence id.
        sequence_id: u64,
        /// Where the entry was stored.
        position: Option<Position>,
    },
    /// SEND_ERROR.
    Refused {
        /// Whose.
        producer: ProducerId,
        /// For a batch, its highest sequence id.
        sequence_id: u64,
        /// Why.
        error: PulsarError,
    },
    /// CLOSE_PRODUCER: in-flight SENDs may be lost without a word.
    Closed(ProducerId),
}

impl ProducerEvent {
    /// SEND_RECEIPT, SEND_ERROR or CLOSE_PRODUCER; `None` for any other command.
    pub fn of(command: BaseCommand) -> Option<Self> {
        if let Some(receipt) = command.send_receipt {
            let position = receipt.message_id.as_ref().map(position_of).filter(|position| position.ledger != u64::MAX);
            let producer = ProducerId(receipt.producer_id);
            Some(Self::Receipt { producer, sequence_id: receipt.sequence_id, position })
        } else if let Some(error) = command.send_error {
            let code = ServerError::try_from(error.error).unwrap_or(ServerError::UnknownError);
            Some(Self::Refused {
                producer: ProducerId(error.producer_id),
                sequence_id: error.sequence_id,
                error: PulsarError::Refused { code, message: error.message },
            })
        } else {
            let close = command.close_producer?;
            Some(Self::Closed(ProducerId(close.producer_id)))
        }
    }

    /// Whose.
    pub fn producer(&self) -> ProducerId {
        match self {
            Self::Receipt { producer, .. } | Self::Refused { producer, .. } | Self::Closed(producer) => *producer,
        }
    }
}
