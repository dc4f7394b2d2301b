//! Messages that Pulsar's clients write in several entries.

use std::time::Duration;

use bytes::Bytes;
use isthmus::config::Config;
use isthmus::pulsar::proto::MessageMetadata;
use isthmus_host_tests::pair::records::{batch, fetch, fetched, next_offset, produce, produced};
use isthmus_host_tests::pair::{NativeFilter, Pair};
use isthmus_host_tests::scripted::{BrokerConfig, ScriptedBroker, build_section};

const SOON: Duration = Duration::from_secs(5);
const PARTITION: &str = "t-partition-0";

/// One of two chunks of the message "whole", as a Pulsar client sends it.
fn chunk(id: i32, part: &[u8]) -> Bytes {
    let metadata = MessageMetadata {
        producer_name: "p".into(),
        uuid: Some("p-0".into()),
        num_chunks_from_msg: Some(2),
        total_chunk_msg_size: Some(5),
        chunk_id: Some(id),
        ..MessageMetadata::default()
    };
    build_section(&metadata, part)
}

#[test]
fn a_position_stays_before_a_message_of_which_chunks_are_missing_so_that_a_new_reader_finds_it_whole() {
    let broker = ScriptedBroker::new(BrokerConfig::default());
    let mut pair = Pair::new(NativeFilter::new(Config::default(), 7), broker);
    pair.broker.create_topic("t", 1);
    let client = pair.connect();
    assert_eq!(produced(&pair.ask(client, &produce("t", 0, batch(&["a"], None)), 9, SOON).unwrap()), (0, 0));
    pair.broker.append(PARTITION, chunk(0, b"who"), 1, pair.now());

    let caught_up = pair.ask(client, &fetch("t", 0, 1, 500), 11, SOON).unwrap();
    assert_eq!(next_offset(&caught_up), None);
    pair.broker.unload(PARTITION, pair.now());
    pair.broker.append(PARTITION, chunk(1, b"le"), 1, pair.now());

    let mut read = Vec::new();
    for _ in 0..5 {
        let response = pair.ask(client, &fetch("t", 0, 1, 500), 11, SOON).unwrap();
        read.extend(fetched(&response, 1).2.into_iter().map(|record| (record.offset, record.value)));
        if !read.is_empty() {
            break;
        }
    }
    assert_eq!(read, [(2, Some(Bytes::from_static(b"whole")))]);
}
