//! Commands as the filter sends them: the envelope's type always agrees with the field that is set.

use bytes::Bytes;

use super::proto::base_command::Type;
use super::proto::command_get_topics_of_namespace::Mode;
use super::proto::*;

/// The protocol version the filter speaks: the current one of Pulsar 4.x (`ProtocolVersion.v21`).
pub const PROTOCOL_VERSION: i32 = 21;

/// What CONNECT calls the client; it stands in Pulsar's producer and consumer stats.
pub const CLIENT_VERSION: &str = concat!("isthmus-", env!("CARGO_PKG_VERSION"));

/// Wraps each command in its envelope.
macro_rules! envelopes {
    ($($command:ident => $field:ident, $kind:ident;)*) => {$(
        impl From<$command> for BaseCommand {
            fn from(command: $command) -> Self {
                Self { r#type: Type::$kind.into(), $field: Some(command), ..Self::default() }
            }
        }
    )*};
}

envelopes! {
    CommandConnect => connect, Connect;
    CommandConnected => connected, Connected;
    CommandSubscribe => subscribe, Subscribe;
    CommandProducer => producer, Producer;
    CommandSend => send, Send;
    CommandSendReceipt => send_receipt, SendReceipt;
    CommandSendError => send_error, SendError;
    CommandMessage => message, Message;
    CommandAck => ack, Ack;
    CommandFlow => flow, Flow;
    CommandUnsubscribe => unsubscribe, Unsubscribe;
    CommandSuccess => success, Success;
    CommandError => error, Error;
    CommandCloseProducer => close_producer, CloseProducer;
    CommandCloseConsumer => close_consumer, CloseConsumer;
    CommandProducerSuccess => producer_success, ProducerSuccess;
    CommandPing => ping, Ping;
    CommandPong => pong, Pong;
    CommandRedeliverUnacknowledgedMessages => redeliver_unacknowledged_messages, RedeliverUnacknowledgedMessages;
    CommandPartitionedTopicMetadata => partition_metadata, PartitionedMetadata;
    CommandPartitionedTopicMetadataResponse => partition_metadata_response, PartitionedMetadataResponse;
    CommandLookupTopic => lookup_topic, Lookup;
    CommandLookupTopicResponse => lookup_topic_response, LookupResponse;
    CommandConsumerStats => consumer_stats, ConsumerStats;
    CommandConsumerStatsResponse => consumer_stats_response, ConsumerStatsResponse;
    CommandReachedEndOfTopic => reached_end_of_topic, ReachedEndOfTopic;
    CommandSeek => seek, Seek;
    CommandGetLastMessageId => get_last_message_id, GetLastMessageId;
    CommandGetLastMessageIdResponse => get_last_message_id_response, GetLastMessageIdResponse;
    CommandActiveConsumerChange => active_consumer_change, ActiveConsumerChange;
    CommandGetTopicsOfNamespace => get_topics_of_namespace, GetTopicsOfNamespace;
    CommandGetTopicsOfNamespaceResponse => get_topics_of_namespace_response, GetTopicsOfNamespaceResponse;
    CommandGetSchema => get_schema, GetSchema;
    CommandGetSchemaResponse => get_schema_response, GetSchemaResponse;
    CommandAuthChallenge => auth_challenge, AuthChallenge;
    CommandAuthResponse => auth_response, AuthResponse;
    CommandAckResponse => ack_response, AckResponse;
    CommandGetOrCreateSchema => get_or_create_schema, GetOrCreateSchema;
    CommandGetOrCreateSchemaResponse => get_or_create_schema_response, GetOrCreateSchemaResponse;
    CommandTopicMigrated => topic_migrated, TopicMigrated;
}

/// What the filter shows to be let in: a method of Pulsar's (`token`, `basic`) and its data.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `auth_method_name`.
    pub method: String,
    /// `auth_data`: a token, or `user:password`.
    pub data: Bytes,
}

impl std::fmt::Debug for Credentials {
    /// Names the method alone: the data is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("method", &self.method).finish_non_exhaustive()
    }
}

/// CONNECT. Nothing may be sent after it until CONNECTED has come: with authentication on, the broker would close.
pub fn connect(credentials: Option<Credentials>) -> BaseCommand {
    let (auth_method_name, auth_data) = match credentials {
        Some(Credentials { method, data }) => (Some(method), Some(data)),
        None => (None, None),
    };
    CommandConnect {
        client_version: CLIENT_VERSION.to_owned(),
        protocol_version: Some(PROTOCOL_VERSION),
        auth_method_name,
        auth_data,
        feature_flags: Some(FeatureFlags {
            supports_auth_refresh: Some(true),
            supports_broker_entry_metadata: Some(true),
            ..FeatureFlags::default()
        }),
        ..CommandConnect::default()
    }
    .into()
}

/// AUTH_RESPONSE to a challenge: the same credentials again. Pulsar wants both fields set.
pub fn auth_response(credentials: Credentials) -> BaseCommand {
    CommandAuthResponse {
        client_version: Some(CLIENT_VERSION.to_owned()),
        protocol_version: Some(PROTOCOL_VERSION),
        response: Some(AuthData { auth_method_name: Some(credentials.method), auth_data: Some(credentials.data) }),
    }
    .into()
}

/// LOOKUP of the broker that owns `topic`, under the address it advertises for `listener`, if one is named.
pub fn lookup(topic: String, request_id: u64, authoritative: bool, listener: Option<String>) -> BaseCommand {
    CommandLookupTopic {
        topic,
        request_id,
        authoritative: Some(authoritative),
        advertised_listener_name: listener,
        ..CommandLookupTopic::default()
    }
    .into()
}

/// PARTITIONED_METADATA of `topic`; `auto_create` lets the broker create the topic by its own policy (Pulsar 4.0 and later).
pub fn partitioned_metadata(topic: String, request_id: u64, auto_create: bool) -> BaseCommand {
    CommandPartitionedTopicMetadata {
        topic,
        request_id,
        metadata_auto_creation_enabled: Some(auto_create),
        ..CommandPartitionedTopicMetadata::default()
    }
    .into()
}

/// PRODUCER on one partition. `name`: the name deduplication goes by, or `None` to let the broker make one.
/// SEND only after PRODUCER_SUCCESS with `producer_ready`: an earlier one closes the connection.
pub fn producer(
    topic: String,
    producer_id: u64,
    request_id: u64,
    name: Option<String>,
    metadata: Vec<KeyValue>,
) -> BaseCommand {
    CommandProducer {
        topic,
        producer_id,
        request_id,
        user_provided_producer_name: Some(name.is_some()),
        producer_name: name,
        metadata,
        ..CommandProducer::default()
    }
    .into()
}

/// FLOW: allows the broker `permits` more messages. A broker refuses 0 by closing the connection: `None` then.
pub fn flow(consumer_id: u64, permits: u32) -> Option<BaseCommand> {
    (permits > 0).then(|| CommandFlow { consumer_id, message_permits: permits }.into())
}

/// CLOSE_PRODUCER. SUCCESS comes after the receipts of what is pending.
pub fn close_producer(producer_id: u64, request_id: u64) -> BaseCommand {
    CommandCloseProducer { producer_id, request_id, ..CommandCloseProducer::default() }.into()
}

/// CLOSE_CONSUMER. Messages may still come before SUCCESS does.
pub fn close_consumer(consumer_id: u64, request_id: u64) -> BaseCommand {
    CommandCloseConsumer { consumer_id, request_id, ..CommandCloseConsumer::default() }.into()
}

/// ACK of everything up to a message; without a request id, so that nothing answers it.
pub fn ack_cumulative(consumer_id: u64, message_id: MessageIdData) -> BaseCommand {
    CommandAck {
        consumer_id,
        ack_type: command_ack::AckType::Cumulative.into(),
        message_id: vec![message_id],
        ..CommandAck::default()
    }
    .into()
}

/// SEEK to a message id.
pub fn seek(consumer_id: u64, request_id: u64, message_id: MessageIdData) -> BaseCommand {
    CommandSeek { consumer_id, request_id, message_id: Some(message_id), ..CommandSeek::default() }.into()
}

/// GET_LAST_MESSAGE_ID of a live consumer's topic.
pub fn get_last_message_id(consumer_id: u64, request_id: u64) -> BaseCommand {
    CommandGetLastMessageId { consumer_id, request_id }.into()
}

/// GET_TOPICS_OF_NAMESPACE: every persistent topic of `tenant/namespace`, partitions one by one.
pub fn get_topics_of_namespace(namespace: String, request_id: u64) -> BaseCommand {
    CommandGetTopicsOfNamespace {
        request_id,
        namespace,
        mode: Some(Mode::Persistent.into()),
        ..CommandGetTopicsOfNamespace::default()
    }
    .into()
}

/// PING. The broker answers PONG, before CONNECT too.
pub fn ping() -> BaseCommand {
    CommandPing {}.into()
}

/// PONG, the answer to the broker's PING.
pub fn pong() -> BaseCommand {
    CommandPong {}.into()
}
