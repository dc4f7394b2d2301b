//! What one SEND leaves on a ledger: its bytes, unread, and what the broker knows about them.

use bytes::{Buf, Bytes};
use isthmus::pulsar::proto::{BrokerEntryMetadata, MessageMetadata};
use prost::Message;

const MAGIC_CHECKSUM: u16 = 0x0e01;
const MAGIC_BROKER_ENTRY: u16 = 0x0e02;

/// A stored entry. Its position is the ledger's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Everything behind SEND's command, byte for byte: checksum, metadata, payload.
    pub section: Bytes,
    /// `BrokerEntryMetadata.index`: of its last message; `None` for what was written without the interceptor.
    pub index: Option<u64>,
    /// When it was stored, in milliseconds since the epoch.
    pub stored_at_ms: i64,
}

/// Why a section is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionError {
    /// It ends too early, or its metadata is not one.
    Malformed,
    /// The checksum is there and wrong.
    Checksum,
}

/// Splits a section into metadata and payload. A checksum is verified if there is one (`Producer.verifyChecksum`).
pub fn parse_section(section: &Bytes) -> Result<(MessageMetadata, Bytes), SectionError> {
    let mut rest = section.clone();
    if rest.len() >= 6 && rest[..2] == MAGIC_CHECKSUM.to_be_bytes() {
        rest.advance(2);
        let expected = rest.get_u32();
        if crc32c::crc32c(&rest) != expected {
            return Err(SectionError::Checksum);
        }
    }
    if rest.len() < 4 {
        return Err(SectionError::Malformed);
    }
    let size = rest.get_u32() as usize;
    if size > rest.len() {
        return Err(SectionError::Malformed);
    }
    let metadata = MessageMetadata::decode(rest.split_to(size)).map_err(|_| SectionError::Malformed)?;
    Ok((metadata, rest))
}

/// A section as a client would write it: checksum, metadata, payload.
pub fn build_section(metadata: &MessageMetadata, payload: &[u8]) -> Bytes {
    let mut checked = word(metadata.encoded_len()).to_vec();
    metadata.encode_raw(&mut checked);
    checked.extend_from_slice(payload);
    let mut section = MAGIC_CHECKSUM.to_be_bytes().to_vec();
    section.extend_from_slice(&crc32c::crc32c(&checked).to_be_bytes());
    section.extend_from_slice(&checked);
    section.into()
}

impl Entry {
    /// Messages in it as a consumer counts them: 1 if it is no batch.
    pub fn messages(&self) -> u32 {
        self.batch_size().unwrap_or(1)
    }

    /// The number of messages of a batch, `None` if the entry is none: presence of the field decides.
    pub fn batch_size(&self) -> Option<u32> {
        let count = parse_section(&self.section).ok()?.0.num_messages_in_batch?;
        Some(u32::try_from(count).unwrap_or(0))
    }

    /// A marker of the broker itself, which no consumer gets.
    pub fn is_marker(&self) -> bool {
        parse_section(&self.section).is_ok_and(|(metadata, _)| metadata.marker_type.is_some())
    }

    /// What stands behind MESSAGE's command.
    pub(super) fn for_consumer(&self, with_broker_entry_metadata: bool) -> Bytes {
        let Some(index) = self.index.filter(|_| with_broker_entry_metadata) else { return self.section.clone() };
        let metadata = BrokerEntryMetadata { broker_timestamp: None, index: Some(index) };
        let mut out = MAGIC_BROKER_ENTRY.to_be_bytes().to_vec();
        out.extend_from_slice(&word(metadata.encoded_len()));
        metadata.encode_raw(&mut out);
        out.extend_from_slice(&self.section);
        out.into()
    }
}

fn word(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_payload_bit_fails_the_checksum_and_a_missing_checksum_is_accepted() {
        let section = build_section(&MessageMetadata::default(), b"payload");
        assert_eq!(parse_section(&section).unwrap().1, "payload");
        assert_eq!(parse_section(&section.slice(6..)).unwrap().1, "payload");
        let mut flipped = section.to_vec();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(parse_section(&flipped.into()), Err(SectionError::Checksum));
    }
}
