//! The `pulsar-admin` cluster: each call of the filter on a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use mio::Waker;

use crate::http::{HttpAnswer, HttpRequest};
use crate::wasm::{HttpCall, HttpToken};

/// A call ends by then, whatever the filter's own timeout is.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Admin {
    root: String,
    agent: ureq::Agent,
    waker: Arc<Waker>,
    sender: Sender<(HttpToken, Option<HttpAnswer>)>,
    answers: Receiver<(HttpToken, Option<HttpAnswer>)>,
}

impl Admin {
    pub(super) fn new(root: &str, waker: Arc<Waker>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(CALL_TIMEOUT))
            .max_redirects(0)
            .build();
        let (sender, answers) = channel();
        Self { root: root.trim_end_matches('/').to_string(), agent: config.into(), waker, sender, answers }
    }

    pub(super) fn call(&self, call: HttpCall) {
        let (agent, sender, waker) = (self.agent.clone(), self.sender.clone(), Arc::clone(&self.waker));
        let url = format!("{}{}", self.root, call.request.path);
        std::thread::spawn(move || {
            let answer = fetch(&agent, &url, call.request);
            // The receiver is gone only when the process ends.
            let _ = sender.send((call.token, answer));
            let _ = waker.wake();
        });
    }

    pub(super) fn poll(&self) -> Option<(HttpToken, Option<HttpAnswer>)> {
        self.answers.try_recv().ok()
    }
}

fn fetch(agent: &ureq::Agent, url: &str, request: HttpRequest) -> Option<HttpAnswer> {
    let mut builder = ureq::http::Request::builder().method(request.method.as_str()).uri(url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let mut response = agent.run(builder.body(request.body).ok()?).ok()?;
    let headers = response.headers().iter();
    let headers =
        headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_string()))).collect();
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_vec().ok()?;
    Some(HttpAnswer { status, headers, body })
}
