"""A Pulsar client reads what Kafka wrote, and a Kafka client reads what Pulsar wrote, byte for byte."""

import subprocess

import pytest
from ring import batch, compaction, samples, wire
from ring.clients import CODECS, NAMES, READERS, ClientError
from ring.waiting import eventually

pytestmark = pytest.mark.only_on("index", "message-id")

PULSAR_CODECS = ["none", "lz4", "zlib", "zstd", "snappy"]
OWN_PREFIX = "__isthmus."
SMOKE = pytest.mark.smoke
WRITERS = [pytest.param(name, codec, marks=SMOKE if codec == "zstd" else ()) for name in NAMES for codec in CODECS]
FORMS = [
    pytest.param(batched, codec, id=f"{'batched' if batched else 'single'}-{codec}", marks=SMOKE if batched and codec == "lz4" else ())
    for batched in (False, True)
    for codec in PULSAR_CODECS
]


def pulsar_topic(topic, partition=0):
    return f"persistent://public/default/{topic}-partition-{partition}"


@pytest.fixture
def pulsar_read(target, java):
    """`pulsar_read(topic)`: the messages of its only partition, as Pulsar's client sees them."""

    def read(topic, **options):
        lines = java.run("pulsar-read", service_url=target.pulsar.service_url, topic=pulsar_topic(topic), **options)
        return [line["message"] for line in lines]

    return read


@pytest.fixture
def pulsar_write(target, java):
    """`pulsar_write(topic, messages, ...)`; returns the message ids."""

    def write(topic, messages, **options):
        lines = java.run("pulsar-write", service_url=target.pulsar.service_url, topic=pulsar_topic(topic), messages=messages, **options)
        return [line["message_id"] for line in lines]

    return write


def plain_properties(message):
    return {name: value for name, value in message["properties"].items() if not name.startswith(OWN_PREFIX)}


def text_headers(record):
    """The headers of a record that a Pulsar client can be expected to see: those with values that are UTF-8 text."""
    headers = {}
    for name, value in record["headers"]:
        try:
            headers[name] = bytes.fromhex(value).decode() if value is not None else None
        except UnicodeDecodeError:
            headers[name] = None
    return {name: value for name, value in headers.items() if value is not None and not name.startswith(OWN_PREFIX)}


@pytest.mark.parametrize(("writer", "codec"), WRITERS)
def test_pulsar_reads_keys_values_times_and_text_headers_of_what_kafka_wrote(target, client, pulsar_read, topic, writer, codec):
    records = samples.varied_for(writer)
    client(writer).produce(target.bootstrap, topic, records, codec=codec)

    messages = pulsar_read(topic)

    assert [message["key"] for message in messages] == [record["key"] for record in records]
    assert [message["value"] for message in messages] == [record["value"] for record in records]
    assert [message["event_time"] for message in messages] == [record["timestamp"] for record in records]
    plain = [place for place, record in enumerate(records) if len(text_headers(record)) == len(record["headers"])]
    for place in plain:
        assert plain_properties(messages[place]) == text_headers(records[place])


@pytest.mark.only_on("index")
def test_the_index_pulsar_tells_is_the_offset_kafka_told(target, java, pulsar_read, topic):
    acks = java.produce(target.bootstrap, topic, [samples.record(b"%d" % number) for number in range(20)], batch_size=200)

    assert [message["index"] for message in pulsar_read(topic)] == [ack["offset"] for ack in acks]


def test_text_keys_are_plain_and_binary_keys_base64_for_pulsar(target, java, pulsar_read, topic):
    records = [samples.record(b"v", "schlüssel".encode()), samples.record(b"v", samples.BINARY), samples.record(b"v", b""), samples.record(b"v")]
    java.produce(target.bootstrap, topic, records)

    seen = [(message["key"], message["key_is_base64"]) for message in pulsar_read(topic)]

    assert seen[:2] == [("schlüssel".encode().hex(), False), (samples.BINARY.hex(), True)]
    assert seen[3] == (None, False)


MESSAGES = [
    {"value": b"plain".hex()},
    {"value": b"with a key".hex(), "key": "schlüssel"},
    {"value": b"with a binary key".hex(), "key_bytes": samples.BINARY.hex()},
    {"value": b"with properties".hex(), "properties": {"a": "1", "größe": "€"}},
    {"value": b"with an event time".hex(), "event_time": 1700000000123},
    {"value": samples.BINARY.hex(), "ordering_key": "o"},
    {"value": None, "key": "tombstone"},
    {"value": ""},
    {"value": (b"the quick brown fox " * 500).hex()},
]


def as_kafka(message):
    """What a Kafka client has to see of a message."""
    key = message.get("key_bytes", message.get("key") and message["key"].encode().hex())
    headers = {name: value.encode().hex() for name, value in message.get("properties", {}).items()}
    return {"key": key, "value": message["value"], "headers": headers}


def seen_by_kafka(record):
    return {"key": record["key"], "value": record["value"], "headers": dict(record["headers"])}


@pytest.mark.parametrize(("batched", "codec"), FORMS)
@pytest.mark.parametrize("reader", READERS)
def test_kafka_reads_what_pulsar_wrote_with_any_codec(target, client, pulsar_write, topic, reader, batched, codec):
    pulsar_write(topic, MESSAGES, batch=batched, codec=codec)

    read = client(reader).consume(target.bootstrap, topic)

    assert [seen_by_kafka(record) for record in read] == [as_kafka(message) for message in MESSAGES]
    assert read[4]["timestamp"] == 1700000000123
    assert all(record["timestamp"] > 1_600_000_000_000 for record in read)
    if target.contiguous_offsets:
        assert [record["offset"] for record in read] == list(range(len(MESSAGES)))


def test_what_kafka_and_pulsar_write_in_turn_is_read_in_that_order(target, client, pulsar_write, pulsar_read, topic):
    expected = []
    for turn in range(4):
        client("java").produce(target.bootstrap, topic, [samples.record(b"kafka %d %d" % (turn, n)) for n in range(3)])
        pulsar_write(topic, [{"value": (b"pulsar %d %d" % (turn, n)).hex()} for n in range(3)], batch=turn % 2 == 0)
        expected += [(b"%s %d %d" % (who, turn, n)).hex() for who in (b"kafka", b"pulsar") for n in range(3)]

    read = client("java").consume(target.bootstrap, topic)

    assert [record["value"] for record in read] == expected
    assert [message["value"] for message in pulsar_read(topic)] == expected
    if target.contiguous_offsets:
        assert [record["offset"] for record in read] == list(range(24))


@pytest.mark.parametrize("codec", PULSAR_CODECS)
def test_chunked_messages_are_read_whole(target, client, pulsar_write, topic, codec):
    # A payload without repetitions, so that it stays larger than a chunk when compressed.
    large = b"".join(number.to_bytes(4, "big") * 2 for number in range(0, 2**32, 2**32 // 40_000))
    messages = [{"value": b"before".hex()}, {"value": large.hex(), "key": "large"}, {"value": b"after".hex()}]
    pulsar_write(topic, messages, chunk_bytes=20_000, codec=codec)

    read = client("java").consume(target.bootstrap, topic)

    assert [record["value"] for record in read] == [message["value"] for message in messages]
    offsets = [record["offset"] for record in read]
    assert offsets == sorted(set(offsets))


@pytest.mark.parametrize("schema", ["json", "avro"])
def test_payloads_with_a_schema_are_their_bytes(target, client, pulsar_write, pulsar_read, topic, schema):
    pulsar_write(topic, [{"name": "Ada", "number": 36}, {"name": "Grace", "number": 85}], schema=schema)

    read = client("java").consume(target.bootstrap, topic)

    assert [record["value"] for record in read] == [message["value"] for message in pulsar_read(topic)]
    if schema == "json":
        assert b'"Ada"' in bytes.fromhex(read[0]["value"])


def test_entries_that_compaction_removed_are_skipped_and_offsets_stay(target, client, connection, topic):
    records = [samples.record(b"%d" % number, b"key %d" % (number % 3)) for number in range(12)]
    acks = client("java").produce(target.bootstrap, topic, records)
    compaction.compact(target.admin, topic)

    read = client("java").consume(target.bootstrap, topic)

    offset_of = {ack["offset"]: records[ack["index"]]["value"] for ack in acks}
    assert all(offset_of[record["offset"]] == record["value"] for record in read)
    assert {record["value"] for record in read} >= {b"9".hex(), b"10".hex(), b"11".hex()}
    assert connection.list_offset(topic, wire.LATEST)[2] == acks[-1]["offset"] + 1


@pytest.fixture(scope="session")
def public_key(tmp_path_factory):
    """The public half of an RSA key pair, in the file that Pulsar's producer wants."""
    folder = tmp_path_factory.mktemp("keys")
    private, public = folder / "private.pem", folder / "public.pem"
    subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return public


def test_an_encrypted_message_ends_the_fetch_with_an_error_and_is_never_a_wrong_record(target, client, pulsar_write, topic, public_key):
    client("java").produce(target.bootstrap, topic, [samples.record(b"readable")])
    pulsar_write(topic, [{"value": b"secret".hex()}], public_key_file=str(public_key))

    with pytest.raises(ClientError) as refused:
        client("java").consume(target.bootstrap, topic)

    assert [line["record"]["value"] for line in refused.value.lines] == [b"readable".hex()]


def test_what_kop_kept_in_kafkas_own_format_ends_the_fetch_and_what_comes_after_it_is_read(target, java, pulsar_write, topic):
    kop = {"value": batch.build([b"one", b"two"]).hex(), "count": 2, "properties": {"entry.format": "kafka"}}
    pulsar_write(topic, [kop])
    (ack,) = java.produce(target.bootstrap, topic, [samples.record(b"readable")])

    with pytest.raises(ClientError) as refused:
        java.consume(target.bootstrap, topic)
    read = java.consume(target.bootstrap, topic, offset=ack["offset"])

    assert not refused.value.lines
    assert [record["value"] for record in read] == [b"readable".hex()]
    if target.contiguous_offsets:
        assert ack["offset"] == 2, "its records count"


def test_the_client_id_shows_in_pulsars_statistics(target, connection, topic):
    with wire.Connection(target.bootstrap, client_id="the-client") as named:
        base = named.produce(topic, batch.build([b"x"])).base_offset
        named.fetch([(topic, 0, base)])
        named.send_fetch([(topic, 0, base + 1)], max_wait_ms=10000)

        def shown():
            stats = target.admin.stats(topic)
            return "the-client" in str(stats["publishers"]) and "the-client" in str(stats["subscriptions"])

        assert eventually(shown)


def test_a_topic_that_pulsar_made_without_partitions_has_one_for_kafka(target, java, connection, new_name):
    name = new_name()
    target.admin.call("PUT", f"/admin/v2/persistent/public/default/{name}")
    service = target.pulsar.service_url
    java.run("pulsar-write", service_url=service, topic=f"persistent://public/default/{name}", messages=[{"value": b"x".hex()}])

    assert [partition for partition, _ in connection.metadata([name])[0][name][1]] == [0]
    assert [record["value"] for record in java.consume(target.bootstrap, name)] == [b"x".hex()]


def test_internal_topics_are_hidden(target, java, topic):
    names = java.admin(target.bootstrap, "list")["topics"]

    assert topic in names
    assert not [name for name in names if name.startswith("__") or "-partition-" in name]
