//! What one worker thread of the host runs: its connections and what they share.

pub mod budget;
pub mod lag;
pub mod log;
pub mod metrics;
pub mod random;
pub mod shared;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::config::Config;
use crate::error::AdminError;
use crate::ids::ConnectionId;
use crate::session::Session;
use crate::session::admin::{CallId, HttpReply, HttpRequest};
use crate::session::io::Endpoints;
use crate::time::{Instant, Now};
use metrics::{Counter, Gauge};
use shared::Shared;

/// The connections of a worker. Sans-IO: the host tells what happened, then takes what is to be done.
///
/// After every `on_*` for a connection, the host drains it: [`Worker::take_upstream`], [`Worker::poll_admin`], in bytes-from-broker
/// callbacks also [`Worker::take_downstream`]; then [`Worker::wants_close`], [`Worker::drain_log`]. Members of one consumer group share
/// what one of their connections carries, and readers what one connection asks, so that an event of one may give others something to do:
/// [`Worker::take_touched`].
#[derive(Debug)]
pub struct Worker {
    shared: Shared,
    sessions: BTreeMap<ConnectionId, Session>,
    /// When each session has work next; each session stands here once.
    timeouts: BTreeSet<(Instant, ConnectionId)>,
    deadlines: BTreeMap<ConnectionId, Instant>,
    /// Connections that an event of another gave something to do.
    touched: BTreeSet<ConnectionId>,
}

impl Worker {
    /// A worker without connections; `seed` from the host's randomness.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            shared: Shared::new(config, seed),
            sessions: BTreeMap::new(),
            timeouts: BTreeSet::new(),
            deadlines: BTreeMap::new(),
            touched: BTreeSet::new(),
        }
    }

    /// A client connected. `false`: there are too many, close it.
    pub fn on_open(&mut self, id: ConnectionId, endpoints: Endpoints, now: Now) -> bool {
        if self.sessions.len() >= self.shared.config.max_connections_per_worker as usize {
            self.shared.metrics.count(Counter::RefusedConnections, 1);
            self.shared.log.warn("a connection is refused: max_connections_per_worker is reached");
            return false;
        }
        self.sessions.insert(id, Session::new(id, endpoints, &self.shared, now));
        self.shared.metrics.count(Counter::Connections, 1);
        self.after(id);
        true
    }

    /// Bytes from the client.
    pub fn on_downstream(&mut self, id: ConnectionId, chunk: Bytes, now: Now) {
        self.with(id, |session, shared| session.on_downstream(chunk, shared, now));
        self.wake(now);
    }

    /// Bytes from the broker.
    pub fn on_upstream(&mut self, id: ConnectionId, chunk: Bytes, now: Now) {
        self.with(id, |session, shared| session.on_upstream(chunk, shared, now));
        self.wake(now);
    }

    /// The answer to an admin call of this connection.
    pub fn on_admin(&mut self, id: ConnectionId, call: CallId, reply: Result<HttpReply, AdminError>, now: Now) {
        self.with(id, |session, shared| session.on_admin(call, reply, shared, now));
        self.wake(now);
    }

    /// The client sends nothing more.
    pub fn on_half_close(&mut self, id: ConnectionId, now: Now) {
        self.with(id, |session, shared| session.on_half_close(shared, now));
        self.wake(now);
    }

    /// The connection is gone.
    pub fn on_close(&mut self, id: ConnectionId, now: Now) {
        if let Some(mut session) = self.sessions.remove(&id) {
            session.on_closed(&mut self.shared, now);
        }
        if let Some(deadline) = self.deadlines.remove(&id) {
            self.timeouts.remove(&(deadline, id));
        }
        self.touched.remove(&id);
        self.wake(now);
    }

    /// Time has passed: the connections that had something to do by now, for the host to drain.
    pub fn on_time(&mut self, now: Now) -> Vec<ConnectionId> {
        let due: Vec<ConnectionId> =
            self.timeouts.iter().take_while(|(deadline, _)| *deadline <= now.instant).map(|(_, id)| *id).collect();
        for id in &due {
            self.with(*id, |session, shared| session.on_time(shared, now));
        }
        self.shared.groups.on_time(now);
        self.wake(now);
        let mut all = std::mem::take(&mut self.touched);
        all.extend(due);
        all.into_iter().collect()
    }

    /// Lets every connection go on that a group has something for, or an answer about floors.
    fn wake(&mut self, now: Now) {
        while let Some(id) = self.shared.groups.take_woken().or_else(|| self.shared.floors.asking.take_woken()) {
            self.with(id, |session, shared| session.on_shared(shared, now));
            self.touched.insert(id);
        }
        let Shared { groups, log, .. } = &mut self.shared;
        groups.drain_log(log);
    }

    /// Connections that events of others gave something to do since the last call, for the host to drain.
    pub fn take_touched(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.touched).into_iter().collect()
    }

    /// When [`Worker::on_time`] has work next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let sessions = self.timeouts.first().map(|(deadline, _)| *deadline);
        sessions.into_iter().chain(self.shared.groups.next_deadline()).min()
    }

    fn with(&mut self, id: ConnectionId, event: impl FnOnce(&mut Session, &mut Shared)) {
        if let Some(session) = self.sessions.get_mut(&id) {
            event(session, &mut self.shared);
            self.after(id);
        }
    }

    fn after(&mut self, id: ConnectionId) {
        let Some(deadline) = self.sessions.get(&id).map(Session::next_deadline) else { return };
        if let Some(previous) = self.deadlines.insert(id, deadline) {
            if previous == deadline {
                return;
            }
            self.timeouts.remove(&(previous, id));
        }
        self.timeouts.insert((deadline, id));
    }

    /// Bytes for the broker of this connection.
    pub fn take_upstream(&mut self, id: ConnectionId, spare: Vec<u8>) -> Vec<u8> {
        match self.sessions.get_mut(&id) {
            Some(session) => session.take_upstream(spare),
            None => spare,
        }
    }

    /// Whether there are bytes for the broker of this connection.
    pub fn has_upstream(&self, id: ConnectionId) -> bool {
        self.sessions.get(&id).is_some_and(Session::has_upstream)
    }

    /// Responses for the client of this connection, while the host handles bytes from the broker.
    pub fn take_downstream(&mut self, id: ConnectionId, into: &mut Vec<Bytes>, now: Now) {
        self.with(id, |session, shared| {
            // Taking responses makes room for requests that were held back, whose answers may be ready at once.
            while session.has_downstream() {
                session.take_downstream(into, shared, now);
            }
        });
    }

    /// The next admin call of this connection.
    pub fn poll_admin(&mut self, id: ConnectionId) -> Option<(CallId, HttpRequest)> {
        self.sessions.get_mut(&id)?.poll_admin()
    }

    /// Whether this connection's client is to be held back.
    pub fn is_full(&self, id: ConnectionId) -> bool {
        self.sessions.get(&id).is_some_and(|session| session.is_full(&self.shared))
    }

    /// Whether the host should close this connection, in a callback that hands over no bytes.
    pub fn wants_close(&self, id: ConnectionId) -> bool {
        self.sessions.get(&id).is_some_and(Session::wants_close)
    }

    /// Every open connection.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.sessions.keys().copied()
    }

    /// One connection, for tests.
    pub fn session(&self, id: ConnectionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// What the connections share, with its gauges brought up to date.
    pub fn shared(&mut self) -> &mut Shared {
        self.shared.metrics.set(Gauge::OpenConnections, self.sessions.len());
        self.shared.metrics.set(Gauge::HeldBytes, self.shared.held.used());
        self.shared.metrics.set(Gauge::PrefetchBytes, self.shared.prefetch.used());
        let (groups, group_bytes) = self.shared.groups.sizes();
        self.shared.metrics.set(Gauge::Groups, groups);
        self.shared.metrics.set(Gauge::GroupBytes, group_bytes);
        &mut self.shared
    }

    /// Brings the gauges of lag up to date.
    pub fn write_lag(&mut self, gauges: &mut impl lag::Gauges) {
        let Shared { lag, groups, log, .. } = &mut self.shared;
        lag.write(groups, gauges, log);
    }

    /// Lines for the operator.
    pub fn drain_log(&mut self) -> Vec<(log::Level, String)> {
        self.shared.log.drain()
    }
}
