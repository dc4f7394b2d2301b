//! A Kafka record as a message of a Pulsar batch: `[u32 size][SingleMessageMetadata][payload]`.

use super::headers::{Headers, Properties, TIMESTAMP_PROPERTY, property_len, write_property};
use super::key::PartitionKey;
use super::record::Record;
use super::staging::{Put, Staging};
use super::varint::{length_len, varint_len};

// Tags of SingleMessageMetadata (PulsarApi.proto).
const PARTITION_KEY: u8 = 0x12;
const PAYLOAD_SIZE: u8 = 0x18;
const EVENT_TIME: u8 = 0x28;
const KEY_IS_BASE64: u8 = 0x30;
const NULL_VALUE: u8 = 0x48;

/// Bytes of the size before the metadata.
const SIZE_BYTES: usize = 4;
/// A flag with its tag.
const FLAG_BYTES: usize = 2;
/// The longest i64 in decimal.
const DECIMAL_BYTES: usize = 20;

/// What a record becomes, measured before it is written.
pub(crate) struct Message<'a> {
    key: PartitionKey<'a>,
    value: Option<&'a [u8]>,
    /// Positive ones are Pulsar's event time; others are kept in a property.
    timestamp: i64,
    properties: Option<(Headers<'a>, Properties)>,
    metadata_len: usize,
}

impl<'a> Message<'a> {
    #[inline(always)]
    pub(crate) fn of(record: &Record<'a>) -> Message<'a> {
        let key = PartitionKey::of(record.key);
        let payload = record.value.unwrap_or_default().len();
        let mut metadata_len = key.field_len().saturating_add(1).saturating_add(length_len(payload));
        if key.is_base64() {
            metadata_len = metadata_len.saturating_add(FLAG_BYTES);
        }
        if record.value.is_none() {
            metadata_len = metadata_len.saturating_add(FLAG_BYTES);
        }
        let time = match event_time(record.timestamp) {
            Some(time) => varint_len(time).saturating_add(1),
            None => property_len(TIMESTAMP_PROPERTY.len(), Decimal::of(record.timestamp).as_slice().len()),
        };
        metadata_len = metadata_len.saturating_add(time);
        let properties = if record.headers.is_empty() {
            None
        } else {
            let properties = record.headers.measure();
            metadata_len = metadata_len.saturating_add(properties.bytes);
            Some((record.headers, properties))
        };
        Message { key, value: record.value, timestamp: record.timestamp, properties, metadata_len }
    }

    /// Bytes in the batch.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.value.unwrap_or_default().len().saturating_add(self.metadata_len).saturating_add(SIZE_BYTES)
    }

    /// Appends the message. Its value stands at the end of `out`.
    #[inline(always)]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut fields = Staging::new();
        // A metadata size beyond 32 bits cannot be: the batch itself is shorter than 2 GiB.
        fields.put_slice(&u32::try_from(self.metadata_len).unwrap_or(u32::MAX).to_be_bytes());
        let event_time = event_time(self.timestamp);
        if self.properties.is_some() || event_time.is_none() {
            fields.append_to(out);
            fields = Staging::new();
            self.write_properties(event_time, out);
        }
        if self.key != PartitionKey::None {
            self.key.write_field_behind(fields, PARTITION_KEY, out);
            fields = Staging::new();
        }
        let payload = self.value.unwrap_or_default();
        fields.put_u8(PAYLOAD_SIZE);
        fields.put_varint(payload.len() as u64);
        if let Some(time) = event_time {
            fields.put_u8(EVENT_TIME);
            fields.put_varint(time);
        }
        if self.key.is_base64() {
            fields.put_slice(&[KEY_IS_BASE64, 1]);
        }
        if self.value.is_none() {
            fields.put_slice(&[NULL_VALUE, 1]);
        }
        fields.append_to(out);
        out.put_slice(payload);
    }

    fn write_properties(&self, event_time: Option<u64>, out: &mut Vec<u8>) {
        if let Some((headers, properties)) = &self.properties {
            headers.write(properties, out);
        }
        if event_time.is_none() {
            write_property(TIMESTAMP_PROPERTY, Decimal::of(self.timestamp).as_slice(), out);
        }
    }
}

/// Pulsar takes an event time of 0 for none, and knows no negative ones.
#[inline]
fn event_time(timestamp: i64) -> Option<u64> {
    u64::try_from(timestamp).ok().filter(|time| *time > 0)
}

/// A number in decimal, without an allocation.
struct Decimal {
    digits: [u8; DECIMAL_BYTES],
    start: usize,
}

impl Decimal {
    fn of(number: i64) -> Decimal {
        let mut decimal = Decimal { digits: [b'0'; DECIMAL_BYTES], start: DECIMAL_BYTES };
        let mut rest = number.unsigned_abs();
        loop {
            decimal.push_front(b'0'.wrapping_add((rest % 10) as u8));
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            decimal.push_front(b'-');
        }
        decimal
    }

    fn push_front(&mut self, character: u8) {
        self.start = self.start.saturating_sub(1);
        if let Some(digit) = self.digits.get_mut(self.start) {
            *digit = character;
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}
