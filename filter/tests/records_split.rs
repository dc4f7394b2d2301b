//! Batches that do not fit one Pulsar entry.

mod records_support;

use isthmus::records::split::MAX_ENTRIES_PER_BATCH;
use isthmus::records::{BatchError, SendParams, SentEntry};
use records_support::kafka::{Batch, Record, batch};
use records_support::pulsar::{SendFrame, frames};
use records_support::{params, random_bytes, send, text};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ENTRY_MAX: usize = 4096;

fn small() -> SendParams<'static> {
    SendParams { max_message_size: ENTRY_MAX, ..params() }
}

/// Records of different sizes, far more than one entry takes.
fn records() -> Vec<Record> {
    (0..100)
        .map(|index| Record {
            key: Some(vec![b'a' + index as u8 % 5]),
            ..Record::of_value(random_bytes(index, 37 * (index as usize % 20)))
        })
        .collect()
}

/// Every message of every frame, in order.
fn values(frames: &[SendFrame]) -> Vec<Vec<u8>> {
    frames.iter().flat_map(SendFrame::messages).map(|(_, payload)| payload).collect()
}

fn bounds(sent: &[SentEntry]) -> Vec<(u64, u64)> {
    sent.iter().map(|entry| (entry.first_sequence_id, entry.last_sequence_id)).collect()
}

#[test]
fn the_entries_hold_every_record_once_and_in_order_and_none_is_too_large() {
    let records = records();
    let (out, sent) = send(&batch(&records), &small()).unwrap();
    let frames = frames(&out);
    assert!(frames.len() > 5);
    assert_eq!(values(&frames), records.iter().map(|record| record.value.clone().unwrap()).collect::<Vec<_>>());
    assert!(frames.iter().all(|frame| frame.section.len() <= ENTRY_MAX));

    let mut next = 100;
    for (frame, entry) in frames.iter().zip(&sent) {
        assert_eq!(frame.send.sequence_id, next);
        assert_eq!(frame.send.highest_sequence_id, Some(entry.last_sequence_id));
        assert_eq!(frame.metadata.num_messages_in_batch, Some(entry.records as i32));
        next = entry.last_sequence_id + 1;
    }
    assert_eq!(next, 200);
    assert_eq!(sent.iter().map(|entry| entry.frame_bytes).sum::<usize>(), out.len());
}

#[test]
fn entries_are_filled_as_far_as_they_go() {
    let records = vec![Record::of_value(vec![b'x'; 100]); 200];
    let (out, _) = send(&batch(&records), &small()).unwrap();
    let frames = frames(&out);
    let (_last, full) = frames.split_last().unwrap();
    assert!(full.iter().all(|frame| frame.section.len() > ENTRY_MAX - 250), "less than two records of room left");
}

#[test]
fn an_entry_takes_no_more_records_than_it_may_whatever_its_codec() {
    let records = vec![Record::of_value(text(1, 50)); 25];
    let compressed = Batch::of(&records).compressed(2, |plain| snap::raw::Encoder::new().compress_vec(plain).unwrap());
    for bytes in [batch(&records), compressed.encode()] {
        let (out, sent) = send(&bytes, &SendParams { max_entry_records: 10, ..params() }).unwrap();
        assert_eq!(sent.iter().map(|entry| entry.records).collect::<Vec<_>>(), [10, 10, 5]);
        assert_eq!(frames(&out).len(), 3);
    }
}

#[test]
fn the_split_is_the_same_whatever_was_stored_already() {
    let bytes = batch(&records());
    let (_, whole) = send(&bytes, &small()).unwrap();
    let ends: Vec<u64> = whole.iter().map(|entry| entry.last_sequence_id).collect();
    for skip_records in 0..=100 {
        let (out, sent) = send(&bytes, &SendParams { skip_records, ..small() }).unwrap();
        let mut from = 100 + u64::from(skip_records);
        let mut expected = Vec::new();
        for end in &ends {
            if *end >= from {
                expected.push((from, *end));
                from = end + 1;
            }
        }
        assert_eq!(bounds(&sent), expected, "skip {skip_records}");
        assert_eq!(frames(&out).len(), sent.len());
    }
}

#[test]
fn sequence_ids_do_not_move_the_split() {
    let bytes = batch(&records());
    let counts = |sequence_id| -> Vec<u32> {
        let (_, sent) = send(&bytes, &SendParams { sequence_id, ..small() }).unwrap();
        sent.iter().map(|entry| entry.records).collect()
    };
    assert_eq!(counts(0), counts(1 << 62));
}

#[test]
fn a_compressed_batch_stays_whole_as_long_as_it_fits_compressed() {
    let records = vec![Record::of_value(text(1, 2000)); 20];
    let compressed = Batch::of(&records).compressed(2, |plain| snap::raw::Encoder::new().compress_vec(plain).unwrap());
    let (out, sent) = send(&compressed.encode(), &small()).unwrap();
    assert_eq!(sent.len(), 1, "40 kB that compress to {} bytes", out.len());
}

#[test]
fn a_compressed_batch_that_does_not_fit_is_split_the_same_way_every_time() {
    let records = records();
    let compressed = Batch::of(&records).compressed(2, |plain| snap::raw::Encoder::new().compress_vec(plain).unwrap());
    let bytes = compressed.encode();
    let (out, whole) = send(&bytes, &small()).unwrap();
    assert!(whole.len() > 5);
    assert!(frames(&out).iter().all(|frame| frame.section.len() <= ENTRY_MAX));
    for skip_records in [1, 30, 99] {
        let (_, sent) = send(&bytes, &SendParams { skip_records, ..small() }).unwrap();
        let ends: Vec<_> = sent.iter().map(|entry| entry.last_sequence_id).collect();
        assert!(whole.iter().map(|entry| entry.last_sequence_id).collect::<Vec<_>>().ends_with(&ends));
        assert_eq!(sent[0].first_sequence_id, 100 + u64::from(skip_records));
    }
}

#[test]
fn a_compressed_batch_that_fits_whole_is_left_out_in_part_without_a_split() {
    let records = vec![Record::of_value(text(1, 2000)); 20];
    let compressed = Batch::of(&records).compressed(2, |plain| snap::raw::Encoder::new().compress_vec(plain).unwrap());
    let (_, sent) = send(&compressed.encode(), &SendParams { skip_records: 5, ..small() }).unwrap();
    assert_eq!(bounds(&sent), [(105, 119)]);
}

#[test]
fn what_is_left_of_a_compressed_batch_is_sent_even_if_it_compresses_to_more_than_the_whole() {
    let records = vec![Record::new("key", "the same in every record"); 60];
    let compressed = Batch::of(&records)
        .compressed(3, |plain| records_support::compress::lz4(plain, lz4_flex::frame::FrameInfo::new()));
    let bytes = compressed.encode();
    // LZ4 takes a byte for 255 that repeat; from 128 on a sequence id takes a byte more.
    let params = SendParams { sequence_id: 127, ..params() };
    let entry_len = |skip_records| {
        let (out, _) = send(&bytes, &SendParams { skip_records, ..params }).unwrap();
        frames(&out)[0].section.len()
    };
    let whole = entry_len(0);
    let skip_records = (1..10).find(|skip_records| entry_len(*skip_records) > whole).expect("a larger rest");
    let (out, sent) = send(&bytes, &SendParams { skip_records, max_message_size: whole, ..params }).unwrap();
    assert!(sent.len() > 1 && frames(&out).iter().all(|frame| frame.section.len() <= whole));
    assert_eq!(
        (sent[0].first_sequence_id, sent[sent.len() - 1].last_sequence_id),
        (127 + u64::from(skip_records), 186)
    );
}

#[test]
fn one_record_too_large_for_an_entry_fails_the_batch() {
    let records = [Record::new(None, "small"), Record::of_value(random_bytes(1, ENTRY_MAX))];
    assert_eq!(send(&batch(&records), &small()).unwrap_err(), BatchError::RecordTooLarge);
    let compressed = Batch::of(&records).compressed(2, |plain| snap::raw::Encoder::new().compress_vec(plain).unwrap());
    assert_eq!(send(&compressed.encode(), &small()).unwrap_err(), BatchError::RecordTooLarge);
}

#[test]
fn the_largest_record_that_fits_is_sent() {
    let fits = |length| send(&batch(&[Record::of_value(vec![b'x'; length])]), &small()).is_ok();
    let largest = (0..ENTRY_MAX).rev().find(|length| fits(*length)).unwrap();
    assert!(largest > ENTRY_MAX - 120, "{largest}");
}

#[test]
fn one_entry_per_key_begins_an_entry_at_every_change_of_key() {
    let keys = ["a", "a", "b", "a", "a", "a"];
    let records: Vec<_> =
        keys.iter().map(|key| Record::new(*key, "v")).chain([Record::new(None, "v"), Record::new("", "v")]).collect();
    let params = SendParams { one_entry_per_key: true, ..params() };
    let (out, sent) = send(&batch(&records), &params).unwrap();
    let counts: Vec<_> = sent.iter().map(|entry| entry.records).collect();
    assert_eq!(counts, [2, 1, 3, 1, 1]);
    let keys: Vec<_> = frames(&out).into_iter().map(|frame| frame.metadata.partition_key).collect();
    assert_eq!(keys, [Some(b"a".to_vec()), Some(b"b".to_vec()), Some(b"a".to_vec()), None, Some(Vec::new())]);
}

#[test]
fn a_batch_does_not_become_more_entries_than_the_limit() {
    let records = |count: usize| -> Vec<Record> {
        (0..count).map(|index| Record { key: Some(vec![index as u8 % 2]), ..Record::of_value(Vec::new()) }).collect()
    };
    let params = SendParams { one_entry_per_key: true, ..params() };
    assert_eq!(send(&batch(&records(MAX_ENTRIES_PER_BATCH)), &params).unwrap().1.len(), MAX_ENTRIES_PER_BATCH);
    let error = send(&batch(&records(MAX_ENTRIES_PER_BATCH + 1)), &params).unwrap_err();
    assert_eq!(error, BatchError::TooManyEntries);
}
