//! One call of Pulsar's admin REST, repeated where that helps.

use std::time::Duration;

use bytes::Bytes;

use crate::error::AdminError;
use crate::session::admin::{CallId, Method};
use crate::session::io::Io;
use crate::time::Instant;

/// Bound of attempts; together they wait three seconds and a half.
const MAX_ATTEMPTS: u32 = 8;

/// Wait before the second attempt; it doubles with each, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);

const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// ```text
/// Calling ──done, refused, or tried often enough──▶ (taken)
///    ▲ └──passing error──▶ Waiting
///    └────────────────────────┘
/// ```
#[derive(Debug)]
enum State {
    Calling(CallId),
    Waiting { until: Instant },
}

/// Whether the same request twice leaves things as once would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeats {
    /// Only what surely was not done is asked for again.
    Differ,
    /// It reads. No answer in time is an answer for whoever waits.
    Read,
    /// It writes what is there already.
    Agree,
}

/// The change, on its way.
#[derive(Debug)]
pub struct AdminChange {
    method: Method,
    path: String,
    body: Option<(&'static str, Bytes)>,
    repeats: Repeats,
    state: State,
    attempts: u32,
    wait: Duration,
    last_error: Option<AdminError>,
}

impl AdminChange {
    /// Asks. A body is JSON.
    pub fn new(method: Method, path: String, body: Option<Bytes>, io: &mut Io<'_>) -> Self {
        let repeats = if method == Method::Delete { Repeats::Agree } else { Repeats::Differ };
        Self::call(method, path, body.map(|body| ("application/json", body)), repeats, io)
    }

    /// Asks with a body of another type.
    pub fn of_type(method: Method, path: String, body: (&'static str, Bytes), io: &mut Io<'_>) -> Self {
        Self::call(method, path, Some(body), Repeats::Differ, io)
    }

    /// Asks for what is the same however often it is done. A body is JSON.
    pub fn repeatable(method: Method, path: String, body: Option<Bytes>, io: &mut Io<'_>) -> Self {
        Self::call(method, path, body.map(|body| ("application/json", body)), Repeats::Agree, io)
    }

    /// Reads.
    pub fn read(path: String, io: &mut Io<'_>) -> Self {
        Self::call(Method::Get, path, None, Repeats::Read, io)
    }

    fn call(
        method: Method,
        path: String,
        body: Option<(&'static str, Bytes)>,
        repeats: Repeats,
        io: &mut Io<'_>,
    ) -> Self {
        let state = State::Calling(io.admin.call(method, path.clone(), body.clone(), io.now.instant));
        Self { method, path, body, repeats, state, attempts: 1, wait: FIRST_WAIT, last_error: None }
    }

    /// The outcome, with the body of the answer; `None` while it is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Bytes, AdminError>> {
        loop {
            match self.state {
                State::Calling(id) => {
                    let error = match io.admin.take(id)?.and_then(|reply| reply.success()) {
                        Ok(body) => return Some(Ok(body)),
                        Err(error) => error,
                    };
                    if self.attempts >= MAX_ATTEMPTS || !self.may_pass(&error) {
                        return Some(Err(error));
                    }
                    self.last_error = Some(error);
                    self.state = State::Waiting { until: io.now.instant + self.wait };
                    self.wait = self.wait.saturating_mul(2).min(LONGEST_WAIT);
                }
                State::Waiting { until } if until <= io.now.instant => {
                    self.attempts = self.attempts.saturating_add(1);
                    let again = io.admin.call(self.method, self.path.clone(), self.body.clone(), io.now.instant);
                    self.state = State::Calling(again);
                }
                State::Waiting { .. } => return None,
            }
        }
    }

    /// Redirects were followed already as far as they can be ([`AdminCalls`](crate::session::admin::AdminCalls)): a topic that moves is
    /// somewhere after a while. What else may pass is repeated only where doing it twice is the same as once.
    fn may_pass(&self, error: &AdminError) -> bool {
        match error {
            AdminError::Status(307, _) => true,
            AdminError::Status(412, _) if self.method != Method::Delete => {
                self.repeats != Repeats::Differ && !error.is_refusal()
            }
            // 504 is the host's word for an answer that did not come in time.
            AdminError::Status(504, _) | AdminError::Unreachable => self.repeats == Repeats::Agree,
            AdminError::Status(409 | 412 | 429 | 500..=599, _) => self.repeats != Repeats::Differ,
            AdminError::Status(..) | AdminError::NotConfigured | AdminError::Malformed(_) => false,
        }
    }

    /// Whether it was asked for more than once: an earlier attempt may have done the work.
    pub fn is_repeated(&self) -> bool {
        self.attempts > 1
    }

    /// Why the last attempt failed, if it did.
    pub fn last_error(&self) -> Option<&AdminError> {
        self.last_error.as_ref()
    }

    /// When to poll it although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        match self.state {
            State::Calling(_) => None,
            State::Waiting { until } => Some(until),
        }
    }
}
