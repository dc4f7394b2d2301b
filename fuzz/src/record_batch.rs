//! A Kafka producer's record batch: into Pulsar entries, and those back into batches.
//!
//! The input is a batch with its length and checksum still to be put right. What stands where the checksum goes chooses
//! the limits.

use bytes::Bytes;
use isthmus::frame::Splitter;
use isthmus::pulsar::frame::parse_frame;
use isthmus::records::crc::crc32c;
use isthmus::records::{
    Entry, KafkaBatch, ReadOptions, Scratch, SendParams, SentEntry, write_kafka_batch, write_sends,
};
use isthmus::time::UnixMillis;

const LENGTH: std::ops::Range<usize> = 8..12;
const CHECKSUM: std::ops::Range<usize> = 17..21;

const MESSAGE_SIZES: [usize; 4] = [5 << 20, 64 << 10, 1 << 10, 300];
const DECOMPRESSED_MAX: [usize; 2] = [1 << 20, 4 << 10];

/// Reads `input` as one batch.
pub fn run(input: &[u8]) {
    let mut batch = input.to_vec();
    let Some(choices) = batch.get(CHECKSUM).map(|bytes| [bytes[0], bytes[1], bytes[2], bytes[3]]) else { return };
    let length = u32::try_from(batch.len() - LENGTH.end).unwrap_or(u32::MAX);
    batch[LENGTH].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c(&batch[CHECKSUM.end..]);
    batch[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());

    let params = SendParams {
        producer_id: 1,
        producer_name: "fuzz",
        sequence_id: 100,
        publish_time: UnixMillis(1_700_000_000_000),
        max_message_size: MESSAGE_SIZES[usize::from(choices[0] % 4)],
        decompressed_max: DECOMPRESSED_MAX[usize::from(choices[1] % 2)],
        max_entry_records: u32::MAX,
        skip_records: u32::from(choices[2] % 4),
        one_entry_per_key: choices[3] % 2 == 1,
    };
    let mut scratch = Scratch::new();
    let Some((count, entries)) = sends(&batch, &params, &mut scratch) else { return };
    let sent: u32 = entries.iter().map(|(sent, _)| sent.records).sum();
    assert_eq!(sent, count.saturating_sub(params.skip_records));
    for (sent, section) in &entries {
        assert!(section.len() <= params.max_message_size, "{} bytes in one entry", section.len());
        let batch = read(section, sent.records, &params, &mut scratch);
        let again =
            SendParams { max_message_size: usize::MAX / 4, skip_records: 0, one_entry_per_key: false, ..params };
        // What has been read once comes back the same for ever, unless headers that Pulsar repeats outgrow the limit.
        if let Some((_, entries)) = sends(&batch, &again, &mut scratch) {
            let [(sent_again, section)] = entries.as_slice() else { panic!("{} entries of one", entries.len()) };
            assert_eq!(read(section, sent_again.records, &again, &mut scratch), batch);
        }
    }
}

/// The records in the batch, and each entry it becomes with its section of the frame; `None` if it is refused.
fn sends(batch: &[u8], params: &SendParams<'_>, scratch: &mut Scratch) -> Option<(u32, Vec<(SentEntry, Bytes)>)> {
    let batch = KafkaBatch::parse(batch).ok()?;
    let (mut out, mut sent) = (Vec::new(), Vec::new());
    write_sends(&batch, params, scratch, &mut out, &mut sent).ok()?;
    let mut splitter = Splitter::new(usize::MAX);
    splitter.push(out.into());
    let sections = std::iter::from_fn(|| splitter.next_frame().expect("frames")).map(|frame| {
        let frame = parse_frame(frame).expect("a SEND frame");
        assert!(frame.command.send.is_some());
        frame.section
    });
    let sections: Vec<_> = sections.collect();
    assert_eq!((sections.len(), splitter.buffered_bytes()), (sent.len(), 0));
    Some((batch.record_count(), sent.into_iter().zip(sections).collect()))
}

fn read(section: &[u8], records: u32, params: &SendParams<'_>, scratch: &mut Scratch) -> Vec<u8> {
    let options = ReadOptions { decompressed_max: params.decompressed_max };
    let entry = Entry::parse(section).expect("what was written is an entry");
    let mut batch = Vec::new();
    let span = write_kafka_batch(&entry, 0, &options, scratch, &mut batch).expect("what was written can be read");
    assert_eq!((span.records, span.bytes), (records, batch.len()));
    batch
}
