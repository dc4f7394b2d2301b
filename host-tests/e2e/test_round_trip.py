"""What any client writes, every client reads: byte for byte, at the offsets the writer was told."""

import pytest
from ring import samples
from ring.clients import CODECS, NAMES, READERS
from ring.samples import content

pytestmark = pytest.mark.no_second_try
SMOKE = pytest.mark.smoke
WRITERS = [pytest.param(name, codec, marks=SMOKE if codec == "gzip" else ()) for name in NAMES for codec in CODECS]


def assert_same(writer, sent, read, reader="java"):
    sent = [content(record) for record in sent]
    if writer == "kafkajs":
        sent = [samples.grouped_headers(record) for record in sent]
    assert [content(record) for record in read] == sent, f"what {reader} read"


@pytest.mark.parametrize(("writer", "codec"), WRITERS)
def test_what_a_client_writes_with_a_codec_every_client_reads(target, client, topic, writer, codec):
    records = samples.varied_for(writer)
    # They must become one batch, however slowly they are handed over: message-id offsets have gaps between batches. A flush ends the linger.
    acks = client(writer).produce(target.bootstrap, topic, records, codec=codec, idempotent=True, linger_ms=5000)

    offsets = [ack["offset"] for ack in acks]
    assert offsets == list(range(offsets[0], offsets[0] + len(records)))
    for reader in READERS:
        read = client(reader).consume(target.bootstrap, topic)
        assert_same(writer, records, read, reader)
        assert [record["offset"] for record in read] == offsets, f"offsets {reader} saw"


@pytest.mark.only_on("kafka")
@pytest.mark.parametrize("codec", CODECS)
def test_kafkajs_reads_every_codec_as_a_member_of_a_group(target, client, topic, codec):
    records = samples.varied()
    client("java").produce(target.bootstrap, topic, records, codec=codec)

    read = client("kafkajs").consume(target.bootstrap, topic)

    assert_same("kafkajs", records, read)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_an_old_java_client_writes_and_reads(target, client, topic, codec):
    records = samples.varied()
    old = client("java-2.8")
    old.produce(target.bootstrap, topic, records, codec=codec, idempotent=True)

    assert_same("java-2.8", records, old.consume(target.bootstrap, topic))
    assert_same("java-2.8", records, client("java").consume(target.bootstrap, topic))


@pytest.mark.parametrize("writer", NAMES)
def test_records_without_a_timestamp_get_the_time_they_were_sent(target, client, topic, writer):
    first, second = client(writer).produce(
        target.bootstrap, topic, [samples.record(b"one"), samples.record(b"two")], idempotent=True
    )

    read = client("java").consume(target.bootstrap, topic)

    assert 1_600_000_000_000 < read[0]["timestamp"] <= read[1]["timestamp"]
    assert (first["offset"], second["offset"]) == (read[0]["offset"], read[1]["offset"])


@pytest.mark.parametrize("writer", NAMES)
def test_each_partition_keeps_its_own_order(target, client, new_topic, writer):
    topic = new_topic(partitions=3)
    records = [samples.record(b"%d" % number, partition=number % 3) for number in range(60)]
    client(writer).produce(target.bootstrap, topic, records, batch_size=600, idempotent=True)

    for partition in range(3):
        read = client("java").consume(target.bootstrap, topic, partition)
        assert [bytes.fromhex(record["value"]) for record in read] == [b"%d" % number for number in range(partition, 60, 3)]


@pytest.mark.parametrize("reader", READERS)
def test_all_partitions_of_a_topic_are_read_together(target, client, new_topic, reader):
    topic = new_topic(partitions=3)
    records = [samples.record(b"%d" % number, partition=number % 3) for number in range(60)]
    client("java").produce(target.bootstrap, topic, records, idempotent=True)

    assign = [{"topic": topic, "partition": partition, "offset": "earliest"} for partition in range(3)]
    read = client(reader).consume(target.bootstrap, topic, assign=assign)

    assert sorted(int(bytes.fromhex(record["value"])) for record in read) == list(range(60))


@pytest.mark.parametrize("writer", NAMES)
@pytest.mark.parametrize("acks", ["0", "1"])
def test_records_sent_with_fewer_acks_arrive_too(target, client, topic, writer, acks):
    records = [samples.record(b"%d" % number) for number in range(20)]
    # Without acks nothing tells a client when it may leave, and one that leaves before a producer is open takes its records with it.
    stay_ms = 5000 if acks == "0" else 0
    client(writer).produce(target.bootstrap, topic, records, acks=acks, idempotent=False, stay_ms=stay_ms)

    read = client("java").consume(target.bootstrap, topic, count=20)

    assert [bytes.fromhex(record["value"]) for record in read] == [b"%d" % number for number in range(20)]
