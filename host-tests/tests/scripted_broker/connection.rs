//! The connection: handshake, keep-alive, frames.

use super::*;

#[test]
fn a_ping_is_answered_before_connect_and_anything_else_closes() {
    let mut broker = ScriptedBroker::new(BrokerConfig::default());
    let conn = broker.connect(at(0));
    let mut world = World { broker, now: at(0), client: conn };
    assert_eq!(kinds(&world.ask(command::ping())), [Type::Pong]);
    assert_eq!(kinds(&world.ask(command::lookup(TOPIC.into(), 1, false, None))), []);
    assert!(world.broker.is_closed(conn));
}

#[test]
fn anything_between_connect_and_connected_closes() {
    let mut broker = ScriptedBroker::new(BrokerConfig::default());
    let conn = broker.connect(at(0));
    let mut bytes = Vec::new();
    write_command(&command::connect(None), &mut bytes);
    write_command(&command::ping(), &mut bytes);
    broker.on_bytes(conn, &bytes, at(0));
    assert!(broker.is_closed(conn));
    assert_eq!(broker.poll_output(conn, at(0)), None);
}

#[test]
fn a_second_connect_closes() {
    let mut world = World::new();
    world.ask(command::connect(None));
    assert!(world.broker.is_closed(world.client));
}

#[test]
fn a_wrong_credential_is_refused_with_request_id_minus_one_and_the_connection_closed() {
    let credentials = vec![("token".to_string(), Bytes::from_static(b"good"))];
    let mut broker = ScriptedBroker::new(BrokerConfig { credentials, ..BrokerConfig::default() });
    let conn = broker.connect(at(0));
    let mut world = World { broker, now: at(0), client: conn };
    let wrong = command::Credentials { method: "token".into(), data: Bytes::from_static(b"bad") };
    let heard = world.ask(command::connect(Some(wrong)));
    assert_eq!(heard[0].command.error.as_ref().unwrap().request_id, u64::MAX);
    assert_eq!(errors(&heard), [ServerError::AuthenticationError]);
    assert!(world.broker.is_closed(conn));
}

#[test]
fn a_silent_client_is_pinged_once_and_closed_at_the_next() {
    let mut world = World::new();
    world.wait(30 * SECOND);
    assert_eq!(kinds(&world.hear(world.client)), [Type::Ping]);
    world.wait(30 * SECOND);
    assert!(world.broker.is_closed(world.client));
}

#[test]
fn a_client_that_answers_is_pinged_again() {
    let mut world = World::new();
    for _ in 0..3 {
        world.wait(30 * SECOND);
        assert_eq!(kinds(&world.hear(world.client)), [Type::Ping]);
        world.ask(command::pong());
    }
}

#[test]
fn a_handshake_that_never_comes_is_closed() {
    let mut world = World::new();
    let idle = world.broker.connect(world.now);
    world.wait(30 * SECOND);
    assert!(world.broker.is_closed(idle));
}

#[test]
fn a_frame_over_the_limit_closes_without_an_answer() {
    let mut world = World::with(BrokerConfig { max_message_bytes: 1000, ..BrokerConfig::default() });
    let bytes = (1000_u32 + 10 * 1024 + 1).to_be_bytes();
    world.broker.on_bytes(world.client, &bytes, world.now);
    assert!(world.broker.is_closed(world.client));
}

#[test]
fn bytes_may_come_one_by_one() {
    let mut world = World::new();
    let mut bytes = Vec::new();
    write_command(&command::ping(), &mut bytes);
    for byte in bytes {
        world.broker.on_bytes(world.client, &[byte], world.now);
    }
    assert_eq!(kinds(&world.hear(world.client)), [Type::Pong]);
}
