//! What the driver needs of a filter: the same for the native worker and the module in its host.

use isthmus::time::{Instant, Now};

use crate::http::{HttpAnswer, HttpRequest};

/// Names a client connection to the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterConn(pub u32);

/// Names an HTTP call of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallToken(pub u64);

/// A filter between clients and a broker. Sans-IO, as Envoy's event loop would drive it.
pub trait Filter {
    /// A client connected, and so did its broker connection.
    fn open(&mut self, now: Now) -> FilterConn;
    /// The client sent bytes.
    fn downstream(&mut self, conn: FilterConn, bytes: &[u8], now: Now);
    /// The client ended its side.
    fn downstream_end(&mut self, conn: FilterConn, now: Now);
    /// The client is gone.
    fn downstream_gone(&mut self, conn: FilterConn, now: Now);
    /// The broker sent bytes.
    fn upstream(&mut self, conn: FilterConn, bytes: &[u8], now: Now);
    /// The broker closed its connection.
    fn upstream_end(&mut self, conn: FilterConn, now: Now);
    /// Bytes for the broker.
    fn take_upstream(&mut self, conn: FilterConn) -> Vec<u8>;
    /// Bytes for the client.
    fn take_downstream(&mut self, conn: FilterConn) -> Vec<u8>;
    /// Whether the client's socket is to be read.
    fn wants_downstream(&mut self, conn: FilterConn) -> bool;
    /// Whether the filter, or its host, has closed the connection.
    fn is_closed(&mut self, conn: FilterConn) -> bool;
    /// The next HTTP call.
    fn poll_http(&mut self) -> Option<(CallToken, HttpRequest)>;
    /// The answer to one, `None` if there was no transport.
    fn http_answer(&mut self, call: CallToken, answer: Option<HttpAnswer>, now: Now);
    /// When `handle_timeout` has something to do.
    fn poll_timeout(&mut self) -> Option<Instant>;
    /// Does what is due.
    fn handle_timeout(&mut self, now: Now);
    /// What the filter did that it must not do under Envoy, in words; the native worker has nobody who would see it.
    fn misdeeds(&mut self) -> Vec<String> {
        Vec::new()
    }
    /// Lines for the operator.
    fn log(&mut self) -> Vec<String>;
    /// Requests in flight and bytes held, where they can be seen from outside.
    fn left_over(&mut self) -> Option<LeftOver> {
        None
    }
}

/// What must be nothing when every request is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOver {
    /// Requests and batches in flight.
    pub open_work: usize,
    /// Bytes that wait on connections.
    pub buffered_bytes: usize,
    /// Of the worker's budget for held bytes.
    pub held_budget: usize,
}
