//! What goes wrong on the admin REST, as data.

use std::collections::BTreeMap;

use super::ScriptedBroker;
use crate::http::{HttpAnswer, HttpRequest};

/// Something goes wrong on the admin REST.
#[derive(Clone, Debug)]
pub struct HttpFault {
    /// Only requests whose `METHOD path` contains this.
    pub contains: String,
    /// How many of them.
    pub times: u32,
    /// The answer instead; `None` is no answer at all.
    pub answer: Option<HttpAnswer>,
}

/// The rules in force. The first that matches a request is used; a rule used up is gone.
#[derive(Debug, Default)]
pub(super) struct HttpFaults {
    rules: Vec<HttpFault>,
    /// Redirects before each answer.
    redirects: u32,
    /// Those that are still to come, by `METHOD path`.
    open: BTreeMap<String, u32>,
}

impl HttpFaults {
    pub(super) fn push(&mut self, fault: HttpFault) {
        self.rules.push(fault);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What a request is answered with instead, if something goes wrong.
    pub(super) fn strike(&mut self, request: &HttpRequest) -> Option<Option<HttpAnswer>> {
        let line = format!("{} {}", request.method, request.path);
        if let Some(at) = self.rules.iter().position(|fault| line.contains(&fault.contains)) {
            let fault = &mut self.rules[at];
            fault.times -= 1;
            let answer = fault.answer.clone();
            if fault.times == 0 {
                self.rules.remove(at);
            }
            return Some(answer);
        }
        self.is_redirected(&line).then(|| Some(redirect()))
    }

    /// Whoever asks anew, without `authoritative`, goes the whole way again.
    fn is_redirected(&mut self, line: &str) -> bool {
        if self.redirects == 0 {
            return false;
        }
        let repeated = ["?", "&"].iter().find_map(|mark| line.strip_suffix(&format!("{mark}authoritative=true")));
        let left = match repeated {
            Some(asked) => self.open.get(asked).copied().unwrap_or(0),
            None => self.redirects,
        };
        self.open.insert(repeated.unwrap_or(line).to_string(), left.saturating_sub(1));
        left > 0
    }
}

impl ScriptedBroker {
    /// From now on each request is answered with so many redirects before its answer, as if other brokers were asked first.
    pub fn redirect_admin(&mut self, times: u32) {
        self.http_faults.redirects = times;
    }
}

/// As a broker answers that does not own a topic.
pub(super) fn redirect() -> HttpAnswer {
    HttpAnswer {
        status: 307,
        headers: vec![("location".into(), "http://elsewhere.test:8080/?authoritative=true".into())],
        body: Vec::new(),
    }
}
