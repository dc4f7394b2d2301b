//! One worker: the filter's VM and the connections in it.

use std::path::Path;

use isthmus::time::{Instant, Now};

use super::connection::{BUFFER_LIMIT, ClosedBy, Connection, Life};
use super::host::{Deferred, Host};
use super::http::{HttpCall, HttpToken};
use super::vm::{Code, Trapped, Vm};
use super::{Conn, HostConfig, Level, LoadError, Log, Metric, Violation};
use crate::http::HttpAnswer;

/// What the two sockets of a connection are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Nothing more goes to the broker.
    pub upstream: bool,
    /// Nothing more goes to the client.
    pub downstream: bool,
    /// The connection is over; what `poll_*` still holds is flushed first.
    pub closed: Option<ClosedBy>,
}

/// The filter in one VM, with `failure_policy: FAIL_RELOAD`.
///
/// `downstream*`, `upstream*`, `http_answer` and `handle_timeout` tell it what happened; `poll_upstream`, `poll_downstream`,
/// `poll_http` and `poll_timeout` say what to do about it. Each call into the VM sees the `now` of the method that caused it.
/// A [`Conn`] that is closed ignores what it is told; [`forget`](Self::forget) frees it.
pub struct WasmFilter {
    code: Code,
    /// Always there between two methods.
    state: Option<State>,
    last_conn: u32,
    reload_at: Instant,
    reloads: u32,
}

enum State {
    Live(Box<Vm>),
    /// Trapped: until a new connection reloads it, every event closes its connection.
    Dead(Box<Host>),
}

impl WasmFilter {
    /// Compiles the module at `path` and starts it with `configuration` (JSON).
    pub fn load(path: &Path, configuration: &str, now: Now) -> Result<Self, LoadError> {
        let config = HostConfig { configuration: configuration.to_string(), ..HostConfig::default() };
        Self::start(&Code::from_file(path)?, config, now)
    }

    /// Starts compiled code: first, as Envoy does, a canary VM that is thrown away.
    pub fn start(code: &Code, config: HostConfig, now: Now) -> Result<Self, LoadError> {
        let start = |config| Vm::start(code, Host::new(config, now), now).map_err(|(error, _)| error);
        start(config.clone())?;
        let vm = start(config)?;
        let state = Some(State::Live(Box::new(vm)));
        Ok(Self { code: code.clone(), state, last_conn: 0, reload_at: Instant::default(), reloads: 0 })
    }

    /// A client connected, and so did `tcp_proxy` to the broker. A dead VM is reloaded here, no sooner than its backoff allows; where
    /// it cannot be, the connection is closed at once. `properties` by dotted path, such as `source.address`.
    pub fn new_connection(&mut self, properties: &[(&str, &[u8])], now: Now) -> Conn {
        self.reload(now);
        self.last_conn += 1;
        let conn = Conn(self.last_conn);
        let mut properties: std::collections::BTreeMap<_, _> =
            properties.iter().map(|(path, value)| ((*path).to_string(), value.to_vec())).collect();
        properties.entry("connection.id".to_string()).or_insert(u64::from(conn.0).to_le_bytes().to_vec());
        let host = self.host_at(now);
        host.connections.insert(conn, Connection::new(properties));
        let context = host.add_context(conn);
        if self.call(Some(conn), |vm| vm.on_new_connection(context)) == Some(true) {
            self.host().note(Some(Violation::PausedNewConnection));
            self.close(conn, ClosedBy::Local);
        }
        self.pump();
        conn
    }

    /// The client sent `bytes`: one read each, or as many as Envoy's buffer limit makes of it.
    pub fn downstream(&mut self, conn: Conn, bytes: &[u8], now: Now) {
        if let Some(connection) = self.host_at(now).connections.get_mut(&conn) {
            connection.receive(bytes);
        }
        self.pump();
    }

    /// The client ended its side (FIN).
    pub fn downstream_end(&mut self, conn: Conn, now: Now) {
        if let Some(connection) = self.host_at(now).connections.get_mut(&conn) {
            connection.receive_end();
        }
        self.pump();
    }

    /// The client is gone.
    pub fn downstream_reset(&mut self, conn: Conn, now: Now) {
        self.host_at(now);
        self.close(conn, ClosedBy::Remote);
        self.pump();
    }

    /// The broker sent `bytes`; more than the buffer limit comes in pieces.
    pub fn upstream(&mut self, conn: Conn, bytes: &[u8], now: Now) {
        self.host_at(now);
        for chunk in bytes.chunks(BUFFER_LIMIT) {
            self.upstream_data(conn, chunk, false);
        }
        self.pump();
    }

    /// The broker ended its side (FIN).
    pub fn upstream_end(&mut self, conn: Conn, now: Now) {
        self.host_at(now);
        self.upstream_data(conn, &[], true);
        self.pump();
    }

    /// The broker is gone without a FIN, or was never reached. Envoy tells the filter only that the client is closed.
    pub fn upstream_reset(&mut self, conn: Conn, now: Now) {
        self.host_at(now);
        self.close(conn, ClosedBy::Local);
        self.pump();
    }

    /// The answer to a call, `None` if there was no transport. Answers that nobody waits for are dropped.
    pub fn http_answer(&mut self, token: HttpToken, answer: Option<HttpAnswer>, now: Now) {
        let host = self.host_at(now);
        if !host.http.settle(token) {
            return;
        }
        host.http.answer = answer;
        self.call(None, |vm| vm.on_http_response(token.0));
        self.host().http.answer = None;
        self.pump();
    }

    /// Runs what is due: the tick, and calls past their timeout (answered 504).
    pub fn handle_timeout(&mut self, now: Now) {
        let host = self.host_at(now);
        let overdue = host.http.overdue(now.instant);
        if host.next_tick.is_some_and(|at| at <= now.instant) {
            host.next_tick = None;
            self.call(None, Vm::on_tick);
            self.host().arm_tick();
        }
        for token in overdue {
            self.http_answer(token, Some(HttpAnswer::empty(504)), now);
        }
        self.pump();
    }

    /// When `handle_timeout` has something to do.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        let host = self.host();
        host.next_tick.into_iter().chain(host.http.next_deadline()).min()
    }

    /// Bytes for the broker.
    pub fn poll_upstream(&mut self, conn: Conn) -> Option<Vec<u8>> {
        taken(&mut self.host().connections.get_mut(&conn)?.to_upstream)
    }

    /// Bytes for the client.
    pub fn poll_downstream(&mut self, conn: Conn) -> Option<Vec<u8>> {
        taken(&mut self.host().connections.get_mut(&conn)?.to_downstream)
    }

    /// HTTP calls to route.
    pub fn poll_http(&mut self) -> Option<HttpCall> {
        self.host().http.poll()
    }

    /// Whether the client's socket is to be read: not while what it sent waits, here or before the broker.
    pub fn wants_downstream(&mut self, conn: Conn) -> bool {
        let connection = self.host().connections.get(&conn);
        connection.is_some_and(|c| c.is_open() && c.socket_is_drained() && c.to_upstream.len() < BUFFER_LIMIT)
    }

    /// Whether the broker's socket is to be read: not while the client is slow.
    pub fn wants_upstream(&mut self, conn: Conn) -> bool {
        let connection = self.host().connections.get(&conn);
        connection.is_some_and(|c| c.is_open() && c.to_downstream.len() < BUFFER_LIMIT)
    }

    /// What the sockets of `conn` are to be told. A connection never heard of is closed.
    pub fn ends(&mut self, conn: Conn) -> Ends {
        let Some(connection) = self.host().connections.get(&conn) else {
            return Ends { upstream: true, downstream: true, closed: Some(ClosedBy::Local) };
        };
        let (upstream, downstream) = connection.ends();
        let closed = match connection.life {
            Life::Open => None,
            Life::Closed(by) => Some(by),
        };
        Ends { upstream, downstream, closed }
    }

    /// Frees a closed connection with what was not polled.
    pub fn forget(&mut self, conn: Conn) {
        let connections = &mut self.host().connections;
        if connections.get(&conn).is_some_and(|connection| !connection.is_open()) {
            connections.remove(&conn);
        }
    }

    /// The next line logged.
    pub fn poll_log(&mut self) -> Option<Log> {
        self.host().logs.pop_front()
    }

    /// What the filter did that it must not do, since the last call.
    pub fn take_violations(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.host().violations)
    }

    /// A metric by its name; `None` if it was never defined.
    pub fn metric(&mut self, name: &str) -> Option<Metric> {
        self.host().metrics.all().get(name).cloned()
    }

    /// All metrics, by name.
    pub fn metrics(&mut self) -> Vec<(String, Metric)> {
        self.host().metrics.all().iter().map(|(name, metric)| (name.clone(), metric.clone())).collect()
    }

    /// The VM's linear memory in bytes, 0 while it is dead. It never shrinks.
    pub fn memory_bytes(&self) -> usize {
        match &self.state {
            Some(State::Live(vm)) => vm.memory_bytes(),
            Some(State::Dead(_)) | None => 0,
        }
    }

    /// How often the VM was reloaded.
    pub fn reloads(&self) -> u32 {
        self.reloads
    }

    fn host(&mut self) -> &mut Host {
        match self.state.as_mut().expect("the state is put back by whoever takes it") {
            State::Live(vm) => vm.store.data_mut(),
            State::Dead(host) => host,
        }
    }

    fn host_at(&mut self, now: Now) -> &mut Host {
        let host = self.host();
        host.now = now;
        host
    }

    fn reload(&mut self, now: Now) {
        let dead = match self.state.take() {
            Some(State::Dead(host)) if now.instant >= self.reload_at => host,
            other => {
                self.state = other;
                return;
            }
        };
        self.reload_at = now.instant + dead.config.reload_backoff;
        self.state = Some(match Vm::start(&self.code, *dead, now) {
            Ok(vm) => {
                self.reloads += 1;
                State::Live(Box::new(vm))
            }
            Err((error, mut host)) => {
                host.log(Level::Error, format!("reload: {error}"));
                State::Dead(host)
            }
        });
    }

    /// One call into the VM and what it deferred. A trap kills the VM and closes `conn`; so does any event once the VM is dead.
    fn call<R>(&mut self, conn: Option<Conn>, event: impl FnOnce(&mut Vm) -> Result<R, Trapped>) -> Option<R> {
        let result = match self.state.take() {
            Some(State::Live(mut vm)) => match event(&mut vm) {
                Ok(result) => {
                    self.state = Some(State::Live(vm));
                    Some(result)
                }
                Err(Trapped) => {
                    let mut host = vm.into_host();
                    host.note(Some(Violation::Trapped));
                    self.state = Some(State::Dead(Box::new(host)));
                    None
                }
            },
            other => {
                self.state = other;
                None
            }
        };
        if result.is_some() {
            self.run_deferred();
        } else if let Some(conn) = conn {
            self.close(conn, ClosedBy::Local);
        }
        result
    }

    fn run_deferred(&mut self) {
        while let Some(action) = self.host().deferred.pop_front() {
            match action {
                Deferred::Continue(conn) => {
                    self.with(conn, Connection::continue_reading);
                    self.close_if_both_ended(conn, ClosedBy::Remote);
                }
                Deferred::Close(conn) => self.close(conn, ClosedBy::Local),
            }
        }
    }

    /// Reads on wherever a socket has bytes and its connection takes them.
    fn pump(&mut self) {
        let conns: Vec<Conn> = self.host().connections.keys().copied().collect();
        for conn in conns {
            while let Some((size, ends)) = self.host().connections.get_mut(&conn).and_then(Connection::read) {
                let Some(paused) = self.stream_call(conn, |vm, context| vm.on_downstream_data(context, size, ends))
                else {
                    break;
                };
                self.with(conn, |connection| connection.after_read(paused));
                self.close_if_both_ended(conn, ClosedBy::Remote);
            }
        }
    }

    fn upstream_data(&mut self, conn: Conn, bytes: &[u8], ended: bool) {
        let received = self.host().connections.get_mut(&conn).and_then(|c| c.receive_upstream(bytes, ended));
        let Some((size, ends)) = received else { return };
        let called = self.stream_call(conn, |vm, context| vm.on_upstream_data(context, size, ends));
        let Some(paused) = called else { return };
        self.with(conn, |connection| connection.after_upstream(paused));
        if ends && self.host().connections.get(&conn).is_some_and(Connection::is_open) {
            self.stream_call(conn, |vm, context| vm.on_upstream_close(context));
        }
        self.close_if_both_ended(conn, ClosedBy::Local);
    }

    /// A call on the context of `conn`. A connection whose VM died is closed by its next event.
    fn stream_call<R>(&mut self, conn: Conn, event: impl FnOnce(&mut Vm, u32) -> Result<R, Trapped>) -> Option<R> {
        match self.host().connections.get(&conn).and_then(|connection| connection.context) {
            Some(context) => self.call(Some(conn), |vm| event(vm, context)),
            None => {
                self.close(conn, ClosedBy::Local);
                None
            }
        }
    }

    fn with(&mut self, conn: Conn, act: impl FnOnce(&mut Connection) -> Option<Violation>) {
        let host = self.host();
        if let Some(connection) = host.connections.get_mut(&conn) {
            let violation = act(connection);
            host.note(violation);
        }
    }

    fn close_if_both_ended(&mut self, conn: Conn, by: ClosedBy) {
        if self.host().connections.get(&conn).is_some_and(|c| c.is_open() && c.both_ended()) {
            self.close(conn, by);
        }
    }

    fn close(&mut self, conn: Conn, by: ClosedBy) {
        let Some(connection) = self.host().connections.get_mut(&conn).filter(|c| c.is_open()) else { return };
        let context = connection.context;
        self.with(conn, |connection| connection.close(by));
        if let Some(context) = context {
            self.call(None, |vm| vm.on_downstream_close(context, by as u32));
            self.host().remove_context(context);
        }
    }
}

fn taken(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    (!bytes.is_empty()).then(|| std::mem::take(bytes))
}
