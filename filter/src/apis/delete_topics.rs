//! DeleteTopics: by name, whoever uses the topic. There are no topic ids to delete by.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, deadline_of, respond, text};
use crate::kafka::header::RequestHeader;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::change::{Changes, Refused};
use crate::topics::delete::DeleteTopic;
use crate::topics::name::KafkaTopic;

/// Begins to answer.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    let body: DeleteTopicsRequest = request.decode()?;
    let deadline = deadline_of(body.timeout_ms, context);
    // Up to version 5 there are only names.
    let by_name = body.topic_names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(name)));
    let changes = begin(by_name.chain(body.topics).collect());
    Ok(Started { exchange: Box::new(DeleteTopics { header: request.header, changes }), deadline })
}

/// As `ControllerApis.deleteTopics` sorts them out. An id of zeros is none.
fn begin(topics: Vec<DeleteTopicState>) -> Changes<DeleteTopicState, DeleteTopic> {
    let key = |topic: &DeleteTopicState| (topic.name.clone(), topic.topic_id.as_u128());
    let mut times = BTreeMap::new();
    for topic in &topics {
        let seen: &mut usize = times.entry(key(topic)).or_default();
        *seen = seen.saturating_add(1);
    }
    let invalid = |message| Err(Refused::because(ResponseError::InvalidRequest, message));
    let mut changes = Changes::default();
    for topic in topics {
        // What stands there twice is answered once.
        let Some(times) = times.remove(&key(&topic)) else { continue };
        let change = match (&topic.name, topic.topic_id.as_u128()) {
            (None, 0) => invalid("Neither topic name nor id were specified."),
            (Some(_), 1..) => invalid("You may not specify both topic name and topic id."),
            (Some(_), 0) if times > 1 => Err(Refused::duplicate()),
            (None, 1..) if times > 1 => invalid("Duplicate topic id."),
            (None, 1..) => {
                Err(Refused::because(ResponseError::UnknownTopicId, "Topics have no ids here: delete them by name."))
            }
            // No topic has a name that cannot be.
            (Some(name), 0) => KafkaTopic::new(name).map(DeleteTopic::new).map_err(|_| Refused::unknown_topic()),
        };
        changes.push(topic, change);
    }
    changes
}

struct DeleteTopics {
    header: RequestHeader,
    changes: Changes<DeleteTopicState, DeleteTopic>,
}

impl DeleteTopics {
    fn answer(&mut self, io: &mut Io<'_>) -> Answer {
        let responses = self.changes.take(io).map(|(topic, outcome)| {
            let row = DeletableTopicResult::default()
                .with_name(topic.name)
                .with_topic_id(topic.topic_id)
                .with_error_message(None);
            match outcome {
                Ok(()) => row,
                Err(refused) => row.with_error_code(refused.code.code()).with_error_message(refused.message.map(text)),
            }
        });
        let response = DeleteTopicsResponse::default().with_responses(responses.collect());
        respond(&self.header, &response)
    }
}

impl Exchange for DeleteTopics {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let io = &mut context.io;
        self.changes.poll(io).then(|| self.answer(io))
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        self.answer(&mut context.io)
    }

    fn next_wake(&self) -> Option<Instant> {
        self.changes.next_wake()
    }
}
