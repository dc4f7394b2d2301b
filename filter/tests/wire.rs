//! Frames are the same however a stream is cut, for both protocols.
#![cfg(not(target_arch = "wasm32"))]

use bytes::Bytes;
use isthmus::frame::{FrameError, Splitter};
use isthmus::pulsar::frame::{parse_frame, write_command_with_section};
use isthmus::pulsar::proto::*;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

const LIMIT: usize = 4096;

fn stream_of(frames: &[Vec<u8>]) -> Vec<u8> {
    let framed = |frame: &Vec<u8>| [&u32::try_from(frame.len()).unwrap().to_be_bytes(), frame.as_slice()].concat();
    frames.iter().flat_map(framed).collect()
}

/// The frames of `stream` when it arrives in chunks of the given sizes, over and over.
fn split(stream: &[u8], chunk_sizes: &[usize]) -> Result<Vec<Bytes>, FrameError> {
    let mut splitter = Splitter::new(LIMIT);
    let mut frames = Vec::new();
    let mut rest = Bytes::copy_from_slice(stream);
    for size in chunk_sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        splitter.push(rest.split_to(rest.len().min(*size)));
        while let Some(frame) = splitter.next_frame()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_gives_the_same_frames_in_any_chunks(
        frames in vec(vec(any::<u8>(), 0..300), 0..12),
        chunk_sizes in vec(1_usize..700, 1..8),
    ) {
        let stream = stream_of(&frames);
        prop_assert_eq!(&split(&stream, &[1]).unwrap(), &frames);
        prop_assert_eq!(&split(&stream, &[usize::MAX]).unwrap(), &frames);
        prop_assert_eq!(&split(&stream, &chunk_sizes).unwrap(), &frames);
    }

    #[test]
    fn bytes_of_any_kind_end_in_the_same_frames_or_the_same_error(
        stream in vec(prop_oneof![3 => Just(0_u8), 1 => any::<u8>()], 0..200),
        chunk_sizes in vec(1_usize..20, 1..8),
    ) {
        prop_assert_eq!(split(&stream, &chunk_sizes), split(&stream, &[usize::MAX]));
    }

    #[test]
    fn what_is_buffered_is_what_was_pushed_and_not_yet_handed_out(
        frames in vec(vec(any::<u8>(), 0..300), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let stream = stream_of(&frames);
        let cut = cut.index(stream.len() + 1);
        let mut splitter = Splitter::new(LIMIT);
        splitter.push(Bytes::copy_from_slice(&stream[..cut]));
        let mut handed_out = 0;
        while let Some(frame) = splitter.next_frame().unwrap() {
            handed_out += frame.len() + 4;
        }
        prop_assert_eq!(splitter.buffered_bytes(), cut - handed_out);
    }

    #[test]
    fn a_pulsar_message_comes_through_any_chunks(
        (ledger_id, entry_id) in any::<(u64, u64)>(),
        section in vec(any::<u8>(), 0..600),
        chunk_sizes in vec(1_usize..100, 1..8),
    ) {
        let message_id = MessageIdData { ledger_id, entry_id, ..MessageIdData::default() };
        let command = BaseCommand::from(CommandMessage { consumer_id: 1, message_id, ..CommandMessage::default() });
        let mut stream = Vec::new();
        write_command_with_section(&command, &section, &mut stream);

        let mut frames = split(&stream, &chunk_sizes).unwrap();
        let frame = parse_frame(frames.pop().unwrap()).unwrap();

        prop_assert!(frames.is_empty());
        prop_assert_eq!(frame.command, command);
        prop_assert_eq!(frame.section, section);
    }

    #[test]
    fn no_bytes_make_a_pulsar_frame_panic(frame in vec(any::<u8>(), 0..300)) {
        let _ = parse_frame(frame.clone().into());
        let _ = parse_frame([&[0, 0, 0, frame.len() as u8], frame.as_slice()].concat().into());
    }
}

/// One frame of each kind that a broker sends, for the fuzzer to start from.
#[test]
#[ignore = "writes fuzz/seeds/pulsar_frame"]
fn write_fuzz_seeds() {
    let message_id = MessageIdData { ledger_id: 1, entry_id: u64::MAX, ..MessageIdData::default() };
    let metadata = MessageMetadata {
        producer_name: Bytes::from_static(b"p"),
        properties: vec![KeyValue { key: Bytes::from_static(b"k"), value: Bytes::from_static(b"v") }],
        ..MessageMetadata::default()
    };
    let commands: [(&str, BaseCommand); 6] = [
        ("connected", CommandConnected { server_version: "4.2.4".into(), ..CommandConnected::default() }.into()),
        ("error", CommandError { request_id: u64::MAX, error: 3, message: "no".into() }.into()),
        ("lookup", CommandLookupTopicResponse { request_id: 1, response: Some(1), ..Default::default() }.into()),
        ("message", CommandMessage { message_id, ..CommandMessage::default() }.into()),
        ("ping", CommandPing {}.into()),
        ("topics", CommandGetTopicsOfNamespaceResponse { topics: vec!["t".into()], ..Default::default() }.into()),
    ];
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/pulsar_frame");
    std::fs::create_dir_all(&seeds).unwrap();
    for (name, command) in commands {
        let section = if command.message.is_some() { metadata.encode_to_vec() } else { Vec::new() };
        let mut seed = vec![0];
        write_command_with_section(&command, &section, &mut seed);
        std::fs::write(seeds.join(name), seed).unwrap();
    }
}
