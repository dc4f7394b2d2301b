//! A frame arrives: whose turn it is, what the rules say, which handler gets it.

use bytes::Bytes;
use isthmus::pulsar::command;
use isthmus::pulsar::frame::parse_frame;
use isthmus::pulsar::proto::base_command::Type;
use isthmus::pulsar::proto::command_lookup_topic_response::LookupType;
use isthmus::pulsar::proto::command_partitioned_topic_metadata_response::LookupType as MetadataType;
use isthmus::pulsar::proto::*;

use super::connection::{Phase, Reply};
use super::fault::Effect;
use super::outbox::Lane;
use super::{Conn, ScriptedBroker, name};

/// The protocol version since which a client can be given the index.
const ENTRY_METADATA_SINCE: i32 = 18;

/// What this broker speaks.
const PROTOCOL_VERSION: i32 = 21;

impl ScriptedBroker {
    /// One frame. What a broker answers with an exception closes the connection.
    pub(super) fn on_frame(&mut self, conn: Conn, frame: Bytes) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.heard_since_ping = true;
        let phase = connection.phase;
        let Ok(frame) = parse_frame(frame) else { return self.close_connection(conn) };
        let Ok(kind) = Type::try_from(frame.command.r#type) else { return self.close_connection(conn) };
        match (phase, kind) {
            (Phase::Fresh | Phase::Connected, Type::Ping) => {
                self.say(conn, Lane::Request, Reply::USUAL, command::pong());
            }
            (Phase::Connected, Type::Connect) => self.close_connection(conn),
            (Phase::Fresh, Type::Connect) | (Phase::Connected, _) => {
                self.on_command(conn, kind, frame.command, frame.section);
            }
            (Phase::Fresh | Phase::Accepted, _) => self.close_connection(conn),
            (Phase::Closed, _) => {}
        }
    }

    fn on_command(&mut self, conn: Conn, kind: Type, command: BaseCommand, section: Bytes) {
        let topic = self.topic_of(conn, &command);
        let sequence_id = command.send.as_ref().map(|send| send.sequence_id);
        let effect = self.faults.strike(kind, topic.as_deref(), sequence_id);
        match &effect {
            Some(Effect::Refuse(error, message)) => return self.refuse(conn, &command, *error, message),
            Some(Effect::Ignore) => return,
            Some(Effect::Close) => return self.close_connection(conn),
            Some(Effect::Crash { stored }) => return self.crash(*stored, self.now),
            Some(Effect::Unload) => {
                if let Some(topic) = &topic {
                    self.unload(topic, self.now);
                }
            }
            Some(
                Effect::LoseAnswer
                | Effect::DelayAnswer(_)
                | Effect::AnswerTwice
                | Effect::DelayWrite(_)
                | Effect::FailWrite
                | Effect::CloseAfter,
            )
            | None => {}
        }
        let reply = Reply::under(effect.as_ref());
        self.serve(conn, kind, command, section, reply, effect.as_ref());
        if effect == Some(Effect::CloseAfter) {
            self.close_connection(conn);
        }
    }

    fn serve(
        &mut self,
        conn: Conn,
        kind: Type,
        command: BaseCommand,
        section: Bytes,
        reply: Reply,
        effect: Option<&Effect>,
    ) {
        macro_rules! serve {
            ($field:ident, $handler:ident) => {
                match command.$field {
                    Some(command) => self.$handler(conn, command, reply),
                    None => self.close_connection(conn),
                }
            };
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "a broker throws on every command that a client may not send"
        )]
        match kind {
            Type::Connect => serve!(connect, on_connect),
            Type::PartitionedMetadata => serve!(partition_metadata, on_partitioned_metadata),
            Type::Lookup => serve!(lookup_topic, on_lookup),
            Type::GetTopicsOfNamespace => serve!(get_topics_of_namespace, on_get_topics_of_namespace),
            Type::Producer => serve!(producer, on_producer),
            Type::CloseProducer => serve!(close_producer, on_close_producer),
            Type::Subscribe => serve!(subscribe, on_subscribe),
            Type::CloseConsumer => serve!(close_consumer, on_close_consumer),
            Type::Flow => serve!(flow, on_flow),
            Type::Ack => serve!(ack, on_ack),
            Type::Seek => serve!(seek, on_seek),
            Type::Unsubscribe => serve!(unsubscribe, on_unsubscribe),
            Type::GetLastMessageId => serve!(get_last_message_id, on_get_last_message_id),
            Type::RedeliverUnacknowledgedMessages => serve!(redeliver_unacknowledged_messages, on_redeliver),
            Type::Send => match command.send {
                Some(send) => self.on_send(conn, send, section, reply, effect),
                None => self.close_connection(conn),
            },
            Type::Pong | Type::AuthResponse => {}
            _ => self.close_connection(conn),
        }
    }

    fn on_connect(&mut self, conn: Conn, connect: CommandConnect, reply: Reply) {
        let shown = (connect.auth_method_name.unwrap_or_default(), connect.auth_data.unwrap_or_default());
        let admitted = self.config.credentials.is_empty() || self.config.credentials.contains(&shown);
        if !admitted {
            let message = "Failed to authenticate".to_string();
            let refusal =
                CommandError { request_id: u64::MAX, error: ServerError::AuthenticationError.into(), message };
            self.say(conn, Lane::Request, Reply::USUAL, refusal);
            return self.close_after_saying(conn);
        }
        let max_message_size = i32::try_from(self.config.max_message_bytes).ok();
        let version = connect.protocol_version.unwrap_or(0).min(PROTOCOL_VERSION);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let asks = connect.feature_flags.is_some_and(|flags| flags.supports_broker_entry_metadata());
        connection.reads_entry_metadata = asks && version >= ENTRY_METADATA_SINCE;
        connection.phase = Phase::Accepted;
        let connected = CommandConnected {
            server_version: "Scripted Pulsar".to_string(),
            protocol_version: Some(version),
            max_message_size,
            feature_flags: Some(FeatureFlags {
                supports_auth_refresh: Some(true),
                supports_broker_entry_metadata: Some(true),
                supports_get_partitioned_metadata_without_auto_creation: Some(true),
                ..FeatureFlags::default()
            }),
        };
        self.say(conn, Lane::Request, reply, connected);
    }

    /// The full name of the topic that a command is about.
    fn topic_of(&self, conn: Conn, command: &BaseCommand) -> Option<String> {
        let connection = self.connections.get(&conn)?;
        let named = None
            .or_else(|| command.producer.as_ref().map(|c| &c.topic))
            .or_else(|| command.subscribe.as_ref().map(|c| &c.topic))
            .or_else(|| command.lookup_topic.as_ref().map(|c| &c.topic))
            .or_else(|| command.partition_metadata.as_ref().map(|c| &c.topic));
        let producer = None
            .or_else(|| command.send.as_ref().map(|c| c.producer_id))
            .or_else(|| command.close_producer.as_ref().map(|c| c.producer_id));
        let consumer = None
            .or_else(|| command.flow.as_ref().map(|c| c.consumer_id))
            .or_else(|| command.ack.as_ref().map(|c| c.consumer_id))
            .or_else(|| command.seek.as_ref().map(|c| c.consumer_id))
            .or_else(|| command.unsubscribe.as_ref().map(|c| c.consumer_id))
            .or_else(|| command.close_consumer.as_ref().map(|c| c.consumer_id))
            .or_else(|| command.get_last_message_id.as_ref().map(|c| c.consumer_id));
        named
            .or_else(|| connection.producers.get(&producer?))
            .or_else(|| connection.consumers.get(&consumer?).map(|consumer| &consumer.topic))
            .and_then(|topic| name::full(topic))
    }

    /// Answers a command with an error, in the form that its answer has.
    fn refuse(&mut self, conn: Conn, command: &BaseCommand, error: ServerError, message: &str) {
        let text = || message.to_string();
        if let Some(send) = &command.send {
            let sequence_id = send.highest_sequence_id.unwrap_or(0).max(send.sequence_id);
            return self.send_error(conn, send.producer_id, sequence_id, error, message, Reply::USUAL);
        }
        if let Some(lookup) = &command.lookup_topic {
            let refusal = CommandLookupTopicResponse {
                request_id: lookup.request_id,
                response: Some(LookupType::Failed.into()),
                error: Some(error.into()),
                message: Some(text()),
                ..CommandLookupTopicResponse::default()
            };
            return self.say(conn, Lane::Request, Reply::USUAL, refusal);
        }
        if let Some(metadata) = &command.partition_metadata {
            let refusal = CommandPartitionedTopicMetadataResponse {
                request_id: metadata.request_id,
                response: Some(MetadataType::Failed.into()),
                error: Some(error.into()),
                message: Some(text()),
                partitions: None,
            };
            return self.say(conn, Lane::Request, Reply::USUAL, refusal);
        }
        let request_id = None
            .or_else(|| command.producer.as_ref().map(|c| c.request_id))
            .or_else(|| command.subscribe.as_ref().map(|c| c.request_id))
            .or_else(|| command.close_producer.as_ref().map(|c| c.request_id))
            .or_else(|| command.close_consumer.as_ref().map(|c| c.request_id))
            .or_else(|| command.seek.as_ref().map(|c| c.request_id))
            .or_else(|| command.unsubscribe.as_ref().map(|c| c.request_id))
            .or_else(|| command.get_last_message_id.as_ref().map(|c| c.request_id))
            .or_else(|| command.get_topics_of_namespace.as_ref().map(|c| c.request_id))
            .or_else(|| command.connect.as_ref().map(|_| u64::MAX));
        if let Some(request_id) = request_id {
            self.error(conn, request_id, error, message, Reply::USUAL);
        }
        if command.connect.is_some() {
            self.close_after_saying(conn);
        }
    }

    pub(super) fn error(&mut self, conn: Conn, request_id: u64, error: ServerError, message: &str, reply: Reply) {
        let error = CommandError { request_id, error: error.into(), message: message.to_string() };
        self.say(conn, Lane::Request, reply, error);
    }

    pub(super) fn success(&mut self, conn: Conn, request_id: u64, lane: Lane, reply: Reply) {
        self.say(conn, lane, reply, CommandSuccess { request_id, schema: None });
    }

    /// Closes, but lets out what was said.
    fn close_after_saying(&mut self, conn: Conn) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let said = std::mem::take(&mut connection.outbox);
        self.close_connection(conn);
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.outbox = said;
        }
    }
}
