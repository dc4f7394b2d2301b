//! Looks at a request's body before kafka-protocol decodes it.
//!
//! That crate reserves memory for as many elements as the wire announces, and a body of four bytes can ask for all
//! there is. Here the body is walked along its [`Shape`] first, without allocating: every length must fit in what is
//! left, every count is bounded, and nothing may follow the last field.

use std::fmt;

use bytes::Bytes;

use super::reader::{Reader, Short};
use super::shape::{Field, Guarded, Kind, Shape};

/// The most array elements in one request, all arrays together. A decoded element takes about 100 bytes.
pub const MAX_ELEMENTS: usize = 100_000;

/// The most tagged fields in one request. Clients send hardly any; a decoded one takes up to 500 bytes.
pub const MAX_TAGGED_FIELDS: usize = 1_000;

/// Why a request is not decoded. The connection cannot go on: its client and we do not speak the same protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardError {
    /// The type has no such version. The client's fault.
    Version {
        /// As it stands in the header.
        api_version: i16,
    },
    /// The body does not have the layout of its version. The client's fault.
    Malformed {
        /// The field, as Kafka calls it; empty behind the last one.
        field: &'static str,
        /// Bytes of the body in front of the fault.
        offset: usize,
        /// What is wrong there.
        fault: Fault,
    },
    /// A body that passed does not decode. The fault of the filter: its shape is wrong.
    Shape(String),
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The body ends inside it, or it announces more than there is.
    Truncated,
    /// A length below zero that does not mean null, or null where that is not allowed.
    Length,
    /// A string that is not UTF-8.
    NotUtf8,
    /// More than [`MAX_ELEMENTS`] or [`MAX_TAGGED_FIELDS`] with this one.
    TooMany,
    /// A tagged field whose content is not as long as announced, or that its version does not have.
    Tag,
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, offset, fault) = match self {
            Self::Version { api_version } => return write!(f, "version {api_version} does not exist"),
            Self::Shape(error) => return write!(f, "request passed the guard and does not decode: {error}"),
            Self::Malformed { field, offset, fault } => (field, offset, fault),
        };
        match fault {
            Fault::Truncated => write!(f, "{field} at byte {offset} is longer than the request"),
            Fault::Length => write!(f, "{field} at byte {offset} has an impossible length"),
            Fault::NotUtf8 => write!(f, "{field} at byte {offset} is not UTF-8"),
            Fault::TooMany => write!(f, "{field} at byte {offset} has more elements than a request may have"),
            Fault::Tag => write!(f, "{field} at byte {offset} is not a tagged field of this version"),
        }
    }
}

impl std::error::Error for GuardError {}

impl From<Short> for Fault {
    fn from(Short: Short) -> Self {
        Self::Truncated
    }
}

/// Decodes a request's body. What it allocates is bounded by [`MAX_ELEMENTS`], [`MAX_TAGGED_FIELDS`] and the body;
/// strings and records are slices of the body.
pub fn decode<T: Guarded>(api_version: i16, mut body: Bytes) -> Result<T, GuardError> {
    if api_version < T::VERSIONS.min || api_version > T::VERSIONS.max {
        return Err(GuardError::Version { api_version });
    }
    check(&T::SHAPE, api_version, &body)?;
    T::decode(&mut body, api_version).map_err(|error| GuardError::Shape(error.to_string()))
}

/// Walks a body of `api_version` along its shape, to its last field. What lies behind is ignored, as Apache Kafka ignores it:
/// librdkafka asks for the metadata of all topics with three bytes too many.
pub fn check(shape: &Shape, api_version: i16, body: &[u8]) -> Result<(), GuardError> {
    let mut walk = Walk {
        reader: Reader::new(body),
        api_version,
        flexible: shape.is_flexible(api_version),
        field: "",
        elements: 0,
        tagged_fields: 0,
    };
    walk.structure(shape.fields).map_err(|fault| GuardError::Malformed {
        field: walk.field,
        offset: body.len().saturating_sub(walk.reader.remaining()),
        fault,
    })
}

struct Walk<'a> {
    reader: Reader<'a>,
    api_version: i16,
    flexible: bool,
    /// The field the walk is in, for the error.
    field: &'static str,
    elements: usize,
    tagged_fields: usize,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &'static [Field]) -> Result<(), Fault> {
        let version = self.api_version;
        for field in fields.iter().filter(|field| field.tag.is_none() && field.is_in(version)) {
            self.field = field.name;
            self.value(&field.kind, field.is_nullable(version))?;
        }
        if self.flexible { self.tagged(fields) } else { Ok(()) }
    }

    /// The tagged section at the end of a structure. kafka-protocol decodes the fields it knows whatever size they
    /// announce, so a known one must have exactly that size.
    fn tagged(&mut self, fields: &'static [Field]) -> Result<(), Fault> {
        self.field = "tagged fields";
        let count = self.reader.varint()?;
        for _ in 0..count {
            self.tagged_fields = self.tagged_fields.saturating_add(1);
            if self.tagged_fields > MAX_TAGGED_FIELDS {
                return Err(Fault::TooMany);
            }
            let tag = self.reader.varint()?;
            let size = length(self.reader.varint()?)?;
            let Some(field) = fields.iter().find(|field| field.tag == Some(tag)) else {
                self.reader.take(size)?;
                continue;
            };
            self.field = field.name;
            let expected_rest = self.reader.remaining().checked_sub(size).ok_or(Fault::Truncated)?;
            if !field.is_in(self.api_version) {
                return Err(Fault::Tag);
            }
            self.value(&field.kind, field.is_nullable(self.api_version))?;
            self.field = field.name;
            if self.reader.remaining() != expected_rest {
                return Err(Fault::Tag);
            }
        }
        Ok(())
    }

    fn value(&mut self, kind: &Kind, nullable: bool) -> Result<(), Fault> {
        match kind {
            Kind::Bool | Kind::Int8 => self.skip(1),
            Kind::Int16 => self.skip(2),
            Kind::Int32 => self.skip(4),
            Kind::Int64 => self.skip(8),
            Kind::Uuid => self.skip(16),
            Kind::String => self.string(nullable),
            Kind::Bytes => match self.length(nullable)? {
                Some(length) => self.skip(length),
                None => Ok(()),
            },
            Kind::Struct(fields) if nullable => match self.reader.i8()? {
                1 => self.structure(fields),
                -1 => Ok(()),
                _ => Err(Fault::Length),
            },
            Kind::Struct(fields) => self.structure(fields),
            Kind::Array(kind) => {
                for _ in 0..self.count(nullable)? {
                    self.value(kind, false)?;
                }
                Ok(())
            }
            Kind::Structs(fields) => {
                for _ in 0..self.count(nullable)? {
                    self.structure(fields)?;
                }
                Ok(())
            }
        }
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Fault> {
        self.reader.take(bytes)?;
        Ok(())
    }

    fn string(&mut self, nullable: bool) -> Result<(), Fault> {
        let announced = match self.flexible {
            true => self.compact_length()?,
            false => classic_length(self.reader.i16()?.into())?,
        };
        let Some(length) = not_null(announced, nullable)? else { return Ok(()) };
        let text = self.reader.take(length)?;
        std::str::from_utf8(text).map(|_| ()).map_err(|_| Fault::NotUtf8)
    }

    /// The length of bytes or the count of an array; `None` for null.
    fn length(&mut self, nullable: bool) -> Result<Option<usize>, Fault> {
        let announced = match self.flexible {
            true => self.compact_length()?,
            false => classic_length(self.reader.i32()?)?,
        };
        not_null(announced, nullable)
    }

    /// A count of elements, each of which takes at least one byte. Null counts none.
    fn count(&mut self, nullable: bool) -> Result<usize, Fault> {
        let count = self.length(nullable)?.unwrap_or(0);
        if count > self.reader.remaining() {
            return Err(Fault::Truncated);
        }
        self.elements = self.elements.saturating_add(count);
        if self.elements > MAX_ELEMENTS {
            return Err(Fault::TooMany);
        }
        Ok(count)
    }

    fn compact_length(&mut self) -> Result<Option<usize>, Fault> {
        self.reader.varint()?.checked_sub(1).map(length).transpose()
    }
}

/// A length before flexible versions: -1 is null.
fn classic_length(announced: i32) -> Result<Option<usize>, Fault> {
    match announced {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| Fault::Length),
    }
}

fn not_null(length: Option<usize>, nullable: bool) -> Result<Option<usize>, Fault> {
    if length.is_none() && !nullable { Err(Fault::Length) } else { Ok(length) }
}

fn length(announced: u32) -> Result<usize, Fault> {
    usize::try_from(announced).map_err(|_| Fault::Length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{
        CreatePartitionsRequest, DeleteTopicsRequest, FetchRequest, MetadataRequest, ProduceRequest,
    };
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test;

    fn fault<T: Guarded + std::fmt::Debug>(api_version: i16, body: &[u8]) -> (&'static str, Fault) {
        match decode::<T>(api_version, Bytes::copy_from_slice(body)) {
            Err(GuardError::Malformed { field, fault, .. }) => (field, fault),
            other => panic!("expected a malformed body, got {other:?}"),
        }
    }

    fn compact(length: usize) -> Vec<u8> {
        let mut out = Vec::new();
        prost::encoding::encode_varint(length as u64 + 1, &mut out);
        out
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_count_of_two_billion_in_four_bytes_is_refused_before_memory_is_asked_for() {
        assert_eq!(fault::<MetadataRequest>(1, b"\x7f\xff\xff\xff"), ("Topics", Fault::Truncated));
        assert_eq!(fault::<MetadataRequest>(9, b"\xff\xff\xff\xff\x0f"), ("Topics", Fault::Truncated));
        let produce = b"\0\xff\xff\0\0\x75\x30\xff\xff\xff\xff\x0f";
        assert_eq!(fault::<ProduceRequest>(9, produce), ("TopicData", Fault::Truncated));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn as_many_elements_as_allowed_pass_and_one_more_does_not() {
        let topics = |count: usize| {
            let mut body = i32::try_from(count).unwrap().to_be_bytes().to_vec();
            body.resize(4 + 2 * count, 0);
            body.extend(5_i32.to_be_bytes());
            body
        };
        let request = decode::<DeleteTopicsRequest>(1, topics(MAX_ELEMENTS).into()).unwrap();
        assert_eq!(request.topic_names.len(), MAX_ELEMENTS);
        assert_eq!(fault::<DeleteTopicsRequest>(1, &topics(MAX_ELEMENTS + 1)), ("TopicNames", Fault::TooMany));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn elements_of_nested_arrays_count_together() {
        // One topic and two assignments: with their broker ids three more than are allowed.
        let mut body = compact(1);
        body.extend(b"\x02t\0\0\0\x01");
        body.extend(compact(2));
        for _ in 0..2 {
            body.extend(compact(MAX_ELEMENTS / 2));
            body.resize(body.len() + 4 * (MAX_ELEMENTS / 2), 0);
            body.push(0);
        }
        assert_eq!(fault::<CreatePartitionsRequest>(2, &body), ("BrokerIds", Fault::TooMany));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn tagged_fields_are_counted_too() {
        let metadata = |tags: usize| {
            let mut body = vec![0, 0, 0];
            prost::encoding::encode_varint(tags as u64, &mut body);
            for tag in 0..tags {
                prost::encoding::encode_varint(tag as u64 + 100, &mut body);
                body.push(0);
            }
            body
        };
        decode::<MetadataRequest>(11, metadata(MAX_TAGGED_FIELDS).into()).unwrap();
        assert_eq!(fault::<MetadataRequest>(11, &metadata(MAX_TAGGED_FIELDS + 1)), ("tagged fields", Fault::TooMany));
    }

    /// A Fetch v12 without topics, with the tagged section `tagged`.
    fn fetch_12(tagged: &[u8]) -> Vec<u8> {
        let mut body = vec![0; 4 + 4 + 4 + 4 + 1 + 4 + 4];
        body.extend(b"\x01\x01\x01");
        body.extend(tagged);
        body
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_known_tagged_field_must_be_as_long_as_it_says() {
        let request = decode::<FetchRequest>(12, fetch_12(b"\x01\x00\x03\x03id").into()).unwrap();
        assert_eq!(request.cluster_id.as_deref(), Some("id"));
        assert_eq!(fault::<FetchRequest>(12, &fetch_12(b"\x01\x00\x04\x03id!")), ("ClusterId", Fault::Tag));
        assert_eq!(fault::<FetchRequest>(12, &fetch_12(b"\x01\x00\x02\x03id")), ("ClusterId", Fault::Tag));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_known_tagged_field_of_another_version_is_refused() {
        assert_eq!(fault::<FetchRequest>(12, &fetch_12(b"\x01\x01\x01\x00")), ("ReplicaState", Fault::Tag));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn null_is_taken_only_where_the_version_allows_it() {
        let null_topics = b"\xff\xff\xff\xff";
        assert_eq!(decode::<MetadataRequest>(1, Bytes::from_static(null_topics)).unwrap().topics, None);
        assert_eq!(fault::<MetadataRequest>(0, null_topics), ("Topics", Fault::Length));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_negative_length_is_refused() {
        assert_eq!(fault::<MetadataRequest>(1, b"\xff\xff\xff\xfe"), ("Topics", Fault::Length));
        assert_eq!(fault::<MetadataRequest>(1, b"\0\0\0\x01\x80\0"), ("Name", Fault::Length));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_string_that_is_not_utf8_is_refused() {
        assert_eq!(fault::<MetadataRequest>(1, b"\0\0\0\x01\0\x02\xc3\x28"), ("Name", Fault::NotUtf8));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn bytes_behind_the_last_field_are_ignored() {
        // As librdkafka 2.12 asks for all topics in version 12.
        let request = decode::<MetadataRequest>(12, Bytes::from_static(b"\0\0\0\0\x01\0\0")).unwrap();
        assert_eq!(request.topics, None);
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_version_that_does_not_exist_is_refused_before_its_body_is_read() {
        for api_version in [-1, 2, 14] {
            let error = decode::<ProduceRequest>(api_version, Bytes::new()).unwrap_err();
            assert_eq!(error, GuardError::Version { api_version });
        }
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn records_are_a_slice_of_the_request() {
        let body = Bytes::from_static(b"\0\xff\xff\0\0\x75\x30\x02\x02t\x02\0\0\0\0\x08records\0\0\0");
        let request = decode::<ProduceRequest>(9, body.clone()).unwrap();
        let records = request.topic_data[0].partition_data[0].records.clone().unwrap();
        assert_eq!(records, "records");
        assert!(body.as_ptr_range().contains(&records.as_ptr()));
    }
}
