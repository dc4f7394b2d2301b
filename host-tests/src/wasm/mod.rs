//! A host for the real module, without Envoy: `isthmus.wasm` runs in wasmtime under the rules Envoy was seen to follow.
//!
//! [`WasmFilter`] is one worker: one VM and the connections in it. It does no I/O and reads no clock; bytes, time and HTTP answers
//! come in by method, and leave by `poll_*`. What it keeps of Envoy, and what it leaves out, stands in `docs/host-harness.md`.

mod artifact;
mod buffer;
mod connection;
mod filter;
mod host;
mod http;
mod imports;
mod metrics;
mod pairs;
mod status;
mod vm;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use isthmus::time::Instant;

pub use artifact::module;
pub use connection::{BUFFER_LIMIT, ClosedBy};
pub use filter::{Ends, WasmFilter};
pub use http::{HttpCall, HttpToken};
pub use metrics::Metric;
pub use status::Status;
pub use vm::Code;

/// Names a client connection, across every reload of the VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn(pub u32);

/// How the plugin is configured.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The plugin's `configuration`: JSON, as Envoy hands it over.
    pub configuration: String,
    /// Envoy clusters that HTTP calls reach.
    pub clusters: Vec<String>,
    /// What `random_get` draws from; one seed, one sequence.
    pub random_seed: u64,
    /// Lines below this level are dropped.
    pub log_level: Level,
    /// `reload_config.backoff.base_interval`: the least time between two reloads.
    pub reload_backoff: Duration,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            configuration: String::new(),
            clusters: vec!["pulsar-admin".to_string()],
            random_seed: 1,
            log_level: Level::Debug,
            reload_backoff: Duration::from_secs(1),
        }
    }
}

/// Levels of `proxy_log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Trace = 0,
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
    Critical = 5,
}

impl Level {
    fn from_abi(level: u32) -> Self {
        match level {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            4 => Self::Error,
            _ => Self::Critical,
        }
    }
}

/// A line the filter, or this host about it, logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// When.
    pub at: Instant,
    /// How loud.
    pub level: Level,
    /// What.
    pub text: String,
}

/// Something a filter must not do under Envoy: it works here as it would there, and is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Pause on the client's end of stream: the pair of connections leaks.
    PausedAtEndOfStream,
    /// Pause in `on_upstream_data`: nothing but new broker bytes can flush it.
    PausedUpstream,
    /// Closed in the callback that produced bytes: so many were lost.
    BytesLostInClose(usize),
    /// So many bytes for the broker came after its side had been ended; they go nowhere.
    BytesAfterEnd(usize),
    /// So many of the client's own bytes went to the broker as they were.
    ClientBytesForwarded(usize),
    /// A hostcall was answered with an error.
    Refused {
        /// The host function.
        call: &'static str,
        /// The answer.
        status: Status,
    },
    /// `on_new_connection` paused: the broker's connection never opens (not modelled further, the client is closed).
    PausedNewConnection,
    /// The guest trapped.
    Trapped,
}

/// Why a module cannot serve.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read.
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Not a module, an import this host has not, an export of the wrong type.
    Module(wasmtime::Error),
    /// Not a proxy-wasm module of a version Envoy takes.
    Abi,
    /// The filter itself refused, by `on_vm_start`, `on_configure` or a trap in them.
    Refused {
        /// What it logged.
        logs: Vec<String>,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Module(error) => write!(f, "the module does not load: {error:#}"),
            Self::Abi => f.write_str("the module exports no proxy-wasm ABI that Envoy takes"),
            Self::Refused { logs } => write!(f, "the filter refused its configuration: {}", logs.join("; ")),
        }
    }
}

impl std::error::Error for LoadError {}
