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


class Producer:
    """Of one topic; `send` returns when the broker has the message."""

    def __init__(self, port, topic):
        self.socket = socket.create_connection((LOOPBACK, port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sequence = 0
        self._ask(CONNECT, CONNECT, block(1, b"bench") + number(4, 21), CONNECTED)
        self._ask(LOOKUP, LOOKUP, block(1, topic) + number(2, 1), LOOKUP_RESPONSE)
        self._ask(PRODUCER, PRODUCER, block(1, topic) + number(2, 1) + number(3, 2) + block(4, b"bench-producer"), PRODUCER_SUCCESS)

    def close(self):
        """It is over."""
        self.socket.close()

    def send(self, payload):
        """There and back."""
        metadata = block(1, b"bench-producer") + number(2, self.sequence) + number(3, 1)
        section = struct.pack(">I", len(metadata)) + metadata + payload
        self._ask(SEND, SEND, number(1, 1) + number(2, self.sequence), SEND_RECEIPT, section)
        self.sequence += 1

    def _ask(self, kind, field, message, answer, section=b""):
        command = number(1, kind) + block(field, message)
        self.socket.sendall(struct.pack(">II", 4 + len(command) + len(section), len(command)) + command + section)
        while True:
            (total,) = struct.unpack(">I", receive(self.socket, 4))
            frame = receive(self.socket, total)
            came = frame[5]  # the command's first field is its type
            if came == answer:
                return
            if came != PING:
                raise DevError(f"the broker answered command {kind} with {came}: {frame[:200]!r}")
            pong = number(1, PONG) + block(PONG, b"")
            self.socket.sendall(struct.pack(">II", 4 + len(pong), len(pong)) + pong)
