//! Nothing is allocated per record, in either direction.
#![cfg(not(target_arch = "wasm32"))]
#![allow(unsafe_code, reason = "counting allocations takes an allocator")]

mod records_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use isthmus::records::{Entry, KafkaBatch, ReadOptions, Scratch, write_kafka_batch, write_sends};
use records_support::compress::KAFKA_CODECS;
use records_support::kafka::{Batch, Record};
use records_support::pulsar::frames;
use records_support::{params, text};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Records with everything a record can have; the odd ones take the format's long ways.
fn batch(count: usize, codec: usize) -> Vec<u8> {
    let record = |index: usize| {
        let record = Record::of_value(text(index as u64, 100)).header("plain", Some(b"1"));
        let record = if index.is_multiple_of(2) { record } else { record.header("null", None).at(-1) };
        Record { key: Some(vec![if index.is_multiple_of(2) { b'k' } else { 0xff }; 10]), ..record }
    };
    let (_, number, compress) = KAFKA_CODECS[codec];
    Batch::of(&(0..count).map(record).collect::<Vec<_>>()).compressed(number, compress).encode()
}

/// Allocations of one translation there and of one back, with memory that has served both sizes before.
fn allocations(codec: usize, count: usize) -> (usize, usize) {
    let bytes = batch(count, codec);
    let parsed = KafkaBatch::parse(&bytes).unwrap();
    let (mut scratch, mut out, mut sent, mut back) = (Scratch::new(), Vec::new(), Vec::new(), Vec::new());
    let mut counts = (0, 0);
    for _warm_up_first in 0..3 {
        out.clear();
        sent.clear();
        back.clear();
        let before = ALLOCATIONS.get();
        write_sends(&parsed, &params(), &mut scratch, &mut out, &mut sent).unwrap();
        counts.0 = ALLOCATIONS.get() - before;

        let section = frames(&out).remove(0).section;
        let options = ReadOptions { decompressed_max: 8 << 20 };
        let before = ALLOCATIONS.get();
        let entry = Entry::parse_checksum_due(&section).unwrap();
        write_kafka_batch(&entry, 0, &options, &mut scratch, &mut back).unwrap();
        counts.1 = ALLOCATIONS.get() - before;
    }
    counts
}

#[test]
fn translating_without_compression_allocates_nothing() {
    assert_eq!(allocations(0, 1), (0, 0));
    assert_eq!(allocations(0, 1000), (0, 0));
}

#[test]
fn translating_with_compression_allocates_nothing_but_what_zstd_takes_for_each_of_its_blocks() {
    for (codec, (name, number, _)) in KAFKA_CODECS.iter().enumerate() {
        let (there, back) = allocations(codec, 1000);
        let blocks = if *number == 4 { 100 } else { 0 };
        assert!(there <= blocks && back == 0, "{name}: {there} there and {back} back, for 1000 records");
    }
}
