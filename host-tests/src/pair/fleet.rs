//! Several workers in front of one broker. Connections go to them in turn; nothing but the broker is shared.

use isthmus::config::Config;
use isthmus::time::{Instant, Now};

use super::filter::{CallToken, Filter, FilterConn};
use super::native::NativeFilter;
use crate::http::{HttpAnswer, HttpRequest};

/// The first connection is the first worker's, the second the second's, and so on.
pub struct Fleet {
    workers: Vec<NativeFilter>,
    opened: usize,
    asked: Vec<(usize, String)>,
}

impl Fleet {
    /// Workers with `config`.
    pub fn new(workers: usize, config: &Config) -> Self {
        let worker = |at: usize| NativeFilter::new(config.clone(), 7 + at as u64);
        Self { workers: (0..workers).map(worker).collect(), opened: 0, asked: Vec::new() }
    }

    /// What the admin REST was asked since the last call: the worker, and method and path.
    pub fn take_asked(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.asked)
    }

    fn worker(&mut self, conn: FilterConn) -> (&mut NativeFilter, FilterConn) {
        let workers = self.workers.len() as u32;
        (&mut self.workers[(conn.0 % workers) as usize], FilterConn(conn.0 / workers))
    }
}

impl Filter for Fleet {
    fn open(&mut self, now: Now) -> FilterConn {
        let workers = self.workers.len();
        let at = self.opened % workers;
        self.opened += 1;
        FilterConn(self.workers[at].open(now).0 * workers as u32 + at as u32)
    }

    fn downstream(&mut self, conn: FilterConn, bytes: &[u8], now: Now) {
        let (worker, conn) = self.worker(conn);
        worker.downstream(conn, bytes, now);
    }

    fn downstream_end(&mut self, conn: FilterConn, now: Now) {
        let (worker, conn) = self.worker(conn);
        worker.downstream_end(conn, now);
    }

    fn downstream_gone(&mut self, conn: FilterConn, now: Now) {
        let (worker, conn) = self.worker(conn);
        worker.downstream_gone(conn, now);
    }

    fn upstream(&mut self, conn: FilterConn, bytes: &[u8], now: Now) {
        let (worker, conn) = self.worker(conn);
        worker.upstream(conn, bytes, now);
    }

    fn upstream_end(&mut self, conn: FilterConn, now: Now) {
        let (worker, conn) = self.worker(conn);
        worker.upstream_end(conn, now);
    }

    fn take_upstream(&mut self, conn: FilterConn) -> Vec<u8> {
        let (worker, conn) = self.worker(conn);
        worker.take_upstream(conn)
    }

    fn take_downstream(&mut self, conn: FilterConn) -> Vec<u8> {
        let (worker, conn) = self.worker(conn);
        worker.take_downstream(conn)
    }

    fn wants_downstream(&mut self, conn: FilterConn) -> bool {
        let (worker, conn) = self.worker(conn);
        worker.wants_downstream(conn)
    }

    fn is_closed(&mut self, conn: FilterConn) -> bool {
        let (worker, conn) = self.worker(conn);
        worker.is_closed(conn)
    }

    fn poll_http(&mut self) -> Option<(CallToken, HttpRequest)> {
        let workers = self.workers.len() as u64;
        let (at, (call, request)) =
            self.workers.iter_mut().enumerate().find_map(|(at, worker)| Some((at, worker.poll_http()?)))?;
        self.asked.push((at, format!("{} {}", request.method, request.path)));
        Some((CallToken(call.0 * workers + at as u64), request))
    }

    fn http_answer(&mut self, call: CallToken, answer: Option<HttpAnswer>, now: Now) {
        let workers = self.workers.len() as u64;
        self.workers[(call.0 % workers) as usize].http_answer(CallToken(call.0 / workers), answer, now);
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.workers.iter_mut().filter_map(Filter::poll_timeout).min()
    }

    fn handle_timeout(&mut self, now: Now) {
        self.workers.iter_mut().for_each(|worker| worker.handle_timeout(now));
    }

    fn log(&mut self) -> Vec<String> {
        self.workers.iter_mut().flat_map(Filter::log).collect()
    }
}
