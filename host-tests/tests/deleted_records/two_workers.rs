//! Two workers that know of each other only by what stands in Pulsar.

use super::*;

/// A topic `t` with five entries of two records, and a client on each worker.
struct Workers {
    pair: Pair<Fleet>,
    here: ClientId,
    there: ClientId,
}

impl Workers {
    fn new() -> Self {
        let fleet = Fleet::new(2, &Config::default());
        let mut pair = Pair::new(fleet, ScriptedBroker::new(BrokerConfig::default()));
        pair.broker.create_topic("t", 2);
        let (here, there) = (pair.connect(), pair.connect());
        let mut workers = Self { pair, here, there };
        (0..5).for_each(|_| workers.write("a"));
        workers
    }

    /// Another connection to the worker of `here`.
    fn connect_here(&mut self) -> ClientId {
        let here = self.pair.connect();
        self.pair.connect();
        here
    }

    fn write(&mut self, value: &str) {
        let response = self.pair.ask(self.there, &produce("t", 0, batch(&[value, value], None)), 9, SOON).unwrap();
        assert_eq!(produced(&response).0, NONE);
    }

    /// Through the worker of `there`; when it was answered.
    fn delete(&mut self, offset: i64) -> Instant {
        let response = self.pair.ask(self.there, &deletion(&[("t", 0, offset)]), 2, PATIENCE).unwrap();
        assert_eq!(told(response)[0].0, NONE);
        self.pair.now().instant
    }

    fn run_until(&mut self, at: Instant) {
        self.pair.run_for(at.since(self.pair.now().instant));
    }

    /// One entry, or all there is, and when the answer came.
    fn read(&mut self, client: ClientId, offset: i64, max_bytes: i32) -> (i16, Vec<i64>) {
        let mut request = fetch("t", 0, offset, 100);
        request.topics[0].partitions[0].partition_max_bytes = max_bytes;
        let response = self.pair.ask(client, &request, 12, PATIENCE).unwrap();
        let (error, _, records) = fetched(&response, offset);
        (error, records.into_iter().map(|record| record.offset).collect())
    }

    /// Through the worker of `there`; with so many entries.
    fn make_again(&mut self, entries: usize) {
        let topic = DeleteTopicState::default().with_name(Some(topic_name("t")));
        let request = DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(20_000);
        assert_eq!(self.pair.ask(self.there, &request, 6, PATIENCE).unwrap().responses[0].error_code, NONE);
        self.pair.broker.create_topic("t", 2);
        (0..entries).for_each(|_| self.write("b"));
    }

    /// Another topic's records, so that every reader of the worker of `here` looks at its floor.
    fn delete_of_another(&mut self) {
        self.pair.broker.create_topic("u", 1);
        let write = produce("u", 0, batch(&["a", "b"], None));
        assert_eq!(produced(&self.pair.ask(self.here, &write, 9, SOON).unwrap()).0, NONE);
        let response = self.pair.ask(self.here, &deletion(&[("u", 0, HIGH_WATERMARK)]), 2, PATIENCE).unwrap();
        assert_eq!(told(response)[0].0, NONE);
    }

    fn offset_of(&mut self, client: ClientId, at: i64) -> i64 {
        let response = self.pair.ask(client, &list_offsets("t", 0, at), 7, PATIENCE).unwrap();
        response.topics[0].partitions[0].offset
    }

    /// Questions about floors and of the signal that the worker of `here` asked since the last call.
    fn asked_here(&mut self) -> (usize, usize) {
        let asked = self.pair.filter.take_asked();
        let count = |path: &str| asked.iter().filter(|(worker, asked)| *worker == 0 && asked == path).count();
        let topic = |name: &str| format!("GET /admin/v2/persistent/public/default/{name}/properties");
        (count(&topic("t")), count(&topic("__kafka_log_starts")))
    }
}

#[test]
fn a_reader_that_begins_by_what_its_worker_asked_before_hands_out_nothing_a_second_after_the_deletion() {
    for begins_after in [100, 500, 900] {
        let mut workers = Workers::new();
        let here = workers.here;
        assert_eq!(workers.offset_of(here, EARLIEST), 0);
        let deleted = workers.delete(7);
        workers.run_until(deleted + Duration::from_millis(begins_after));
        workers.read(here, 0, 1);
        workers.run_until(deleted + A_SECOND);
        assert_eq!(workers.read(here, 2, 1), (OFFSET_OUT_OF_RANGE, vec![]), "begun after {begins_after} ms");
    }
}

#[test]
fn whoever_reads_on_hands_out_nothing_a_second_after_the_deletion_on_every_connection() {
    for deleted_after in (0..2000).step_by(250) {
        let mut workers = Workers::new();
        let others = [workers.here, workers.connect_here(), workers.connect_here()];
        others.iter().for_each(|client| assert_eq!(workers.read(*client, 0, 1), (NONE, vec![0, 1])));
        let began = workers.pair.now().instant;
        // So that there is an old answer of every age.
        let mut at = began;
        while at.since(began) < Duration::from_millis(deleted_after) {
            at = at + Duration::from_millis(250);
            workers.run_until(at);
            workers.read(others[0], 2, 0);
        }
        let deleted = workers.delete(7);
        workers.run_until(deleted + A_SECOND);
        for client in others {
            assert_eq!(workers.read(client, 4, 1), (OFFSET_OUT_OF_RANGE, vec![]), "after {deleted_after} ms");
        }
    }
}

#[test]
fn what_waited_for_permits_is_as_old_as_it_is_though_its_reader_had_nothing_left() {
    let mut workers = Workers::new();
    let here = workers.here;
    // Entries of which a reader takes in few.
    let large = "x".repeat(1 << 20);
    (0..4).for_each(|_| workers.write(&large));
    assert_eq!(workers.read(here, 10, 1), (NONE, vec![10, 11]));
    workers.pair.run_for(3 * A_SECOND);
    assert_eq!(workers.read(here, 12, 1), (NONE, vec![12, 13]));
    let asked = workers.pair.now().instant;
    (0..8).for_each(|_| workers.write(&large));
    let deleted = workers.delete(30);
    workers.run_until(asked + Duration::from_millis(850));
    assert_eq!(workers.read(here, 14, 1 << 23), (NONE, (14..18).collect()));
    workers.run_until(deleted + A_SECOND);
    assert_eq!(workers.read(here, 18, 1), (OFFSET_OUT_OF_RANGE, vec![]));
}

#[test]
fn a_worker_asks_once_a_second_however_many_read_and_for_a_topic_once() {
    let mut workers = Workers::new();
    let clients: Vec<ClientId> = (0..5).map(|_| workers.connect_here()).collect();
    const SECONDS: i64 = 10;
    (0..4 * SECONDS).for_each(|_| workers.write("a"));
    workers.asked_here();
    // All at once, so that each comes to wait.
    let ask = |workers: &mut Workers, offset: i64| {
        let mut request = fetch("t", 0, offset, 100);
        request.topics[0].partitions[0].partition_max_bytes = 1;
        let tickets: Vec<_> = clients.iter().map(|client| workers.pair.send(*client, &request, 12)).collect();
        for ticket in tickets {
            let response = workers.pair.wait(ticket, PATIENCE).unwrap();
            assert_eq!(fetched(&response, offset).0, NONE);
        }
    };
    ask(&mut workers, 0);
    assert_eq!(workers.asked_here(), (1, 0));
    let began = workers.pair.now().instant;
    for step in 1..=4 * SECONDS {
        workers.run_until(began + Duration::from_millis(250).saturating_mul(step as u32));
        let before = workers.pair.now().instant;
        ask(&mut workers, 2 * step);
        assert!(workers.pair.now().instant.since(before) < Duration::from_millis(50), "nobody waits for long");
    }
    let (topic, signal) = workers.asked_here();
    assert_eq!(topic, 0);
    assert!((SECONDS - 1..=SECONDS).contains(&(signal as i64)), "{signal}");
}

#[test]
fn when_the_connection_that_asks_is_gone_another_asks() {
    let mut workers = Workers::new();
    let (here, other) = (workers.here, workers.connect_here());
    for client in [here, other] {
        assert_eq!(workers.read(client, 0, 1), (NONE, vec![0, 1]));
    }
    workers.pair.run_for(3 * A_SECOND);
    let mut request = fetch("t", 0, 2, 100);
    request.topics[0].partitions[0].partition_max_bytes = 1;
    workers.asked_here();
    workers.pair.send(here, &request, 12);
    workers.pair.settle();
    let ticket = workers.pair.send(other, &request, 12);
    workers.pair.settle();
    assert_eq!(workers.asked_here(), (0, 1));
    workers.pair.disconnect(here);
    let response = workers.pair.wait(ticket, Duration::from_millis(50)).unwrap();
    assert_eq!(fetched(&response, 2).0, NONE);
}

#[test]
fn what_is_remembered_of_a_topic_hides_nothing_of_one_that_was_made_again_with_more() {
    for at in [EARLIEST, TIME, NEWEST] {
        let mut workers = Workers::new();
        let here = workers.here;
        workers.delete(8);
        assert_eq!(workers.offset_of(here, EARLIEST), 8);
        workers.make_again(5);
        assert_eq!(workers.offset_of(here, at), 0, "{at}");
        assert_eq!(workers.read(here, 0, 1), (NONE, vec![0, 1]));
    }
}

#[test]
fn what_is_remembered_of_a_topic_ends_no_reader_of_one_that_was_made_again() {
    for entries in [0, 2] {
        let mut workers = Workers::new();
        let (here, other) = (workers.here, workers.connect_here());
        workers.delete(8);
        assert_eq!(workers.read(here, 8, 1), (NONE, vec![8, 9]));
        workers.make_again(entries);
        let expected: Vec<i64> = (0..2 * entries as i64).collect();
        assert_eq!(workers.read(other, 0, 1 << 20), (NONE, expected));
        workers.delete_of_another();
        workers.write("c");
        let end = 2 * entries as i64;
        assert_eq!(workers.read(other, end, 1 << 20), (NONE, vec![end, end + 1]));
    }
}

#[test]
fn a_start_above_the_end_ends_and_moves_no_reader_whenever_it_is_told() {
    let mut workers = Workers::new();
    let here = workers.here;
    // Only the partitions were made again: the topic's properties stayed.
    let floor = |workers: &mut Workers, floor: &str| {
        workers.pair.broker.set_property("t", "kafka.log-start.old", floor);
        workers.pair.broker.set_property("__kafka_log_starts", "kafka.changed", floor);
    };
    floor(&mut workers, "0=50");
    assert_eq!(workers.read(here, 0, 1), (NONE, vec![0, 1]));
    workers.delete_of_another();
    assert_eq!(workers.read(here, 2, 1), (NONE, vec![2, 3]));
    floor(&mut workers, "0=60");
    workers.pair.run_for(2 * A_SECOND);
    assert_eq!(workers.read(here, 4, 1), (NONE, vec![4, 5]));
    workers.delete_of_another();
    assert_eq!(workers.read(here, 6, 1 << 20), (NONE, vec![6, 7, 8, 9]));
    workers.asked_here();
    workers.pair.run_for(A_SECOND);
    workers.write("c");
    assert_eq!(workers.read(here, 10, 1 << 20), (NONE, vec![10, 11]));
    assert!(workers.asked_here().0 <= 1, "nothing is asked over and over");
}

#[test]
fn a_reader_is_told_of_a_start_behind_the_end_that_it_knows() {
    let mut workers = Workers::new();
    let here = workers.here;
    assert_eq!(workers.read(here, 0, 1), (NONE, vec![0, 1]));
    (0..5).for_each(|_| workers.write("b"));
    let deleted = workers.delete(18);
    workers.run_until(deleted + A_SECOND);
    assert_eq!(workers.read(here, 2, 1), (OFFSET_OUT_OF_RANGE, vec![]));
    assert_eq!(workers.read(here, 18, 1), (NONE, vec![18, 19]));
}
