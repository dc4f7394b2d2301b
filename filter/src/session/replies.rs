//! Which question a command of the broker answers, and how.

use super::requests::{LookupReply, Reply};
use crate::error::PulsarError;
use crate::ids::{Position, RequestId};
use crate::pulsar::proto::{
    BaseCommand, MessageIdData, ServerError, command_lookup_topic_response, command_partitioned_topic_metadata_response,
};

/// Where an entry lies.
pub(super) fn position_of(id: &MessageIdData) -> Position {
    Position { ledger: id.ledger_id, entry: id.entry_id }
}

fn refusal(code: i32, message: Option<String>) -> PulsarError {
    let code = ServerError::try_from(code).unwrap_or(ServerError::UnknownError);
    PulsarError::Refused { code, message: message.unwrap_or_default() }
}

/// `None` for commands that answer none.
pub(super) fn reply_of(command: BaseCommand) -> Option<(RequestId, Result<Reply, PulsarError>)> {
    if let Some(success) = command.success {
        return Some((RequestId(success.request_id), Ok(Reply::Success)));
    }
    if let Some(error) = command.error {
        return Some((RequestId(error.request_id), Err(refusal(error.error, Some(error.message)))));
    }
    if let Some(success) = command.producer_success {
        if success.producer_ready == Some(false) {
            return None;
        }
        let last_sequence_id = u64::try_from(success.last_sequence_id.unwrap_or(-1)).ok();
        let reply = Reply::Producer { name: success.producer_name, last_sequence_id };
        return Some((RequestId(success.request_id), Ok(reply)));
    }
    if let Some(answer) = command.partition_metadata_response {
        use command_partitioned_topic_metadata_response::LookupType;
        let reply = match (answer.response(), answer.error) {
            (LookupType::Success, None) => Ok(Reply::Partitions(answer.partitions.unwrap_or(0))),
            (LookupType::Success | LookupType::Failed, code) => {
                Err(refusal(code.unwrap_or(ServerError::UnknownError.into()), answer.message))
            }
        };
        return Some((RequestId(answer.request_id), reply));
    }
    if let Some(answer) = command.lookup_topic_response {
        use command_lookup_topic_response::LookupType;
        let url = answer.broker_service_url.clone().or_else(|| answer.broker_service_url_tls.clone());
        let connect = match answer.response() {
            LookupType::Connect => Some(true),
            LookupType::Redirect => Some(false),
            LookupType::Failed => None,
        };
        let reply = match (connect, url) {
            (Some(connect), Some(url)) => {
                Ok(Reply::Lookup(LookupReply { connect, authoritative: answer.authoritative.unwrap_or(false), url }))
            }
            (Some(_), None) => Err(PulsarError::Malformed("LOOKUP_RESPONSE without address")),
            (None, _) => Err(refusal(answer.error.unwrap_or(ServerError::UnknownError.into()), answer.message)),
        };
        return Some((RequestId(answer.request_id), reply));
    }
    if let Some(answer) = command.get_topics_of_namespace_response {
        return Some((RequestId(answer.request_id), Ok(Reply::Topics(answer.topics))));
    }
    if let Some(answer) = command.get_last_message_id_response {
        let id = &answer.last_message_id;
        let last = (id.ledger_id != u64::MAX && id.entry_id != u64::MAX).then(|| {
            let messages = id.batch_index.and_then(|index| u32::try_from(index).ok()).unwrap_or(0).saturating_add(1);
            (position_of(id), messages)
        });
        let mark_delete = answer
            .consumer_mark_delete_position
            .filter(|id| id.ledger_id != u64::MAX)
            .map(|id| (id.ledger_id, (id.entry_id != u64::MAX).then_some(id.entry_id)));
        return Some((RequestId(answer.request_id), Ok(Reply::LastMessage { last, mark_delete })));
    }
    None
}
