"""A Pulsar producer with one message in flight, by hand-written bytes: what a durable write costs at least.

Fields: PulsarApi.proto. A frame is its length, the command's length, the command; behind SEND the metadata's length, the metadata
and the payload, without the checksum, which is optional.
"""

import socket
import struct

from dev.errors import DevError
from dev.servers.kafka_probe import receive
from dev.servers.ports import LOOPBACK

CONNECT, PRODUCER, SEND, SEND_RECEIPT, PRODUCER_SUCCESS, CONNECTED, LOOKUP, LOOKUP_RESPONSE = 2, 5, 6, 7, 17, 3, 23, 24
PING, PONG = 18, 19


def varint(value):
    """As protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(tag, value):
    """A field of an integer."""
    return varint(tag << 3) + varint(value)


def block(tag, value):
    """A field of bytes, a string or a message."""
    return varint(tag << 3 | 2) + varint(len(value)) + value


class Link:
    """A connection that has said CONNECT."""

    def __init__(self, port):
        self.socket = socket.create_connection((LOOPBACK, port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ask(CONNECT, block(1, b"bench") + number(4, 21), CONNECTED)

    def close(self):
        """It is over."""
        self.socket.close()

    def ask(self, kind, message, answer, section=b""):
        """A command and its answer."""
        self.socket.sendall(frame(kind, message, section))
        self.take(answer)

    def take(self, answer):
        """The next answer; the broker's PINGs are answered meanwhile."""
        while True:
            (total,) = struct.unpack(">I", receive(self.socket, 4))
            came = receive(self.socket, total)
            kind = came[5]  # the command's first field is its type
            if kind == answer:
                return
            if kind != PING:
                raise DevError(f"the broker answered {kind} instead of {answer}: {came[:200]!r}")
            self.socket.sendall(frame(PONG, b""))


def frame(kind, message, section=b""):
    """A command's field has its type's number."""
    command = number(1, kind) + block(kind, message)
    return struct.pack(">II", 4 + len(command) + len(section), len(command)) + command + section


class Producer(Link):
    """Of one topic; `send` returns when the broker has the message."""

    def __init__(self, port, topic):
        super().__init__(port)
        self.sequence = 0
        self.ask(LOOKUP, block(1, topic) + number(2, 1), LOOKUP_RESPONSE)
        self.ask(PRODUCER, block(1, topic) + number(2, 1) + number(3, 2) + block(4, b"bench-producer"), PRODUCER_SUCCESS)

    def send(self, payload):
        """There and back."""
        metadata = block(1, b"bench-producer") + number(2, self.sequence) + number(3, 1)
        section = struct.pack(">I", len(metadata)) + metadata + payload
        self.ask(SEND, number(1, 1) + number(2, self.sequence), SEND_RECEIPT, section)
        self.sequence += 1
