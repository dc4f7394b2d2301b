//! The machine that receives Kafka requests: frames, headers, and whether more may come.

use bytes::Bytes;

use crate::frame::Splitter;
use crate::kafka::header::{RequestHeader, parse_request};

/// ```text
/// Open ──unreadable frame, refused request──▶ Closing
/// ```
#[derive(Debug)]
enum State {
    Open,
    /// Nothing more is taken in; the connection ends, for this reason.
    Closing(String),
}

/// The Kafka half of a connection.
#[derive(Debug)]
pub struct KafkaConn {
    state: State,
    splitter: Splitter,
}

impl KafkaConn {
    /// A connection on which nothing came yet; requests have at most `max_request_bytes`.
    pub fn new(max_request_bytes: usize) -> Self {
        Self { state: State::Open, splitter: Splitter::new(max_request_bytes) }
    }

    /// Takes bytes from the client.
    pub fn on_bytes(&mut self, chunk: Bytes) {
        match self.state {
            State::Open => self.splitter.push(chunk),
            State::Closing(_) => {}
        }
    }

    /// The next whole request. One that cannot be read ends the connection, as Apache Kafka does.
    pub fn next_request(&mut self) -> Option<(RequestHeader, Bytes)> {
        if let State::Closing(_) = self.state {
            return None;
        }
        let refused = match self.splitter.next_frame() {
            Ok(None) => return None,
            Ok(Some(frame)) => match parse_request(frame) {
                Ok(request) => return Some(request),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        self.close(refused);
        None
    }

    /// Takes in nothing more.
    pub fn close(&mut self, reason: String) {
        if let State::Open = self.state {
            self.state = State::Closing(reason);
        }
    }

    /// Why the connection ends, if it does.
    pub fn closing(&self) -> Option<&str> {
        match &self.state {
            State::Open => None,
            State::Closing(reason) => Some(reason),
        }
    }

    /// Bytes of requests that are not whole yet or not taken yet.
    pub fn buffered_bytes(&self) -> usize {
        self.splitter.buffered_bytes()
    }
}
