//! Valid request bodies, made from a shape alone.

use isthmus::kafka::shape::{Field, Kind, Shape};

/// Longer than a one-byte varint can tell.
const LONG: &str = concat!(
    "a name that goes on and on, for a length of 128 bytes or more takes two bytes as a varint, and the shape's walk ",
    "has to read both of them"
);

/// A valid body in which every choice is taken from `entropy`; where that ends, choices are zero.
pub(crate) fn body(shape: &Shape, version: i16, entropy: &[u8]) -> Vec<u8> {
    let flexible = shape.is_flexible(version);
    let mut writer = Writer { entropy: entropy.iter(), version, flexible, out: Vec::new() };
    writer.structure(shape.fields);
    writer.out
}

struct Writer<'a> {
    entropy: std::slice::Iter<'a, u8>,
    version: i16,
    flexible: bool,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn choose(&mut self, below: u8) -> u8 {
        self.entropy.next().copied().unwrap_or(0) % below
    }

    fn structure(&mut self, fields: &'static [Field]) {
        let version = self.version;
        let (tagged, plain): (Vec<&Field>, Vec<&Field>) =
            fields.iter().filter(|field| field.is_in(version)).partition(|field| field.tag.is_some());
        for field in plain {
            self.value(&field.kind, field.is_nullable(version));
        }
        if self.flexible {
            self.tagged(tagged);
        }
    }

    /// Known fields, then an unknown one. None is empty: kafka-protocol leaves out what has its default value.
    fn tagged(&mut self, known: Vec<&'static Field>) {
        let mut sections = Vec::new();
        for field in known {
            let outer = std::mem::take(&mut self.out);
            self.value(&field.kind, false);
            let content = std::mem::replace(&mut self.out, outer);
            let is_empty = content.iter().all(|byte| *byte == 0);
            if !is_empty && self.choose(2) == 1 {
                sections.push((field.tag.unwrap(), content));
            }
        }
        sections.sort();
        if self.choose(4) == 3 {
            sections.push((7000, vec![1, 2, 3]));
        }
        self.varint(sections.len());
        for (tag, content) in sections {
            self.varint(usize::try_from(tag).unwrap());
            self.varint(content.len());
            self.out.extend(content);
        }
    }

    fn value(&mut self, kind: &Kind, nullable: bool) {
        let null = nullable && self.choose(4) == 3;
        match kind {
            Kind::Bool => {
                let value = self.choose(2);
                self.out.push(value);
            }
            Kind::Int8 => self.number(1),
            Kind::Int16 => self.number(2),
            Kind::Int32 => self.number(4),
            Kind::Int64 => self.number(8),
            Kind::Uuid => self.number(16),
            Kind::String => {
                let texts = ["", "t", "topic-é", LONG];
                let text = texts[usize::from(self.choose(4))];
                self.content(text.as_bytes(), null, 2);
            }
            Kind::Bytes => {
                let content = vec![0xa5; usize::from(self.choose(200))];
                self.content(&content, null, 4);
            }
            Kind::Struct(fields) => {
                if nullable {
                    self.out.push(if null { 0xff } else { 1 });
                }
                if !null {
                    self.structure(fields);
                }
            }
            Kind::Array(kind) => self.elements(null, |writer| writer.value(kind, false)),
            Kind::Structs(fields) => self.elements(null, |writer| writer.structure(fields)),
        }
    }

    fn number(&mut self, bytes: usize) {
        for _ in 0..bytes {
            let byte = self.choose(255);
            self.out.push(byte);
        }
    }

    fn content(&mut self, content: &[u8], null: bool, classic_length_bytes: usize) {
        self.length((!null).then_some(content.len()), classic_length_bytes);
        if !null {
            self.out.extend(content);
        }
    }

    fn elements(&mut self, null: bool, mut element: impl FnMut(&mut Self)) {
        let count = usize::from(self.choose(4));
        self.length((!null).then_some(count), 4);
        for _ in 0..if null { 0 } else { count } {
            element(self);
        }
    }

    fn length(&mut self, length: Option<usize>, classic_bytes: usize) {
        if self.flexible {
            return self.varint(length.map_or(0, |length| length + 1));
        }
        let word = length.map_or(-1, |length| i32::try_from(length).unwrap()).to_be_bytes();
        self.out.extend(&word[4 - classic_bytes..]);
    }

    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}
