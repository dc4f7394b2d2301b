"""What a connection costs that asked for ApiVersions and Metadata and then says nothing."""

import contextlib
import resource
import socket
import struct
import time

from dev.bench import usage
from dev.servers.kafka_probe import API_VERSIONS, METADATA, METADATA_VERSION, ask
from dev.servers.ports import LOOPBACK

# Files that this process needs beside the connections.
SPARE_FILES = 200

# Envoy frees what the handshakes took, and its statistics come to rest.
SETTLE_S = 3


def allow_connections(count):
    """Envoy has two files for each."""
    allow_files(2 * count)


def allow_files(count):
    """Raise the limit of open files, which the servers inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE_FILES
    if soft < wanted <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def measure(envoy, topic, count):
    """Bytes per connection: `wasm` by what the Wasm memories grew, `envoy` by the resident set. The Envoy is a fresh one."""
    name = topic.encode()
    one_topic = struct.pack(">ih", 1, len(name)) + name + b"\0"
    with contextlib.ExitStack() as connections:
        # The first connections of each worker fill caches that all share.
        for _ in range(count // 10):
            connections.enter_context(connect(envoy, one_topic))
        time.sleep(SETTLE_S)
        before = usage.wasm_bytes(envoy.pid), usage.resident_bytes(envoy.pid)
        for _ in range(count):
            connections.enter_context(connect(envoy, one_topic))
        time.sleep(SETTLE_S)
        after = usage.wasm_bytes(envoy.pid), usage.resident_bytes(envoy.pid)
    wasm, resident = ((late - early) / count for early, late in zip(before, after, strict=True))
    return {"wasm": wasm, "envoy": resident}


def connect(envoy, one_topic):
    """A connection that has said its two things."""
    connection = socket.create_connection((LOOPBACK, envoy.kafka_port), 30)
    ask(connection, API_VERSIONS, 0, b"")
    ask(connection, METADATA, METADATA_VERSION, one_topic)
    return connection
