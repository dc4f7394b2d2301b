//! What an operation may touch while it is polled.

use super::admin::AdminCalls;
use super::pulsar_conn::PulsarConn;
use super::wake::Waker;
use crate::config::HostPort;
use crate::ids::ConnectionId;
use crate::time::Now;
use crate::worker::shared::Shared;

/// Facts about the client of one connection.
#[derive(Clone, Debug)]
pub struct Client {
    /// The connection itself.
    pub connection: ConnectionId,
    /// Kafka's client id, from the latest request; bounded, for Pulsar's stats.
    pub id: String,
    /// Both ends of its connection.
    pub endpoints: Endpoints,
}

/// Both ends of a client's connection, as far as the host knows them.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// The address the client reached.
    pub reached: Option<HostPort>,
    /// The address the client has.
    pub peer: Option<HostPort>,
}

/// The Pulsar half of the connection, what the worker shares, and the time.
///
/// Operations are polled after every event; they look whether their answer has come and ask the next question.
#[derive(Debug)]
pub struct Io<'a> {
    /// Questions and readers on this connection.
    pub pulsar: &'a mut PulsarConn,
    /// Admin REST, through the host.
    pub admin: &'a mut AdminCalls,
    /// What all connections of the worker share.
    pub shared: &'a mut Shared,
    /// Who is asking.
    pub client: &'a Client,
    /// Both clocks.
    pub now: Now,
}

impl Io<'_> {
    /// Whoever asks at the moment, if it is a part of something.
    pub fn asker(&self) -> Option<Waker> {
        self.pulsar.asker()
    }

    /// What is asked meanwhile wakes `asker` when it is answered.
    pub fn asked_by<T>(&mut self, asker: Waker, ask: impl FnOnce(&mut Self) -> T) -> T {
        let before = (self.pulsar.set_asker(Some(asker.clone())), self.admin.set_asker(Some(asker)));
        let asked = ask(self);
        self.pulsar.set_asker(before.0);
        self.admin.set_asker(before.1);
        asked
    }
}
