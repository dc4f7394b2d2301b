//! What one half of a connection does in view of the other: the only place that sees both.

use crate::session::pulsar_conn::Phase;

/// Whether responses can leave by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Bytes from the broker are being handled: the host takes what is ready when this event is over.
    Open,
    /// Any other event: the client cannot be reached.
    Shut,
}

/// What both halves and the queue between them come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joint {
    /// The Pulsar half.
    pub pulsar: Phase,
    /// The Kafka half takes in nothing more.
    pub kafka_closing: bool,
    /// A request is not settled yet.
    pub requests_in_flight: bool,
    /// A response is ready and may leave as soon as the broker says anything.
    pub response_ready: bool,
    /// Whether the broker is saying something.
    pub window: Window,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Rest,
    /// Send CONNECT: a request came on a fresh connection.
    Connect,
    /// Ask the broker for a sign of life: responses leave only with upstream bytes (the host has no other window).
    Ping,
    /// End the client's connection.
    Close,
}

/// The table. Applied after every event.
///
/// | Pulsar | Kafka closing | in flight | ready | action |
/// |---|---|---|---|---|
/// | Idle | no | yes | – | Connect |
/// | Idle | yes | – | – | Close |
/// | ExpectConnected | – | – | yes | Rest: CONNECTED opens the window, and nothing may be sent before it |
/// | Ready | – | – | yes | Ping; Rest while the window is open |
/// | Failed | – | – | – | Close |
/// | any other | yes | yes | no | Rest: Apache Kafka answers what came before the request that ends a connection |
/// | any other | yes | no | no | Close |
pub fn act(joint: Joint) -> Action {
    match joint.pulsar {
        Phase::Idle if joint.kafka_closing => Action::Close,
        Phase::Idle if joint.requests_in_flight => Action::Connect,
        Phase::Idle => Action::Rest,
        // No frame will come any more: what is ready cannot leave.
        Phase::Failed => Action::Close,
        Phase::ExpectConnected if joint.response_ready => Action::Rest,
        Phase::Ready if joint.response_ready => match joint.window {
            Window::Open => Action::Rest,
            Window::Shut => Action::Ping,
        },
        Phase::ExpectConnected | Phase::Ready if joint.kafka_closing && !joint.requests_in_flight => Action::Close,
        Phase::ExpectConnected | Phase::Ready => Action::Rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Joint = Joint {
        pulsar: Phase::Ready,
        kafka_closing: false,
        requests_in_flight: false,
        response_ready: false,
        window: Window::Shut,
    };

    #[test]
    fn the_first_request_opens_the_pulsar_half() {
        assert_eq!(act(Joint { pulsar: Phase::Idle, requests_in_flight: true, ..REST }), Action::Connect);
        assert_eq!(act(Joint { pulsar: Phase::Idle, ..REST }), Action::Rest);
    }

    #[test]
    fn a_ready_response_asks_for_a_window() {
        assert_eq!(act(Joint { response_ready: true, ..REST }), Action::Ping);
    }

    #[test]
    fn while_the_broker_is_heard_a_ready_response_leaves_by_itself() {
        assert_eq!(act(Joint { response_ready: true, window: Window::Open, ..REST }), Action::Rest);
    }

    #[test]
    fn between_connect_and_connected_nothing_is_sent() {
        assert_eq!(act(Joint { response_ready: true, pulsar: Phase::ExpectConnected, ..REST }), Action::Rest);
    }

    #[test]
    fn what_is_ready_leaves_before_a_closing_connection_ends() {
        assert_eq!(act(Joint { requests_in_flight: true, kafka_closing: true, ..REST }), Action::Rest);
        assert_eq!(act(Joint { response_ready: true, kafka_closing: true, ..REST }), Action::Ping);
        assert_eq!(act(Joint { kafka_closing: true, ..REST }), Action::Close);
    }

    #[test]
    fn without_broker_the_client_is_let_go() {
        assert_eq!(act(Joint { pulsar: Phase::Failed, ..REST }), Action::Close);
    }
}
