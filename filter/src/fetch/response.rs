//! The Fetch response, written by hand so that record batches go out as they lie in the readers' queues.
//!
//! Layout: Kafka's `FetchResponse.json`, versions 4 to 12 (12 is flexible: compact lengths and tagged fields).

use bytes::{BufMut, Bytes, BytesMut};

/// The first flexible version.
const FLEXIBLE: i16 = 12;

/// One partition's part.
#[derive(Clone, Debug, Default)]
pub struct PartitionPart {
    /// Partition index.
    pub index: i32,
    /// Kafka error code, 0 for none.
    pub error_code: i16,
    /// High watermark, and last stable offset: there are no open transactions that a reader would see.
    pub high_watermark: i64,
    /// Log start offset.
    pub log_start: i64,
    /// Whole record batches in order.
    pub records: Vec<Bytes>,
}

/// One topic's partitions.
#[derive(Clone, Debug)]
pub struct TopicPart {
    /// Name as the client wrote it.
    pub name: Bytes,
    /// In the order asked for.
    pub partitions: Vec<PartitionPart>,
}

/// The body in segments; `head` is what goes before it (length word and header), to which the first segment is appended.
pub fn write(version: i16, error_code: i16, topics: Vec<TopicPart>, head: BytesMut) -> Vec<Bytes> {
    let mut writer = Writer { flexible: version >= FLEXIBLE, buffer: head, segments: Vec::new() };
    writer.buffer.put_i32(0);
    if version >= 7 {
        writer.buffer.put_i16(error_code);
        writer.buffer.put_i32(0);
    }
    writer.array(topics.len());
    for topic in topics {
        writer.string(&topic.name);
        writer.array(topic.partitions.len());
        for partition in topic.partitions {
            writer.partition(version, partition);
        }
        writer.tags();
    }
    writer.tags();
    writer.finish()
}

struct Writer {
    flexible: bool,
    buffer: BytesMut,
    segments: Vec<Bytes>,
}

impl Writer {
    fn partition(&mut self, version: i16, part: PartitionPart) {
        self.buffer.put_i32(part.index);
        self.buffer.put_i16(part.error_code);
        self.buffer.put_i64(part.high_watermark);
        self.buffer.put_i64(part.high_watermark);
        if version >= 5 {
            self.buffer.put_i64(part.log_start);
        }
        self.array(0);
        if version >= 11 {
            // preferred_read_replica: clients act on anything but -1.
            self.buffer.put_i32(-1);
        }
        let length = part.records.iter().map(Bytes::len).sum();
        // Never null: librdkafka takes a negative size for a broken response.
        self.array(length);
        if length > 0 {
            self.segments.push(self.buffer.split().freeze());
            self.segments.extend(part.records);
        }
        self.tags();
    }

    fn array(&mut self, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        if self.flexible {
            self.varint(length.saturating_add(1));
        } else {
            self.buffer.put_u32(length);
        }
    }

    fn string(&mut self, text: &Bytes) {
        if self.flexible {
            self.array(text.len());
        } else {
            self.buffer.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
        }
        self.buffer.put_slice(text);
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8((value & 0x7f) as u8);
    }

    fn tags(&mut self) {
        if self.flexible {
            self.buffer.put_u8(0);
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        if !self.buffer.is_empty() {
            self.segments.push(self.buffer.freeze());
        }
        self.segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::FetchResponse;
    use kafka_protocol::protocol::Decodable;

    #[test]
    fn every_version_reads_back_as_kafka_reads_it() {
        for version in 4..=12 {
            let partition = |index, records: &[&'static [u8]]| PartitionPart {
                index,
                error_code: 0,
                high_watermark: 42,
                log_start: 7,
                records: records.iter().copied().map(Bytes::from_static).collect(),
            };
            let topics = vec![
                TopicPart { name: "a".into(), partitions: vec![partition(0, &[b"one", b"two"]), partition(1, &[])] },
                TopicPart { name: "b".into(), partitions: vec![partition(5, &[b"three"])] },
            ];

            let segments = write(version, 0, topics, BytesMut::new());

            let mut whole = Bytes::from(segments.concat());
            let response = FetchResponse::decode(&mut whole, version).unwrap();
            assert!(whole.is_empty(), "version {version}");
            let first = &response.responses[0];
            assert_eq!(first.partitions[0].records.as_deref(), Some(b"onetwo".as_slice()));
            assert_eq!(first.partitions[1].records.as_deref(), Some(b"".as_slice()));
            assert_eq!(first.partitions[0].high_watermark, 42);
            assert_eq!(response.responses[1].partitions[0].partition_index, 5);
        }
    }
}
