//! What a replica asks of the connection that carries it, and what it is told: a replica does no I/O and knows no Pulsar frame.

use bytes::Bytes;

use crate::ids::Position;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// At the first entry there is.
    Earliest,
    /// At this entry; whoever asks checks that the first one delivered is this.
    At(Position),
    /// Behind the last entry.
    Latest,
}

/// To the carrier. It has at most one reader and one producer of a replica; commands are carried out before the next event.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// SUBSCRIBE, non-durable, exclusive, without creating the topic. Closes the reader there was.
    OpenReader(ReadFrom),
    /// FLOW for the open reader.
    Flow(u32),
    /// GET_LAST_MESSAGE_ID of the open reader.
    AskLast,
    /// Closes the reader, if there is one.
    CloseReader,
    /// PRODUCER, which creates the topic. Closes the producer there was.
    OpenProducer,
    /// SEND on the open producer.
    Send {
        /// Grows with every SEND of a producer.
        sequence_id: u64,
        /// An entry.
        payload: Bytes,
    },
    /// Closes the producer, if there is one.
    CloseProducer,
    /// Attaches to the guard, which creates it at the beginning of the log, acknowledges up to `acked`, and leaves.
    Guard {
        /// The last entry that may be trimmed; its entry may be -1.
        acked: Option<Position>,
    },
    /// Policies of [`crate::topics::let_go`]: Pulsar may delete the topic, once the guard is acknowledged to its end and nobody
    /// writes.
    LetGo,
    /// Makes the topic by the admin REST: the brokers do not by themselves.
    CreateTopic,
}

/// Why the carrier could not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// There is no such topic.
    NotFound,
    /// Another broker owns the topic.
    NotOwner,
    /// The principal may not.
    NotAuthorized,
    /// Anything else; it may pass.
    Other(String),
}

/// From the carrier.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The reader is open, or not.
    ReaderOpened(Result<(), LinkError>),
    /// An entry. `None`: replicated from another cluster, or no message of ours.
    Message(Position, Option<Bytes>),
    /// The answer to AskLast; `None`: there is no entry.
    Last(Result<Option<Position>, LinkError>),
    /// The broker closed the reader.
    ReaderClosed,
    /// The producer is open, or not: bytes of the largest payload.
    ProducerOpened(Result<usize, LinkError>),
    /// SEND_RECEIPT.
    Receipt {
        /// Of which SEND.
        sequence_id: u64,
        /// Where it lies; `None` for one dropped as a duplicate.
        position: Option<Position>,
    },
    /// SEND_ERROR, or the broker closed the producer: what was sent may be lost or stored.
    ProducerClosed,
    /// The topic is made, or not; why, for people.
    TopicCreated(Result<(), String>),
    /// The topic's policies are in force, or not; why, for people.
    LetGo(Result<(), String>),
    /// The guard is made, or not.
    GuardDone(Result<(), LinkError>),
}
