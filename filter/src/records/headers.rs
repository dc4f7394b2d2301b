//! Kafka's headers and Pulsar's properties.
//!
//! A header whose value is UTF-8 is a property of the same name. What properties cannot carry (a null, other bytes, a
//! name twice, which Java folds into one) is kept in one more property that holds Kafka's header section whole, in
//! base64, and wins when read back. The format is laid down in `docs/record-format.md`.

use super::base64;
use super::cursor::Cursor;
use super::record::nullable;
use super::staging::{Put, STAGED_BYTES, Staging};
use super::varint::length_len;

/// Names that begin so are the format's own.
pub(crate) const RESERVED_PREFIX: &[u8] = b"__isthmus.";
/// Kafka's header section, from the count to the last value, in base64.
pub(crate) const HEADERS_PROPERTY: &[u8] = b"__isthmus.headers";
/// A timestamp that Pulsar's event time cannot carry, in decimal.
pub(crate) const TIMESTAMP_PROPERTY: &[u8] = b"__isthmus.timestamp";

/// Up to so many headers are compared with each other for repeated names; more are kept whole without a look.
const COMPARED_HEADERS: usize = 16;

/// Tag of both fields of a KeyValue (PulsarApi.proto).
pub(crate) const KEY_TAG: u8 = 0x0a;
pub(crate) const VALUE_TAG: u8 = 0x12;
/// Tag of `SingleMessageMetadata.properties`.
const PROPERTY_TAG: u8 = 0x0a;

/// A record's header section: a zig-zag count and so many names and values, well-formed to the last byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Headers<'a> {
    section: &'a [u8],
    count: usize,
}

impl<'a> Headers<'a> {
    /// Checks that `section` holds exactly what its count says.
    #[inline(always)]
    pub(crate) fn parse(section: &'a [u8]) -> Option<Headers<'a>> {
        if section == [0] {
            return Some(Headers { section, count: 0 });
        }
        Headers::parse_some(section)
    }

    fn parse_some(section: &'a [u8]) -> Option<Headers<'a>> {
        let mut rest = Cursor::new(section);
        let count = usize::try_from(rest.zigzag32()?).ok()?;
        for _ in 0..count {
            nullable(&mut rest)??;
            nullable(&mut rest)?;
        }
        rest.is_empty().then_some(Headers { section, count })
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut rest = Cursor::new(self.section);
        let _count = rest.zigzag32();
        (0..self.count).map_while(move |_| Some((nullable(&mut rest)??, nullable(&mut rest)?)))
    }

    /// What the headers become as properties.
    pub(crate) fn measure(&self) -> Properties {
        let mut properties = Properties { bytes: 0, whole: self.count > COMPARED_HEADERS };
        let mut names: [&[u8]; COMPARED_HEADERS] = [&[]; COMPARED_HEADERS];
        for (index, (name, value)) in self.iter().enumerate() {
            match as_property(name, value) {
                Some(value) => properties.add(name.len(), value.len()),
                None => properties.whole = true,
            }
            if let Some((earlier, [own, ..])) = names.split_at_mut_checked(index) {
                properties.whole |= earlier.contains(&name);
                *own = name;
            }
        }
        if properties.whole {
            properties.add(HEADERS_PROPERTY.len(), base64::encoded_len(self.section.len()));
        }
        properties
    }

    /// Appends the properties that `measure` counted.
    pub(crate) fn write(&self, properties: &Properties, out: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            // If the section is not kept whole, every header can be a property.
            let value = if properties.whole { as_property(name, value) } else { value };
            if let Some(value) = value {
                write_property(name, value, out);
            }
        }
        if properties.whole {
            write_property_head(HEADERS_PROPERTY, base64::encoded_len(self.section.len())).append_to(out);
            base64::encode(self.section, out);
        }
    }
}

/// How large the properties are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Properties {
    /// With their tags and lengths.
    pub(crate) bytes: usize,
    /// Whether the header section is among them, whole.
    whole: bool,
}

impl Properties {
    fn add(&mut self, name: usize, value: usize) {
        self.bytes = self.bytes.saturating_add(property_len(name, value));
    }
}

/// The value, if the header can be a property of its own name.
fn as_property<'a>(name: &[u8], value: Option<&'a [u8]>) -> Option<&'a [u8]> {
    let value = value?;
    let plain = !name.starts_with(RESERVED_PREFIX) && is_utf8(name) && is_utf8(value);
    plain.then_some(value)
}

/// Whether Pulsar's clients can read `bytes` as a string.
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    // Most names and keys are ASCII and short, which takes a fifth of the full check.
    bytes.is_ascii() || core::str::from_utf8(bytes).is_ok()
}

/// Bytes of a property of these lengths, with its tag.
pub(crate) const fn property_len(name: usize, value: usize) -> usize {
    let inner = key_value_len(name, value);
    inner.saturating_add(1).saturating_add(length_len(inner))
}

const fn key_value_len(name: usize, value: usize) -> usize {
    name.saturating_add(value).saturating_add(2).saturating_add(length_len(name)).saturating_add(length_len(value))
}

pub(crate) fn write_property(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    if name.len().saturating_add(value.len()) <= STAGED_BYTES {
        let mut property = write_property_head(name, value.len());
        property.put_slice(value);
        property.append_to(out);
    } else {
        out.put_u8(PROPERTY_TAG);
        out.put_varint(key_value_len(name.len(), value.len()) as u64);
        for (tag, part) in [(KEY_TAG, name), (VALUE_TAG, value)] {
            out.put_u8(tag);
            out.put_varint(part.len() as u64);
            out.put_slice(part);
        }
    }
}

/// Everything before the value. For short names.
#[inline]
fn write_property_head(name: &[u8], value: usize) -> Staging {
    let mut head = Staging::new();
    head.put_u8(PROPERTY_TAG);
    head.put_varint(key_value_len(name.len(), value) as u64);
    head.put_u8(KEY_TAG);
    head.put_varint(name.len() as u64);
    head.put_slice(name);
    head.put_u8(VALUE_TAG);
    head.put_varint(value as u64);
    head
}
