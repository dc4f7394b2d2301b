//! An entry of a group's log as a Pulsar message: unbatched, uncompressed, never replicated to another cluster.

use bytes::{BufMut, Bytes};
use prost::Message;

use crate::pulsar::frame::write_command_with_section;
use crate::pulsar::proto::{CommandSend, MessageMetadata};
use crate::records::crc::crc32c;
use crate::records::{CHECKSUM_MAGIC, Entry as PulsarEntry};

/// `replicate_to` that names no cluster (`MessageImpl` of Pulsar's client): two clusters' logs of one group must not mix.
const LOCAL_ONLY: &[u8] = b"__local__";

/// The producer that writes a log, as the broker knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerName {
    /// `producer_id` on its connection.
    pub id: u64,
    /// The broker made it.
    pub name: String,
}

/// Appends a SEND frame.
pub fn write_send(producer: &ProducerName, sequence_id: u64, publish_time_ms: u64, payload: &[u8], out: &mut Vec<u8>) {
    let metadata = MessageMetadata {
        producer_name: Bytes::copy_from_slice(producer.name.as_bytes()),
        sequence_id,
        publish_time: publish_time_ms,
        replicate_to: vec![Bytes::from_static(LOCAL_ONLY)],
        ..MessageMetadata::default()
    };
    let metadata_bytes = metadata.encoded_len();
    let mut section = Vec::with_capacity(metadata_bytes.saturating_add(payload.len()).saturating_add(10));
    section.put_u16(CHECKSUM_MAGIC);
    section.put_u32(0);
    section.put_u32(u32::try_from(metadata_bytes).unwrap_or(u32::MAX));
    metadata.encode_raw(&mut section);
    section.extend_from_slice(payload);
    if let Some((head, covered)) = section.split_at_mut_checked(6)
        && let Some(checksum) = head.last_chunk_mut::<4>()
    {
        *checksum = crc32c(covered).to_be_bytes();
    }
    let send = CommandSend { producer_id: producer.id, sequence_id, ..CommandSend::default() };
    write_command_with_section(&send.into(), &section, out);
}

/// The payload behind a MESSAGE; `None` for what no filter of this cluster wrote.
pub fn payload_of(section: &Bytes) -> Option<Bytes> {
    let entry = PulsarEntry::parse(section).ok()?;
    let metadata = metadata_of(entry.covered)?;
    let plain = metadata.replicated_from.is_none()
        && metadata.compression.unwrap_or(0) == 0
        && metadata.num_messages_in_batch.is_none()
        && metadata.encryption_keys.is_empty();
    plain.then(|| section.slice_ref(entry.payload))
}

fn metadata_of(covered: &[u8]) -> Option<MessageMetadata> {
    let (size, rest) = covered.split_first_chunk::<4>()?;
    let metadata = rest.get(..u32::from_be_bytes(*size) as usize)?;
    MessageMetadata::decode(metadata).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Splitter;
    use crate::pulsar::frame::{DEFAULT_MAX_FRAME_BYTES, parse_frame};

    fn section_of(frame: Vec<u8>) -> Bytes {
        let mut splitter = Splitter::new(DEFAULT_MAX_FRAME_BYTES);
        splitter.push(frame.into());
        parse_frame(splitter.next_frame().unwrap().unwrap()).unwrap().section
    }

    #[test]
    fn an_entry_comes_back_as_it_was_sent() {
        let mut frame = Vec::new();
        let producer = ProducerName { id: 3, name: "p".into() };
        write_send(&producer, 7, 1, b"entry", &mut frame);
        assert_eq!(payload_of(&section_of(frame)), Some(Bytes::from_static(b"entry")));
    }

    #[test]
    fn what_another_cluster_wrote_is_no_entry() {
        let metadata = MessageMetadata {
            producer_name: Bytes::from_static(b"p"),
            replicated_from: Some(Bytes::from_static(b"east")),
            ..MessageMetadata::default()
        };
        let mut section = Vec::new();
        section.put_u32(metadata.encoded_len() as u32);
        metadata.encode_raw(&mut section);
        assert_eq!(payload_of(&section.into()), None);
    }
}
