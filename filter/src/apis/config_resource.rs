//! What configurations are of (`ConfigResource.Type` of Kafka's clients).

use kafka_protocol::error::ResponseError;

use crate::topics::change::Refused;
use crate::topics::replicas::Nodes;

/// A topic.
pub const TOPIC: i8 = 2;
/// A broker.
pub const BROKER: i8 = 4;
/// The loggers of a broker (KIP-412). The filter's are Envoy's, and Pulsar's its own.
pub const BROKER_LOGGER: i8 = 8;
/// A subscription to metrics of clients (KIP-714). There is none.
pub const CLIENT_METRICS: i8 = 16;
/// A group, for what members are told by the coordinator under KIP-848. No group has any.
pub const GROUP: i8 = 32;

/// The id in the name of a broker, if it is that of one; `what` is how the refusal begins.
pub fn check_broker(name: &str, what: &str, nodes: &Nodes) -> Result<i32, Refused> {
    let invalid = |message: String| Refused::because(ResponseError::InvalidRequest, message);
    let id: i32 = name.parse().map_err(|_| invalid(format!("{what} id must be an integer, but it is: {name}")))?;
    if nodes.contains(id) {
        Ok(id)
    } else {
        Err(invalid(format!("Unexpected broker id: {id} is none of the brokers here")))
    }
}

/// Whether `name` may be asked for, of a kind that has no configurations here; in Kafka's words (`ConfigHelper`).
pub fn check_empty(kind: i8, name: &str, nodes: &Nodes) -> Result<(), Refused> {
    let named = |what: &str| match name {
        "" => Err(Refused::because(ResponseError::InvalidRequest, format!("{what} must not be empty"))),
        _ => Ok(()),
    };
    match kind {
        BROKER_LOGGER => named("Broker id").and_then(|()| check_broker(name, "Broker", nodes).map(drop)),
        CLIENT_METRICS => named("Client metrics subscription name"),
        GROUP => named("Group name"),
        other => Err(unknown_type(other)),
    }
}

/// What nothing can be set of.
pub fn unknown_type(code: i8) -> Refused {
    Refused::because(ResponseError::InvalidRequest, format!("Unknown resource type {code}"))
}
