"""Bytes that no client would send: they cost their own connection at most, and nobody else's."""

import contextlib
import random
import socket
import struct

import pytest
from ring import batch, wire
from ring.reading import read_all
from ring.samples import record

SEED = 20240607
ABSURD_LENGTHS = [-1, -(2**31), 2**31 - 1, 1 << 30, 0, 1, 7]
# Array counts, string lengths and the like that promise far more than follows.
ABSURD_COUNT = struct.pack(">i", 2**31 - 1)


@pytest.fixture
def neighbour(target, topic):
    """A connection of a healthy client; afterwards it, and a new one, still work."""
    with wire.Connection(target.bootstrap) as healthy:

        def works(connection):
            row = connection.produce(topic, batch.build([b"healthy"]))
            read = read_all(connection, topic, row.base_offset)
            return row.error == wire.NONE and [each.value for each in read] == [b"healthy"]

        assert works(healthy)
        yield lambda: works(healthy)
        assert works(healthy)
        with wire.Connection(target.bootstrap) as newcomer:
            assert works(newcomer)


@contextlib.contextmanager
def raw(target, timeout_s=60):
    host, _, port = target.bootstrap.rpartition(":")
    with socket.create_connection((host, int(port)), timeout_s) as opened:
        yield opened


def push(connection, data):
    """Send, and do not mind when the other side has closed already."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(data)


def closed(connection):
    """Whether the other side closes, reading whatever comes before; a timeout is a failure."""
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    return True


def frame(key, version, body, correlation=1):
    return wire.blob(wire.i16(key) + wire.i16(version) + wire.i32(correlation) + wire.string("hostile") + body)


@pytest.mark.smoke
@pytest.mark.parametrize("length", ABSURD_LENGTHS)
def test_a_frame_of_an_absurd_length_closes_its_connection(target, neighbour, length):
    with raw(target) as hostile:
        push(hostile, struct.pack(">i", length) + b"\0" * 8)
        assert closed(hostile)


def test_random_bytes_do_no_harm(target, neighbour):
    chance = random.Random(SEED)
    for _ in range(60):
        with raw(target) as hostile:
            push(hostile, chance.randbytes(chance.randrange(1, 5000)))
    assert neighbour()


def test_random_bodies_behind_honest_headers_do_no_harm(target, neighbour):
    chance = random.Random(SEED + 1)
    for key in list(range(0, 75)) * 2:
        with raw(target) as hostile:
            version = chance.randrange(0, 14)
            push(hostile, frame(key, version, chance.randbytes(chance.randrange(0, 300))))
            push(hostile, frame(wire.API_VERSIONS, 0, b""))
    assert neighbour()


def test_requests_cut_off_anywhere_do_no_harm(target, neighbour, topic):
    whole = [
        frame(wire.METADATA, 8, wire.array([wire.string(topic)]) + b"\0\0\0"),
        frame(wire.PRODUCE, 7, wire.string(None) + wire.i16(-1) + wire.i32(1000) + wire.array([])),
        frame(wire.API_VERSIONS, 3, b"\0\x04abc\x04abc\0"),
    ]
    for data in whole:
        for cut in range(1, len(data), 3):
            with raw(target) as hostile:
                push(hostile, data[:cut])
    assert neighbour()


def test_flipped_bits_in_a_produce_request_do_no_harm(target, neighbour, new_topic):
    other = new_topic()
    row = wire.i32(0) + wire.blob(batch.build([b"value"] * 3))
    body = wire.string(None) + wire.i16(-1) + wire.i32(1000) + wire.array([wire.string(other) + wire.array([row])])
    honest = frame(wire.PRODUCE, 7, body)
    chance = random.Random(SEED + 2)
    for _ in range(150):
        data = bytearray(honest)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(12, len(data))] ^= 1 << chance.randrange(8)
        with raw(target) as hostile:
            push(hostile, bytes(data))
    assert neighbour()


@pytest.mark.parametrize(
    ("key", "version", "before"),
    [
        (wire.METADATA, 1, b""),
        (wire.METADATA, 8, b""),
        (wire.PRODUCE, 7, wire.string(None) + wire.i16(-1) + wire.i32(1000)),
        (wire.FETCH, 11, wire.i32(-1) + wire.i32(0) + wire.i32(1) + wire.i32(1) + wire.i8(0) + wire.i32(0) + wire.i32(-1)),
        (wire.LIST_OFFSETS, 1, wire.i32(-1)),
        (wire.CREATE_TOPICS, 4, b""),
        (wire.DELETE_TOPICS, 3, b""),
    ],
)
def test_an_array_that_promises_two_thousand_million_elements_closes_its_connection(target, neighbour, key, version, before):
    with raw(target) as hostile:
        push(hostile, frame(key, version, before + ABSURD_COUNT))
        assert closed(hostile)
    assert neighbour()


def test_a_key_that_is_not_served_closes_its_connection(target, neighbour):
    with raw(target) as hostile:
        push(hostile, frame(999, 0, b""))
        assert closed(hostile)


def test_a_version_of_api_versions_that_is_not_served_is_answered_with_those_that_are(target):
    with wire.Connection(target.bootstrap) as opened:
        answer = opened.ask(wire.API_VERSIONS, b"\0", version=99)  # the header of such a version ends in tagged fields: none

    assert answer.number("h") == wire.UNSUPPORTED_VERSION
    ranges = answer.array(lambda: (answer.number("h"), answer.number("h"), answer.number("h")))
    assert wire.API_VERSIONS in [key for key, _, _ in ranges]
    assert answer.ended()


@pytest.mark.parametrize("version", [0, 2])
def test_a_produce_request_of_a_version_that_is_only_advertised_closes_its_connection(target, neighbour, version):
    with raw(target) as hostile:
        push(hostile, frame(wire.PRODUCE, version, wire.i16(-1) + wire.i32(1000) + wire.array([])))
        assert closed(hostile)


def test_clients_that_send_a_byte_now_and_then_hold_up_nobody(target, neighbour):
    request = frame(wire.API_VERSIONS, 0, b"")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(raw(target)) for _ in range(40)]
        for place in range(len(request) - 1):
            for each in slow:
                each.sendall(request[place : place + 1])
            assert neighbour()
        for each in slow:
            each.sendall(request[-1:])
        assert all(each.recv(4) for each in slow)


def test_clients_that_never_read_hold_up_nobody(target, neighbour, new_topic):
    other = new_topic()
    with wire.Connection(target.bootstrap) as writer:
        rows = [writer.produce(other, batch.build([bytes([65 + number]) * 500_000])) for number in range(4)]
    assert {row.error for row in rows} == {wire.NONE}
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            greedy = stack.enter_context(wire.Connection(target.bootstrap))
            for _ in range(20):
                greedy.send_fetch([(other, 0, rows[0].base_offset)], partition_max_bytes=8 << 20)
            assert neighbour()


def test_connections_that_say_nothing_hold_up_nobody(target, neighbour):
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(raw(target))
        assert neighbour()


def test_a_real_client_works_while_others_send_garbage(target, java, topic, neighbour):
    chance = random.Random(SEED + 3)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            hostile = stack.enter_context(raw(target))
            push(hostile, chance.randbytes(64))
        records = [record(b"%d" % number) for number in range(1000)]
        acks = java.produce(target.bootstrap, topic, records, batch_size=2000)
        for _ in range(20):
            hostile = stack.enter_context(raw(target))
            push(hostile, chance.randbytes(64))
        read = java.consume(target.bootstrap, topic, offset=acks[0]["offset"])

    assert [each["value"] for each in read] == [each["value"] for each in records]
