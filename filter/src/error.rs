//! Whose fault it is, and which Kafka code the client gets for it: the one place where errors become codes.

use kafka_protocol::error::ResponseError;

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

impl AdminError {
    /// The Kafka code for an admin request that Pulsar's REST did not carry out.
    pub fn kafka_code(&self) -> ResponseError {
        match self {
            AdminError::Unreachable => ResponseError::RequestTimedOut,
            AdminError::Status(401 | 403, _) => ResponseError::TopicAuthorizationFailed,
            AdminError::Status(404, _) => ResponseError::UnknownTopicOrPartition,
            AdminError::Status(409, _) => ResponseError::TopicAlreadyExists,
            AdminError::Status(412, _) => ResponseError::InvalidTopicException,
            AdminError::Status(307 | 429 | 500..=599, _) => ResponseError::RequestTimedOut,
            AdminError::NotConfigured => ResponseError::PolicyViolation,
            AdminError::Status(..) | AdminError::Malformed(_) => ResponseError::UnknownServerError,
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
