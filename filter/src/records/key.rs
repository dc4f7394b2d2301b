//! A record's key as Pulsar's partition key: a string, in base64 if it is none.

use super::base64;
use super::headers::is_utf8;
use super::staging::Put;
use super::varint::length_len;

/// How a key is written. No key is no field; an empty key is an empty string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartitionKey<'a> {
    None,
    Text(&'a [u8]),
    Base64(&'a [u8]),
}

impl<'a> PartitionKey<'a> {
    #[inline]
    pub(crate) fn of(key: Option<&'a [u8]>) -> PartitionKey<'a> {
        match key {
            None => PartitionKey::None,
            Some(key) if is_utf8(key) => PartitionKey::Text(key),
            Some(key) => PartitionKey::Base64(key),
        }
    }

    /// Bytes of the field, its one-byte tag and its length included.
    #[inline]
    pub(crate) const fn field_len(&self) -> usize {
        let text = match self {
            PartitionKey::None => return 0,
            PartitionKey::Text(key) => key.len(),
            PartitionKey::Base64(key) => base64::encoded_len(key.len()),
        };
        text.saturating_add(length_len(text)).saturating_add(1)
    }

    /// Appends the field under `tag`.
    #[inline]
    pub(crate) fn write_field(&self, tag: u8, out: &mut Vec<u8>) {
        match self {
            PartitionKey::None => {}
            PartitionKey::Text(key) => {
                out.put_u8(tag);
                out.put_varint(key.len() as u64);
                out.put_slice(key);
            }
            PartitionKey::Base64(key) => {
                out.put_u8(tag);
                out.put_varint(base64::encoded_len(key.len()) as u64);
                base64::encode(key, out);
            }
        }
    }

    pub(crate) const fn is_base64(&self) -> bool {
        matches!(self, PartitionKey::Base64(_))
    }
}
