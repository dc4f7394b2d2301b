//! Chunked messages of Pulsar's producers, put together.

mod records_support;

use isthmus::records::{
    Assembled, ChunkAssembler, ChunkLimits, ChunkStep, Entry, EntryError, ReadOptions, Scratch, write_kafka_batch,
};
use records_support::kafka::{Record, decode};
use records_support::pulsar::{BrokerEntryMetadata, MessageMetadata, entry, metadata, property, with_broker_metadata};
use records_support::{NOW, random_bytes};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const LIMITS: ChunkLimits = ChunkLimits { messages: 2, bytes: 10_000 };

/// A message of `payload` cut into chunks of `size` bytes.
fn chunks(producer: &str, uuid: &str, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let count = payload.len().div_ceil(size);
    let chunk = |(id, piece): (usize, &[u8])| {
        let metadata = MessageMetadata {
            producer_name: producer.into(),
            uuid: Some(uuid.into()),
            num_chunks_from_msg: Some(count as i32),
            total_chunk_msg_size: Some(payload.len() as i32),
            chunk_id: Some(id as i32),
            event_time: Some(NOW as u64),
            properties: vec![property("h", "1")],
            partition_key: Some(b"key".to_vec()),
            ..metadata()
        };
        let broker = BrokerEntryMetadata { index: Some(id as u64), broker_timestamp: None };
        with_broker_metadata(&broker, &entry(&metadata, piece))
    };
    payload.chunks(size).enumerate().map(chunk).collect()
}

fn add(assembler: &mut ChunkAssembler, chunk: &[u8]) -> Result<ChunkStep, EntryError> {
    assembler.add(&Entry::parse_checksum_due(chunk).unwrap())
}

fn complete(step: Result<ChunkStep, EntryError>) -> Assembled {
    match step.unwrap() {
        ChunkStep::Complete(assembled) => assembled,
        other @ (ChunkStep::Held | ChunkStep::Repeated | ChunkStep::Orphan) => panic!("{other:?}"),
    }
}

fn held(step: Result<ChunkStep, EntryError>) -> bool {
    matches!(step.unwrap(), ChunkStep::Held)
}

#[test]
fn the_last_chunk_gives_the_message_at_its_own_place() {
    let payload = random_bytes(1, 2500);
    let chunks = chunks("p", "u", &payload, 1000);
    let mut assembler = ChunkAssembler::new(LIMITS);
    assert!(held(add(&mut assembler, &chunks[0])) && held(add(&mut assembler, &chunks[1])));
    let assembled = complete(add(&mut assembler, &chunks[2]));

    let entry = assembled.entry().unwrap();
    assert_eq!((entry.index(), entry.chunk(), entry.num_messages()), (Some(2), None, 1));
    let mut out = Vec::new();
    let options = ReadOptions { decompressed_max: 1 << 20 };
    write_kafka_batch(&entry, 9, &options, &mut Scratch::new(), &mut out).unwrap();
    let record = Record { value: Some(payload), ..Record::new("key", None).header("h", Some(b"1")) };
    assert_eq!(decode(&out).records, [(9, record)]);
    assert_eq!((assembler.held_bytes(), assembler.held_messages()), (0, 0));
}

#[test]
fn chunks_of_two_producers_may_alternate() {
    let (a, b) = (random_bytes(1, 200), random_bytes(2, 200));
    let (first, second) = (chunks("a", "ua", &a, 100), chunks("b", "ub", &b, 100));
    let mut assembler = ChunkAssembler::new(LIMITS);
    assert!(held(add(&mut assembler, &first[0])) && held(add(&mut assembler, &second[0])));
    assert_eq!(complete(add(&mut assembler, &first[1])).entry().unwrap().producer_name(), b"a");
    assert_eq!(complete(add(&mut assembler, &second[1])).entry().unwrap().producer_name(), b"b");
}

#[test]
fn a_single_chunk_cannot_be_read_as_an_entry() {
    let chunk = &chunks("p", "u", &[1; 200], 100)[0];
    let entry = Entry::parse(chunk).unwrap();
    let options = ReadOptions { decompressed_max: 1 << 20 };
    let result = write_kafka_batch(&entry, 0, &options, &mut Scratch::new(), &mut Vec::new());
    assert_eq!(result.unwrap_err(), EntryError::IncompleteChunk);
}

#[test]
fn a_chunk_whose_beginning_was_not_seen_is_an_orphan() {
    let chunks = chunks("p", "u", &[1; 400], 100);
    let mut assembler = ChunkAssembler::new(LIMITS);
    assert!(matches!(add(&mut assembler, &chunks[1]), Ok(ChunkStep::Orphan)));
    assert!(held(add(&mut assembler, &chunks[0])));
    assert!(matches!(add(&mut assembler, &chunks[2]), Ok(ChunkStep::Orphan)), "a gap");
    assert!(matches!(add(&mut assembler, &chunks[1]), Ok(ChunkStep::Orphan)), "what had a gap is gone");
}

#[test]
fn a_chunk_that_comes_again_changes_nothing_and_the_first_begins_anew() {
    let payload = random_bytes(3, 300);
    let chunks = chunks("p", "u", &payload, 100);
    let mut assembler = ChunkAssembler::new(LIMITS);
    assert!(held(add(&mut assembler, &chunks[0])) && held(add(&mut assembler, &chunks[1])));
    assert!(matches!(add(&mut assembler, &chunks[1]), Ok(ChunkStep::Repeated)));
    assert!(held(add(&mut assembler, &chunks[0])) && held(add(&mut assembler, &chunks[1])));
    assert_eq!(complete(add(&mut assembler, &chunks[2])).entry().unwrap().payload_bytes(), 300);
}

#[test]
fn what_a_producer_left_unfinished_is_forgotten_when_it_begins_another() {
    let mut assembler = ChunkAssembler::new(LIMITS);
    assert!(held(add(&mut assembler, &chunks("p", "u1", &[1; 200], 100)[0])));
    assert!(held(add(&mut assembler, &chunks("p", "u2", &[1; 200], 100)[0])));
    assert_eq!(assembler.held_messages(), 1);
}

#[test]
fn at_the_limits_the_oldest_gives_way() {
    let mut assembler = ChunkAssembler::new(LIMITS);
    let oldest = chunks("a", "ua", &[1; 8000], 4000);
    assert!(held(add(&mut assembler, &oldest[0])));
    assert!(held(add(&mut assembler, &chunks("b", "ub", &[1; 8000], 4000)[0])));
    assert!(held(add(&mut assembler, &chunks("c", "uc", &[1; 8000], 4000)[0])));
    assert_eq!(assembler.held_messages(), 2, "by number");
    assert!(matches!(add(&mut assembler, &oldest[1]), Ok(ChunkStep::Orphan)));
    assert!(held(add(&mut assembler, &chunks("d", "ud", &[1; 9000], 8000)[0])));
    assert_eq!(assembler.held_messages(), 1, "by bytes");
    assert!(assembler.held_bytes() <= LIMITS.bytes);
}

#[test]
fn a_message_larger_than_all_there_is_room_for_is_an_error() {
    let chunks = chunks("p", "u", &vec![1; 12_000], 6000);
    let mut assembler = ChunkAssembler::new(LIMITS);
    assert!(held(add(&mut assembler, &chunks[0])));
    assert_eq!(add(&mut assembler, &chunks[1]).unwrap_err(), EntryError::DecompressedTooLarge);
    assert_eq!(assembler.held_messages(), 0);
}

#[test]
fn chunks_that_contradict_each_other_are_malformed() {
    let mut assembler = ChunkAssembler::new(LIMITS);
    add(&mut assembler, &chunks("p", "u", &[1; 200], 100)[0]).unwrap();
    assert_eq!(add(&mut assembler, &chunks("p", "u", &[1; 300], 100)[1]).unwrap_err(), EntryError::Malformed);

    let mut short = chunks("p", "u", &[1; 200], 100);
    short[1] = {
        let metadata = MessageMetadata {
            uuid: Some("u".into()),
            num_chunks_from_msg: Some(2),
            total_chunk_msg_size: Some(200),
            chunk_id: Some(1),
            ..metadata()
        };
        entry(&metadata, &[1; 99])
    };
    add(&mut assembler, &short[0]).unwrap();
    assert_eq!(add(&mut assembler, &short[1]).unwrap_err(), EntryError::Malformed);
}

#[test]
fn nothing_is_reserved_for_what_has_only_been_promised() {
    let metadata = MessageMetadata {
        uuid: Some("u".into()),
        num_chunks_from_msg: Some(i32::MAX),
        total_chunk_msg_size: Some(i32::MAX),
        chunk_id: Some(0),
        ..metadata()
    };
    let mut assembler = ChunkAssembler::new(LIMITS);
    assert!(held(add(&mut assembler, &entry(&metadata, b"tiny"))));
    assert!(assembler.held_bytes() < 100);
}
