//! Calls to Pulsar's admin REST, which the host carries out.

use std::collections::{BTreeMap, VecDeque};
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

/// Bound of attempts at one call, as long as each is answered with a redirect.
pub const MAX_ATTEMPTS: u32 = 5;

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
    queue: VecDeque<Call>,
    in_flight: BTreeMap<CallId, Call>,
}

#[derive(Clone, Debug)]
struct Call {
    id: CallId,
    request: HttpRequest,
    /// Nobody waits for it any longer then.
    until: Instant,
    attempts: u32,
}

impl Call {
    /// The next attempt after a redirect (`PulsarWebResource.validateTopicOwnershipAsync`, before anything is done). It names the owner,
    /// whom the admin cluster may reach the next time; whoever is asked then takes a bundle that nobody owns, instead of sending the
    /// question round in a circle.
    fn again(mut self, now: Instant) -> Option<Self> {
        self.request.timeout = self.until.since(now).min(CALL_TIMEOUT);
        // No time at all is no bound to the host.
        if self.attempts >= MAX_ATTEMPTS || self.request.timeout.as_millis() == 0 {
            return None;
        }
        if self.attempts == 1 {
            let mark = if self.request.path.contains('?') { '&' } else { '?' };
            self.request.path.push(mark);
            self.request.path.push_str("authoritative=true");
        }
        self.attempts = self.attempts.saturating_add(1);
        Some(self)
    }
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
            let request = HttpRequest { method, path, body, timeout: CALL_TIMEOUT };
            self.queue.push_back(Call { id, request, until, attempts: 1 });
        }
        id
    }

    /// The next call for the host to make. The host must [`AdminCalls::answer`] each; the same may come again after that.
    pub fn poll(&mut self) -> Option<(CallId, HttpRequest)> {
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            return None;
        }
        let next = self.queue.pop_front()?;
        self.in_flight.insert(next.id, next.clone());
        Some((next.id, next.request))
    }

    /// The host's answer. After a redirect the same call is the next to be made, while somebody waits for it.
    pub fn answer(&mut self, id: CallId, reply: Result<HttpReply, AdminError>, now: Instant) {
        let call = self.in_flight.remove(&id);
        if matches!(reply, Ok(HttpReply { status: 307, .. }))
            && self.table.is_waiting(id)
            && let Some(again) = call.and_then(|call| call.again(now))
        {
            self.queue.push_front(again);
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_millis(1000);

    fn reply(status: u16) -> Result<HttpReply, AdminError> {
        Ok(HttpReply { status, body: Bytes::new() })
    }

    /// One call, and what the host is asked for when redirects answer it.
    fn redirected(path: &str) -> (AdminCalls, CallId, Vec<String>) {
        let mut calls = AdminCalls::default();
        let id = calls.call(Method::Get, path.to_owned(), None, NOW);
        let mut paths = Vec::new();
        while let Some((asked, request)) = calls.poll() {
            assert_eq!(asked, id);
            paths.push(request.path);
            calls.answer(id, reply(307), NOW);
        }
        (calls, id, paths)
    }

    #[test]
    fn a_redirect_is_asked_again_at_once_for_whoever_takes_the_bundle_and_at_last_returned() {
        let (mut calls, id, paths) = redirected("/a");
        assert_eq!(
            paths,
            ["/a", "/a?authoritative=true", "/a?authoritative=true", "/a?authoritative=true", "/a?authoritative=true"]
        );
        assert_eq!(calls.take(id), Some(reply(307)));
        assert_eq!(redirected("/a?b=c").2.last().map(String::as_str), Some("/a?b=c&authoritative=true"));
    }

    #[test]
    fn a_call_that_is_made_again_goes_before_those_in_line_and_counts_once_among_those_in_flight() {
        let mut calls = AdminCalls::default();
        let ids: Vec<CallId> = (0..=MAX_IN_FLIGHT).map(|_| calls.call(Method::Get, "/a".into(), None, NOW)).collect();
        let made: Vec<CallId> = std::iter::from_fn(|| calls.poll()).map(|(id, _)| id).collect();
        assert_eq!(made, ids[..MAX_IN_FLIGHT]);
        calls.answer(ids[3], reply(307), NOW);
        assert_eq!(calls.poll().map(|(id, _)| id), Some(ids[3]));
        assert!(calls.poll().is_none());
        calls.answer(ids[3], reply(200), NOW);
        assert_eq!(calls.take(ids[3]), Some(reply(200)));
        assert_eq!(calls.poll().map(|(id, _)| id), Some(ids[MAX_IN_FLIGHT]));
    }

    #[test]
    fn all_attempts_together_take_no_longer_than_whoever_asked_waits() {
        let mut calls = AdminCalls::default();
        let id = calls.call(Method::Get, "/a".into(), None, NOW);
        let mut now = NOW;
        let mut timeouts = Vec::new();
        while let Some((_, request)) = calls.poll() {
            timeouts.push(request.timeout.as_secs());
            now = now + request.timeout.saturating_sub(Duration::from_secs(1));
            calls.answer(id, reply(307), now);
        }
        assert_eq!(timeouts, [10, 10, 10, 3, 1]);
        assert!(now.since(NOW) <= CALL_TIMEOUT.saturating_mul(3));
    }

    #[test]
    fn a_call_that_nobody_waits_for_any_longer_is_not_made_again() {
        let mut calls = AdminCalls::default();
        let id = calls.call(Method::Get, "/a".into(), None, NOW);
        assert!(calls.poll().is_some());
        let late = NOW + CALL_TIMEOUT.saturating_mul(3);
        calls.expire(late);
        calls.answer(id, reply(307), late);
        assert!(calls.poll().is_none());
        assert_eq!(calls.take(id), Some(Err(AdminError::Unreachable)));
    }
}
