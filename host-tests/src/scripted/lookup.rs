//! PARTITIONED_METADATA, LOOKUP, GET_TOPICS_OF_NAMESPACE: what is where.

use isthmus::pulsar::proto::command_lookup_topic_response::LookupType;
use isthmus::pulsar::proto::command_partitioned_topic_metadata_response::LookupType as MetadataType;
use isthmus::pulsar::proto::*;

use super::broker::Partitioned;
use super::config::AutoCreate;
use super::connection::Reply;
use super::outbox::Lane;
use super::{Conn, ScriptedBroker, name};

impl ScriptedBroker {
    pub(super) fn on_partitioned_metadata(
        &mut self,
        conn: Conn,
        command: CommandPartitionedTopicMetadata,
        reply: Reply,
    ) {
        let answer = self.partitions_of(&command.topic, command.metadata_auto_creation_enabled());
        let response = match answer {
            Ok(partitions) => CommandPartitionedTopicMetadataResponse {
                request_id: command.request_id,
                partitions: Some(partitions),
                response: Some(MetadataType::Success.into()),
                ..CommandPartitionedTopicMetadataResponse::default()
            },
            Err((error, message)) => CommandPartitionedTopicMetadataResponse {
                request_id: command.request_id,
                response: Some(MetadataType::Failed.into()),
                error: Some(error.into()),
                message: Some(message),
                partitions: None,
            },
        };
        self.say(conn, Lane::Request, reply, response);
    }

    /// 0 is a plain topic, and, where topics may be created on first use, one that is not there yet.
    fn partitions_of(&mut self, topic: &str, may_create: bool) -> Result<u32, (ServerError, String)> {
        let topic = self.checked_name(topic)?;
        if let Some(partitioned) = self.partitioned.get(&topic) {
            return Ok(partitioned.partitions);
        }
        if self.topics.contains_key(&topic) {
            return Ok(0);
        }
        match self.config.auto_create {
            AutoCreate::Partitioned(partitions) if may_create => {
                // Metadata alone: a partition comes to be when somebody attaches to it.
                self.partitioned.insert(topic, Partitioned { partitions, ..Partitioned::default() });
                Ok(partitions)
            }
            AutoCreate::Plain if may_create => Ok(0),
            AutoCreate::Off | AutoCreate::Partitioned(_) | AutoCreate::Plain => {
                Err((ServerError::TopicNotFound, String::new()))
            }
        }
    }

    pub(super) fn on_lookup(&mut self, conn: Conn, command: CommandLookupTopic, reply: Reply) {
        let listener = command.advertised_listener_name.as_ref().unwrap_or(&self.config.internal_listener);
        let answer = self.checked_name(&command.topic).and_then(|topic| {
            let listeners = self.elsewhere.get(&topic).unwrap_or(&self.config.listeners);
            let missing = || (ServerError::ServiceNotReady, format!("the broker do not have {listener} listener"));
            listeners.get(listener).cloned().ok_or_else(missing)
        });
        let response = match answer {
            Ok(url) => CommandLookupTopicResponse {
                proxy_through_service_url: Some(url.contains("//127.0.0.1") || url.contains("//localhost")),
                broker_service_url: Some(url),
                response: Some(LookupType::Connect.into()),
                request_id: command.request_id,
                authoritative: Some(true),
                ..CommandLookupTopicResponse::default()
            },
            Err((error, message)) => CommandLookupTopicResponse {
                response: Some(LookupType::Failed.into()),
                request_id: command.request_id,
                error: Some(error.into()),
                message: Some(message),
                ..CommandLookupTopicResponse::default()
            },
        };
        self.say(conn, Lane::Request, reply, response);
    }

    pub(super) fn on_get_topics_of_namespace(
        &mut self,
        conn: Conn,
        command: CommandGetTopicsOfNamespace,
        reply: Reply,
    ) {
        if !self.namespaces.contains_key(&command.namespace) {
            let message = format!("Namespace {} does not exist", command.namespace);
            return self.error(conn, command.request_id, ServerError::MetadataError, &message, reply);
        }
        let response = CommandGetTopicsOfNamespaceResponse {
            request_id: command.request_id,
            topics: self.topics_in(&command.namespace),
            filtered: Some(false),
            topics_hash: None,
            changed: Some(true),
        };
        self.say(conn, Lane::Request, reply, response);
    }

    /// Topics that exist, partitions one by one; a partition nobody has attached to does not.
    pub(super) fn topics_in(&self, namespace: &str) -> Vec<String> {
        let here = |topic: &&String| name::split(topic).is_some_and(|(of, _)| of == namespace);
        self.topics.keys().filter(here).filter(|topic| !name::is_system(topic)).cloned().collect()
    }

    /// The topic that PRODUCER or SUBSCRIBE names, created if that is allowed.
    pub(super) fn attach_to(&mut self, topic: &str, may_create: bool) -> Result<String, (ServerError, String)> {
        let topic = self.checked_name(topic)?;
        if self.elsewhere.contains_key(&topic) {
            let message = format!(
                "Namespace bundle for topic ({topic}) not served by this instance:localhost:8080. Please redo the lookup."
            );
            return Err((ServerError::ServiceNotReady, message));
        }
        if self.topics.contains_key(&topic) {
            return Ok(topic);
        }
        let of_partitioned = name::partition_of(&topic)
            .is_some_and(|(base, index)| self.partitioned.get(base).is_some_and(|p| index < p.partitions));
        let creates = may_create && self.config.auto_create != AutoCreate::Off;
        if self.partitioned.contains_key(&topic) {
            let message = format!("Topic {topic} is partitioned");
            return Err((ServerError::NotAllowedError, message));
        }
        if !of_partitioned && !creates {
            return Err((ServerError::TopicNotFound, format!("Topic {topic} does not exist")));
        }
        self.add_topic(&topic);
        Ok(topic)
    }

    pub(super) fn checked_name(&self, topic: &str) -> Result<String, (ServerError, String)> {
        let invalid = || (ServerError::InvalidTopicName, format!("Invalid topic name: {topic}"));
        let full = name::full(topic).ok_or_else(invalid)?;
        let namespace_exists = name::split(&full).is_some_and(|(namespace, _)| self.namespaces.contains_key(namespace));
        namespace_exists.then_some(full).ok_or((ServerError::TopicNotFound, "Namespace not found".to_string()))
    }

    /// The namespace's policy, else the broker's.
    pub(super) fn deduplicates(&self, topic: &str) -> bool {
        let policies = name::split(topic).and_then(|(namespace, _)| self.namespaces.get(namespace));
        let of_namespace = policies.and_then(|policies| policies.get("deduplicationEnabled")?.as_bool());
        of_namespace.unwrap_or(self.config.deduplication)
    }
}
