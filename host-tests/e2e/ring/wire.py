"""A Kafka connection at the level of requests, for what no client lets a test do or see.

Versions are the last ones without flexible types; shapes are those of Apache Kafka's *Request.json and *Response.json.
"""

import itertools
import socket
import struct
from dataclasses import dataclass

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS, INIT_PRODUCER_ID = 0, 1, 2, 3, 18, 19, 20, 22
VERSION = {PRODUCE: 7, FETCH: 11, LIST_OFFSETS: 5, METADATA: 8, API_VERSIONS: 0, CREATE_TOPICS: 4, DELETE_TOPICS: 3, INIT_PRODUCER_ID: 1}

UNKNOWN_SERVER_ERROR, NONE, OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE, UNKNOWN_TOPIC_OR_PARTITION = -1, 0, 1, 2, 3
REQUEST_TIMED_OUT, MESSAGE_TOO_LARGE, COORDINATOR_LOAD_IN_PROGRESS, INVALID_TOPIC, INVALID_REQUIRED_ACKS = 7, 10, 14, 17, 21
UNSUPPORTED_VERSION, TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR = 35, 36, 37, 38
OUT_OF_ORDER_SEQUENCE_NUMBER, DUPLICATE_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, INVALID_RECORD = 45, 46, 47, 87
EARLIEST, LATEST = -2, -1
NO_TAGS = b"\0"
MAX_RESPONSE_BYTES = 256 << 20


def i8(value):
    return struct.pack(">b", value)


def i16(value):
    return struct.pack(">h", value)


def i32(value):
    return struct.pack(">i", value)


def i64(value):
    return struct.pack(">q", value)


def string(text):
    return i16(-1) if text is None else i16(len(text.encode())) + text.encode()


def blob(data):
    return i32(-1) if data is None else i32(len(data)) + data


def array(items):
    items = list(items)
    return i32(len(items)) + b"".join(items)


class Answer:
    """Takes primitive types from the front of a response."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("the response is too short")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, format_):
        return struct.unpack(">" + format_, self.take(struct.calcsize(">" + format_)))[0]

    def string(self):
        length = self.number("h")
        return None if length < 0 else self.take(length).decode()

    def blob(self):
        length = self.number("i")
        return None if length < 0 else self.take(length)

    def array(self, read):
        return [read() for _ in range(self.number("i"))]

    def ended(self):
        return self.at == len(self.data)


@dataclass
class Produced:
    """A partition's row in a Produce response."""

    error: int
    base_offset: int
    log_append_time: int
    log_start: int


@dataclass
class Fetched:
    """A partition's row in a Fetch response."""

    error: int
    high_watermark: int
    last_stable_offset: int
    log_start: int
    records: bytes


class Connection:
    """One TCP connection; `send` and `receive` apart let a test pipeline."""

    def __init__(self, bootstrap, timeout_s=60, client_id="e2e-wire"):
        host, _, port = bootstrap.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client_id = client_id
        self.correlations = itertools.count(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, key, body, version=None, flexible=False):
        """Send a request with header v1, or v2 where its version is a flexible one; returns its correlation id."""
        correlation = next(self.correlations)
        version = VERSION[key] if version is None else version
        header = i16(key) + i16(version) + i32(correlation) + string(self.client_id) + (NO_TAGS if flexible else b"")
        self.socket.sendall(blob(header + body))
        return correlation

    def receive(self):
        """The next response: (correlation id, its body)."""
        length = struct.unpack(">i", self._exactly(4))[0]
        if not 4 <= length <= MAX_RESPONSE_BYTES:
            raise ConnectionError(f"a response of {length} bytes")
        answer = Answer(self._exactly(length))
        return answer.number("i"), answer

    def ask(self, key, body, version=None):
        sent = self.send(key, body, version)
        correlation, answer = self.receive()
        if correlation != sent:
            raise ConnectionError(f"answer {correlation} to request {sent}")
        return answer

    def _exactly(self, count):
        data = bytearray()
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("closed by the other side")
            data += part
        return bytes(data)

    def produce(self, topic, batch, partition=0, acks=-1, transactional_id=None, timeout_ms=15000):
        """Produce one batch to one partition."""
        self.send_produce(topic, batch, partition, acks, transactional_id, timeout_ms)
        return self.produced()

    def send_produce(self, topic, batch, partition=0, acks=-1, transactional_id=None, timeout_ms=15000):
        row = i32(partition) + blob(batch)
        body = string(transactional_id) + i16(acks) + i32(timeout_ms) + array([string(topic) + array([row])])
        return self.send(PRODUCE, body)

    def produced(self):
        """The row of the next response, which must be one of `produce`."""
        _, answer = self.receive()
        rows = answer.array(lambda: (answer.string(), answer.array(lambda: (answer.number("i"), _produced(answer)))))
        return rows[0][1][0][1]

    def fetch(self, wanted, max_wait_ms=500, min_bytes=1, max_bytes=50 << 20, partition_max_bytes=1 << 20, session_epoch=-1):
        """Fetch `wanted`, a list of (topic, partition, offset). Returns {(topic, partition): Fetched}, in the response's order."""
        self.send_fetch(wanted, max_wait_ms, min_bytes, max_bytes, partition_max_bytes, session_epoch)
        return self.fetched()

    def send_fetch(self, wanted, max_wait_ms=500, min_bytes=1, max_bytes=50 << 20, partition_max_bytes=1 << 20, session_epoch=-1):
        topics = {}
        for topic, partition, offset in wanted:
            row = i32(partition) + i32(-1) + i64(offset) + i64(-1) + i32(partition_max_bytes)
            topics.setdefault(topic, []).append(row)
        body = i32(-1) + i32(max_wait_ms) + i32(min_bytes) + i32(max_bytes) + i8(0) + i32(0) + i32(session_epoch)
        body += array(string(topic) + array(rows) for topic, rows in topics.items()) + array([]) + string("")
        return self.send(FETCH, body)

    def fetched(self):
        _, answer = self.receive()
        answer.number("i")  # throttle time
        error = answer.number("h")
        self.session_id = answer.number("i")
        if error:
            raise ConnectionError(f"fetch error {error}")
        found = {}
        for topic, rows in answer.array(lambda: (answer.string(), answer.array(lambda: (answer.number("i"), _fetched(answer))))):
            found.update({(topic, partition): row for partition, row in rows})
        return found

    def list_offset(self, topic, at, partition=0):
        """(error, timestamp, offset) of a timestamp, EARLIEST or LATEST."""
        row = i32(partition) + i32(-1) + i64(at)
        answer = self.ask(LIST_OFFSETS, i32(-1) + i8(0) + array([string(topic) + array([row])]))
        answer.take(4 + 4)  # throttle time, one topic
        answer.string()
        answer.take(4 + 4)  # one partition, its index
        return answer.number("h"), answer.number("q"), answer.number("q")

    def metadata(self, topics=None, create=False):
        """{topic: (error, [(partition, leader)])} and the brokers {id: (host, port)}."""
        names = i32(-1) if topics is None else array(string(topic) for topic in topics)
        answer = self.ask(METADATA, names + i8(create) + i8(0) + i8(0))
        answer.take(4)
        brokers = answer.array(lambda: (answer.number("i"), answer.string(), answer.number("i"), answer.string()))
        answer.string()  # cluster id
        answer.number("i")  # controller
        topics = dict(answer.array(lambda: _topic(answer)))
        return topics, {id_: (host, port) for id_, host, port, _ in brokers}

    def create_topic(self, topic, partitions=1, replication=1, validate_only=False):
        """The error code."""
        self.send_create_topic(topic, partitions, replication, validate_only)
        return self.created()

    def send_create_topic(self, topic, partitions=1, replication=1, validate_only=False):
        row = string(topic) + i32(partitions) + i16(replication) + array([]) + array([])
        return self.send(CREATE_TOPICS, array([row]) + i32(15000) + i8(validate_only))

    def created(self):
        """The error code of the next response, which must be one of `create_topic`."""
        _, answer = self.receive()
        answer.take(4)
        return answer.array(lambda: (answer.string(), answer.number("h"), answer.string()))[0][1]

    def delete_topic(self, topic, timeout_ms=15000):
        """The error code."""
        answer = self.ask(DELETE_TOPICS, array([string(topic)]) + i32(timeout_ms))
        answer.take(4)
        return answer.array(lambda: (answer.string(), answer.number("h")))[0][1]

    def new_producer(self):
        """(producer id, epoch) of a new idempotent producer, once the broker gives ids out."""
        while (given := self.producer_id())[0] == COORDINATOR_LOAD_IN_PROGRESS:
            pass
        error, producer, epoch = given
        if error:
            raise ConnectionError(f"no producer id: error {error}")
        return producer, epoch

    def producer_id(self, transactional_id=None):
        """(error, producer id, epoch)."""
        answer = self.ask(INIT_PRODUCER_ID, string(transactional_id) + i32(60000))
        answer.take(4)
        return answer.number("h"), answer.number("q"), answer.number("h")


def _produced(answer):
    return Produced(answer.number("h"), answer.number("q"), answer.number("q"), answer.number("q"))


def _fetched(answer):
    error, high, stable, start = answer.number("h"), answer.number("q"), answer.number("q"), answer.number("q")
    for _ in range(max(0, answer.number("i"))):
        answer.take(16)  # aborted transactions
    answer.number("i")  # preferred read replica
    return Fetched(error, high, stable, start, answer.blob())


def _topic(answer):
    def partition():
        answer.number("h")
        index, leader = answer.number("i"), answer.number("i")
        answer.number("i")  # leader epoch
        for _ in range(3):
            answer.array(lambda: answer.number("i"))
        return index, leader

    error, name = answer.number("h"), answer.string()
    answer.number("b")
    partitions = answer.array(partition)
    answer.number("i")
    return name, (error, sorted(partitions))
