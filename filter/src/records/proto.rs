//! Protocol Buffers fields, read where they lie. Only what Pulsar's metadata is made of.

use super::cursor::Cursor;

/// A field's value as its wire type gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Fixed-size numbers: nothing that is read here uses them.
    Other,
}

impl<'a> Value<'a> {
    /// The number; a field of another type than expected counts as absent.
    #[inline]
    pub(crate) const fn number(self) -> u64 {
        match self {
            Value::Varint(number) => number,
            Value::Bytes(_) | Value::Other => 0,
        }
    }

    #[inline]
    pub(crate) const fn flag(self) -> bool {
        self.number() != 0
    }

    #[inline]
    pub(crate) const fn bytes(self) -> &'a [u8] {
        match self {
            Value::Bytes(bytes) => bytes,
            Value::Varint(_) | Value::Other => &[],
        }
    }
}

/// The next field's number and value; `None` inside if there is none left, outside if what is left is no field.
#[inline(always)]
pub(crate) fn next_field<'a>(message: &mut Cursor<'a>) -> Option<Option<(u64, Value<'a>)>> {
    if message.is_empty() {
        return Some(None);
    }
    let tag = message.varint()?;
    let value = match tag & 7 {
        0 => Value::Varint(message.varint()?),
        1 => message.take(8).map(|_| Value::Other)?,
        2 => Value::Bytes(message.length_delimited()?),
        5 => message.take(4).map(|_| Value::Other)?,
        _ => return None,
    };
    Some(Some((tag >> 3, value)))
}
