//! One Kafka record (DefaultRecord.java), read where it lies.

use super::cursor::Cursor;
use super::headers::Headers;

/// The parts of a record that Pulsar keeps, as slices of the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Headers<'a>,
    /// Where the value begins, in bytes from the section's start. Meaningless without a value.
    pub(crate) value_at: usize,
}

/// Walks a records section. A record that does not parse, or stands out of order, ends the walk with an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    section: &'a [u8],
    rest: Cursor<'a>,
    base_timestamp: i64,
    next_delta: i32,
}

/// A record is cut short, out of order or badly built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> Records<'a> {
    pub(crate) const fn new(section: &'a [u8], base_timestamp: i64) -> Self {
        Records { section, rest: Cursor::new(section), base_timestamp, next_delta: 0 }
    }

    /// Whether every byte has been read.
    pub(crate) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Record<'a>, Malformed> {
        self.parse().ok_or(Malformed)
    }

    #[inline(always)]
    fn parse(&mut self) -> Option<Record<'a>> {
        let length = usize::try_from(self.rest.zigzag32()?).ok()?;
        let mut body = Cursor::new(self.rest.take(length)?);
        let _attributes = body.u8()?;
        let timestamp_delta = body.zigzag64()?;
        let offset_delta = body.zigzag32()?;
        if offset_delta != self.next_delta {
            return None;
        }
        self.next_delta = self.next_delta.wrapping_add(1);
        let key = nullable(&mut body)?;
        let value_length = body.zigzag32()?;
        let behind = self.rest.rest().len().checked_add(body.rest().len())?;
        let value_at = self.section.len().checked_sub(behind)?;
        let value = match value_length {
            -1 => None,
            length => Some(body.take(usize::try_from(length).ok()?)?),
        };
        let headers = Headers::parse(body.rest())?;
        Some(Record { timestamp: self.base_timestamp.wrapping_add(timestamp_delta), key, value, headers, value_at })
    }
}

/// Bytes behind a zig-zag length, -1 for none.
#[inline(always)]
pub(crate) fn nullable<'a>(input: &mut Cursor<'a>) -> Option<Option<&'a [u8]>> {
    match input.zigzag32()? {
        -1 => Some(None),
        length => input.take(usize::try_from(length).ok()?).map(Some),
    }
}
