use super::*;

#[test]
fn whoever_looks_sees_another_filters_deletion_within_a_second() {
    let mut scene = scene();
    assert_eq!(scene.offset_of(EARLIEST), 0);
    scene.delete_elsewhere("0=7");
    scene.pair.run_for(A_SECOND);
    assert_eq!(scene.offset_of(EARLIEST), 7);
    assert_eq!(scene.read(6).0, OFFSET_OUT_OF_RANGE);
    assert_eq!(scene.read(7), (NONE, 7, vec![7, 8, 9]));
}

#[test]
fn a_reader_that_is_behind_is_told_within_a_second() {
    let mut scene = scene();
    assert_eq!(scene.read_little(0), (NONE, vec![0, 1]));
    scene.pair.run_for(3 * A_SECOND);
    assert_eq!(scene.read_little(2), (NONE, vec![2, 3]));
    scene.delete_elsewhere("0=7");
    scene.pair.run_for(A_SECOND);
    assert_eq!(scene.read_little(4), (OFFSET_OUT_OF_RANGE, vec![]));
    assert_eq!(scene.read_little(7), (NONE, vec![7]));
    scene.is_at_rest();
}

#[test]
fn a_client_that_was_away_for_long_is_given_nothing_that_was_deleted_meanwhile() {
    let mut scene = scene();
    assert_eq!(scene.read_little(0), (NONE, vec![0, 1]));
    scene.delete_elsewhere("0=7");
    scene.pair.run_for(30 * A_SECOND);
    assert_eq!(scene.read_little(2), (OFFSET_OUT_OF_RANGE, vec![]));
}

#[test]
fn a_reader_at_the_end_asks_nobody_and_an_idle_worker_does_nothing() {
    let mut scene = scene();
    assert_eq!(scene.read(0).2.len(), 10);
    assert!(scene.read(10).2.is_empty());
    scene.pair.run_for(2 * A_SECOND);
    // Asked for, it would be answered with what closes a request at once.
    scene.fault("__kafka_log_starts", 1, None);
    for _ in 0..20 {
        let next = scene.write(1)[0];
        assert_eq!(scene.read(next).2, [next, next + 1]);
        scene.pair.run_for(A_SECOND);
    }
    scene.pair.run_for(60 * A_SECOND);
    assert!(!scene.pair.broker.faults_are_spent());
}

#[test]
fn two_deletions_at_once_leave_the_higher_start() {
    let mut scene = scene();
    scene.pair.broker.set_property("t", "kafka.log-start.one", "0=3,1=0");
    scene.pair.broker.set_property("t", "kafka.log-start.two", "0=8");
    assert_eq!(scene.offset_of(EARLIEST), 8);
    assert_eq!(scene.delete(5), (NONE, 8));
    assert_eq!(scene.delete(9), (NONE, 9));
    assert_eq!(scene.floors(), ["0=9,1=0"]);
}

#[test]
fn a_start_that_another_raises_meanwhile_to_an_end_that_was_not_there_before_does_not_fall() {
    let mut scene = scene();
    scene.fault("GET /admin/v2/persistent/public/default/t/properties", 3, Some(HttpAnswer::empty(503)));
    let ticket = scene.pair.send(scene.client, &deletion(&[("t", 0, 5)]), 2);
    scene.pair.run_for(Duration::from_millis(60));
    scene.client = scene.pair.connect();
    scene.write(5);
    scene.delete_elsewhere("0=20");

    assert_eq!(told(scene.pair.wait(ticket, PATIENCE).unwrap()), [(NONE, 20)]);
    scene.pair.run_for(A_SECOND);
    assert_eq!(scene.offset_of(EARLIEST), 20);
}

#[test]
fn a_deletion_that_is_repeated_tells_others_again() {
    let mut scene = scene();
    assert_eq!(scene.delete(4), (NONE, 4));
    let signal = |scene: &Scene| scene.pair.broker.properties("__kafka_log_starts")["kafka.changed"].clone();
    let first = signal(&scene);
    assert_eq!(scene.delete(4), (NONE, 4));
    assert_ne!(signal(&scene), first);
}

#[test]
fn where_pulsar_dropped_more_the_log_starts_with_what_it_has() {
    let mut scene = scene();
    scene.pair.broker.roll_ledger("t-partition-0");
    scene.write(2);
    assert_eq!(scene.delete(4), (NONE, 4));
    scene.pair.broker.trim_ledgers("t-partition-0", 1);
    assert_eq!(scene.offset_of(EARLIEST), 10);
    assert_eq!(scene.delete(6), (NONE, 10));
    assert_eq!(scene.read(10), (NONE, 10, (10..14).collect()));
}

#[test]
fn a_topic_that_is_made_again_starts_at_its_beginning() {
    let mut scene = scene();
    assert_eq!(scene.delete(8), (NONE, 8));
    let topic = DeleteTopicState::default().with_name(Some(topic_name("t")));
    let request = DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(20_000);
    assert_eq!(scene.pair.ask(scene.client, &request, 6, PATIENCE).unwrap().responses[0].error_code, NONE);
    scene.pair.broker.create_topic("t", 2);
    assert_eq!(scene.write(1), [0]);
    assert_eq!(scene.offset_of(EARLIEST), 0);
    assert_eq!(scene.read(0), (NONE, 0, vec![0, 1]));
}

#[test]
fn a_start_behind_the_end_is_another_topics_and_does_not_count() {
    let mut scene = scene();
    scene.delete_elsewhere("0=11");
    assert_eq!(scene.offset_of(EARLIEST), 0);
    assert_eq!((scene.offset_of(TIME), scene.offset_of(NEWEST)), (0, 0));
    assert_eq!(scene.read(0), (NONE, 0, (0..10).collect()));
    assert_eq!(scene.delete(4), (NONE, 4));
    assert_eq!(scene.offset_of(EARLIEST), 4);
}
