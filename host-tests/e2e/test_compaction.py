"""Compacted topics: readers see the last value of each key at its own offset, and come to the end, whatever is left there."""

import pytest
from ring import batch, config_wire, samples, wire
from ring.clients import CODECS, READERS
from ring.compaction import compact
from ring.reading import read_all
from ring.waiting import eventually

# Apache Kafka's cleaner spares the segment that is being written, so it takes no script to its end.
pytestmark = [pytest.mark.only_on("index", "message-id"), pytest.mark.no_second_try]

SMOKE = pytest.mark.smoke


def put(java, target, topic, *records, codec="none"):
    """One batch of keys and values; the offsets."""
    rows = [samples.record(value and value.encode(), key.encode()) for key, value in records]
    acks = java.produce(target.bootstrap, topic, rows, codec=codec, linger_ms=500)
    return [ack["offset"] for ack in acks]


def text(field):
    """A field of the clients' protocol; null is None."""
    return field and bytes.fromhex(field).decode()


def rows_of(read):
    """Offset, key and value of what a client read."""
    return [(record["offset"], text(record["key"]), text(record["value"])) for record in read]


def table(rows):
    """The last value of each key."""
    latest = {key: value for _, key, value in rows}
    return {key: value for key, value in latest.items() if value is not None}


@pytest.fixture
def compacted(java, target, topic):
    """A topic of several batches in every codec, compacted; its last records are tombstones. With it: what is left, and where it ends."""
    left = {}
    for number, codec in enumerate(CODECS):
        own = f"only {codec}"
        offsets = put(java, target, topic, ("a", f"a{number}"), (own, "1"), ("b", f"b{number}"), ("gone", "1"), codec=codec)
        left.update({"a": (offsets[0], "a", f"a{number}"), own: (offsets[1], own, "1"), "b": (offsets[2], "b", f"b{number}")})
    put(java, target, topic, ("gone", None))
    end = put(java, target, topic, ("never", None))[-1] + 1
    compact(target.admin, topic)
    return topic, sorted(left.values()), end


@pytest.mark.only_on("index")
def test_a_topic_whose_policy_is_set_by_a_kafka_client_is_compacted_when_enough_has_come(target, java, topic):
    beside = target.envoy_beside("compacting", compaction_threshold_bytes=1024)
    beside.start()
    try:
        with wire.Connection(beside.bootstrap) as other:
            assert config_wire.alter(other, topic, (config_wire.SET, "cleanup.policy", "compact")) == (wire.NONE, None)
    finally:
        beside.stop()

    for number in range(4):
        put(java, target, topic, ("a", f"{number}" * 500), ("b", f"{number}"))

    rows = lambda: rows_of(java.consume(target.bootstrap, topic))  # noqa: E731
    eventually(lambda: rows()[0][0] > 0, within_s=120, what="compaction")
    assert table(rows()) == {"a": "3" * 500, "b": "3"}


@pytest.mark.parametrize("reader", [pytest.param(name, marks=SMOKE if name != "java" else ()) for name in READERS])
def test_every_client_reads_the_last_value_of_each_key_and_comes_to_the_end(target, client, compacted, reader):
    topic, left, _ = compacted

    assert rows_of(client(reader).consume(target.bootstrap, topic)) == left


def test_a_group_of_kafkajs_reads_the_same(target, compacted, new_group):
    topic, left, _ = compacted
    group = new_group(topics={topic: 1})
    member = group.joined("kafkajs")
    group.wait_read(value.encode() for *_, value in left)
    group.wait_committed()

    assert [offset for _, _, offset, _ in member.records] == [offset for offset, *_ in left]


def test_a_pulsar_reader_of_the_compacted_topic_sees_what_kafka_clients_see(target, java, compacted):
    topic, left, _ = compacted
    name = f"persistent://public/default/{topic}-partition-0"

    read = java.run("pulsar-read", service_url=target.pulsar.service_url, topic=name, compacted=True)

    seen = [(text(line["message"]["key"]), text(line["message"]["value"])) for line in read]
    assert seen == [(key, value) for _, key, value in left]


@SMOKE
def test_compaction_moves_neither_beginning_nor_end(connection, compacted):
    topic, left, end = compacted

    assert connection.list_offset(topic, wire.EARLIEST)[2] < left[0][0]
    assert connection.list_offset(topic, wire.LATEST)[2] == end
    row = connection.fetch([(topic, 0, left[0][0])])[topic, 0]
    assert row.high_watermark == end


@pytest.mark.parametrize("reader", READERS)
def test_every_client_comes_to_the_end_of_a_topic_of_which_nothing_is_left(target, java, client, topic, reader):
    put(java, target, topic, ("a", "1"), ("b", "1"), codec="lz4")
    put(java, target, topic, ("b", None), ("a", None))
    compact(target.admin, topic)

    assert client(reader).consume(target.bootstrap, topic) == []


def test_every_offset_can_be_fetched_from(target, connection, compacted):
    topic, left, end = compacted
    first = connection.list_offset(topic, wire.EARLIEST)[2]
    places = range(first, end + 1) if target.contiguous_offsets else [first, *(offset for offset, *_ in left), end - 1, end]

    for start in places:
        with wire.Connection(target.bootstrap) as fresh:
            found = [record.offset for record in read_all(fresh, topic, start)]
        assert found == [offset for offset, *_ in left if offset >= start]


def test_a_lookup_by_time_leads_to_where_reading_goes_on(target, java, connection, topic):
    put(java, target, topic, ("a", "1"))
    put(java, target, topic, ("a", None))
    compact(target.admin, topic)
    last = put(java, target, topic, ("b", "1"))[0]

    error, _, found = connection.list_offset(topic, 1)

    assert error == wire.NONE
    assert [record.offset for record in read_all(connection, topic, found)] == [last]


def test_nothing_is_lost_between_the_compacted_part_and_the_tail(target, java, connection, topic):
    """A slow reader, compaction again and again before it, and more records: its table is the topic's, as is a newcomer's."""
    filler = "." * 20000
    for number in range(0, 100, 10):
        put(java, target, topic, *((f"k{at % 20}", f"{at}{filler}") for at in range(number, number + 10)), codec="gzip")
    start = connection.list_offset(topic, wire.EARLIEST)[2]
    row = connection.fetch([(topic, 0, start)], max_wait_ms=20000, partition_max_bytes=300000)[topic, 0]
    first = batch.read(row.records)
    slow = [(record.offset, record.key.decode(), record.value.decode()) for record in batch.records(row.records)]

    for round_ in range(3):
        put(java, target, topic, ("k1", f"new {round_}"), (f"extra {round_}", "1"))
        compact(target.admin, topic)
        put(java, target, topic, (f"tail {round_}", "1"), (f"extra {round_}", None))
    rest = read_all(connection, topic, first[-1].next_offset)
    slow += [(record.offset, record.key.decode(), record.value and record.value.decode()) for record in rest]
    newcomer = table(rows_of(java.consume(target.bootstrap, topic)))

    expected = {f"k{at % 20}": f"{at}{filler}" for at in range(80, 100)}
    expected |= {"k1": "new 2"} | {f"tail {round_}": "1" for round_ in range(3)}
    assert newcomer == expected
    assert {key: value for key, value in table(slow).items() if not key.startswith("extra")} == expected
    assert [offset for offset, *_ in slow] == sorted({offset for offset, *_ in slow})


def test_a_compacted_topic_reads_the_same_after_it_moved(target, java, compacted):
    topic, left, _ = compacted
    target.admin.unload(topic)

    assert rows_of(java.consume(target.bootstrap, topic)) == left
    (offset,) = put(java, target, topic, ("z", "1"))
    assert rows_of(java.consume(target.bootstrap, topic)) == [*left, (offset, "z", "1")]


def test_a_reader_at_the_end_of_a_compacted_topic_gets_what_comes(target, java, connection, compacted):
    topic, _, end = compacted
    connection.send_fetch([(topic, 0, end)], max_wait_ms=20000)

    (offset,) = put(java, target, topic, ("z", "1"))

    row = connection.fetched()[topic, 0]
    assert [record.offset for record in batch.records(row.records)] == [offset]


@SMOKE
def test_a_topic_that_is_compacted_no_longer_lets_pulsar_drop_again(connection, target, java, topic):
    held_back = lambda: "__compaction" in target.admin.stats(topic)["subscriptions"]  # noqa: E731
    assert config_wire.alter(connection, topic, (config_wire.SET, "cleanup.policy", "compact")) == (wire.NONE, None)
    put(java, target, topic, ("a", "1"), ("a", "2"), ("b", "3"))
    compact(target.admin, topic)
    assert held_back(), "what the alteration is to take away"

    assert config_wire.alter(connection, topic, (config_wire.SET, "cleanup.policy", "delete")) == (wire.NONE, None)

    assert not held_back()
    end = connection.list_offset(topic, wire.LATEST)[2]
    (offset,) = put(java, target, topic, ("b", "4"))
    assert offset >= end
    assert table(rows_of(java.consume(target.bootstrap, topic))) == {"a": "2", "b": "4"}
