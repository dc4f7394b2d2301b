//! A record's key as Pulsar's partition key: a string, in base64 if it is none.

use super::base64;
use super::headers::is_utf8;
use super::staging::{Put, Staging};
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
        self.write_field_behind(Staging::new(), tag, out);
    }

    /// The same, behind `fields`.
    #[inline]
    pub(crate) fn write_field_behind(&self, fields: Staging, tag: u8, out: &mut Vec<u8>) {
        let mut fields = fields;
        match self {
            PartitionKey::None => fields.append_to(out),
            PartitionKey::Text(key) => {
                fields.put_u8(tag);
                fields.put_varint(key.len() as u64);
                fields.append_to(out);
                out.put_slice(key);
            }
            PartitionKey::Base64(key) => {
                fields.put_u8(tag);
                fields.put_varint(base64::encoded_len(key.len()) as u64);
                fields.append_to(out);
                base64::encode(key, out);
            }
        }
    }

    pub(crate) const fn is_base64(&self) -> bool {
        matches!(self, PartitionKey::Base64(_))
    }
}
