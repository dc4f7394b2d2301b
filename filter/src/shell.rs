//! The only module that knows proxy-wasm: Envoy's callbacks in, hostcalls out.
//!
//! What the host allows decides the order of things here:
//! - Bytes from the client are always drained and the callback answered with Pause: only then may any later callback put bytes for the
//!   broker into that buffer and resume. At the end of the stream the answer is Continue.
//! - Bytes for the client leave only while bytes from the broker are handled.
//! - A connection is closed from a tick, never in a callback that hands over bytes: they would be lost.
//! - A client that must be held back keeps its bytes in the host's buffer; nothing is injected while any are left there.
//!
//! The SDK's wrappers panic on a status they do not expect, and a panic kills the worker's VM; the calls here return it.
#![allow(unsafe_code)]

mod calls;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proxy_wasm::hostcalls as sdk;
use proxy_wasm::traits::{Context, RootContext, StreamContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, PeerType};

use crate::config::{Config, HostPort};
use crate::error::AdminError;
use crate::ids::ConnectionId;
use crate::session::admin::{CallId, HttpReply, HttpRequest};
use crate::session::io::Endpoints;
use crate::time::{Instant, Now, UnixMillis};
use crate::worker::Worker;
use crate::worker::lag;
use crate::worker::log::Level;
use crate::worker::metrics::{Kind, definitions};

/// The host's timer is set to the next deadline, but is no finer than this.
const MIN_TICK: Duration = Duration::from_millis(1);

/// How often counters go to the host, and the longest time between two ticks.
const METRICS_EVERY: Duration = Duration::from_secs(1);

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|id| Box::new(Root { id }));
}}

thread_local! {
    /// One worker for each configuration that uses this VM.
    static ROOTS: RefCell<BTreeMap<u32, Host>> = const { RefCell::new(BTreeMap::new()) };
}

/// A worker and what the host needs beside it.
struct Host {
    worker: Worker,
    admin_cluster: String,
    admin_token: Option<String>,
    calls: BTreeMap<u32, (ConnectionId, CallId)>,
    /// Connections to be closed from the next tick.
    closing: BTreeSet<ConnectionId>,
    /// Connections whose client's bytes wait in the host's buffer.
    held_back: BTreeSet<ConnectionId>,
    metric_ids: Vec<u32>,
    metrics_due: Instant,
    gauges: Gauges,
    tick: Tick,
    spare: Vec<u8>,
    latest: Instant,
}

/// The host's timer: it fires when it is due, and again after each period until the period is changed.
struct Tick {
    period: Duration,
    due: Instant,
}

/// Gauges that are defined while the filter runs, by name; whoever names them bounds their number.
#[derive(Default)]
struct Gauges(BTreeMap<String, u32>);

impl Gauges {
    fn id(&mut self, name: &str) -> u32 {
        match self.0.get(name) {
            Some(id) => *id,
            None => {
                let id = calls::define_metric(Kind::Gauge, name);
                self.0.insert(name.to_owned(), id);
                id
            }
        }
    }
}

impl lag::Gauges for Gauges {
    fn set(&mut self, name: &str, value: u64) {
        calls::record_metric(self.id(name), value);
    }

    fn get(&mut self, name: &str) -> u64 {
        calls::get_metric(self.id(name))
    }
}

fn with_host(root: u32, f: impl FnOnce(&mut Host)) {
    ROOTS.with(|roots| {
        if let Ok(mut roots) = roots.try_borrow_mut()
            && let Some(host) = roots.get_mut(&root)
        {
            f(host);
        }
    });
}

struct Root {
    id: u32,
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, _: usize, body_bytes: usize, _: usize) {
        with_host(self.id, |host| host.on_http_response(token, body_bytes));
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let json = sdk::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX).ok().flatten().unwrap_or_default();
        let config = match Config::from_json(&json) {
            Ok(config) => config,
            Err(error) => {
                calls::log(LogLevel::Critical, &format!("isthmus is not loaded: {error}"));
                return false;
            }
        };
        let host = Host {
            admin_cluster: config.admin_cluster.clone(),
            admin_token: config.admin_token.as_ref().map(|token| token.expose().to_owned()),
            worker: Worker::new(config, calls::random()),
            calls: BTreeMap::new(),
            closing: BTreeSet::new(),
            held_back: BTreeSet::new(),
            metric_ids: definitions().iter().map(|(kind, name)| calls::define_metric(*kind, name)).collect(),
            metrics_due: Instant::default(),
            gauges: Gauges::default(),
            tick: Tick { period: MIN_TICK, due: Instant::default() },
            spare: Vec::new(),
            latest: Instant::default(),
        };
        ROOTS.with(|roots| {
            if let Ok(mut roots) = roots.try_borrow_mut() {
                roots.insert(self.id, host);
            }
        });
        calls::set_tick_period(MIN_TICK);
        true
    }

    fn on_tick(&mut self) {
        with_host(self.id, Host::on_tick);
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::StreamContext)
    }

    fn create_stream_context(&self, id: u32) -> Option<Box<dyn StreamContext>> {
        Some(Box::new(Stream { root: self.id, id: ConnectionId(id) }))
    }
}

struct Stream {
    root: u32,
    id: ConnectionId,
}

impl Context for Stream {
    fn on_http_call_response(&mut self, token: u32, _: usize, body_bytes: usize, _: usize) {
        with_host(self.root, |host| host.on_http_response(token, body_bytes));
    }
}

impl StreamContext for Stream {
    fn on_new_connection(&mut self) -> Action {
        with_host(self.root, |host| host.on_open(self.id));
        Action::Continue
    }

    fn on_downstream_data(&mut self, length: usize, end_of_stream: bool) -> Action {
        with_host(self.root, |host| host.on_downstream(self.id, length, end_of_stream));
        if end_of_stream { Action::Continue } else { Action::Pause }
    }

    fn on_upstream_data(&mut self, length: usize, _: bool) -> Action {
        with_host(self.root, |host| host.on_upstream(self.id, length));
        Action::Continue
    }

    fn on_downstream_close(&mut self, _: PeerType) {
        with_host(self.root, |host| host.on_close(self.id));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        with_host(self.root, |host| host.on_close(self.id));
    }
}

impl Host {
    /// The host's clock is the wall clock; for deadlines it never runs backwards here.
    fn now(&mut self) -> Now {
        let nanos = calls::wall_clock_nanos();
        self.latest = self.latest.max(Instant::from_nanos(nanos));
        Now { instant: self.latest, unix: UnixMillis(i64::try_from(nanos / 1_000_000).unwrap_or(0)) }
    }

    fn on_open(&mut self, id: ConnectionId) {
        let now = self.now();
        let endpoints = Endpoints { reached: address_of("destination"), peer: address_of("source") };
        if !self.worker.on_open(id, endpoints, now) {
            self.closing.insert(id);
        }
        self.write_log();
        self.hasten_tick(now);
    }

    fn on_downstream(&mut self, id: ConnectionId, length: usize, end_of_stream: bool) {
        let now = self.now();
        if end_of_stream {
            if let Some(chunk) = calls::buffer(BufferType::DownstreamData, length) {
                self.worker.on_downstream(id, chunk, now);
            }
            // Whatever was put into the buffer goes out with the end of the stream; after it nothing may.
            let bytes = self.worker.take_upstream(id, Vec::new());
            calls::replace(BufferType::DownstreamData, &bytes);
            self.worker.on_half_close(id, now);
            self.held_back.remove(&id);
        } else if self.worker.is_full(id) {
            self.held_back.insert(id);
        } else {
            self.take_in(id, now);
        }
        self.after(id, now);
    }

    /// Drains the client's buffer into the session.
    fn take_in(&mut self, id: ConnectionId, now: Now) {
        self.held_back.remove(&id);
        if let Some(chunk) = calls::buffer(BufferType::DownstreamData, usize::MAX)
            && !chunk.is_empty()
        {
            calls::replace(BufferType::DownstreamData, &[]);
            self.worker.on_downstream(id, chunk, now);
        }
    }

    fn on_upstream(&mut self, id: ConnectionId, length: usize) {
        let now = self.now();
        if let Some(chunk) = calls::buffer(BufferType::UpstreamData, length) {
            self.worker.on_upstream(id, chunk, now);
        }
        let mut segments = Vec::new();
        self.worker.take_downstream(id, &mut segments, now);
        if self.held_back.contains(&id) && !self.worker.is_full(id) {
            self.take_in(id, now);
            self.worker.take_downstream(id, &mut segments, now);
        }
        calls::replace(BufferType::UpstreamData, &[]);
        for segment in &segments {
            calls::append(BufferType::UpstreamData, segment);
        }
        self.after(id, now);
    }

    fn on_http_response(&mut self, token: u32, body_bytes: usize) {
        let Some((id, call)) = self.calls.remove(&token) else { return };
        let now = self.now();
        let reply = match calls::http_status() {
            Some(status) => {
                let body = calls::buffer(BufferType::HttpCallResponseBody, body_bytes).unwrap_or_default();
                Ok(HttpReply { status, body })
            }
            None => Err(AdminError::Unreachable),
        };
        self.worker.on_admin(id, call, reply, now);
        if calls::set_effective_context(id.0) {
            self.after(id, now);
        }
    }

    fn on_tick(&mut self) {
        let now = self.now();
        for id in std::mem::take(&mut self.closing) {
            if calls::set_effective_context(id.0) {
                calls::close_downstream();
            }
        }
        for id in self.worker.on_time(now) {
            if calls::set_effective_context(id.0) {
                self.after(id, now);
            }
        }
        if self.metrics_due <= now.instant {
            self.metrics_due = now.instant + METRICS_EVERY;
            self.write_metrics();
        }
        self.write_log();
        let period = self.until_due(now);
        if period != self.tick.period {
            calls::set_tick_period(period);
        }
        self.tick = Tick { period, due: now.instant + period };
    }

    /// Sets the timer to an earlier time, if something is due by then that the last tick did not know of.
    fn hasten_tick(&mut self, now: Now) {
        let period = self.until_due(now);
        if now.instant + period + MIN_TICK < self.tick.due {
            calls::set_tick_period(period);
            self.tick = Tick { period, due: now.instant + period };
        }
    }

    /// How long it is until a tick has something to do, in whole milliseconds.
    fn until_due(&self, now: Now) -> Duration {
        if !self.closing.is_empty() {
            return MIN_TICK;
        }
        let due = self.worker.next_deadline().map_or(self.metrics_due, |deadline| deadline.min(self.metrics_due));
        let millis = due.since(now.instant).as_millis().saturating_add(1);
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)).clamp(MIN_TICK, METRICS_EVERY)
    }

    fn on_close(&mut self, id: ConnectionId) {
        let now = self.now();
        self.closing.remove(&id);
        self.held_back.remove(&id);
        self.worker.on_close(id, now);
        self.drain_touched(now);
        self.write_log();
        self.hasten_tick(now);
    }

    /// Carries out what a connection asks for, and then what its event gave others to do. The effective context is that connection's.
    fn after(&mut self, id: ConnectionId, now: Now) {
        self.drain(id, now);
        if self.drain_touched(now) {
            calls::set_effective_context(id.0);
        }
        self.write_log();
        self.hasten_tick(now);
    }

    /// Whether there were any.
    fn drain_touched(&mut self, now: Now) -> bool {
        let mut any = false;
        loop {
            let touched = self.worker.take_touched();
            if touched.is_empty() {
                return any;
            }
            any = true;
            for id in touched {
                if calls::set_effective_context(id.0) {
                    self.drain(id, now);
                }
            }
        }
    }

    fn drain(&mut self, id: ConnectionId, now: Now) {
        self.send_upstream(id, now);
        // A call that cannot be made is answered at once, and there may be something to send then.
        while self.call_admin(id, now) {
            self.send_upstream(id, now);
        }
        if self.worker.wants_close(id) {
            self.closing.insert(id);
        }
    }

    fn send_upstream(&mut self, id: ConnectionId, now: Now) {
        while self.worker.has_upstream(id) {
            if self.held_back.contains(&id) {
                // Resuming would forward the client's own bytes: they come in first, even over the bound.
                self.take_in(id, now);
            }
            let bytes = self.worker.take_upstream(id, std::mem::take(&mut self.spare));
            calls::replace(BufferType::DownstreamData, &bytes);
            calls::resume_downstream();
            self.spare = bytes;
            self.spare.clear();
            const MAX_SPARE_BYTES: usize = 2 * 1024 * 1024;
            self.spare.shrink_to(MAX_SPARE_BYTES);
        }
    }

    /// Makes the calls that the connection wants; whether one was answered at once.
    fn call_admin(&mut self, id: ConnectionId, now: Now) -> bool {
        let mut any_answered = false;
        while let Some((call, request)) = self.worker.poll_admin(id) {
            match self.dispatch(&request) {
                Some(token) => {
                    self.calls.insert(token, (id, call));
                }
                None => {
                    let configured = !self.admin_cluster.is_empty();
                    let error = if configured { AdminError::Unreachable } else { AdminError::NotConfigured };
                    self.worker.on_admin(id, call, Err(error), now);
                    any_answered = true;
                }
            }
        }
        any_answered
    }

    fn dispatch(&self, request: &HttpRequest) -> Option<u32> {
        if self.admin_cluster.is_empty() {
            return None;
        }
        let authorization = self.admin_token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = vec![
            (":method", request.method.as_str()),
            (":path", request.path.as_str()),
            (":authority", self.admin_cluster.as_str()),
        ];
        if let Some(authorization) = &authorization {
            headers.push(("authorization", authorization));
        }
        let body = request.body.as_ref().map(|(content_type, body)| {
            headers.push(("content-type", content_type));
            body.as_ref()
        });
        let dispatched = sdk::dispatch_http_call(&self.admin_cluster, headers, body, vec![], request.timeout);
        if let Err(status) = &dispatched {
            let (method, path) = (request.method.as_str(), &request.path);
            calls::log(
                LogLevel::Warn,
                &format!("{method} {path} was not sent to '{}': {status:?}", self.admin_cluster),
            );
        }
        dispatched.ok()
    }

    fn write_log(&mut self) {
        for (level, line) in self.worker.drain_log() {
            let level = match level {
                Level::Debug => LogLevel::Debug,
                Level::Info => LogLevel::Info,
                Level::Warn => LogLevel::Warn,
                Level::Error => LogLevel::Error,
            };
            calls::log(level, &line);
        }
    }

    fn write_metrics(&mut self) {
        self.worker.write_lag(&mut self.gauges);
        let ids = &self.metric_ids;
        self.worker.shared().metrics.drain(|series, kind, value| {
            let Some(id) = ids.get(series.0) else { return };
            match kind {
                Kind::Counter | Kind::Gauge => calls::increment_metric(*id, value),
                Kind::Histogram => calls::record_metric(*id, value.unsigned_abs()),
            }
        });
    }
}

/// The address of one end of the current connection, if the host knows it.
fn address_of(end: &str) -> Option<HostPort> {
    let address = sdk::get_property(vec![end, "address"]).ok().flatten()?;
    String::from_utf8(address).ok()?.parse().ok()
}
