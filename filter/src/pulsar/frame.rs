//! One Pulsar frame: a command, and for SEND and MESSAGE the section that follows it.
//!
//! `[u32 total][u32 command size][BaseCommand][section]`, big-endian (Pulsar's `Commands.java`, `serializeWithSize`).
//! [`Splitter`](crate::frame::Splitter) takes the first word off.

use std::fmt;

use bytes::{BufMut, Bytes};
use nom::multi::length_data;
use nom::number::be_u32;
use nom::{IResult, Parser};
use prost::Message;

use super::proto::BaseCommand;

/// The largest frame of a broker with default settings, without its length word: 5 MiB for the message, 10 KiB around it
/// (`Commands.DEFAULT_MAX_MESSAGE_SIZE` and `MESSAGE_SIZE_FRAME_PADDING`). CONNECTED may announce another message size.
pub const DEFAULT_MAX_FRAME_BYTES: usize = max_frame_bytes(5 * 1024 * 1024);

/// The largest frame, without its length word, of a broker that announces `max_message_bytes`.
pub const fn max_frame_bytes(max_message_bytes: usize) -> usize {
    max_message_bytes.saturating_add(10 * 1024)
}

/// A command and what follows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The command.
    pub command: BaseCommand,
    /// Checksum, metadata and payload behind SEND and MESSAGE; empty behind every other command.
    pub section: Bytes,
}

/// Why a frame from Pulsar cannot be read. It is the broker's fault, and the connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PulsarFrameError {
    /// The frame ends before its command does.
    Truncated,
    /// The command is no `BaseCommand`.
    Command(prost::DecodeError),
}

impl fmt::Display for PulsarFrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => write!(f, "Pulsar frame ends inside its command"),
            Self::Command(error) => write!(f, "Pulsar command cannot be decoded: {error}"),
        }
    }
}

impl std::error::Error for PulsarFrameError {}

/// Reads a frame whose length word is taken off. Bytes of the command and the section are slices of `frame`.
pub fn parse_frame(frame: Bytes) -> Result<Frame, PulsarFrameError> {
    let (section, command) = split_command(&frame).map_err(|_| PulsarFrameError::Truncated)?;
    let (section, command) = (frame.slice_ref(section), frame.slice_ref(command));
    let command = BaseCommand::decode(command).map_err(PulsarFrameError::Command)?;
    Ok(Frame { command, section })
}

fn split_command(frame: &[u8]) -> IResult<&[u8], &[u8], ()> {
    length_data(be_u32()).parse(frame)
}

/// Appends `command` as a frame.
pub fn write_command(command: &BaseCommand, out: &mut Vec<u8>) {
    write_command_with_section(command, &[], out);
}

/// Appends `command` and the section that follows it as a frame.
pub fn write_command_with_section(command: &BaseCommand, section: &[u8], out: &mut Vec<u8>) {
    let command_bytes = command.encoded_len();
    let total_bytes = command_bytes.saturating_add(section.len()).saturating_add(4);
    out.reserve(total_bytes.saturating_add(4));
    out.put_u32(length_word(total_bytes));
    out.put_u32(length_word(command_bytes));
    command.encode_raw(out);
    out.extend_from_slice(section);
}

/// What we write is far below the bound of either side; a frame over 4 GiB could not be in memory.
fn length_word(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Splitter;
    use crate::pulsar::command;
    use crate::pulsar::proto::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test;

    /// What the splitter hands out of `wire`, which must be one frame.
    fn unframed(wire: Vec<u8>) -> Bytes {
        let mut splitter = Splitter::new(DEFAULT_MAX_FRAME_BYTES);
        splitter.push(wire.into());
        let frame = splitter.next_frame().unwrap().unwrap();
        assert_eq!(splitter.buffered_bytes(), 0);
        frame
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_ping_is_the_thirteen_bytes_every_pulsar_client_sends() {
        let mut wire = Vec::new();
        write_command(&command::ping(), &mut wire);
        // Type 18 in field 1, an empty message in field 18.
        assert_eq!(wire, [0, 0, 0, 9, 0, 0, 0, 5, 0x08, 18, 0x92, 0x01, 0]);
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_command_and_its_section_come_back_as_they_were_written() {
        let message = CommandMessage {
            consumer_id: 7,
            message_id: MessageIdData { ledger_id: 12, entry_id: u64::MAX, ..MessageIdData::default() },
            ..CommandMessage::default()
        };
        let mut wire = Vec::new();
        write_command_with_section(&message.clone().into(), b"\x0e\x01section", &mut wire);

        let frame = parse_frame(unframed(wire)).unwrap();

        assert_eq!(frame.command.message, Some(message));
        assert_eq!(frame.command.r#type(), base_command::Type::Message);
        assert_eq!(frame.section, b"\x0e\x01section".as_slice());
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_minus_one_in_an_unsigned_field_is_read_from_its_ten_bytes() {
        // CLOSE_PRODUCER { producer_id: 1, request_id: -1 } as a broker sends it when it unloads a topic.
        let close = b"\0\0\0\x11\x08\x0f\x7a\x0d\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        let frame = parse_frame(Bytes::from_static(close)).unwrap();
        assert_eq!(frame.command.close_producer.unwrap().request_id, u64::MAX);
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_property_that_is_not_utf8_is_read_as_its_bytes() {
        let property = KeyValue { key: Bytes::from_static(b"\xff"), value: Bytes::from_static(b"\xc3\x28") };
        let metadata = MessageMetadata { properties: vec![property], ..MessageMetadata::default() };
        assert_eq!(MessageMetadata::decode(Bytes::from(metadata.encode_to_vec())), Ok(metadata));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_command_of_a_newer_broker_is_read_with_its_type_unknown() {
        // Type 81 and a field of that number, as in Pulsar 5.
        let frame = parse_frame(Bytes::from_static(b"\0\0\0\x05\x08\x51\x8a\x05\0")).unwrap();
        assert!(base_command::Type::try_from(frame.command.r#type).is_err());
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_frame_that_ends_inside_its_command_is_an_error_at_every_length() {
        let mut wire = Vec::new();
        write_command(&command::lookup("persistent://public/default/t".into(), 1, false, None), &mut wire);
        let whole = unframed(wire);
        for length in 0..whole.len() {
            assert_eq!(parse_frame(whole.slice(..length)), Err(PulsarFrameError::Truncated), "at {length} bytes");
        }
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn message_ids_nested_without_end_are_refused() {
        let mut id = MessageIdData::default().encode_to_vec();
        for _ in 0..1000 {
            let mut outer = vec![0x3a];
            prost::encoding::encode_varint(id.len() as u64, &mut outer);
            outer.extend_from_slice(&id);
            id = outer;
        }
        assert!(MessageIdData::decode(Bytes::from(id)).is_err());
    }
}
