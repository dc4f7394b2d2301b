//! DeleteRecords: where partitions begin afterwards, for whom, and since when. Another filter is played by what it leaves in Pulsar.

use std::time::Duration;

use isthmus::config::{Config, OffsetMode};
use isthmus::time::Instant;
use isthmus_host_tests::codes::{
    NONE, OFFSET_OUT_OF_RANGE, POLICY_VIOLATION, REQUEST_TIMED_OUT, UNKNOWN_TOPIC_OR_PARTITION,
};
use isthmus_host_tests::http::HttpAnswer;
use isthmus_host_tests::pair::records::{batch, fetch, fetched, list_offsets, produce, produced, topic_name};
use isthmus_host_tests::pair::{ClientId, Fleet, NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, HttpFault, ScriptedBroker};
use kafka_protocol::messages::DeleteRecordsRequest;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{DeleteRecordsResponse, DeleteTopicsRequest, FetchResponse};

const SOON: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(60);
const A_SECOND: Duration = Duration::from_secs(1);

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
const NEWEST: i64 = -3;
const HIGH_WATERMARK: i64 = -1;
/// Of every record that `batch` makes.
const TIME: i64 = 1_700_000_000_000;

/// Code and low watermark.
type Told = (i16, i64);

const fn refused(code: i16) -> Told {
    (code, -1)
}

fn deletion(wanted: &[(&str, i32, i64)]) -> DeleteRecordsRequest {
    let topics = wanted.iter().map(|(topic, partition, offset)| {
        let row = DeleteRecordsPartition::default().with_partition_index(*partition).with_offset(*offset);
        DeleteRecordsTopic::default().with_name(topic_name(topic)).with_partitions(vec![row])
    });
    DeleteRecordsRequest::default().with_topics(topics.collect()).with_timeout_ms(20_000)
}

fn told(response: DeleteRecordsResponse) -> Vec<Told> {
    let rows = response.topics.into_iter().flat_map(|topic| topic.partitions);
    rows.map(|row| (row.error_code, row.low_watermark)).collect()
}

/// A topic `t` of two partitions, the first with ten records in entries of two, and a client.
struct Scene {
    pair: Pair<NativeFilter>,
    client: ClientId,
}

fn scene() -> Scene {
    Scene::new(Config::default())
}

impl Scene {
    fn new(config: Config) -> Self {
        let mut pair = Pair::new(NativeFilter::new(config, 7), ScriptedBroker::new(BrokerConfig::default()));
        pair.broker.create_topic("t", 2);
        let client = pair.connect();
        let mut scene = Self { pair, client };
        scene.write(5);
        scene
    }

    /// Writes so many entries of two records, and tells where each began.
    fn write(&mut self, entries: usize) -> Vec<i64> {
        let write = |_| {
            let response = self.pair.ask(self.client, &produce("t", 0, batch(&["a", "b"], None)), 9, SOON).unwrap();
            let (error, offset) = produced(&response);
            assert_eq!(error, NONE);
            offset
        };
        (0..entries).map(write).collect()
    }

    fn delete_all(&mut self, wanted: &[(&str, i32, i64)]) -> Vec<Told> {
        told(self.pair.ask(self.client, &deletion(wanted), 2, PATIENCE).unwrap())
    }

    fn delete(&mut self, offset: i64) -> Told {
        self.delete_all(&[("t", 0, offset)])[0]
    }

    /// What another filter does when it is asked for the same.
    fn delete_elsewhere(&mut self, floors: &str) {
        self.pair.broker.set_property("t", "kafka.log-start.elsewhere", floors);
        self.pair.broker.set_property("__kafka_log_starts", "kafka.changed", floors);
    }

    fn offset_of(&mut self, at: i64) -> i64 {
        let response = self.pair.ask(self.client, &list_offsets("t", 0, at), 7, PATIENCE).unwrap();
        let row = &response.topics[0].partitions[0];
        assert_eq!(row.error_code, NONE);
        row.offset
    }

    fn fetch(&mut self, offset: i64) -> FetchResponse {
        self.pair.ask(self.client, &fetch("t", 0, offset, 100), 12, PATIENCE).unwrap()
    }

    /// Code, log start and offsets of the records from `offset` on.
    fn read(&mut self, offset: i64) -> (i16, i64, Vec<i64>) {
        let response = self.fetch(offset);
        let (error, _, records) = fetched(&response, offset);
        let log_start = response.responses[0].partitions[0].log_start_offset;
        (error, log_start, records.into_iter().map(|record| record.offset).collect())
    }

    /// One entry.
    fn read_little(&mut self, offset: i64) -> (i16, Vec<i64>) {
        let mut request = fetch("t", 0, offset, 100);
        request.topics[0].partitions[0].partition_max_bytes = 1;
        let response = self.pair.ask(self.client, &request, 12, PATIENCE).unwrap();
        let (error, _, records) = fetched(&response, offset);
        (error, records.into_iter().map(|record| record.offset).collect())
    }

    fn fault(&mut self, contains: &str, times: u32, answer: Option<HttpAnswer>) {
        self.pair.broker.http_fault(HttpFault { contains: contains.to_string(), times, answer });
    }

    fn floors(&self) -> Vec<String> {
        let properties = self.pair.broker.properties("t").into_iter();
        properties.filter(|(key, _)| key.starts_with("kafka.log-start.")).map(|(_, value)| value).collect()
    }

    /// Nothing is left in flight, and everything that was to go wrong did.
    fn is_at_rest(&mut self) {
        self.pair.run_for(A_SECOND);
        assert_eq!(self.pair.awaited(), 0, "requests without an answer");
        assert!(self.pair.broker.faults_are_spent(), "a fault that never happened");
    }
}

mod on_the_same_connection {
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
}

mod refusals {
    use super::*;

    #[test]
    fn what_cannot_be_deleted_is_refused_partition_by_partition() {
        let mut scene = scene();
        let told =
            scene.delete_all(&[("t", 0, 11), ("t", 0, -2), ("t", 7, 1), ("none", 0, 1), ("a b", 0, 1), ("t", 0, 1)]);
        assert_eq!(
            told,
            [
                refused(OFFSET_OUT_OF_RANGE),
                refused(OFFSET_OUT_OF_RANGE),
                refused(UNKNOWN_TOPIC_OR_PARTITION),
                refused(UNKNOWN_TOPIC_OR_PARTITION),
                refused(UNKNOWN_TOPIC_OR_PARTITION),
                (NONE, 1),
            ]
        );
        scene.is_at_rest();
    }

    #[test]
    fn a_start_never_falls() {
        let mut scene = scene();
        assert_eq!(scene.delete(6), (NONE, 6));
        for lower in [6, 3, 0] {
            assert_eq!(scene.delete(lower), (NONE, 6));
        }
        assert_eq!(scene.floors(), ["0=6"]);
    }

    #[test]
    fn a_topic_that_is_only_compacted_keeps_its_records() {
        for (policy, told) in [("compact", refused(POLICY_VIOLATION)), ("compact,delete", (NONE, 4)), ("", (NONE, 4))] {
            let mut scene = scene();
            scene.pair.broker.set_property("t", "kafka.cleanup.policy", policy);
            let threshold = serde_json::json!(if policy.is_empty() { 0 } else { 1000 });
            scene.pair.broker.set_topic_policy("t", "compactionThreshold", Some(threshold));
            assert_eq!(scene.delete(4), told, "{policy}");
        }
    }

    #[test]
    fn a_topic_that_pulsars_tools_made_another_again_is_judged_by_what_is_in_force() {
        let mut scene = scene();
        scene.pair.broker.set_property("t", "kafka.cleanup.policy", "compact");
        assert_eq!(scene.delete(4), (NONE, 4));
    }
}

mod elsewhere {
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
}

mod when_the_admin_rest_fails {
    use super::*;

    #[test]
    fn nothing_is_deleted_that_pulsar_did_not_take() {
        for answer in [
            None,
            Some(HttpAnswer::empty(500)),
            Some(HttpAnswer { body: b"<html>".to_vec(), ..HttpAnswer::empty(200) }),
        ] {
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
}

/// Two workers that know of each other only by what stands in Pulsar.
mod two_workers {
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
}
