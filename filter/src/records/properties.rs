//! The properties of a Pulsar message on their way to Kafka's headers.

use super::base64;
use super::cursor::Cursor;
use super::headers::{HEADERS_PROPERTY, Headers, KEY_TAG, TIMESTAMP_PROPERTY, VALUE_TAG};
use super::proto::next_field;
use super::staging::{Put, STAGED_BYTES, Staging};
use super::varint::{zigzag, zigzag_len};

/// Properties as they stand among the other fields of a message's metadata. Names and values are bytes: other clients
/// write what is not UTF-8.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PropertyList<'a> {
    metadata: &'a [u8],
    /// Field number of the properties in there.
    field: u64,
    /// Those that are headers of their own.
    plain: Plain,
    /// [`TIMESTAMP_PROPERTY`]
    timestamp: Option<i64>,
    /// [`HEADERS_PROPERTY`]: base64, not yet looked into.
    whole: Option<&'a [u8]>,
}

/// Headers to be written one by one.
#[derive(Clone, Copy, Debug, Default)]
struct Plain {
    count: usize,
    /// Names and values with their lengths.
    bytes: usize,
}

impl Plain {
    fn add(&mut self, name: &[u8], value: &[u8]) {
        self.count = self.count.saturating_add(1);
        for part in [name, value] {
            self.bytes = self.bytes.saturating_add(part.len()).saturating_add(zigzag_len(part.len() as i64));
        }
    }
}

/// What a property is to this format.
enum Meaning<'a> {
    Header,
    Timestamp(i64),
    Whole(&'a [u8]),
}

fn meaning<'a>(name: &[u8], value: &'a [u8]) -> Meaning<'a> {
    if name == HEADERS_PROPERTY {
        return Meaning::Whole(value);
    }
    if name == TIMESTAMP_PROPERTY
        && let Some(timestamp) = core::str::from_utf8(value).ok().and_then(|decimal| decimal.parse().ok())
    {
        return Meaning::Timestamp(timestamp);
    }
    Meaning::Header
}

impl<'a> PropertyList<'a> {
    /// The properties under `field` of `metadata`, none of them seen yet.
    pub(crate) fn within(metadata: &'a [u8], field: u64) -> PropertyList<'a> {
        PropertyList { metadata, field, ..PropertyList::default() }
    }

    /// Takes note of one, met while walking the metadata.
    pub(crate) fn add(&mut self, key_value: &'a [u8]) -> Option<()> {
        let (name, value) = parse(key_value)?;
        match meaning(name, value) {
            Meaning::Header => self.plain.add(name, value),
            Meaning::Timestamp(timestamp) => self.timestamp = Some(timestamp),
            Meaning::Whole(text) => self.whole = Some(text),
        }
        Some(())
    }

    /// Whether there is a property `name` with that `value`.
    pub(crate) fn has(&self, name: &[u8], value: &[u8]) -> bool {
        self.plain.count > 0 && self.iter().any(|property| property == (name, value))
    }

    /// The timestamp that event time could not carry.
    pub(crate) const fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }

    /// Decides which form the headers take. `decoded` is overwritten with the section, if it was kept whole.
    pub(crate) fn resolve(&self, decoded: &mut Vec<u8>) -> HeaderForm {
        let Some(text) = self.whole else {
            return HeaderForm::Plain { count: self.plain.count, bytes: self.plain.bytes, all: false };
        };
        decoded.clear();
        if base64::decoded_len(text).is_some() {
            base64::decode(text, decoded);
            if Headers::parse(decoded).is_some() {
                return HeaderForm::Whole;
            }
        }
        // Somebody else's property of that name: then it is a header like any other.
        let mut plain = self.plain;
        for (_, value) in self.iter().filter(|(name, _)| *name == HEADERS_PROPERTY) {
            plain.add(HEADERS_PROPERTY, value);
        }
        HeaderForm::Plain { count: plain.count, bytes: plain.bytes, all: true }
    }

    /// Appends the header section.
    #[inline]
    pub(crate) fn write(&self, form: HeaderForm, decoded: &[u8], out: &mut Vec<u8>) {
        match form {
            HeaderForm::Whole => out.put_slice(decoded),
            HeaderForm::Plain { count: 0, .. } => out.put_u8(0),
            HeaderForm::Plain { count, all, .. } => {
                out.put_varint(zigzag(count as i64));
                for (name, value) in self.iter() {
                    match meaning(name, value) {
                        Meaning::Header => {}
                        Meaning::Whole(_) if all => {}
                        Meaning::Whole(_) | Meaning::Timestamp(_) => continue,
                    }
                    write_header(name, value, out);
                }
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let (mut metadata, field) = (Cursor::new(self.metadata), self.field);
        std::iter::from_fn(move || {
            loop {
                let (number, value) = next_field(&mut metadata)??;
                if number == field {
                    return parse(value.bytes());
                }
            }
        })
    }
}

/// How a record's headers are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HeaderForm {
    /// One by one; `all` tells that even [`HEADERS_PROPERTY`] is one.
    Plain { count: usize, bytes: usize, all: bool },
    /// As Kafka's own section.
    Whole,
}

impl HeaderForm {
    /// Bytes of the section.
    #[inline]
    pub(crate) fn len(&self, decoded: &[u8]) -> usize {
        match self {
            HeaderForm::Plain { count, bytes, .. } => bytes.saturating_add(zigzag_len(*count as i64)),
            HeaderForm::Whole => decoded.len(),
        }
    }
}

#[inline]
fn write_header(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    if name.len().saturating_add(value.len()) <= STAGED_BYTES {
        let mut header = Staging::new();
        for part in [name, value] {
            header.put_varint(zigzag(part.len() as i64));
            header.put_slice(part);
        }
        header.append_to(out);
    } else {
        for part in [name, value] {
            out.put_varint(zigzag(part.len() as i64));
            out.put_slice(part);
        }
    }
}

/// Name and value of a KeyValue (PulsarApi.proto).
#[inline]
fn parse(key_value: &[u8]) -> Option<(&[u8], &[u8])> {
    parse_short(key_value).or_else(|| parse_any(key_value))
}

/// As every writer puts short ones: the name, then the value, lengths of one byte.
#[inline]
fn parse_short(key_value: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[KEY_TAG, name_len], rest) = key_value.split_first_chunk::<2>()? else { return None };
    let (name, rest) = rest.split_at_checked(usize::from(name_len))?;
    let (&[VALUE_TAG, value_len], value) = rest.split_first_chunk::<2>()? else { return None };
    let short = name_len < 0x80 && value_len < 0x80 && value.len() == usize::from(value_len);
    short.then_some((name, value))
}

fn parse_any(key_value: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Cursor::new(key_value);
    let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
    while let Some((number, field)) = next_field(&mut fields)? {
        match number {
            1 => name = field.bytes(),
            2 => value = field.bytes(),
            _ => {}
        }
    }
    Some((name, value))
}
