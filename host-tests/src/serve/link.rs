//! One client, its connection to the filter, and the filter's to the broker.

use isthmus::time::Now;

use super::socket::{Incoming, Socket};
use crate::scripted::{self, ScriptedBroker};
use crate::wasm::{BUFFER_LIMIT, Conn, WasmFilter};

pub(super) struct Link {
    pub(super) conn: Conn,
    pub(super) client: Socket,
    pub(super) upstream: Upstream,
}

pub(super) enum Upstream {
    Pulsar(Socket),
    Scripted { conn: scripted::Conn, ended: bool },
}

impl Link {
    /// Moves what can be moved, in each direction once; whether anything did.
    pub(super) fn turn(&mut self, filter: &mut WasmFilter, broker: Option<&mut ScriptedBroker>, now: Now) -> bool {
        let mut moved = self.read_client(filter, now);
        moved |= match (&mut self.upstream, broker) {
            (Upstream::Pulsar(_), _) => self.exchange_with_pulsar(filter, now),
            (Upstream::Scripted { .. }, Some(broker)) => self.exchange_with_script(filter, broker, now),
            (Upstream::Scripted { .. }, None) => false,
        };
        if let Some(bytes) = filter.poll_downstream(self.conn) {
            moved = true;
            self.client.send(&bytes);
        }
        if filter.ends(self.conn).downstream {
            self.client.end();
        }
        if self.client.flush().is_err() {
            filter.downstream_reset(self.conn, now);
        }
        moved
    }

    /// Whether nothing more can happen here: the connection is closed, and what was to be said is said.
    pub(super) fn is_over(&self, filter: &mut WasmFilter) -> bool {
        let upstream_done = match &self.upstream {
            Upstream::Pulsar(socket) => socket.is_done() || !socket.connected,
            Upstream::Scripted { .. } => true,
        };
        filter.ends(self.conn).closed.is_some() && upstream_done && self.client.is_done()
    }

    /// A client is read only once its broker is connected, as `tcp_proxy` does.
    fn read_client(&mut self, filter: &mut WasmFilter, now: Now) -> bool {
        let connected = match &self.upstream {
            Upstream::Pulsar(socket) => socket.connected && socket.unsent() < BUFFER_LIMIT,
            Upstream::Scripted { .. } => true,
        };
        if !connected || !filter.wants_downstream(self.conn) {
            return false;
        }
        match self.client.read() {
            Incoming::Bytes(bytes) => filter.downstream(self.conn, &bytes, now),
            Incoming::End => filter.downstream_end(self.conn, now),
            Incoming::Gone => filter.downstream_reset(self.conn, now),
            Incoming::Nothing => return false,
        }
        true
    }

    fn exchange_with_pulsar(&mut self, filter: &mut WasmFilter, now: Now) -> bool {
        let Upstream::Pulsar(socket) = &mut self.upstream else { return false };
        let mut moved = false;
        if socket.check_connected().is_err() {
            filter.upstream_reset(self.conn, now);
        }
        if let Some(bytes) = filter.poll_upstream(self.conn) {
            moved = true;
            socket.send(&bytes);
        }
        if filter.ends(self.conn).upstream {
            socket.end();
        }
        if socket.flush().is_err() {
            filter.upstream_reset(self.conn, now);
        }
        if self.client.unsent() < BUFFER_LIMIT && filter.wants_upstream(self.conn) {
            match socket.read() {
                Incoming::Bytes(bytes) => filter.upstream(self.conn, &bytes, now),
                Incoming::End => filter.upstream_end(self.conn, now),
                Incoming::Gone => filter.upstream_reset(self.conn, now),
                Incoming::Nothing => return moved,
            }
            moved = true;
        }
        moved
    }

    fn exchange_with_script(&mut self, filter: &mut WasmFilter, broker: &mut ScriptedBroker, now: Now) -> bool {
        let Upstream::Scripted { conn, ended } = &mut self.upstream else { return false };
        let mut moved = false;
        if let Some(bytes) = filter.poll_upstream(self.conn) {
            moved = true;
            broker.on_bytes(*conn, &bytes, now);
        }
        if self.client.unsent() < BUFFER_LIMIT
            && let Some(bytes) = broker.poll_output(*conn, now)
        {
            moved = true;
            filter.upstream(self.conn, &bytes, now);
        }
        if broker.is_closed(*conn) && !*ended {
            *ended = true;
            moved = true;
            filter.upstream_end(self.conn, now);
        }
        if filter.ends(self.conn).upstream && !*ended {
            *ended = true;
            moved = true;
            broker.disconnect(*conn, now);
            filter.upstream_end(self.conn, now);
        }
        moved
    }
}
