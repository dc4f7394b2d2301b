//! What the guest's imports act on: contexts, connections, deferred actions, the outside world.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use isthmus::time::{Instant, Now};
use wasmtime::{Memory, StoreLimits, StoreLimitsBuilder, TypedFunc};

use super::connection::Connection;
use super::http::HttpCalls;
use super::metrics::Metrics;
use super::status::Status;
use super::{Conn, HostConfig, Level, Log, Violation};

/// The only root context of the VM.
pub(super) const ROOT_CONTEXT: u32 = 1;

/// Envoy's linear memory cap per VM (`PROXY_WASM_HOST_MAX_WASM_MEMORY_SIZE_BYTES`).
const MEMORY_LIMIT: usize = 1 << 30;

/// What a hostcall asked for and Envoy does when the current call into the VM returns.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deferred {
    Continue(Conn),
    Close(Conn),
}

/// Buffers of the ABI that this host knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BufferKind {
    Downstream,
    Upstream,
    HttpCallBody,
    VmConfiguration,
    PluginConfiguration,
}

impl BufferKind {
    pub(super) fn from_abi(kind: u32) -> Option<Self> {
        match kind {
            2 => Some(Self::Downstream),
            3 => Some(Self::Upstream),
            4 => Some(Self::HttpCallBody),
            6 => Some(Self::VmConfiguration),
            7 => Some(Self::PluginConfiguration),
            _ => None,
        }
    }
}

/// How the host reaches into the guest to hand it bytes.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) memory: Memory,
    pub(super) allocate: TypedFunc<u32, u32>,
}

pub(super) struct Host {
    pub(super) config: HostConfig,
    pub(super) now: Now,
    pub(super) guest: Option<Guest>,
    pub(super) limits: StoreLimits,
    pub(super) connections: BTreeMap<Conn, Connection>,
    contexts: BTreeMap<u32, Conn>,
    last_context: u32,
    pub(super) current: u32,
    pub(super) effective: Option<u32>,
    pub(super) deferred: VecDeque<Deferred>,
    pub(super) configuring: bool,
    tick_period: Option<Duration>,
    pub(super) next_tick: Option<Instant>,
    pub(super) http: HttpCalls,
    pub(super) metrics: Metrics,
    pub(super) logs: VecDeque<Log>,
    pub(super) violations: Vec<Violation>,
    random: u64,
}

impl Host {
    pub(super) fn new(config: HostConfig, now: Now) -> Self {
        Self {
            random: config.random_seed,
            config,
            now,
            guest: None,
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_LIMIT).build(),
            connections: BTreeMap::new(),
            contexts: BTreeMap::new(),
            last_context: ROOT_CONTEXT,
            current: 0,
            effective: None,
            deferred: VecDeque::new(),
            configuring: false,
            tick_period: None,
            next_tick: None,
            http: HttpCalls::default(),
            metrics: Metrics::default(),
            logs: VecDeque::new(),
            violations: Vec::new(),
        }
    }

    /// The VM is gone with its contexts, timers and calls; connections, stats and logs are Envoy's and stay.
    pub(super) fn forget_vm(&mut self) {
        self.guest = None;
        self.contexts.clear();
        self.last_context = ROOT_CONTEXT;
        self.deferred.clear();
        self.tick_period = None;
        self.next_tick = None;
        self.http.forget();
        for connection in self.connections.values_mut() {
            connection.context = None;
        }
    }

    // Contexts.

    /// A fresh stream context for `conn`. Ids only grow while their VM lives.
    pub(super) fn add_context(&mut self, conn: Conn) -> u32 {
        self.last_context += 1;
        self.contexts.insert(self.last_context, conn);
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.context = Some(self.last_context);
        }
        self.last_context
    }

    pub(super) fn remove_context(&mut self, context: u32) {
        if let Some(conn) = self.contexts.remove(&context)
            && let Some(connection) = self.connections.get_mut(&conn)
        {
            connection.context = None;
        }
    }

    /// Until the current call returns, hostcalls act on `context`.
    pub(super) fn set_effective_context(&mut self, context: u32) -> Result<(), Status> {
        if context != ROOT_CONTEXT && !self.contexts.contains_key(&context) {
            return Err(Status::BadArgument);
        }
        self.effective = Some(context);
        Ok(())
    }

    /// The connection that a hostcall means; none on the root context. An effective context that vanished falls back to the
    /// current one, silently, as Envoy does.
    pub(super) fn conn(&self) -> Option<Conn> {
        let known = |context: &u32| *context == ROOT_CONTEXT || self.contexts.contains_key(context);
        let context = self.effective.filter(known).unwrap_or(self.current);
        self.contexts.get(&context).copied()
    }

    pub(super) fn connection(&mut self) -> Option<&mut Connection> {
        let conn = self.conn()?;
        self.connections.get_mut(&conn)
    }

    // Buffers.

    /// A buffer that is not there now reads as empty; `None` for one that TCP has not.
    pub(super) fn buffer(&mut self, kind: u32) -> Option<&[u8]> {
        let bytes: Option<&[u8]> = match BufferKind::from_abi(kind)? {
            BufferKind::Downstream => self.connection().and_then(|c| c.downstream_buffer()),
            BufferKind::Upstream => self.connection().and_then(|c| c.upstream_buffer()),
            BufferKind::HttpCallBody => self.http.answer.as_ref().map(|answer| answer.body.as_slice()),
            BufferKind::PluginConfiguration if self.configuring => Some(self.config.configuration.as_bytes()),
            BufferKind::VmConfiguration | BufferKind::PluginConfiguration => None,
        };
        Some(bytes.unwrap_or_default())
    }

    pub(super) fn write_buffer(&mut self, kind: u32, start: usize, length: usize, data: &[u8]) -> Result<(), Status> {
        let Some(kind) = BufferKind::from_abi(kind) else { return Err(Status::NotFound) };
        match (kind, self.connection()) {
            (BufferKind::Downstream, Some(connection)) => connection.write_downstream_buffer(start, length, data),
            (BufferKind::Upstream, Some(connection)) => connection.write_upstream_buffer(start, length, data),
            _ => Err(Status::BadArgument),
        }
    }

    // Streams: both act once the current call has returned. On the root context they do nothing.

    pub(super) fn continue_downstream(&mut self) {
        self.deferred.extend(self.conn().map(Deferred::Continue));
    }

    pub(super) fn close(&mut self) {
        self.deferred.extend(self.conn().map(Deferred::Close));
    }

    // Time.

    /// Envoy makes a new one-shot timer at each call; 0 ms is none.
    pub(super) fn set_tick_period(&mut self, period_ms: u32) {
        self.tick_period = (period_ms > 0).then(|| Duration::from_millis(period_ms.into()));
        self.arm_tick();
    }

    pub(super) fn arm_tick(&mut self) {
        self.next_tick = self.tick_period.map(|period| self.now.instant + period);
    }

    // The rest.

    pub(super) fn property(&mut self, path: &[u8]) -> Result<Vec<u8>, Status> {
        let path = String::from_utf8_lossy(path).trim_end_matches('\0').replace('\0', ".");
        let of_plugin = match path.as_str() {
            "plugin_name" | "plugin_root_id" | "plugin_vm_id" => Some(b"isthmus".to_vec()),
            _ => None,
        };
        let of_connection = |host: &mut Self| host.connection()?.properties.get(&path).cloned();
        of_plugin.or_else(|| of_connection(self)).ok_or(Status::NotFound)
    }

    /// Every run with one seed draws the same bytes.
    pub(super) fn random_bytes(&mut self, count: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| crate::draw(&mut self.random).to_le_bytes());
        words.take(count.div_ceil(8)).flatten().take(count).collect()
    }

    pub(super) fn log(&mut self, level: Level, text: String) {
        if level >= self.config.log_level {
            self.logs.push_back(Log { at: self.now.instant, level, text });
        }
    }

    pub(super) fn note(&mut self, violation: Option<Violation>) {
        self.violations.extend(violation);
    }

    /// A hostcall that Envoy refuses: the SDK's wrappers panic on most of these.
    pub(super) fn refused(&mut self, call: &'static str, status: Status) -> Status {
        if !matches!(status, Status::Ok | Status::NotFound) {
            self.violations.push(Violation::Refused { call, status });
        }
        status
    }
}
