//! How a request's body is laid out, written as Kafka's own message definitions write it.
//!
//! Names, order, versions and tags are those of `*Request.json` in Apache Kafka's `clients/src/main/resources/common/message`.
//! A [`Shape`] is data: the [guard](super::guard) walks a body along it, and tests make bodies from it.

use kafka_protocol::protocol::{Decodable, Message};

/// A request type with the shape of its body: what [`decode`](super::guard::decode) needs to look before it decodes.
pub trait Guarded: Decodable + Message {
    /// The layout, right for every version of the type.
    const SHAPE: Shape;
}

/// The layout of a request's body, in every version of it.
#[derive(Debug)]
pub struct Shape {
    /// The first flexible version: compact lengths, tagged fields (KIP-482). `None`: there is none yet.
    pub flexible_since: Option<i16>,
    /// The fields in order.
    pub fields: &'static [Field],
}

/// One field of a request or of a structure in it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As Kafka calls it.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The first version that has it.
    pub since: i16,
    /// The last version that has it.
    pub until: i16,
    /// The first version in which it may be null.
    pub nullable_since: Option<i16>,
    /// Its tag, if it stands in the tagged section.
    pub tag: Option<u32>,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// One byte.
    Bool,
    /// One byte.
    Int8,
    /// Two bytes.
    Int16,
    /// Four bytes.
    Int32,
    /// Eight bytes.
    Int64,
    /// Sixteen bytes.
    Uuid,
    /// UTF-8 behind a length.
    String,
    /// Anything behind a length: bytes and records.
    Bytes,
    /// Fields in order.
    Struct(&'static [Field]),
    /// Plain values of one kind behind their count.
    Array(&'static Kind),
    /// Structures behind their count.
    Structs(&'static [Field]),
}

impl Shape {
    /// A body of `fields` whose versions since `flexible_since` are flexible.
    pub const fn flexible(flexible_since: i16, fields: &'static [Field]) -> Self {
        Self { flexible_since: Some(flexible_since), fields }
    }

    /// A body of `fields` of which no version is flexible.
    pub const fn fixed(fields: &'static [Field]) -> Self {
        Self { flexible_since: None, fields }
    }

    /// Whether `version` has compact lengths and tagged fields.
    pub const fn is_flexible(&self, version: i16) -> bool {
        matches!(self.flexible_since, Some(since) if version >= since)
    }
}

impl Field {
    /// A field that every version has.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, since: 0, until: i16::MAX, nullable_since: None, tag: None }
    }

    /// The same, from version `since` on.
    pub const fn since(self, since: i16) -> Self {
        Self { since, ..self }
    }

    /// The same, up to version `until`.
    pub const fn until(self, until: i16) -> Self {
        Self { until, ..self }
    }

    /// The same, null where the client likes.
    pub const fn nullable(self) -> Self {
        self.nullable_since(0)
    }

    /// The same, null where the client likes from version `since` on.
    pub const fn nullable_since(self, since: i16) -> Self {
        Self { nullable_since: Some(since), ..self }
    }

    /// The same, in the tagged section.
    pub const fn tag(self, tag: u32) -> Self {
        Self { tag: Some(tag), ..self }
    }

    /// Whether `version` has this field.
    pub const fn is_in(&self, version: i16) -> bool {
        self.since <= version && version <= self.until
    }

    /// Whether it may be null in `version`.
    pub const fn is_nullable(&self, version: i16) -> bool {
        matches!(self.nullable_since, Some(since) if version >= since)
    }
}

/// A boolean field.
pub const fn boolean(name: &'static str) -> Field {
    Field::new(name, Kind::Bool)
}

/// An 8-bit field.
pub const fn int8(name: &'static str) -> Field {
    Field::new(name, Kind::Int8)
}

/// A 16-bit field.
pub const fn int16(name: &'static str) -> Field {
    Field::new(name, Kind::Int16)
}

/// A 32-bit field.
pub const fn int32(name: &'static str) -> Field {
    Field::new(name, Kind::Int32)
}

/// A 64-bit field.
pub const fn int64(name: &'static str) -> Field {
    Field::new(name, Kind::Int64)
}

/// A UUID field.
pub const fn uuid(name: &'static str) -> Field {
    Field::new(name, Kind::Uuid)
}

/// A string field.
pub const fn string(name: &'static str) -> Field {
    Field::new(name, Kind::String)
}

/// A field of bytes or records.
pub const fn bytes(name: &'static str) -> Field {
    Field::new(name, Kind::Bytes)
}

/// A field that is a structure.
pub const fn structure(name: &'static str, fields: &'static [Field]) -> Field {
    Field::new(name, Kind::Struct(fields))
}

/// An array of plain values.
pub const fn array_of(name: &'static str, kind: &'static Kind) -> Field {
    Field::new(name, Kind::Array(kind))
}

/// An array of structures.
pub const fn array(name: &'static str, fields: &'static [Field]) -> Field {
    Field::new(name, Kind::Structs(fields))
}
