//! Calls to Pulsar's admin REST, which the host carries out.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::table::{Look, Table};
use super::wake::Waker;
use crate::error::AdminError;
use crate::time::Instant;

/// Bound of calls in flight on one connection; what comes beyond waits in line up to [`MAX_QUEUED`].
pub const MAX_IN_FLIGHT: usize = 8;

/// Bound of calls in line on one connection.
pub const MAX_QUEUED: usize = 10_000;

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// One call, unique on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// HTTP methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Put,
    Post,
    Delete,
}

impl Method {
    /// As HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

/// What the host is asked to send to the admin cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Body with its content type, for PUT and POST.
    pub body: Option<(&'static str, Bytes)>,
    /// How long the host may try.
    pub timeout: Duration,
}

/// What came back: any HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    /// HTTP status code.
    pub status: u16,
    /// Body, whole.
    pub body: Bytes,
}

impl HttpReply {
    /// The body if the status is 2xx; else Pulsar's reason.
    pub fn success(self) -> Result<Bytes, AdminError> {
        if (200..300).contains(&self.status) {
            Ok(self.body)
        } else {
            Err(AdminError::Status(self.status, self.reason()))
        }
    }

    /// `{"reason": "..."}` is how Pulsar explains a refusal; other bodies are not for people.
    fn reason(&self) -> String {
        const MAX_REASON_CHARS: usize = 300;
        serde_json::from_slice::<serde_json::Value>(&self.body)
            .ok()
            .and_then(|body| body.get("reason")?.as_str().map(|reason| reason.chars().take(MAX_REASON_CHARS).collect()))
            .unwrap_or_else(|| "no reason given".into())
    }
}

/// The calls of one connection.
#[derive(Debug, Default)]
pub struct AdminCalls {
    last: u64,
    table: Table<CallId, Result<HttpReply, AdminError>>,
    queue: VecDeque<(CallId, HttpRequest)>,
    in_flight: usize,
}

impl AdminCalls {
    /// Asks for a call.
    pub fn call(&mut self, method: Method, path: String, body: Option<(&'static str, Bytes)>, now: Instant) -> CallId {
        self.last = self.last.wrapping_add(1);
        let id = CallId(self.last);
        let until = now + CALL_TIMEOUT.saturating_mul(3);
        self.table.open(id, until);
        if self.queue.len() >= MAX_QUEUED {
            self.table.answer(id, Err(AdminError::Unreachable), until);
        } else {
            self.queue.push_back((id, HttpRequest { method, path, body, timeout: CALL_TIMEOUT }));
        }
        id
    }

    /// The next call for the host to make. The host must [`AdminCalls::answer`] each.
    pub fn poll(&mut self) -> Option<(CallId, HttpRequest)> {
        if self.in_flight >= MAX_IN_FLIGHT {
            return None;
        }
        let next = self.queue.pop_front()?;
        self.in_flight = self.in_flight.saturating_add(1);
        Some(next)
    }

    /// The host's answer.
    pub fn answer(&mut self, id: CallId, reply: Result<HttpReply, AdminError>, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.table.answer(id, reply, now + CALL_TIMEOUT);
    }

    /// Takes the answer; `None` while it is awaited.
    pub fn take(&mut self, id: CallId) -> Option<Result<HttpReply, AdminError>> {
        match self.table.take(id) {
            Look::Waiting => None,
            Look::Answered(reply) => Some(reply),
            Look::Gone => Some(Err(AdminError::Unreachable)),
        }
    }

    /// Answers what is overdue and drops what nobody fetched.
    pub fn expire(&mut self, now: Instant) {
        self.table.expire(now, || Err(AdminError::Unreachable), now + CALL_TIMEOUT);
    }

    /// When [`AdminCalls::expire`] may have work next, and no later than it has.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.table.next_deadline()
    }

    /// Who asks from now on, instead of whom.
    pub fn set_asker(&mut self, asker: Option<Waker>) -> Option<Waker> {
        self.table.set_asker(asker)
    }
}
