//! What configurations are of: topics and brokers (`ConfigResource.Type` of Kafka's clients).

use kafka_protocol::error::ResponseError;

use crate::topics::change::Refused;
use crate::topics::replicas::Nodes;

/// A topic.
pub const TOPIC: i8 = 2;
/// A broker.
pub const BROKER: i8 = 4;

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

/// What Kafka has and Isthmus has not: loggers, client metrics, groups of the newer protocol.
pub fn unknown_type(code: i8) -> Refused {
    Refused::because(ResponseError::InvalidRequest, format!("Unknown resource type {code}"))
}
