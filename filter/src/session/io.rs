//! What an operation may touch while it is polled.

use super::admin::AdminCalls;
use super::pulsar_conn::PulsarConn;
use crate::config::HostPort;
use crate::time::Now;
use crate::worker::shared::Shared;

/// Facts about the client of one connection.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Kafka's client id, from the latest request; bounded, for Pulsar's stats.
    pub id: String,
    /// The address the client reached, if the host knows it.
    pub reached: Option<HostPort>,
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
