use super::*;

#[test]
fn the_log_starts_where_it_was_asked_to_at_once() {
    let mut scene = scene();
    assert_eq!(scene.offset_of(EARLIEST), 0);
    assert_eq!(scene.delete(4), (NONE, 4));
    assert_eq!(scene.offset_of(EARLIEST), 4);
    assert_eq!(scene.offset_of(LATEST), 10);
    assert_eq!(scene.read(3), (OFFSET_OUT_OF_RANGE, -1, vec![]));
    assert_eq!(scene.read(4), (NONE, 4, (4..10).collect()));
    scene.is_at_rest();
}

#[test]
fn a_start_in_the_middle_of_an_entry_is_exact() {
    let mut scene = scene();
    assert_eq!(scene.delete(5), (NONE, 5));
    assert_eq!(scene.offset_of(EARLIEST), 5);
    assert_eq!(scene.read(4).0, OFFSET_OUT_OF_RANGE);
    assert_eq!(scene.read(5), (NONE, 5, (5..10).collect()));
}

#[test]
fn everything_up_to_the_high_watermark_goes() {
    let mut scene = scene();
    assert_eq!(scene.delete(HIGH_WATERMARK), (NONE, 10));
    assert_eq!((scene.offset_of(EARLIEST), scene.offset_of(LATEST)), (10, 10));
    assert_eq!(scene.read(9).0, OFFSET_OUT_OF_RANGE);
    assert_eq!(scene.read(10), (NONE, 10, vec![]));
    assert_eq!(scene.write(1), [10]);
    assert_eq!(scene.read(10), (NONE, 10, vec![10, 11]));
}

#[test]
fn a_reader_that_stands_below_the_start_is_told_so() {
    let mut scene = scene();
    assert_eq!(scene.read_little(0), (NONE, vec![0, 1]));
    assert_eq!(scene.delete(6), (NONE, 6));
    assert_eq!(scene.read_little(2), (OFFSET_OUT_OF_RANGE, vec![]));
    assert_eq!(scene.read_little(6), (NONE, vec![6, 7]));
}

#[test]
fn a_reader_that_stands_above_the_start_goes_on() {
    let mut scene = scene();
    assert_eq!(scene.read_little(0), (NONE, vec![0, 1]));
    assert_eq!(scene.delete(2), (NONE, 2));
    assert_eq!(scene.read(2), (NONE, 2, (2..10).collect()));
}

#[test]
fn by_time_nothing_below_the_start_is_found() {
    let mut scene = scene();
    assert_eq!((scene.offset_of(TIME), scene.offset_of(NEWEST)), (0, 0));
    assert_eq!(scene.delete(5), (NONE, 5));
    assert_eq!((scene.offset_of(TIME), scene.offset_of(NEWEST)), (5, 5));
    assert_eq!(scene.delete(HIGH_WATERMARK), (NONE, 10));
    assert_eq!((scene.offset_of(TIME), scene.offset_of(NEWEST)), (-1, -1));
}

#[test]
fn in_message_id_mode_starts_are_offsets_of_that_mode() {
    let mut scene = Scene::new(Config { offsets: OffsetMode::MessageId, ..Config::default() });
    let (start, end) = (scene.offset_of(EARLIEST), scene.offset_of(LATEST));
    let read = scene.read(start).2;
    let wanted = read[5];
    assert_eq!(scene.delete(wanted), (NONE, wanted));
    assert_eq!(scene.offset_of(EARLIEST), wanted);
    assert_eq!(scene.read(start).0, OFFSET_OUT_OF_RANGE);
    assert_eq!(scene.read(wanted), (NONE, wanted, read[5..].to_vec()));
    assert_eq!(scene.delete(HIGH_WATERMARK), (NONE, end));
    assert_eq!(scene.offset_of(EARLIEST), end);
    let next = scene.write(1)[0];
    assert_eq!(scene.read(end), (NONE, end, vec![next, next + 1]));
}
