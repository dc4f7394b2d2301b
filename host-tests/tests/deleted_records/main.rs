//! DeleteRecords: where partitions begin afterwards, for whom, and since when. Another filter is played by what it leaves in Pulsar.

mod elsewhere;
mod on_the_same_connection;
mod refusals;
mod two_workers;
mod when_the_admin_rest_fails;

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
