//! Whose fault it is, and which Kafka code the client gets for it: the one place where errors become codes.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;

use crate::group::error::GroupError;
use crate::pulsar::proto::ServerError;

/// Why a Pulsar command has no good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PulsarError {
    /// The broker refused; its code and its words.
    Refused {
        /// `ServerError` of PulsarApi.proto.
        code: ServerError,
        /// For people.
        message: String,
    },
    /// The broker did not answer in time.
    TimedOut,
    /// The connection to the broker is gone or was never usable.
    Disconnected,
    /// The broker closed this producer or consumer: unload, move, deletion.
    Closed,
    /// As many requests wait for answers as the filter allows.
    TooManyRequests,
    /// The broker said something that makes no sense here.
    Malformed(&'static str),
}

/// Why an admin REST call has no good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminError {
    /// No `admin_cluster` is configured, or Envoy has no such cluster.
    NotConfigured,
    /// No HTTP answer: refused, reset or timed out.
    Unreachable,
    /// An HTTP status the filter has no use for, and the reason that came with it.
    Status(u16, String),
    /// 2xx with a body that cannot be read.
    Malformed(&'static str),
}

impl PulsarError {
    /// Whether the topic does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, PulsarError::Refused { code: ServerError::TopicNotFound, .. })
    }

    /// The Kafka code for a request about a partition or topic.
    ///
    /// What passes by itself after a new Metadata request is `NOT_LEADER_OR_FOLLOWER`: every client retries it everywhere.
    pub fn kafka_code(&self) -> ResponseError {
        match self {
            PulsarError::Refused { code, message } => refused(*code, message),
            PulsarError::TimedOut => ResponseError::RequestTimedOut,
            PulsarError::Disconnected | PulsarError::Closed | PulsarError::TooManyRequests => {
                ResponseError::NotLeaderOrFollower
            }
            PulsarError::Malformed(_) => ResponseError::UnknownServerError,
        }
    }

    /// What it means to a group whose log could not be read or written. Whether a topic that is not there is an error at all is
    /// for the asker to say.
    pub fn group_error(&self) -> GroupError {
        match self {
            PulsarError::Refused { code, message } => refused_group(*code, message),
            // Whoever owns the topic now is found by a new lookup.
            PulsarError::TimedOut | PulsarError::Disconnected | PulsarError::Closed | PulsarError::TooManyRequests => {
                GroupError::NotCoordinator
            }
            PulsarError::Malformed(_) => GroupError::NotAvailable,
        }
    }
}

/// The table from `ServerError` to what befell a group.
fn refused_group(code: ServerError, message: &str) -> GroupError {
    match code {
        ServerError::AuthorizationError | ServerError::AuthenticationError => GroupError::NotAuthorized,
        ServerError::NotAllowedError if message.contains("maximum message size") => GroupError::TooLarge,
        ServerError::MetadataError
        | ServerError::ServiceNotReady
        | ServerError::TooManyRequests
        | ServerError::ConsumerBusy
        | ServerError::ConsumerNotFound
        | ServerError::ConsumerAssignError
        | ServerError::SubscriptionNotFound
        | ServerError::ProducerBusy
        | ServerError::ProducerFenced => GroupError::NotCoordinator,
        ServerError::TopicNotFound
        | ServerError::InvalidTopicName
        | ServerError::IncompatibleSchema
        | ServerError::ChecksumError
        | ServerError::NotAllowedError
        | ServerError::TopicTerminatedError
        | ServerError::PersistenceError
        | ServerError::ProducerBlockedQuotaExceededError
        | ServerError::ProducerBlockedQuotaExceededException
        | ServerError::UnknownError
        | ServerError::UnsupportedVersionError
        | ServerError::TransactionCoordinatorNotFound
        | ServerError::InvalidTxnStatus
        | ServerError::TransactionConflict
        | ServerError::TransactionNotFound => GroupError::NotAvailable,
    }
}

impl GroupError {
    /// The Kafka code in a response of `api`. Where Kafka's coordinator says something else than elsewhere, or a client would take
    /// the usual code for fatal, the API has its own.
    pub fn kafka_code(self, api: ApiKey) -> ResponseError {
        match (self, api) {
            // Clients before 3.9 do not retry the code for it here.
            (GroupError::NotAvailable, ApiKey::OffsetFetch) => ResponseError::NotCoordinator,
            // A member that asks for its assignment joins anew, as Apache Kafka lets it; the usual code ends a Java consumer.
            (GroupError::Loading, ApiKey::SyncGroup) => ResponseError::RebalanceInProgress,
            // Apache Kafka says 0, which here must be earned; the usual code is none that clients expect.
            (GroupError::Loading, ApiKey::Heartbeat) => ResponseError::NotCoordinator,
            // As of a record that is too large for the log of Kafka's coordinator.
            (GroupError::TooLarge, ApiKey::OffsetCommit) => ResponseError::InvalidCommitOffsetSize,
            // Java's admin client asks the next broker instead of asking again.
            (GroupError::NotCoordinator, ApiKey::ListGroups) => ResponseError::CoordinatorNotAvailable,
            (GroupError::NotCoordinator | GroupError::Loading, ApiKey::FindCoordinator) => {
                ResponseError::CoordinatorNotAvailable
            }
            (error, _) => error.usual_code(),
        }
    }

    fn usual_code(self) -> ResponseError {
        match self {
            GroupError::UnknownMember => ResponseError::UnknownMemberId,
            GroupError::FencedInstance => ResponseError::FencedInstanceId,
            // A member of a group that is not there is a member of an older one (OffsetCommit up to version 8).
            GroupError::IllegalGeneration | GroupError::NoGroup => ResponseError::IllegalGeneration,
            GroupError::RebalanceInProgress => ResponseError::RebalanceInProgress,
            GroupError::InconsistentProtocol => ResponseError::InconsistentGroupProtocol,
            GroupError::GroupMaxSize => ResponseError::GroupMaxSizeReached,
            GroupError::MemberIdRequired => ResponseError::MemberIdRequired,
            GroupError::InvalidSessionTimeout => ResponseError::InvalidSessionTimeout,
            GroupError::InvalidGroupId => ResponseError::InvalidGroupId,
            GroupError::GroupIdNotFound => ResponseError::GroupIdNotFound,
            GroupError::NonEmptyGroup => ResponseError::NonEmptyGroup,
            GroupError::SubscribedToTopic => ResponseError::GroupSubscribedToTopic,
            GroupError::TooManyOffsets => ResponseError::InvalidCommitOffsetSize,
            GroupError::OffsetMetadataTooLarge => ResponseError::OffsetMetadataTooLarge,
            GroupError::UnstableOffsets => ResponseError::UnstableOffsetCommit,
            GroupError::ProducerFenced => ResponseError::InvalidProducerEpoch,
            GroupError::Loading => ResponseError::CoordinatorLoadInProgress,
            GroupError::NotAvailable => ResponseError::CoordinatorNotAvailable,
            GroupError::NotCoordinator | GroupError::UnknownFormat => ResponseError::NotCoordinator,
            GroupError::NotAuthorized => ResponseError::GroupAuthorizationFailed,
            GroupError::TooLarge => ResponseError::UnknownServerError,
        }
    }
}

/// The table from `ServerError` to Kafka's codes. `SVC/BrokerServiceException.getClientErrorCode` tells what the broker means by each.
fn refused(code: ServerError, message: &str) -> ResponseError {
    match code {
        ServerError::TopicNotFound => ResponseError::UnknownTopicOrPartition,
        ServerError::AuthorizationError | ServerError::AuthenticationError => ResponseError::TopicAuthorizationFailed,
        ServerError::InvalidTopicName => ResponseError::InvalidTopicException,
        ServerError::ChecksumError => ResponseError::CorruptMessage,
        ServerError::IncompatibleSchema => ResponseError::InvalidRecord,
        ServerError::NotAllowedError if message.contains("maximum message size") => ResponseError::MessageTooLarge,
        ServerError::NotAllowedError | ServerError::TopicTerminatedError => ResponseError::PolicyViolation,
        ServerError::ProducerFenced => ResponseError::InvalidProducerEpoch,
        ServerError::PersistenceError
        | ServerError::ProducerBlockedQuotaExceededError
        | ServerError::ProducerBlockedQuotaExceededException => ResponseError::KafkaStorageError,
        ServerError::MetadataError
        | ServerError::ConsumerBusy
        | ServerError::ServiceNotReady
        | ServerError::TooManyRequests
        | ServerError::ProducerBusy
        | ServerError::ConsumerNotFound
        | ServerError::SubscriptionNotFound
        | ServerError::ConsumerAssignError => ResponseError::NotLeaderOrFollower,
        ServerError::UnknownError
        | ServerError::UnsupportedVersionError
        | ServerError::TransactionCoordinatorNotFound
        | ServerError::InvalidTxnStatus
        | ServerError::TransactionConflict
        | ServerError::TransactionNotFound => ResponseError::UnknownServerError,
    }
}

/// What 412 says of a request (`PersistentTopicsBase`: `internalSetRetention`, `internalSetMaxMessageSize`,
/// `internalSetCompactionThreshold`, `preValidation`). Else it is said of a topic that nobody owns at the moment (`Failed to find ownership`,
/// `Can't find owner`: `PulsarWebResource.validateTopicOwnershipAsync`), or of policies that a broker has not read yet
/// (`TopicPoliciesCacheNotInitException`).
const REFUSALS: [&str; 4] = ["backlog quota", "maxMessageSize", "Invalid value", "Not allowed"];

impl AdminError {
    /// The Kafka code for an admin request that Pulsar's REST did not carry out.
    pub fn kafka_code(&self) -> ResponseError {
        match self {
            AdminError::Unreachable => ResponseError::RequestTimedOut,
            AdminError::Status(401 | 403, _) => ResponseError::TopicAuthorizationFailed,
            AdminError::Status(404, _) => ResponseError::UnknownTopicOrPartition,
            AdminError::Status(409, _) => ResponseError::TopicAlreadyExists,
            AdminError::Status(412, _) if self.is_refusal() => ResponseError::InvalidTopicException,
            AdminError::Status(307 | 412 | 429 | 500..=599, _) => ResponseError::RequestTimedOut,
            AdminError::NotConfigured => ResponseError::PolicyViolation,
            AdminError::Status(..) | AdminError::Malformed(_) => ResponseError::UnknownServerError,
        }
    }

    /// Whether Pulsar looked at the request and would not do it at another time either. Trouble is no refusal, and a topic that a broker has
    /// not heard of may be new.
    pub fn is_refusal(&self) -> bool {
        match self {
            AdminError::Status(412, reason) => REFUSALS.iter().any(|words| reason.contains(words)),
            AdminError::Status(400 | 401 | 403 | 405 | 406 | 422, _) => true,
            AdminError::Status(..) | AdminError::NotConfigured | AdminError::Unreachable | AdminError::Malformed(_) => {
                false
            }
        }
    }

    /// What to tell a person beside the code.
    pub fn message(&self) -> String {
        match self {
            AdminError::NotConfigured => {
                "topics cannot be changed: set admin_cluster to an Envoy cluster that reaches Pulsar's admin REST"
                    .into()
            }
            AdminError::Unreachable => "Pulsar's admin REST did not answer; check the admin_cluster".into(),
            AdminError::Status(status, reason) => format!("Pulsar's admin REST answered {status}: {reason}"),
            AdminError::Malformed(what) => format!("Pulsar's admin REST answered something unreadable: {what}"),
        }
    }
}

/// Narrows a code to those a fetch may carry: for any other the Java consumer throws `IllegalStateException` at the application
/// (`FetchCollector.handleInitializeErrors`).
pub fn fetch_code(code: ResponseError) -> ResponseError {
    let allowed = [1, 2, 3, 6, 9, 29, 56, 74, 75, 78, 100, 103];
    if allowed.contains(&code.code()) {
        code
    } else if code.is_retriable() {
        ResponseError::KafkaStorageError
    } else {
        ResponseError::UnknownServerError
    }
}
