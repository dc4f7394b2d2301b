//! Record batches to translate, there and back.

use std::io::Write as _;

use isthmus::records::crc::crc32c;
use isthmus::records::{
    Entry, KafkaBatch, ReadOptions, Scratch, SendParams, SentEntry, write_kafka_batch, write_sends,
};
use isthmus::time::UnixMillis;

/// The clock stands still.
const NOW: i64 = 1_700_000_000_000;

/// Shape of a batch's records.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// In one batch.
    pub records: usize,
    /// Of each value.
    pub value_bytes: usize,
    /// Of each record: short names, short UTF-8 values.
    pub headers: usize,
    /// Of each record; 0 for none.
    pub key_bytes: usize,
    /// Number of Kafka's codec.
    pub codec: i16,
}

/// One batch in both forms.
pub struct Case {
    /// `records × bytes`, what else each has, the codec.
    pub name: String,
    /// Records in the batch.
    pub records: usize,
    /// As in a Produce request.
    pub(crate) batch: Vec<u8>,
    /// As in a MESSAGE frame, behind the command.
    pub(crate) section: Vec<u8>,
}

/// The batches that are measured.
pub fn cases() -> Vec<Case> {
    let large = Shape { records: 100, value_bytes: 1024, headers: 0, key_bytes: 0, codec: 0 };
    let small = Shape { records: 1000, value_bytes: 100, ..large };
    let mut shapes = Vec::new();
    for shape in [large, small] {
        shapes.extend([shape, Shape { key_bytes: 16, ..shape }, Shape { headers: 3, ..shape }]);
    }
    for codec in 1..=4 {
        shapes.extend([large, small].map(|shape| Shape { codec, ..shape }));
    }
    shapes.push(Shape { records: 1, ..small });
    shapes.into_iter().map(Case::new).collect()
}

/// Memory for translating, kept from batch to batch as the filter does.
#[derive(Default)]
pub struct Translator {
    scratch: Scratch,
    out: Vec<u8>,
    sent: Vec<SentEntry>,
}

impl Translator {
    /// Kafka to Pulsar; the bytes of the frame.
    pub fn send(&mut self, case: &Case) -> usize {
        self.out.clear();
        self.sent.clear();
        let params = SendParams {
            producer_id: 1,
            producer_name: "isthmus-4711-0",
            sequence_id: 123_456,
            publish_time: UnixMillis(NOW),
            max_message_size: 5 << 20,
            decompressed_max: 32 << 20,
            max_entry_records: u32::MAX,
            skip_records: 0,
            one_entry_per_key: false,
        };
        let sent = KafkaBatch::parse(&case.batch)
            .and_then(|batch| write_sends(&batch, &params, &mut self.scratch, &mut self.out, &mut self.sent));
        sent.map_or(0, |()| self.out.len())
    }

    /// Pulsar to Kafka; the bytes of the batch.
    pub fn read(&mut self, case: &Case) -> usize {
        self.out.clear();
        let options = ReadOptions { decompressed_max: 32 << 20 };
        let read = Entry::parse_checksum_due(&case.section)
            .and_then(|entry| write_kafka_batch(&entry, 1_000_000, &options, &mut self.scratch, &mut self.out));
        read.map_or(0, |span| span.bytes)
    }
}

impl Case {
    /// Builds both forms.
    pub fn new(shape: Shape) -> Case {
        let batch = kafka_batch(&shape);
        let mut case = Case { name: shape.name(), records: shape.records, batch, section: Vec::new() };
        let mut translator = Translator::default();
        assert!(translator.send(&case) > 0, "{} is a sound batch", case.name);
        // Behind the frame's size, the command's size and the command, which is shorter than 256 bytes.
        let command_bytes = usize::from(translator.out[7]);
        case.section = translator.out[8 + command_bytes..].to_vec();
        assert!(translator.read(&case) > 0, "{} is a sound entry", case.name);
        case
    }
}

impl Shape {
    fn name(&self) -> String {
        let codec = ["", ", gzip", ", snappy", ", lz4", ", zstd"][self.codec as usize];
        let keys = if self.key_bytes > 0 { ", keys" } else { "" };
        let headers = if self.headers > 0 { ", 3 headers" } else { "" };
        format!("{} x {} B{keys}{headers}{codec}", self.records, self.value_bytes)
    }
}

fn kafka_batch(shape: &Shape) -> Vec<u8> {
    let mut records = Vec::new();
    let mut values = Values(1);
    for index in 0..shape.records {
        let mut body = vec![0];
        put_zigzag(index as i64 / 10, &mut body);
        put_zigzag(index as i64, &mut body);
        put_nullable((shape.key_bytes > 0).then(|| vec![b'k'; shape.key_bytes]).as_deref(), &mut body);
        put_nullable(Some(&values.next(shape.value_bytes)), &mut body);
        put_zigzag(shape.headers as i64, &mut body);
        for header in 0..shape.headers {
            put_nullable(Some(format!("header-{header}").as_bytes()), &mut body);
            put_nullable(Some(b"some-value"), &mut body);
        }
        put_zigzag(body.len() as i64, &mut records);
        records.extend(body);
    }
    let mut covered = Vec::new();
    covered.extend(shape.codec.to_be_bytes());
    covered.extend((shape.records as i32 - 1).to_be_bytes());
    covered.extend(NOW.to_be_bytes());
    covered.extend((NOW + shape.records as i64 / 10).to_be_bytes());
    covered.extend(4711_i64.to_be_bytes());
    covered.extend(0_i16.to_be_bytes());
    covered.extend(0_i32.to_be_bytes());
    covered.extend((shape.records as i32).to_be_bytes());
    covered.extend(compress(shape.codec, &records));
    let mut batch = vec![0; 8];
    batch.extend((covered.len() as i32 + 9).to_be_bytes());
    batch.extend((-1_i32).to_be_bytes());
    batch.push(2);
    batch.extend(crc32c(&covered).to_be_bytes());
    batch.extend(covered);
    batch
}

/// As Kafka's clients compress; the writers write to memory and cannot fail.
fn compress(codec: i16, plain: &[u8]) -> Vec<u8> {
    let written = match codec {
        1 => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            gzip.write_all(plain).and_then(|()| gzip.finish())
        }
        2 => snap::raw::Encoder::new().compress_vec(plain).map_err(std::io::Error::other),
        3 => {
            let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
            lz4.write_all(plain).and_then(|()| lz4.finish().map_err(std::io::Error::other))
        }
        4 => zrip::compress(plain, 3).map_err(std::io::Error::other),
        _ => Ok(plain.to_vec()),
    };
    written.unwrap_or_default()
}

/// Values that compress about four to one, as JSON logs do.
struct Values(u64);

impl Values {
    fn next(&mut self, length: usize) -> Vec<u8> {
        let mut value = Vec::new();
        while value.len() < length {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let line = format!(
                "{{\"level\":\"info\",\"id\":{},\"path\":\"/api/v1/items\",\"ms\":{}}}",
                self.0 % 1_000_000,
                self.0 >> 56
            );
            value.extend(line.as_bytes());
        }
        value.truncate(length);
        value
    }
}

fn put_nullable(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    put_zigzag(bytes.map_or(-1, |bytes| bytes.len() as i64), out);
    out.extend(bytes.unwrap_or_default());
}

fn put_zigzag(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
