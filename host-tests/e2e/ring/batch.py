"""Record batches (magic 2), written and read by hand: uncompressed, and written also with gzip.

Shape: https://kafka.apache.org/documentation/#recordbatch
"""

import gzip
import struct
import time
from dataclasses import dataclass

import crc32c

HEADER = struct.Struct(">qiibI")
BODY = struct.Struct(">hiqqqhii")
GZIP = 1
CONTROL = 0x20
TIME = 1700000000000


@dataclass
class Record:
    """One record as a batch holds it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list


@dataclass
class Batch:
    """What a batch's header says, and its records."""

    base_offset: int
    last_offset_delta: int
    attributes: int
    records: list

    @property
    def next_offset(self):
        return self.base_offset + self.last_offset_delta + 1

    @property
    def is_control(self):
        return bool(self.attributes & CONTROL)


def varint(value):
    zigzag = (value << 1) ^ (value >> 63)
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


def _bytes(value):
    return varint(-1) if value is None else varint(len(value)) + value


def _record(delta, key, value, timestamp):
    body = b"\0" + varint(timestamp - TIME) + varint(delta) + _bytes(key) + _bytes(value) + varint(0)
    return varint(len(body)) + body


def build(values, key=None, timestamps=None, producer=(-1, -1), sequence=-1, codec=0, attributes=0, count=None):
    """A batch of `values`; `count` may lie about how many there are."""
    # Kafka forgets producers whose last record is older than a day, whenever it looks for them.
    written = TIME if producer == (-1, -1) else int(time.time() * 1000)
    timestamps = timestamps or [written] * len(values)
    records = b"".join(_record(i, key, value, at) for i, (value, at) in enumerate(zip(values, timestamps, strict=True)))
    if codec == GZIP:
        records = gzip.compress(records, mtime=0)
    declared = len(values) if count is None else count
    body = BODY.pack(attributes | codec, declared - 1, TIME, max(timestamps, default=TIME), *producer, sequence, declared) + records
    return HEADER.pack(0, len(body) + 9, -1, 2, crc32c.crc32c(body)) + body


class _Cursor:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)

    def bytes(self):
        length = self.varint()
        return None if length < 0 else self.take(length)


def read(data):
    """The whole batches at the front of a partition's records; checksums are checked."""
    batches = []
    at = 0
    while at + HEADER.size <= len(data):
        base, length, _, magic, checksum = HEADER.unpack_from(data, at)
        end = at + 12 + length
        if end > len(data):
            break
        body = data[at + HEADER.size : end]
        assert magic == 2
        assert crc32c.crc32c(body) == checksum, "the checksum of a fetched batch is wrong"
        attributes, last_delta, first_time, _, _, _, _, count = BODY.unpack_from(body)
        assert attributes & 7 == 0, "only uncompressed batches are read here"
        cursor = _Cursor(body[BODY.size :])
        batches.append(Batch(base, last_delta, attributes, [_read_record(cursor, base, first_time) for _ in range(count)]))
        at = end
    return batches


def _read_record(cursor, base, first_time):
    cursor.varint()
    cursor.take(1)
    timestamp = first_time + cursor.varint()
    offset = base + cursor.varint()
    key, value = cursor.bytes(), cursor.bytes()
    headers = [(cursor.bytes(), cursor.bytes()) for _ in range(cursor.varint())]
    return Record(offset, timestamp, key, value, headers)


def records(data):
    """All records of all whole batches; what is in control batches is for nobody."""
    return [record for batch in read(data) if not batch.is_control for record in batch.records]
