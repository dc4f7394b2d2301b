"""Finds the record batches in a captured stream of Kafka requests.

Shapes: RequestHeader.json and ProduceRequest.json of Apache Kafka; header v2 and compact types from Produce v9, topic ids from v13.
"""

import struct

PRODUCE = 0
FIRST_FLEXIBLE, FIRST_WITH_TOPIC_ID = 9, 13


class Reader:
    """Takes Kafka's primitive types from the front of a request."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, format_):
        return struct.unpack(format_, self.take(struct.calcsize(format_)))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.number(">B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def string(self, flexible):
        length = self.varint() - 1 if flexible else self.number(">h")
        return None if length < 0 else self.take(length)

    def bytes(self, flexible):
        length = self.varint() - 1 if flexible else self.number(">i")
        return None if length < 0 else self.take(length)

    def count(self, flexible):
        return self.varint() - 1 if flexible else self.number(">i")

    def tags(self, flexible):
        for _ in range(self.varint() if flexible else 0):
            self.varint()
            self.take(self.varint())


def frames(stream):
    """The requests of one connection, without their lengths."""
    reader = Reader(stream)
    while reader.at + 4 <= len(stream):
        yield reader.take(reader.number(">i"))


def batches(stream):
    """(version of the request, record batch) for every partition of every Produce request of a connection."""
    for frame in frames(stream):
        reader = Reader(frame)
        key, version = reader.number(">h"), reader.number(">h")
        if key != PRODUCE:
            continue
        flexible = version >= FIRST_FLEXIBLE
        reader.take(4)  # correlation id
        reader.string(False)  # client id: never compact
        reader.tags(flexible)
        reader.string(flexible)  # transactional id
        reader.take(2 + 4)  # acks, timeout
        for _ in range(reader.count(flexible)):
            if version >= FIRST_WITH_TOPIC_ID:
                reader.take(16)
            else:
                reader.string(flexible)
            for _ in range(reader.count(flexible)):
                reader.take(4)
                yield version, reader.bytes(flexible)
                reader.tags(flexible)
            reader.tags(flexible)
