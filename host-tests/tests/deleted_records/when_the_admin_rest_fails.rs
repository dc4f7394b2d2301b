use super::*;

#[test]
fn nothing_is_deleted_that_pulsar_did_not_take() {
    for answer in
        [None, Some(HttpAnswer::empty(500)), Some(HttpAnswer { body: b"<html>".to_vec(), ..HttpAnswer::empty(200) })]
    {
        let mut scene = scene();
        scene.fault("t/properties", 100, answer.clone());
        let (code, start) = scene.delete(4);
        assert_eq!(start, -1, "{answer:?}");
        assert_ne!(code, NONE, "{answer:?}");
        assert_eq!(scene.floors(), Vec::<String>::new());
        scene.pair.broker.clear_faults();
        assert_eq!(scene.offset_of(EARLIEST), 0);
    }
}

#[test]
fn a_deletion_whose_answer_does_not_come_is_told_in_time() {
    let mut scene = scene();
    scene.fault("PUT /admin/v2/persistent/public/default/t/properties", 100, None);
    assert_eq!(scene.delete(4), refused(REQUEST_TIMED_OUT));
}

#[test]
fn a_short_failure_is_got_over() {
    let mut scene = scene();
    scene.fault("PUT /admin/v2/persistent/public/default/t/properties", 2, Some(HttpAnswer::empty(409)));
    scene.fault("DELETE /admin/v2/persistent/public/default/t/properties", 1, Some(HttpAnswer::empty(500)));
    scene.pair.broker.set_property("t", "kafka.log-start.old", "0=1");
    assert_eq!(scene.delete(4), (NONE, 4));
    assert_eq!(scene.floors(), ["0=4"]);
    scene.is_at_rest();
}

#[test]
fn records_are_deleted_where_others_cannot_be_told_of_it() {
    let mut scene = scene();
    scene.fault("__kafka_log_starts", 100, Some(HttpAnswer::empty(403)));
    assert_eq!(scene.delete(4), (NONE, 4));
    assert_eq!(scene.offset_of(EARLIEST), 4);
}

#[test]
fn reading_goes_on_with_what_is_known() {
    for answer in
        [None, Some(HttpAnswer::empty(500)), Some(HttpAnswer { body: b"?".to_vec(), ..HttpAnswer::empty(200) })]
    {
        let mut scene = scene();
        assert_eq!(scene.delete(4), (NONE, 4));
        scene.pair.run_for(2 * A_SECOND);
        scene.fault("/properties", 10_000, answer);
        let before = scene.pair.now().instant;
        assert_eq!(scene.offset_of(EARLIEST), 4);
        assert_eq!(scene.read_little(4), (NONE, vec![4, 5]));
        scene.pair.run_for(10 * A_SECOND);
        assert_eq!(scene.read_little(6), (NONE, vec![6, 7]));
        assert_eq!(scene.read_little(8), (NONE, vec![8, 9]));
        assert!(scene.pair.now().instant.since(before) < 15 * A_SECOND, "no request waits for long");
        scene.pair.broker.clear_faults();
        scene.pair.run_for(40 * A_SECOND);
        assert_eq!(scene.pair.awaited(), 0);
    }
}

#[test]
fn who_cannot_be_told_is_told_when_the_admin_rest_is_back() {
    let mut scene = scene();
    assert_eq!(scene.read_little(0), (NONE, vec![0, 1]));
    scene.fault("/properties", 10_000, Some(HttpAnswer::empty(503)));
    scene.delete_elsewhere("0=7");
    scene.pair.run_for(10 * A_SECOND);
    assert_eq!(scene.read_little(2), (NONE, vec![2, 3]));
    scene.pair.broker.clear_faults();
    scene.pair.run_for(10 * A_SECOND);
    scene.read_little(4);
    scene.pair.run_for(2 * A_SECOND);
    assert_eq!(scene.read_little(6), (OFFSET_OUT_OF_RANGE, vec![]));
}
