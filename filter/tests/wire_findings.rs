//! Inputs that the fuzzer started from, and those it once failed on, go through its targets again.
#![cfg(not(target_arch = "wasm32"))]
#![allow(unreachable_pub, reason = "the targets are modules of the fuzz crate")]

use std::io::Write;
use std::path::Path;

#[path = "../../fuzz/src/group_entry.rs"]
mod group_entry;
mod group_support;
#[path = "../../fuzz/src/kafka_frame.rs"]
mod kafka_frame;
#[path = "../../fuzz/src/pulsar_entry.rs"]
mod pulsar_entry;
#[path = "../../fuzz/src/pulsar_frame.rs"]
mod pulsar_frame;
#[path = "../../fuzz/src/record_batch.rs"]
mod record_batch;
mod records_support;
#[path = "../../fuzz/src/session_ops/mod.rs"]
mod session_ops;

use proptest::prelude::*;
use records_support::{kafka, pulsar};

fn replay(target: &str, run: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let mut replayed = 0;
    for folder in ["seeds", "findings"] {
        let Ok(inputs) = fuzz.join(folder).join(target).read_dir() else { continue };
        for input in inputs {
            run(&std::fs::read(input.unwrap().path()).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed > 0, "no inputs in {} for {target}", fuzz.display());
}

#[test]
fn every_served_api_is_fuzzed() {
    for api in isthmus::apis::APIS {
        assert!(kafka_frame::REQUESTS.iter().any(|(api_key, _)| *api_key == api.key), "{:?}", api.key);
    }
}

#[test]
fn group_entries_do_not_fail() {
    replay("group_entry", group_entry::run);
}

#[test]
fn kafka_frames_do_not_fail() {
    replay("kafka_frame", kafka_frame::run);
}

#[test]
fn pulsar_frames_do_not_fail() {
    replay("pulsar_frame", pulsar_frame::run);
}

#[test]
fn pulsar_entries_do_not_fail() {
    replay("pulsar_entry", pulsar_entry::run);
}

#[test]
fn record_batches_do_not_fail() {
    replay("record_batch", record_batch::run);
}

#[test]
fn sessions_do_not_fail() {
    replay("session_ops", session_ops::run);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sessions_do_not_fail_whatever_is_done(input in proptest::collection::vec(any::<u8>(), 0..600)) {
        session_ops::run(&input);
    }
}

fn write_seed(target: &str, name: &str, seed: &[u8]) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    std::fs::create_dir_all(&seeds).unwrap();
    std::fs::write(seeds.join(name), seed).unwrap();
}

/// Batches of records of every kind, for the fuzzer to start from.
#[test]
#[ignore = "writes fuzz/seeds/record_batch"]
fn write_record_batch_seeds() {
    let plain = kafka::Record::new("k", "v").at(records_support::NOW);
    let tombstone = kafka::Record::new("k", None);
    let headers = kafka::Record::new(None, "v").header("h", Some(b"1")).header("h", Some(b"\xff")).header("n", None);
    let seeds = [("plain", vec![plain.clone()]), ("kinds", vec![plain, tombstone, headers])];
    for (name, records) in seeds {
        write_seed("record_batch", name, &kafka::batch(&records));
    }
}

/// Entries of one message and of several, for the fuzzer to start from.
#[test]
#[ignore = "writes fuzz/seeds/pulsar_entry"]
fn write_pulsar_entry_seeds() {
    let single = pulsar::MessageMetadata {
        properties: vec![pulsar::property("h", "1")],
        partition_key: Some(b"k".to_vec()),
        ..pulsar::metadata()
    };
    write_seed("pulsar_entry", "single", &pulsar::covered(&single, b"payload"));

    let message = |key: &[u8], size: i32| pulsar::SingleMessageMetadata {
        partition_key: Some(key.to_vec()),
        payload_size: size,
        event_time: Some(1),
        ..Default::default()
    };
    let payload = pulsar::batch_payload(&[(message(b"a", 1), b"1"), (message(b"b", 0), b"")]);
    let batch = pulsar::MessageMetadata { num_messages_in_batch: Some(2), ..pulsar::metadata() };
    write_seed("pulsar_entry", "batch", &pulsar::covered(&batch, &payload));

    let zlib = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&payload).unwrap();
        encoder.finish().unwrap()
    };
    let compressed = [
        ("lz4", 1, lz4_flex::block::compress(&payload)),
        ("zlib", 2, zlib),
        ("zstd", 3, zrip::compress(&payload, 1).unwrap()),
        ("snappy", 4, snap::raw::Encoder::new().compress_vec(&payload).unwrap()),
    ];
    for (name, compression, compressed) in compressed {
        let uncompressed_size = u32::try_from(payload.len()).ok();
        let metadata = pulsar::MessageMetadata { compression: Some(compression), uncompressed_size, ..batch.clone() };
        write_seed("pulsar_entry", name, &pulsar::covered(&metadata, &compressed));
    }
}

/// A group's life as entries of its log, and its state's bytes, for the fuzzer to start from.
#[test]
#[ignore = "writes fuzz/seeds/group_entry"]
fn write_group_entry_seeds() {
    use group_support::Group;
    use group_support::events::*;
    use prost::Message;

    let mut group = Group::stable_of(vec![join("a"), fresh_static("s", "i")]);
    group.event(commit("a", 1, &[("t", 0, 5), ("u", 1, 6)]));
    group.event(txn_commit(simple_commit(&[("t", 0, 9)]), 4, 2));
    write_seed("group_entry", "state", &group.state.encode());
    group.event(beat(&["a", "s"]));
    group.event(fresh_static("s2", "i"));
    group.expire("a");
    group.time_out();
    group.event(leave(&[("", Some("i"))]));
    group.event(delete_offsets(&[("t", 0)]));
    let mut log = Vec::new();
    for (_, entry) in &group.log {
        let payload = entry.encode_to_vec();
        log.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
        log.extend_from_slice(&payload);
    }
    write_seed("group_entry", "life", &log);
}
