//! HTTP calls of the filter (`proxy_http_call`), as values that the driver routes.

use std::collections::{BTreeMap, VecDeque};

use isthmus::time::{Instant, Now};

use super::status::Status;
use crate::http::{HttpAnswer, HttpRequest};

/// Names a call until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpToken(pub u32);

/// A call on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCall {
    /// To answer with.
    pub token: HttpToken,
    /// The Envoy cluster it goes to.
    pub cluster: String,
    /// The request itself.
    pub request: HttpRequest,
}

/// The calls that wait for an answer.
#[derive(Default)]
pub(super) struct HttpCalls {
    outbox: VecDeque<HttpCall>,
    /// Deadline of each call under way; none is for ever.
    under_way: BTreeMap<HttpToken, Option<Instant>>,
    last_token: u32,
    /// Readable while the guest is being told of it; `None` after a transport failure, which has no headers to be asked for.
    pub(super) answer: Option<HttpAnswer>,
}

impl HttpCalls {
    /// Envoy demands the three pseudo headers. A timeout of 0 ms is none.
    pub(super) fn dispatch(
        &mut self,
        cluster: &str,
        pairs: Vec<(String, String)>,
        body: Vec<u8>,
        timeout_ms: u32,
        now: Now,
    ) -> Result<HttpToken, Status> {
        let (pseudo, headers): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(name, _)| name.starts_with(':'));
        let value = |name: &str| pseudo.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let (Some(method), Some(path), Some(_)) = (value(":method"), value(":path"), value(":authority")) else {
            return Err(Status::BadArgument);
        };
        self.last_token += 1;
        let token = HttpToken(self.last_token);
        let deadline = (timeout_ms > 0).then(|| now.instant + std::time::Duration::from_millis(timeout_ms.into()));
        self.under_way.insert(token, deadline);
        let request = HttpRequest { method, path, headers, body };
        self.outbox.push_back(HttpCall { token, cluster: cluster.to_string(), request });
        Ok(token)
    }

    pub(super) fn poll(&mut self) -> Option<HttpCall> {
        self.outbox.pop_front()
    }

    /// Whether somebody waited for `token`; it is settled now.
    pub(super) fn settle(&mut self, token: HttpToken) -> bool {
        self.under_way.remove(&token).is_some()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.under_way.values().copied().flatten().min()
    }

    pub(super) fn overdue(&self, now: Instant) -> Vec<HttpToken> {
        let due = |deadline: &Option<Instant>| deadline.is_some_and(|at| at <= now);
        self.under_way.iter().filter(|(_, deadline)| due(deadline)).map(|(token, _)| *token).collect()
    }

    /// A VM died: nobody waits any more.
    pub(super) fn forget(&mut self) {
        self.outbox.clear();
        self.under_way.clear();
        self.answer = None;
    }

    pub(super) fn headers(&self) -> Option<Vec<(String, String)>> {
        let answer = self.answer.as_ref()?;
        let status = (":status".to_string(), answer.status.to_string());
        Some(std::iter::once(status).chain(answer.headers.iter().cloned()).collect())
    }
}
