//! `docs/record-format.md` and the code say the same: its bytes are written, and are read for good.

mod records_support;

use isthmus::records::{Entry, ReadOptions, Scratch, SendParams, write_kafka_batch};
use isthmus::time::UnixMillis;
use records_support::kafka::{Record, batch, decode};
use records_support::{params, send};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const DOCUMENT: &str = include_str!("../../docs/record-format.md");

/// The bytes of the document's listing: two hexadecimal digits each, comments behind `#`.
fn listed() -> Vec<u8> {
    let listing = DOCUMENT.split("```hex\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let digits: String = listing.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace()).collect();
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The records that the document describes.
fn records() -> Vec<Record> {
    vec![
        Record::new("user-1", "hello").header("trace", Some(b"abc")).at(1_700_000_000_000),
        Record { key: Some(vec![0xff, 0x00]), ..Record::new(None, None) }.at(-1),
        Record::new(None, "").header("n", None).at(1_700_000_000_005),
    ]
}

fn document_params() -> SendParams<'static> {
    SendParams {
        producer_id: 1,
        producer_name: "p",
        sequence_id: 40,
        publish_time: UnixMillis(1_700_000_000_123),
        ..params()
    }
}

#[test]
fn the_documents_records_are_written_as_its_bytes() {
    let (out, _) = send(&batch(&records()), &document_params()).unwrap();
    let written: Vec<String> = out.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(out, listed(), "{}", written.join(" "));
}

#[test]
fn the_documents_bytes_are_read_as_its_records() {
    let frame = listed();
    // Behind the frame's size, the command's size and the command.
    let section = &frame[8 + usize::from(frame[7])..];
    let mut out = Vec::new();
    let options = ReadOptions { decompressed_max: 1 << 20 };
    write_kafka_batch(&Entry::parse(section).unwrap(), 0, &options, &mut Scratch::new(), &mut out).unwrap();
    let read: Vec<_> = decode(&out).records.into_iter().map(|(_, record)| record).collect();
    assert_eq!(read, records());
}
