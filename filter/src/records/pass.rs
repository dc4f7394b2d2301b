//! A batch that holds no record for anybody: it lets a consumer pass offsets at which nothing is left to read.

use bytes::Bytes;

use super::batch::HEADER_BYTES;
use super::crc::crc32c;

/// Attributes: transactional and control (DefaultRecordBatch.java). Clients step over control batches.
const CONTROL: i16 = 0x30;

/// One control record, a commit marker: length, attributes, timestamp, offset, key (version 0, type 1), value (version 0, epoch 0),
/// no headers (ControlRecordType.java, EndTransactionMarker.java).
const COMMIT: [u8; 17] = [32, 0, 0, 0, 8, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0, 0, 0];

/// A control batch at `offset`: whoever reads it goes on behind it.
///
/// Where Kafka's log cleaner has taken everything, it keeps an empty batch. A control batch does the same, and better: Sarama moves on
/// by one offset only at an empty batch, and librdkafka takes it for a message that is larger than its fetch size, which it doubles.
pub fn pass_batch(offset: i64) -> Bytes {
    let mut covered = Vec::with_capacity(HEADER_BYTES);
    covered.extend_from_slice(&CONTROL.to_be_bytes());
    covered.extend_from_slice(&0_i32.to_be_bytes()); // last offset delta
    covered.extend_from_slice(&(-1_i64).to_be_bytes()); // base timestamp
    covered.extend_from_slice(&(-1_i64).to_be_bytes()); // max timestamp
    covered.extend_from_slice(&(-1_i64).to_be_bytes()); // producer id
    covered.extend_from_slice(&(-1_i16).to_be_bytes()); // producer epoch
    covered.extend_from_slice(&(-1_i32).to_be_bytes()); // base sequence
    covered.extend_from_slice(&1_i32.to_be_bytes()); // records
    covered.extend_from_slice(&COMMIT);

    let mut batch = Vec::with_capacity(HEADER_BYTES.saturating_add(COMMIT.len()));
    batch.extend_from_slice(&offset.to_be_bytes());
    batch.extend_from_slice(&LENGTH.to_be_bytes());
    batch.extend_from_slice(&0_i32.to_be_bytes()); // partition leader epoch
    batch.push(2); // magic
    batch.extend_from_slice(&crc32c(&covered).to_be_bytes());
    batch.extend_from_slice(&covered);
    batch.into()
}

/// What the length field counts: all behind itself.
const LENGTH: i32 = (HEADER_BYTES - 12 + COMMIT.len()) as i32;

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::records::RecordBatchDecoder;

    #[test]
    fn it_reads_back_as_one_control_record_at_its_offset() {
        let mut bytes = pass_batch(41);
        let set = RecordBatchDecoder::decode(&mut bytes).unwrap();
        assert!(bytes.is_empty());
        let [record] = set.records.as_slice() else { panic!("{} records", set.records.len()) };
        assert!(record.control);
        assert_eq!(record.offset, 41);
        assert_eq!(record.key.as_deref(), Some([0, 0, 0, 1].as_slice()));
    }
}
