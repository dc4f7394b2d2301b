//! Why a group's request is refused. `crate::error` makes Kafka's codes of it.

/// In Kafka's terms; what each means to clients is Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupError {
    /// The member is not in the group.
    UnknownMember,
    /// The instance belongs to another member by now.
    FencedInstance,
    /// The generation is not the group's.
    IllegalGeneration,
    /// The group rebalances: join again.
    RebalanceInProgress,
    /// Protocols or their type do not go with the group's.
    InconsistentProtocol,
    /// The group has as many members as it may.
    GroupMaxSize,
    /// The client joins again with the id it is given (KIP-394).
    MemberIdRequired,
    /// `session.timeout.ms` is out of bounds.
    InvalidSessionTimeout,
    /// The group's name cannot be.
    InvalidGroupId,
    /// A member commits to a group that does not exist.
    NoGroup,
    /// There is no such group.
    GroupIdNotFound,
    /// The group has members.
    NonEmptyGroup,
    /// A member is subscribed to the topic.
    SubscribedToTopic,
    /// The group has as many offsets as it may.
    TooManyOffsets,
    /// A commit's metadata is too long.
    OffsetMetadataTooLarge,
    /// Offsets of an open transaction are pending.
    UnstableOffsets,
    /// The transaction's producer was replaced by a newer one.
    ProducerFenced,
    /// The group's log is being read.
    Loading,
    /// The log cannot be read or written now.
    NotAvailable,
    /// Another broker owns the group's topic, or it moved.
    NotCoordinator,
    /// Pulsar does not let this principal use the group's topic.
    NotAuthorized,
    /// What is to be written does not fit one Pulsar message.
    TooLarge,
    /// The log is in a format this filter does not know.
    UnknownFormat,
}
