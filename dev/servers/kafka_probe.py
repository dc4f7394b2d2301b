"""Asks a Kafka broker two questions by hand-written bytes, to see that it really serves.

Shapes: ApiVersionsRequest.json and MetadataRequest.json of Apache Kafka. Request header v1 is api_key int16,
api_version int16, correlation_id int32, client_id nullable string; these versions have no tagged fields.
"""

import socket
import struct

API_VERSIONS, METADATA = 18, 3
METADATA_VERSION = 4
CLIENT_ID = b"isthmus-probe"
CORRELATION_ID = 1
MAX_RESPONSE_BYTES = 16 << 20


def serves(host, port, timeout_s=10):
    """Whether the broker lists its APIs and, in its metadata, at least one broker. Raises OSError where it is not there."""
    # Of no topic (a null array would ask for all), and none to be created.
    no_topics = struct.pack(">ib", 0, 0)
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            if not serves_metadata(ask(connection, API_VERSIONS, 0, b"")):
                return False
            return first_array_length(ask(connection, METADATA, METADATA_VERSION, no_topics)) > 0
    except struct.error:
        return False


def serves_metadata(body):
    """ApiVersions v0 response: error_code int16, then api_keys of (key, min, max), each int16."""
    error, count = struct.unpack_from(">hi", body)
    ranges = {key: (low, high) for key, low, high in struct.iter_unpack(">hhh", body[6 : 6 + 6 * count])}
    low, high = ranges.get(METADATA, (0, -1))
    return error == 0 and low <= METADATA_VERSION <= high


def first_array_length(body):
    """Metadata v4 response: throttle_time_ms int32, then the array of brokers."""
    return struct.unpack_from(">ii", body)[1]


def ask(connection, key, version, body):
    """One request and the body of its response."""
    header = struct.pack(">hhih", key, version, CORRELATION_ID, len(CLIENT_ID)) + CLIENT_ID
    connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
    (length,) = struct.unpack(">i", receive(connection, 4))
    if not 4 <= length <= MAX_RESPONSE_BYTES:
        raise ConnectionError(f"a Kafka response of {length} bytes")
    return receive(connection, length)[4:]


def receive(connection, count):
    """Exactly `count` bytes."""
    data = bytearray()
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("closed in the middle of a response")
        data += part
    return bytes(data)
