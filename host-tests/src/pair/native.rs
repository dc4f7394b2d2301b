//! The worker itself, driven as the Envoy shell drives it: clients are reached only while broker bytes are handled.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use isthmus::config::{Config, HostPort};
use isthmus::error::AdminError;
use isthmus::ids::ConnectionId;
use isthmus::session::admin::{CallId, HttpReply};
use isthmus::session::io::Endpoints;
use isthmus::time::{Instant, Now};
use isthmus::worker::Worker;

use super::filter::{CallToken, Filter, FilterConn, LeftOver};
use crate::http::{HttpAnswer, HttpRequest};

/// How often the shell looks at deadlines.
const TICK: Duration = Duration::from_millis(10);

/// One worker and the buffers that Envoy would keep for it.
pub struct NativeFilter {
    worker: Worker,
    reached: Option<HostPort>,
    sides: BTreeMap<FilterConn, Side>,
    calls: BTreeMap<CallToken, (FilterConn, CallId)>,
    queued: Vec<(CallToken, HttpRequest)>,
    last_conn: u32,
    last_call: u64,
    next_tick: Instant,
    reloads: Option<(Instant, Config)>,
    log: Vec<String>,
}

#[derive(Default)]
struct Side {
    /// Client bytes that wait because the session is full.
    held: Vec<u8>,
    to_upstream: Vec<u8>,
    to_downstream: Vec<u8>,
    /// To be closed at the next timeout.
    closing: bool,
    closed: bool,
}

impl NativeFilter {
    /// A worker with `config`; clients reach it at `127.0.0.1:9092`.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            worker: Worker::new(config, seed),
            reached: "127.0.0.1:9092".parse().ok(),
            sides: BTreeMap::new(),
            calls: BTreeMap::new(),
            queued: Vec::new(),
            last_conn: 0,
            last_call: 0,
            next_tick: Instant::default(),
            reloads: None,
            log: Vec::new(),
        }
    }

    /// At this time the filter is loaded anew: all connections end, and nothing is remembered.
    pub fn reload_at(&mut self, at: Instant, config: Config) {
        self.reloads = Some((at, config));
    }

    fn reload(&mut self, now: Now) {
        let Some((_, config)) = self.reloads.take_if(|(at, _)| *at <= now.instant) else { return };
        for conn in self.sides.keys().copied().collect::<Vec<_>>() {
            self.close(conn, now);
        }
        const SEED: u64 = 8;
        self.worker = Worker::new(config, SEED);
    }

    /// The worker, to look into.
    pub fn worker(&mut self) -> &mut Worker {
        &mut self.worker
    }

    fn take_in(&mut self, conn: FilterConn, now: Now) {
        let Some(side) = self.sides.get_mut(&conn) else { return };
        if !side.held.is_empty() {
            let held = std::mem::take(&mut side.held);
            self.worker.on_downstream(ConnectionId(conn.0), held.into(), now);
        }
    }

    /// Carries out what the worker asks for on one connection, and on those that its event gave something to do.
    fn after(&mut self, conn: FilterConn, now: Now) {
        self.drain(conn, now);
        loop {
            let touched = self.worker.take_touched();
            if touched.is_empty() {
                return;
            }
            for id in touched {
                self.drain(FilterConn(id.0), now);
            }
        }
    }

    fn drain(&mut self, conn: FilterConn, now: Now) {
        let id = ConnectionId(conn.0);
        if self.worker.shared().config.admin_cluster.is_empty() {
            while let Some((call, _)) = self.worker.poll_admin(id) {
                self.worker.on_admin(id, call, Err(AdminError::NotConfigured), now);
            }
        }
        while self.worker.has_upstream(id) {
            self.take_in(conn, now);
            let bytes = self.worker.take_upstream(id, Vec::new());
            if let Some(side) = self.sides.get_mut(&conn) {
                side.to_upstream.extend_from_slice(&bytes);
            }
        }
        while let Some((call, request)) = self.worker.poll_admin(id) {
            self.last_call += 1;
            let token = CallToken(self.last_call);
            self.calls.insert(token, (conn, call));
            let (content_type, body) = request.body.map_or((None, Bytes::new()), |(kind, body)| (Some(kind), body));
            let headers = content_type.map(|kind| ("content-type".to_string(), kind.to_string())).into_iter().collect();
            let method = request.method.as_str().to_string();
            self.queued.push((token, HttpRequest { method, path: request.path, headers, body: body.to_vec() }));
        }
        if self.worker.wants_close(id)
            && let Some(side) = self.sides.get_mut(&conn)
        {
            side.closing = true;
        }
        self.log.extend(self.worker.drain_log().into_iter().map(|(_, line)| line));
    }

    fn close(&mut self, conn: FilterConn, now: Now) {
        if let Some(side) = self.sides.get_mut(&conn).filter(|side| !side.closed) {
            side.closed = true;
            side.held.clear();
            self.worker.on_close(ConnectionId(conn.0), now);
            self.after(conn, now);
        }
    }
}

impl Filter for NativeFilter {
    fn open(&mut self, now: Now) -> FilterConn {
        self.last_conn += 1;
        let conn = FilterConn(self.last_conn);
        let accepted =
            self.worker.on_open(ConnectionId(conn.0), Endpoints { reached: self.reached.clone(), peer: None }, now);
        self.sides.insert(conn, Side { closing: !accepted, ..Side::default() });
        conn
    }

    fn downstream(&mut self, conn: FilterConn, bytes: &[u8], now: Now) {
        let Some(side) = self.sides.get_mut(&conn).filter(|side| !side.closed) else { return };
        side.held.extend_from_slice(bytes);
        if !self.worker.is_full(ConnectionId(conn.0)) {
            self.take_in(conn, now);
        }
        self.after(conn, now);
    }

    fn downstream_end(&mut self, conn: FilterConn, now: Now) {
        self.take_in(conn, now);
        self.after(conn, now);
        self.worker.on_half_close(ConnectionId(conn.0), now);
        self.after(conn, now);
    }

    fn downstream_gone(&mut self, conn: FilterConn, now: Now) {
        self.close(conn, now);
    }

    fn upstream(&mut self, conn: FilterConn, bytes: &[u8], now: Now) {
        if self.is_closed(conn) {
            return;
        }
        let id = ConnectionId(conn.0);
        let mut segments = Vec::new();
        self.worker.on_upstream(id, Bytes::copy_from_slice(bytes), now);
        self.worker.take_downstream(id, &mut segments, now);
        if !self.worker.is_full(id) {
            self.take_in(conn, now);
            self.worker.take_downstream(id, &mut segments, now);
        }
        if let Some(side) = self.sides.get_mut(&conn) {
            side.to_downstream.extend(segments.iter().flatten());
        }
        self.after(conn, now);
    }

    /// Envoy tells the filter of it only by closing.
    fn upstream_end(&mut self, conn: FilterConn, now: Now) {
        self.close(conn, now);
    }

    fn take_upstream(&mut self, conn: FilterConn) -> Vec<u8> {
        self.sides.get_mut(&conn).map(|side| std::mem::take(&mut side.to_upstream)).unwrap_or_default()
    }

    fn take_downstream(&mut self, conn: FilterConn) -> Vec<u8> {
        self.sides.get_mut(&conn).map(|side| std::mem::take(&mut side.to_downstream)).unwrap_or_default()
    }

    fn wants_downstream(&mut self, conn: FilterConn) -> bool {
        self.sides.get(&conn).is_some_and(|side| !side.closed && side.held.is_empty())
    }

    fn is_closed(&mut self, conn: FilterConn) -> bool {
        self.sides.get(&conn).is_none_or(|side| side.closed)
    }

    fn poll_http(&mut self) -> Option<(CallToken, HttpRequest)> {
        self.queued.pop()
    }

    fn http_answer(&mut self, call: CallToken, answer: Option<HttpAnswer>, now: Now) {
        let Some((conn, id)) = self.calls.remove(&call) else { return };
        let reply = match answer {
            Some(answer) => Ok(HttpReply { status: answer.status, body: answer.body.into() }),
            None => Err(AdminError::Unreachable),
        };
        self.worker.on_admin(ConnectionId(conn.0), id, reply, now);
        self.after(conn, now);
    }

    /// The next tick that has something to do: the shell's ticks are no finer.
    fn poll_timeout(&mut self) -> Option<Instant> {
        let closes = self.sides.values().any(|side| side.closing && !side.closed).then(Instant::default);
        let reloads = self.reloads.as_ref().map(|(at, _)| *at);
        let due = closes.into_iter().chain(self.worker.next_deadline()).chain(reloads).min()?;
        Some(due.max(self.next_tick))
    }

    fn handle_timeout(&mut self, now: Now) {
        if now.instant < self.next_tick {
            return;
        }
        self.next_tick = now.instant + TICK;
        self.reload(now);
        let closing = self.sides.iter().filter(|(_, side)| side.closing && !side.closed).map(|(conn, _)| *conn);
        for conn in closing.collect::<Vec<_>>() {
            self.close(conn, now);
        }
        for id in self.worker.on_time(now) {
            self.after(FilterConn(id.0), now);
        }
        let next = self.worker.next_deadline();
        assert!(next.is_none_or(|next| next > now.instant), "everything due was done, and {next:?} is due at {now:?}");
    }

    fn log(&mut self) -> Vec<String> {
        self.log.extend(self.worker.drain_log().into_iter().map(|(_, line)| line));
        std::mem::take(&mut self.log)
    }

    fn left_over(&mut self) -> Option<LeftOver> {
        let mut left = LeftOver { held_budget: self.worker.shared().held.used(), ..LeftOver::default() };
        for id in self.worker.connections().collect::<Vec<_>>() {
            if let Some(session) = self.worker.session(id) {
                left.open_work += session.open_work();
                left.buffered_bytes += session.buffered_bytes();
            }
        }
        Some(left)
    }
}
