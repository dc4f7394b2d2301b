//! The host follows Envoy's rules: each test is one of them, tried with a guest that does what its input says.

use std::sync::OnceLock;

use isthmus::time::{Instant, Now, UnixMillis};
use isthmus_host_tests::http::HttpAnswer;
use isthmus_host_tests::wasm::{
    BUFFER_LIMIT, ClosedBy, Code, Conn, HostConfig, LoadError, Status, Violation, WasmFilter,
};

const MIB: usize = 1 << 20;

fn code() -> &'static Code {
    static CODE: OnceLock<Code> = OnceLock::new();
    CODE.get_or_init(|| Code::compile(&wat::parse_str(include_str!("guests/probe.wat")).unwrap()).unwrap())
}

fn at(millis: u64) -> Now {
    Now { instant: Instant::from_millis(millis), unix: UnixMillis(1_700_000_000_000 + i64::try_from(millis).unwrap()) }
}

fn filter() -> WasmFilter {
    WasmFilter::start(code(), HostConfig::default(), at(0)).unwrap()
}

fn connected() -> (WasmFilter, Conn) {
    let mut filter = filter();
    let conn = filter.new_connection(&[], at(0));
    (filter, conn)
}

fn to_broker(filter: &mut WasmFilter, conn: Conn) -> String {
    String::from_utf8(filter.poll_upstream(conn).unwrap_or_default()).unwrap()
}

fn to_client(filter: &mut WasmFilter, conn: Conn) -> String {
    String::from_utf8(filter.poll_downstream(conn).unwrap_or_default()).unwrap()
}

fn logged(filter: &mut WasmFilter) -> Vec<String> {
    std::iter::from_fn(|| filter.poll_log()).map(|log| log.text).collect()
}

#[test]
fn a_configuration_that_the_filter_refuses_does_not_load() {
    let config = HostConfig { configuration: "no".into(), ..HostConfig::default() };
    assert!(matches!(WasmFilter::start(code(), config, at(0)), Err(LoadError::Refused { .. })));
}

#[test]
fn a_module_with_an_unknown_import_does_not_load() {
    let module = r#"(module (import "env" "proxy_from_the_future" (func)) (func (export "proxy_abi_version_0_2_1")))"#;
    assert!(matches!(Code::compile(&wat::parse_str(module).unwrap()), Err(LoadError::Module(_))));
}

#[test]
fn continue_hands_the_clients_bytes_to_the_broker_and_is_noted() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, b"cABC", at(1));
    assert_eq!(to_broker(&mut filter, conn), "cABC");
    assert_eq!(filter.take_violations(), [Violation::ClientBytesForwarded(4)]);
}

#[test]
fn paused_bytes_wait_and_are_offered_again_with_the_next_read() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, b"p1", at(1));
    filter.downstream(conn, b"2", at(2));
    assert_eq!(to_broker(&mut filter, conn), "");
    // A broker frame makes the guest drop what waits, so what comes next is seen alone.
    filter.upstream(conn, b"d", at(3));
    filter.downstream(conn, b"c3", at(4));
    assert_eq!(to_broker(&mut filter, conn), "c3");
}

#[test]
fn a_paused_stream_can_be_injected_into_from_the_read_callback_itself() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, b"i", at(1));
    assert_eq!(to_broker(&mut filter, conn), "reply");
    assert_eq!(filter.take_violations(), []);
}

#[test]
fn a_paused_stream_can_be_injected_into_from_the_write_callback() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, b"-", at(1));
    filter.upstream(conn, b"i", at(2));
    assert_eq!(to_broker(&mut filter, conn), "reply");
    assert_eq!(to_client(&mut filter, conn), "i");
}

#[test]
fn after_continue_the_read_buffer_cannot_be_written_from_the_write_callback() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, b"c", at(1));
    assert_eq!(to_broker(&mut filter, conn), "c");
    filter.take_violations();
    filter.upstream(conn, b"i", at(2));
    assert_eq!(to_broker(&mut filter, conn), "");
    assert_eq!(
        filter.take_violations(),
        [Violation::Refused { call: "proxy_set_buffer_bytes", status: Status::BadArgument }]
    );
}

#[test]
fn a_tick_reaches_a_stream_only_through_the_effective_context() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, b"t", at(0));
    assert_eq!(filter.poll_timeout(), Some(Instant::from_millis(10)));
    filter.handle_timeout(at(9));
    assert_eq!(to_broker(&mut filter, conn), "");
    filter.handle_timeout(at(10));
    assert_eq!(to_broker(&mut filter, conn), "tick");
    // On the root context itself the write was refused.
    assert_eq!(
        filter.take_violations(),
        [Violation::Refused { call: "proxy_set_buffer_bytes", status: Status::BadArgument }]
    );
    assert_eq!(filter.poll_timeout(), Some(Instant::from_millis(20)));
}

#[test]
fn the_effective_context_of_a_stream_that_is_gone_is_refused() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, b"t", at(0));
    filter.downstream_reset(conn, at(1));
    filter.handle_timeout(at(10));
    let refused = Violation::Refused { call: "proxy_set_effective_context", status: Status::BadArgument };
    assert!(filter.take_violations().contains(&refused));
}

#[test]
fn a_write_callback_swaps_broker_bytes_for_client_bytes() {
    let (mut filter, conn) = connected();
    filter.upstream(conn, b"r...", at(1));
    assert_eq!(to_client(&mut filter, conn), "reply");
}

#[test]
fn a_pause_upstream_keeps_the_bytes_until_more_come() {
    let (mut filter, conn) = connected();
    filter.upstream(conn, b"p1", at(1));
    assert_eq!(to_client(&mut filter, conn), "");
    assert_eq!(filter.take_violations(), [Violation::PausedUpstream]);
    filter.upstream(conn, b"2", at(2));
    // The guest sees both, and pauses again on the first byte.
    assert_eq!(filter.take_violations(), [Violation::PausedUpstream]);
}

#[test]
fn resuming_upstream_is_unimplemented() {
    let (mut filter, conn) = connected();
    filter.upstream(conn, b"u", at(1));
    assert_eq!(
        filter.take_violations(),
        [Violation::Refused { call: "proxy_continue_stream", status: Status::Unimplemented }]
    );
}

#[test]
fn a_close_in_the_callback_that_produced_bytes_loses_them() {
    let (mut filter, conn) = connected();
    filter.upstream(conn, b"x", at(1));
    assert_eq!(to_client(&mut filter, conn), "");
    assert_eq!(filter.ends(conn).closed, Some(ClosedBy::Local));
    assert_eq!(filter.take_violations(), [Violation::BytesLostInClose(5)]);
    assert!(logged(&mut filter).contains(&"1!".to_string()), "the filter hears of its own close");
}

#[test]
fn a_close_before_an_injection_loses_the_injected_bytes() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, b"d", at(1));
    assert_eq!(to_broker(&mut filter, conn), "");
    assert_eq!(filter.take_violations(), [Violation::BytesLostInClose(5)]);
}

#[test]
fn a_clients_end_travels_to_the_broker_and_both_ends_close_the_connection() {
    let (mut filter, conn) = connected();
    filter.downstream_end(conn, at(1));
    assert!(filter.ends(conn).upstream);
    assert_eq!(filter.ends(conn).closed, None);
    filter.upstream_end(conn, at(2));
    assert_eq!(filter.ends(conn).closed, Some(ClosedBy::Local));
    assert_eq!(filter.take_violations(), []);
}

#[test]
fn a_pause_on_the_clients_end_leaves_the_broker_waiting() {
    // Over the watermark the socket holds both the last bytes and the end, so that one read brings them together.
    let (mut filter, conn) = connected();
    filter.downstream(conn, &vec![b'p'; MIB + 1], at(1));
    filter.downstream(conn, b"P", at(2));
    filter.downstream_end(conn, at(3));
    filter.upstream(conn, b"d", at(4));
    assert!(!filter.ends(conn).upstream);
    assert!(filter.take_violations().contains(&Violation::PausedAtEndOfStream));
}

#[test]
fn bytes_injected_after_the_clients_end_go_nowhere() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, b"t", at(0));
    filter.downstream_end(conn, at(1));
    // The guest answered Continue, so its pointer to the read buffer is gone as well.
    filter.handle_timeout(at(10));
    assert_eq!(to_broker(&mut filter, conn), "");
}

#[test]
fn a_large_write_arrives_in_pieces_of_the_buffer_limit() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, &vec![b'c'; 3 * MIB + 5], at(1));
    assert_eq!(filter.poll_upstream(conn).unwrap().len(), 3 * MIB + 5);
    assert_eq!(
        filter.take_violations(),
        [MIB, MIB, MIB, 5].map(Violation::ClientBytesForwarded),
        "one callback per MiB"
    );
}

#[test]
fn a_filter_that_leaves_bytes_holds_the_client_back_and_goes_on_when_it_takes_them() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, &vec![b'p'; 4 * MIB], at(1));
    assert!(!filter.wants_downstream(conn), "the rest waits in the socket");

    // Taking what waits (about one limit) opens the socket again; the next bytes pause as well.
    let mut takes = 0;
    while !filter.wants_downstream(conn) {
        filter.upstream(conn, b"d", at(2 + takes));
        takes += 1;
        assert!(takes < 10);
    }
    assert!(takes >= 3, "{takes}");
    assert_eq!(filter.poll_upstream(conn), None);
    assert_eq!(BUFFER_LIMIT, MIB);
}

#[test]
fn a_trap_closes_its_connection_and_the_others_at_their_next_event_and_a_new_one_reloads() {
    let mut filter = filter();
    let [trapping, other, idle] = [(); 3].map(|()| filter.new_connection(&[], at(0)));
    filter.downstream(trapping, b"x", at(1));
    assert!(filter.take_violations().contains(&Violation::Trapped));
    assert!(filter.ends(trapping).closed.is_some());
    assert!(filter.ends(other).closed.is_none());

    filter.upstream(other, b"r", at(2));
    assert!(filter.ends(other).closed.is_some());
    assert_eq!(to_client(&mut filter, other), "");

    let fresh = filter.new_connection(&[], at(3));
    filter.upstream(fresh, b"r", at(4));
    assert_eq!(to_client(&mut filter, fresh), "reply");
    assert_eq!(filter.reloads(), 1);

    // A connection of the dead VM is not adopted by the new one.
    filter.downstream(idle, b"i", at(5));
    assert!(filter.ends(idle).closed.is_some());
}

#[test]
fn a_vm_is_not_reloaded_again_before_its_backoff() {
    let mut filter = filter();
    let conn = filter.new_connection(&[], at(0));
    filter.downstream(conn, b"x", at(10));
    let conn = filter.new_connection(&[], at(20));
    filter.downstream(conn, b"x", at(30));
    let refused = filter.new_connection(&[], at(1_019));
    assert!(filter.ends(refused).closed.is_some());
    let served = filter.new_connection(&[], at(1_020));
    assert!(filter.ends(served).closed.is_none());
}

#[test]
fn an_http_answer_finds_the_stream_through_the_effective_context() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, b"h", at(1));
    let call = filter.poll_http().unwrap();
    assert_eq!(
        (call.cluster.as_str(), call.request.method.as_str(), call.request.path.as_str()),
        ("pulsar-admin", "GET", "/p")
    );
    filter.http_answer(call.token, Some(HttpAnswer::empty(200)), at(2));
    assert_eq!(to_broker(&mut filter, conn), "http");
    filter.http_answer(call.token, Some(HttpAnswer::empty(200)), at(3));
    assert_eq!(to_broker(&mut filter, conn), "", "answered once");
}

#[test]
fn an_http_call_that_nobody_answers_times_out() {
    let (mut filter, conn) = connected();
    filter.downstream(conn, b"h", at(1));
    assert_eq!(filter.poll_timeout(), Some(Instant::from_millis(51)));
    filter.handle_timeout(at(51));
    assert_eq!(to_broker(&mut filter, conn), "http");
}

#[test]
fn random_bytes_differ_between_calls_and_agree_between_runs() {
    let draw = || {
        let (mut filter, conn) = connected();
        filter.downstream(conn, b"r", at(1));
        filter.downstream(conn, b"r", at(2));
        logged(&mut filter).into_iter().filter(|text| text.len() >= 8).collect::<Vec<_>>()
    };
    let drawn = draw();
    assert_eq!(drawn.len(), 2);
    assert_ne!(drawn[0], drawn[1]);
    assert_eq!(drawn, draw());
}
