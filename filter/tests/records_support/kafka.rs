//! Kafka's record batch, version 2, by the book: DefaultRecordBatch.java, DefaultRecord.java.

/// A record as an application sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub timestamp: i64,
}

impl Record {
    pub fn new(key: impl Into<Option<&'static str>>, value: impl Into<Option<&'static str>>) -> Record {
        Record {
            key: key.into().map(|key| key.as_bytes().to_vec()),
            value: value.into().map(|value| value.as_bytes().to_vec()),
            headers: Vec::new(),
            timestamp: super::NOW,
        }
    }

    pub fn of_value(value: Vec<u8>) -> Record {
        Record { key: None, value: Some(value), headers: Vec::new(), timestamp: super::NOW }
    }

    pub fn header(mut self, name: &str, value: Option<&[u8]>) -> Record {
        self.headers.push((name.as_bytes().to_vec(), value.map(<[u8]>::to_vec)));
        self
    }

    pub fn at(mut self, timestamp: i64) -> Record {
        self.timestamp = timestamp;
        self
    }
}

/// A header's fields, to be changed before the checksum is computed.
#[derive(Clone, Debug)]
pub struct Batch {
    pub base_offset: i64,
    pub magic: i8,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: i32,
    /// As it stands behind the header, compressed or not.
    pub records: Vec<u8>,
}

impl Batch {
    pub fn of(records: &[Record]) -> Batch {
        let base_timestamp = records.first().map_or(-1, |record| record.timestamp);
        let mut section = Vec::new();
        for (delta, record) in records.iter().enumerate() {
            put_record(record, delta as i64, base_timestamp, &mut section);
        }
        Batch {
            base_offset: 0,
            magic: 2,
            attributes: 0,
            last_offset_delta: records.len() as i32 - 1,
            base_timestamp,
            max_timestamp: records.iter().map(|record| record.timestamp).max().unwrap_or(-1),
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: records.len() as i32,
            records: section,
        }
    }

    /// Replaces the records by `compressed`, under a codec's number.
    pub fn compressed(mut self, codec: i16, compress: impl FnOnce(&[u8]) -> Vec<u8>) -> Batch {
        self.attributes |= codec;
        self.records = compress(&self.records);
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut covered = Vec::new();
        covered.extend(self.attributes.to_be_bytes());
        covered.extend(self.last_offset_delta.to_be_bytes());
        covered.extend(self.base_timestamp.to_be_bytes());
        covered.extend(self.max_timestamp.to_be_bytes());
        covered.extend(self.producer_id.to_be_bytes());
        covered.extend(self.producer_epoch.to_be_bytes());
        covered.extend(self.base_sequence.to_be_bytes());
        covered.extend(self.count.to_be_bytes());
        covered.extend(&self.records);
        let mut batch = Vec::new();
        batch.extend(self.base_offset.to_be_bytes());
        batch.extend((covered.len() as i32 + 9).to_be_bytes());
        batch.extend((-1_i32).to_be_bytes());
        batch.extend(self.magic.to_be_bytes());
        batch.extend(crc32c(&covered).to_be_bytes());
        batch.extend(covered);
        batch
    }
}

/// An uncompressed batch of these records.
pub fn batch(records: &[Record]) -> Vec<u8> {
    Batch::of(records).encode()
}

pub fn put_record(record: &Record, delta: i64, base_timestamp: i64, out: &mut Vec<u8>) {
    let mut body = vec![0];
    put_zigzag(record.timestamp.wrapping_sub(base_timestamp), &mut body);
    put_zigzag(delta, &mut body);
    put_nullable(record.key.as_deref(), &mut body);
    put_nullable(record.value.as_deref(), &mut body);
    put_zigzag(record.headers.len() as i64, &mut body);
    for (name, value) in &record.headers {
        put_nullable(Some(name), &mut body);
        put_nullable(value.as_deref(), &mut body);
    }
    put_zigzag(body.len() as i64, out);
    out.extend(body);
}

fn put_nullable(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    put_zigzag(bytes.map_or(-1, |bytes| bytes.len() as i64), out);
    out.extend(bytes.unwrap_or_default());
}

pub fn put_zigzag(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// CRC32C, a byte at a time.
pub fn crc32c(bytes: &[u8]) -> u32 {
    static TABLE: std::sync::LazyLock<[u32; 256]> = std::sync::LazyLock::new(|| {
        std::array::from_fn(|byte| {
            (0..8).fold(byte as u32, |register, _| (register >> 1) ^ if register & 1 == 1 { 0x82f6_3b78 } else { 0 })
        })
    });
    !bytes.iter().fold(u32::MAX, |register, byte| TABLE[usize::from(register as u8 ^ byte)] ^ (register >> 8))
}

/// A batch that was read: each record with its offset.
#[derive(Clone, Debug)]
pub struct Decoded {
    pub base_offset: i64,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub leader_epoch: i32,
    pub attributes: i16,
    pub producer_id: i64,
    pub records: Vec<(i64, Record)>,
}

/// Decodes one uncompressed batch, which must fill `bytes`. Panics where anything is wrong.
pub fn decode(bytes: &[u8]) -> Decoded {
    let i64_at = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
    let i32_at = |at: usize| i32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let i16_at = |at: usize| i16::from_be_bytes(bytes[at..at + 2].try_into().unwrap());
    assert_eq!(i32_at(8) as usize + 12, bytes.len(), "length");
    assert_eq!(bytes[16], 2, "magic");
    assert_eq!(i32_at(17) as u32, crc32c(&bytes[21..]), "checksum");
    let (base_offset, base_timestamp) = (i64_at(0), i64_at(27));
    let mut input = &bytes[61..];
    let mut records = Vec::new();
    for _ in 0..i32_at(57) {
        let length = take_zigzag(&mut input) as usize;
        let (mut body, rest) = input.split_at(length);
        input = rest;
        assert_eq!(take(&mut body, 1), [0], "attributes");
        let timestamp = base_timestamp.wrapping_add(take_zigzag(&mut body));
        let offset = base_offset + take_zigzag(&mut body);
        let key = take_nullable(&mut body);
        let value = take_nullable(&mut body);
        let count = take_zigzag(&mut body);
        let headers = (0..count).map(|_| (take_nullable(&mut body).unwrap(), take_nullable(&mut body))).collect();
        assert!(body.is_empty(), "record filled");
        records.push((offset, Record { key, value, headers, timestamp }));
    }
    assert!(input.is_empty(), "batch filled");
    Decoded {
        base_offset,
        last_offset_delta: i32_at(23),
        base_timestamp,
        max_timestamp: i64_at(35),
        leader_epoch: i32_at(12),
        attributes: i16_at(21),
        producer_id: i64_at(43),
        records,
    }
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(length);
    *input = rest;
    taken
}

fn take_zigzag(input: &mut &[u8]) -> i64 {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let byte = take(input, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return (value >> 1) as i64 ^ -((value & 1) as i64);
        }
    }
}

fn take_nullable(input: &mut &[u8]) -> Option<Vec<u8>> {
    match take_zigzag(input) {
        -1 => None,
        length => Some(take(input, length as usize).to_vec()),
    }
}
