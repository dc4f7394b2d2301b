//! One Kafka request on its way to its one response.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::protocol::{Encodable, StrBytes};

use crate::fetch::readers::Readers;
use crate::kafka::failed::Failed;
use crate::kafka::guard::{self, GuardError};
use crate::kafka::header::RequestHeader;
use crate::kafka::response;
use crate::kafka::shape::Guarded;
use crate::produce::producers::Producers;
use crate::session::io::Io;
use crate::sync::order::Response;
use crate::time::Instant;

/// A request of a served API and version.
#[derive(Clone, Debug)]
pub struct Request {
    /// API, version, correlation id, client id.
    pub header: RequestHeader,
    /// What follows the header.
    pub body: Bytes,
}

impl Request {
    /// The body as kafka-protocol's type, after the guard has looked at every length.
    pub fn decode<T: Guarded>(&self) -> Result<T, Refusal> {
        guard::decode(self.header.api_version, self.body.clone()).map_err(Refusal::Malformed)
    }
}

/// Why a connection is closed instead of answering: what Apache Kafka does with a request it cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The body is not what its version says.
    Malformed(GuardError),
}

/// What an exchange may touch.
#[derive(Debug)]
pub struct Context<'a> {
    /// Questions to the broker and the admin REST, the worker's shared state, the time.
    pub io: Io<'a>,
    /// Where batches go.
    pub producers: &'a mut Producers,
    /// Where batches come from.
    pub readers: &'a mut Readers,
    /// Whether every earlier request of the connection is answered.
    pub is_head: bool,
}

/// How a request ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With this response.
    Respond(Response),
    /// Without one: Produce with `acks=0`.
    Silent,
    /// With the end of the connection, for this reason.
    Close(String),
}

/// A request that was started.
pub struct Started {
    /// What polls it to its end.
    pub exchange: Box<dyn Exchange>,
    /// When [`Exchange::expire`] ends it.
    pub deadline: Instant,
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Started").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// Polled after every event until it answers. What it waits for lies in the connection's tables; it holds the keys.
pub trait Exchange {
    /// The answer, or `None` while something is awaited.
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer>;

    /// The answer at the deadline: Kafka's error for whatever is not settled.
    fn expire(&mut self, context: &mut Context<'_>) -> Answer;

    /// Batches that have not gone to the broker and that nobody will be told of, by Kafka topic.
    fn unsent_and_unanswered(&self, _: &Producers) -> Vec<(&str, usize)> {
        Vec::new()
    }

    /// When to poll it although nothing happened, before its deadline.
    fn next_wake(&self) -> Option<Instant> {
        None
    }
}

/// The frame of a response; a response that cannot be written closes the connection.
pub fn respond<T: Encodable + Failed>(header: &RequestHeader, body: &T) -> Answer {
    match response::encode(header.api_key, header.api_version, header.correlation_id, body) {
        Ok(frame) => Answer::Respond(Response { segments: vec![frame], failed: body.failed() }),
        Err(error) => Answer::Close(error.to_string()),
    }
}

/// An exchange that is answered when it starts.
pub fn answered(answer: Answer, context: &Context<'_>) -> Started {
    struct Answered(Option<Answer>);

    impl Exchange for Answered {
        fn poll(&mut self, _: &mut Context<'_>) -> Option<Answer> {
            self.0.take()
        }

        fn expire(&mut self, _: &mut Context<'_>) -> Answer {
            self.0.take().unwrap_or(Answer::Silent)
        }
    }

    Started { exchange: Box::new(Answered(Some(answer))), deadline: default_deadline(context) }
}

/// When a request without a timeout of its own is answered at the latest.
pub fn default_deadline(context: &Context<'_>) -> Instant {
    context.io.now.instant + Duration::from_millis(context.io.shared.config.request_timeout_ms.into())
}

/// When a request with a timeout in milliseconds is answered at the latest.
pub fn deadline_of(timeout_ms: i32, context: &Context<'_>) -> Instant {
    let asked = u64::try_from(timeout_ms).unwrap_or(0).max(1);
    context.io.now.instant + Duration::from_millis(asked.min(context.io.shared.config.request_timeout_ms.into()))
}

/// A string for kafka-protocol's types.
pub fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

/// Polls every part, the settled ones too; whether all are settled.
pub fn poll_all<T>(parts: &mut [T], mut poll: impl FnMut(&mut T) -> bool) -> bool {
    let mut settled = true;
    for part in parts {
        settled &= poll(part);
    }
    settled
}
