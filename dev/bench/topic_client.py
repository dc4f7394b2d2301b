"""What admin clients ask about topics, at the level of requests: versions without tagged fields, so that the bytes are few.

Shapes: MetadataRequest.json, CreateTopicsRequest.json and their like of Apache Kafka.
"""

import struct
import time

from dev.bench.group_client import Connection, array, string
from dev.errors import DevError

METADATA, CREATE_TOPICS, DELETE_TOPICS, DESCRIBE_CONFIGS = 3, 19, 20, 32
TOPIC = 2
TIMEOUT_MS = 60_000
# For 10,000 logs, on a slow disk.
PATIENCE_S = 600
NULL_ARRAY = struct.pack(">i", -1)


class Client(Connection):
    """Each request is answered before it returns; an error in an answer raises."""

    def metadata(self, names):
        """The answer's body; None asks for all topics."""
        topics = NULL_ARRAY if names is None else array([string(name) for name in names])
        return self.ask(METADATA, 4, topics + b"\0")

    def partitions_in(self, body):
        """How many partitions with a leader the answer to Metadata tells."""
        answer = Reader(body, at=4)
        for _ in range(answer.int32()):
            answer.skip(4)
            answer.string()
            answer.skip(4)
            answer.string()
        answer.string()
        answer.skip(4)
        return sum(self.partitions_of(answer) for _ in range(answer.int32()))

    def partitions_of(self, answer):
        """The same of one topic."""
        refuse(answer.int16(), answer.string())
        answer.skip(1)
        count = answer.int32()
        for _ in range(count):
            error = answer.int16()
            answer.skip(8)
            answer.skip(4 * answer.int32())
            answer.skip(4 * answer.int32())
            refuse(error, b"a partition")
        return count

    def create(self, names, partitions, configs=None):
        """Topics of so many partitions each."""
        settings = array([string(name) + string(value) for name, value in (configs or {}).items()])
        topics = [string(name) + struct.pack(">ih", partitions, 1) + array([]) + settings for name in names]
        answer = Reader(self.ask(CREATE_TOPICS, 2, array(topics) + struct.pack(">i?", TIMEOUT_MS, False)), at=4)
        for _ in range(answer.int32()):
            name, error = answer.string(), answer.int16()
            refuse(error, name + b": " + answer.string())

    def delete(self, names):
        """They are there."""
        body = array([string(name) for name in names]) + struct.pack(">i", TIMEOUT_MS)
        answer = Reader(self.ask(DELETE_TOPICS, 1, body), at=4)
        for _ in range(answer.int32()):
            name = answer.string()
            refuse(answer.int16(), name)

    def describe_configs(self, names):
        """All configurations; how many topics were told."""
        resources = array([struct.pack(">b", TOPIC) + string(name) + NULL_ARRAY for name in names])
        answer = Reader(self.ask(DESCRIBE_CONFIGS, 1, resources + b"\0"), at=4)
        count = answer.int32()
        for _ in range(count):
            error, message = answer.int16(), answer.string()
            answer.skip(1)
            refuse(error, answer.string() + b": " + message)
            for _ in range(answer.int32()):
                answer.string()
                answer.string()
                answer.skip(3)
                answer.skip(4 * answer.int32())
        return count


def until_seen(question):
    """Ask until nothing is refused: Apache Kafka's controller has made topics before its broker has made their logs."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return question()
        except DevError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def refuse(error, what):
    """An error is not to be."""
    if error:
        raise DevError(f"{what.decode()}: error {error}.")


class Reader:
    """The fields of an answer, one after the other."""

    def __init__(self, body, at=0):
        self.body = body
        self.at = at

    def skip(self, count):
        """So many bytes."""
        self.at += count

    def take(self, shape):
        """One field."""
        (value,) = struct.unpack_from(shape, self.body, self.at)
        self.at += struct.calcsize(shape)
        return value

    def int16(self):
        """Two bytes."""
        return self.take(">h")

    def int32(self):
        """Four bytes."""
        return self.take(">i")

    def string(self):
        """One that is null is empty."""
        length = max(0, self.int16())
        self.skip(length)
        return self.body[self.at - length : self.at]
