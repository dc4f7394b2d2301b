//! The module in its host, as the driver sees it.

use isthmus::time::{Instant, Now};

use super::filter::{CallToken, Filter, FilterConn};
use crate::http::{HttpAnswer, HttpRequest};
use crate::wasm::{Conn, HttpToken, WasmFilter};

impl Filter for WasmFilter {
    fn open(&mut self, now: Now) -> FilterConn {
        let addresses: [(&str, &[u8]); 2] =
            [("source.address", b"127.0.0.1:40000"), ("destination.address", b"127.0.0.1:9092")];
        FilterConn(self.new_connection(&addresses, now).0)
    }

    fn downstream(&mut self, conn: FilterConn, bytes: &[u8], now: Now) {
        self.downstream(Conn(conn.0), bytes, now);
    }

    fn downstream_end(&mut self, conn: FilterConn, now: Now) {
        self.downstream_end(Conn(conn.0), now);
    }

    fn downstream_gone(&mut self, conn: FilterConn, now: Now) {
        self.downstream_reset(Conn(conn.0), now);
    }

    fn upstream(&mut self, conn: FilterConn, bytes: &[u8], now: Now) {
        self.upstream(Conn(conn.0), bytes, now);
    }

    fn upstream_end(&mut self, conn: FilterConn, now: Now) {
        self.upstream_end(Conn(conn.0), now);
    }

    fn take_upstream(&mut self, conn: FilterConn) -> Vec<u8> {
        self.poll_upstream(Conn(conn.0)).unwrap_or_default()
    }

    fn take_downstream(&mut self, conn: FilterConn) -> Vec<u8> {
        self.poll_downstream(Conn(conn.0)).unwrap_or_default()
    }

    fn wants_downstream(&mut self, conn: FilterConn) -> bool {
        self.wants_downstream(Conn(conn.0))
    }

    fn is_closed(&mut self, conn: FilterConn) -> bool {
        self.ends(Conn(conn.0)).closed.is_some()
    }

    fn poll_http(&mut self) -> Option<(CallToken, HttpRequest)> {
        self.poll_http().map(|call| (CallToken(call.token.0.into()), call.request))
    }

    fn http_answer(&mut self, call: CallToken, answer: Option<HttpAnswer>, now: Now) {
        if let Ok(token) = u32::try_from(call.0) {
            self.http_answer(HttpToken(token), answer, now);
        }
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Now) {
        self.handle_timeout(now);
    }

    fn misdeeds(&mut self) -> Vec<String> {
        self.take_violations().iter().map(|violation| format!("{violation:?}")).collect()
    }

    fn log(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.poll_log()).map(|log| log.text).collect()
    }
}
