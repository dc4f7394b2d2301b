"""Records with everything in them that a record can have."""

BINARY = b"\x00\xff\xfe\x80\xc3\x28"
# Milliseconds; not in order, and one from 1970.
TIMES = [1700000000000, 1700000000007, 1699999999993, 1, 1700000000100]


def record(value, key=None, headers=(), timestamp=None, partition=0):
    """A record of the clients' protocol; bytes become hex."""
    return {
        "partition": partition,
        "key": None if key is None else key.hex(),
        "value": None if value is None else value.hex(),
        "headers": [[name, None if content is None else content.hex()] for name, content in headers],
        "timestamp": timestamp,
    }


def varied(partition=0):
    """Keys: none, empty, text, binary. Values: null, empty, binary, long. Headers: repeated, null, empty, not UTF-8, interleaved."""
    plain = [
        record(b"value", b"key"),
        record(b"no key"),
        record(b"empty key", b""),
        record(b"binary key", BINARY),
        record("größer als €".encode(), "schlüssel".encode()),
        record(None, b"tombstone"),
        record(None, b"tombstone with a header", [("why", b"deleted")]),
        record(None, None),
        record(b"", b"empty value"),
        record(BINARY, b"binary value"),
        record(b"text header", b"h1", [("content-type", b"text/plain")]),
        record(b"headers in order", b"h2", [("b", b"1"), ("a", b"2"), ("c", b"3")]),
        record(b"header with null", b"h3", [("null", None), ("empty", b"")]),
        record(b"header that is not UTF-8", b"h4", [("binary", BINARY)]),
        record(b"repeated header", b"h5", [("again", b"1"), ("again", b"2"), ("again", b"1")]),
        record(b"repeated, with another between", b"h6", [("x", b"1"), ("y", b"2"), ("x", b"3")]),
        record(b"empty header name", b"h7", [("", b"nameless")]),
        record(b"header name of the filter's own", b"h8", [("__isthmus.headers", b"mine"), ("__isthmus.timestamp", b"7")]),
        record(b"the quick brown fox " * 50, b"compressible"),
        record(bytes(range(256)) * 8, b"every byte"),
    ]
    for place, each in enumerate(plain):
        each["timestamp"] = TIMES[place % len(TIMES)]
        each["partition"] = partition
    return plain


def varied_for(client, partition=0):
    """`varied`, without what the client cannot send: some want no null headers, kafka-python also a key or a value."""
    records = varied(partition)
    if client in ("kafka-python", "kafkajs"):
        records = [each for each in records if all(value is not None for _, value in each["headers"])]
    if client == "kafka-python":
        records = [each for each in records if (each["key"], each["value"]) != (None, None)]
    return records


def content(record_):
    """What a record says, without where it is."""
    return {name: record_[name] for name in ("key", "value", "headers", "timestamp")}


def grouped_headers(record_):
    """The record as a client leaves it that keeps headers in a map of lists: repeated names come together, at the first one's place."""
    names = dict.fromkeys(name for name, _ in record_["headers"])
    together = [[name, value] for first in names for name, value in record_["headers"] if name == first]
    return {**record_, "headers": together}
