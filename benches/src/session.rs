//! One Kafka request through the worker: its bytes in, Pulsar's out, the broker's answer in, the response out.

use std::time::{Duration, Instant as Clock};

use bytes::{BufMut, Bytes, BytesMut};
use isthmus::config::Config;
use isthmus::error::AdminError;
use isthmus::ids::ConnectionId;
use isthmus::records::crc::crc32c;
use isthmus::session::io::Endpoints;
use isthmus::time::{Instant, Now, UnixMillis};
use isthmus::worker::Worker;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FetchResponse, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
    RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request, StrBytes};

use crate::broker::Broker;
use crate::records::{Case, Shape};

const CONNECTION: ConnectionId = ConnectionId(1);
const TOPIC: &str = "bench";
const PRODUCE_VERSION: i16 = 11;
const FETCH_VERSION: i16 = 12;
const METADATA_VERSION: i16 = 12;

/// Of each topic that Metadata is asked for.
pub const PARTITIONS: u32 = 10;

/// How many topics Metadata is asked for: twice as many must cost no more each.
pub const TOPICS: [usize; 3] = [1, 100, 1000];

/// How many bytes of a broker's answers Envoy hands over at once, about, while they are still coming.
const PIECE_BYTES: usize = 2048;

/// Where the checksum, what it covers, and the first sequence stand in a record batch.
const CRC_AT: usize = 17;
const COVERED_AT: usize = 21;
const SEQUENCE_AT: usize = 53;

/// More rounds than the first exchange, which opens everything, can need.
const ROUNDS_MAX: usize = 100;

/// What is told when the filter begins to work and when it is done.
pub trait Meter {
    /// The filter begins.
    fn begin(&mut self);
    /// It is done, for now.
    fn end(&mut self);
}

/// Measures nothing.
pub struct Unmeasured;

impl Meter for Unmeasured {
    fn begin(&mut self) {}
    fn end(&mut self) {}
}

/// Measures time.
pub struct Stopwatch {
    begun: Clock,
    /// In the filter so far.
    pub total: Duration,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self { begun: Clock::now(), total: Duration::ZERO }
    }
}

impl Meter for Stopwatch {
    fn begin(&mut self) {
        self.begun = Clock::now();
    }

    fn end(&mut self) {
        self.total += self.begun.elapsed();
    }
}

/// The worker with one connection, called as the Envoy shell calls it.
struct Link {
    worker: Worker,
    now: Now,
    spare: Vec<u8>,
    segments: Vec<Bytes>,
}

impl Link {
    fn new() -> Self {
        let now = Now { instant: Instant::from_millis(1000), unix: UnixMillis(1_700_000_000_000) };
        let mut worker = Worker::new(Config::default(), 7);
        let endpoints = Endpoints { reached: "127.0.0.1:9092".parse().ok(), peer: None };
        assert!(worker.on_open(CONNECTION, endpoints, now));
        Self { worker, now, spare: Vec::new(), segments: Vec::new() }
    }

    /// Bytes from the client; returns those for the broker. Instructions are counted here: its name stands in instructions/session.
    #[inline(never)]
    fn on_client_bytes(&mut self, bytes: Bytes) -> Vec<u8> {
        assert!(!self.worker.is_full(CONNECTION));
        self.worker.on_downstream(CONNECTION, bytes, self.now);
        self.drain()
    }

    /// Bytes from the broker; returns those for the broker and leaves the response in `segments`. As above.
    #[inline(never)]
    fn on_broker_bytes(&mut self, bytes: Bytes) -> Vec<u8> {
        self.worker.on_upstream(CONNECTION, bytes, self.now);
        self.worker.take_downstream(CONNECTION, &mut self.segments, self.now);
        self.drain()
    }

    fn drain(&mut self) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.spare);
        if self.worker.has_upstream(CONNECTION) {
            out = self.worker.take_upstream(CONNECTION, out);
        }
        while let Some((call, _)) = self.worker.poll_admin(CONNECTION) {
            self.worker.on_admin(CONNECTION, call, Err(AdminError::NotConfigured), self.now);
        }
        self.worker.drain_log();
        out
    }

    /// The buffer goes back, as from the host.
    fn recycle(&mut self, mut out: Vec<u8>) {
        out.clear();
        self.spare = out;
    }
}

/// Which request is repeated.
enum Kind {
    Produce { batch_at: usize, sequence: i32 },
    Fetch { offset_at: usize, offset: i64 },
    Metadata,
}

/// One kind of request, over and over.
pub struct Exchange {
    link: Link,
    broker: Broker,
    kind: Kind,
    request: Vec<u8>,
    records: usize,
    response_bytes: usize,
    /// The broker's answers come in pieces of so many bytes.
    piece_bytes: usize,
}

/// The batches that are measured: 128 KiB of large and of small records, and a single record.
pub fn shapes() -> [(&'static str, Shape); 3] {
    let large = Shape { records: 126, value_bytes: 1024, headers: 0, key_bytes: 0, codec: 0 };
    let small = Shape { records: 1210, value_bytes: 100, ..large };
    [("126 x 1024 B", large), ("1210 x 100 B", small), ("1 x 100 B", Shape { records: 1, ..small })]
}

impl Exchange {
    /// Produce of one batch by an idempotent producer, acks all; the producer is open already.
    pub fn produce(shape: Shape) -> Self {
        let case = Case::new(shape);
        let partition =
            PartitionProduceData::default().with_index(0).with_records(Some(Bytes::copy_from_slice(&case.batch)));
        let topic = TopicProduceData::default().with_name(topic_name()).with_partition_data(vec![partition]);
        let body = ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic]);
        let request = frame(&body, PRODUCE_VERSION);
        let batch_at = find(&request, &case.batch);
        let mut exchange = Self::new(&case, request, Kind::Produce { batch_at, sequence: 0 });
        for base_offset in 0..2 {
            let response: ProduceResponse = exchange.first(PRODUCE_VERSION);
            let partition = &response.responses[0].partition_responses[0];
            assert_eq!((partition.error_code, partition.base_offset), (0, base_offset * shape.records as i64));
        }
        exchange
    }

    /// Fetch that waits for an entry, from a partition with a backlog; the reader is open already.
    pub fn fetch(shape: Shape) -> Self {
        let case = Case::new(shape);
        // An offset that stands nowhere else in the request.
        const MARK: i64 = 0x0123_4567_89ab_cdef;
        // One entry is more than one byte: each response has one.
        let partition = FetchPartition::default().with_partition(0).with_fetch_offset(MARK).with_partition_max_bytes(1);
        let topic = FetchTopic::default().with_topic(topic_name()).with_partitions(vec![partition]);
        let body = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(500)
            .with_min_bytes(1)
            .with_max_bytes(50 << 20)
            .with_topics(vec![topic]);
        let request = frame(&body, FETCH_VERSION);
        let offset_at = find(&request, &MARK.to_be_bytes());
        let mut exchange = Self::new(&case, request, Kind::Fetch { offset_at, offset: 0 });
        for _ in 0..2 {
            let response: FetchResponse = exchange.first(FETCH_VERSION);
            let partition = &response.responses[0].partitions[0];
            assert_eq!(partition.error_code, 0);
            assert!(
                partition.records.as_ref().is_some_and(|records| records.len() > shape.records * shape.value_bytes)
            );
        }
        exchange
    }

    fn new(case: &Case, request: Vec<u8>, kind: Kind) -> Self {
        let broker = Broker::new(&case.section, case.records);
        let (link, records) = (Link::new(), case.records);
        Self { link, broker, kind, request, records, response_bytes: 0, piece_bytes: usize::MAX }
    }

    /// Metadata of so many topics by name; their leaders are known.
    pub fn metadata(topics: usize) -> Self {
        let asked = (0..topics).map(|number| {
            let name = TopicName(StrBytes::from_string(format!("bench-{number}")));
            MetadataRequestTopic::default().with_name(Some(name))
        });
        let request = frame(&MetadataRequest::default().with_topics(Some(asked.collect())), METADATA_VERSION);
        let mut exchange = Self {
            link: Link::new(),
            broker: Broker::new(&[], 0).with_partitions(PARTITIONS),
            kind: Kind::Metadata,
            request,
            records: topics,
            response_bytes: 0,
            piece_bytes: PIECE_BYTES,
        };
        for _ in 0..2 {
            let response: MetadataResponse = exchange.first(METADATA_VERSION);
            let led = response.topics.iter().flat_map(|topic| &topic.partitions);
            let led = led.filter(|partition| partition.error_code == 0).count();
            assert_eq!(led, topics * PARTITIONS as usize);
        }
        exchange
    }

    /// One exchange whose response is looked at.
    fn first<R: Decodable + HeaderVersion>(&mut self, version: i16) -> R {
        self.response_bytes = 0;
        self.run(&mut Unmeasured);
        let mut frame = Bytes::from(self.link.segments.concat());
        self.response_bytes = frame.len();
        let _length = frame.split_to(4);
        ResponseHeader::decode(&mut frame, R::header_version(version)).expect("a response header");
        R::decode(&mut frame, version).expect("a response")
    }

    /// Records of one exchange, or topics.
    pub fn records(&self) -> usize {
        self.records
    }

    /// One request and its response; `meter` hears of nothing but the filter's own work.
    pub fn run(&mut self, meter: &mut impl Meter) {
        let request = self.next_request();
        self.link.segments.clear();
        meter.begin();
        let mut out = self.link.on_client_bytes(request);
        meter.end();
        for _ in 0..ROUNDS_MAX {
            let mut answer = self.broker.on_bytes(&out);
            self.link.recycle(out);
            if self.link.segments.is_empty() && answer.is_empty() {
                answer = self.broker.next_message();
            }
            if answer.is_empty() {
                break;
            }
            let mut answer = Bytes::from(answer.into_boxed_slice());
            out = Vec::new();
            while !answer.is_empty() {
                let piece = answer.split_to(answer.len().min(self.piece_bytes));
                meter.begin();
                let more = self.link.on_broker_bytes(piece);
                meter.end();
                if out.is_empty() {
                    out = more;
                } else {
                    out.extend(more);
                }
            }
        }
        let bytes: usize = self.link.segments.iter().map(Bytes::len).sum();
        assert!(bytes > 0 && (self.response_bytes == 0 || bytes == self.response_bytes), "a response like the first");
    }

    fn next_request(&mut self) -> Bytes {
        match &mut self.kind {
            Kind::Produce { batch_at, sequence } => {
                let batch = &mut self.request[*batch_at..];
                let length = i32::from_be_bytes([batch[8], batch[9], batch[10], batch[11]]) as usize + 12;
                let batch = &mut batch[..length];
                batch[SEQUENCE_AT..][..4].copy_from_slice(&sequence.to_be_bytes());
                let crc = crc32c(&batch[COVERED_AT..]);
                batch[CRC_AT..][..4].copy_from_slice(&crc.to_be_bytes());
                *sequence += self.records as i32;
            }
            Kind::Fetch { offset_at, offset } => {
                self.request[*offset_at..][..8].copy_from_slice(&offset.to_be_bytes());
                *offset += self.records as i64;
            }
            Kind::Metadata => {}
        }
        Bytes::copy_from_slice(&self.request)
    }
}

fn topic_name() -> TopicName {
    TopicName(StrBytes::from_static_str(TOPIC))
}

fn frame<R: Request>(body: &R, version: i16) -> Vec<u8> {
    use kafka_protocol::protocol::Encodable;
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("bench")));
    let mut frame = BytesMut::new();
    header.encode(&mut frame, R::header_version(version)).expect("the header is encodable");
    body.encode(&mut frame, version).expect("the request is encodable");
    let mut out = Vec::with_capacity(frame.len() + 4);
    out.put_u32(frame.len() as u32);
    out.extend_from_slice(&frame);
    out
}

fn find(all: &[u8], part: &[u8]) -> usize {
    all.windows(part.len()).position(|window| window == part).expect("the request holds it as it is")
}
