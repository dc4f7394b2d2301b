//! A Pulsar broker's bytes: frames, commands, what follows them.

use bytes::Bytes;
use isthmus::frame::Splitter;
use isthmus::pulsar::frame::{Frame, parse_frame, write_command_with_section};
use isthmus::pulsar::proto::{BrokerEntryMetadata, MessageMetadata, SingleMessageMetadata};
use prost::Message;

const MAX_FRAME_BYTES: usize = 1 << 20;

/// The first byte of `input` is the size of the chunks in which the rest arrives; 0: all at once.
pub fn run(input: &[u8]) {
    let Some((chunk_size, stream)) = input.split_first() else { return };
    let chunk_size = if *chunk_size == 0 { usize::MAX } else { usize::from(*chunk_size) };
    let mut splitter = Splitter::new(MAX_FRAME_BYTES);
    for chunk in stream.chunks(chunk_size) {
        splitter.push(Bytes::copy_from_slice(chunk));
        loop {
            match splitter.next_frame() {
                Ok(Some(frame)) => read(frame),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

fn read(frame: Bytes) {
    let Ok(frame) = parse_frame(frame) else { return };
    let _ = MessageMetadata::decode(frame.section.clone());
    let _ = SingleMessageMetadata::decode(frame.section.clone());
    let _ = BrokerEntryMetadata::decode(frame.section.clone());
    comes_back_as_written(&frame);
}

/// Compared as bytes: a NaN among the consumer's stats is not equal to itself.
fn comes_back_as_written(frame: &Frame) {
    let wire = written(frame);
    let again = parse_frame(wire.slice(4..)).expect("what was written can be read");
    assert_eq!(written(&again), wire);
}

fn written(frame: &Frame) -> Bytes {
    let mut wire = Vec::new();
    write_command_with_section(&frame.command, &frame.section, &mut wire);
    wire.into()
}
