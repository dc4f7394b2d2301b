"""Where records stand, where a partition begins and ends, and what a consumer may ask for."""

import pytest
from ring import batch, samples, wire
from ring.clients import READERS, ClientError
from ring.reading import read_all

EXACT = pytest.mark.only_on("kafka", "index")


def values(read):
    return [bytes.fromhex(record["value"]) for record in read]


def put(connection, topic, count, per_batch=1):
    """Produce `count` records, their number as value. Returns the base offsets."""
    numbers = [b"%d" % number for number in range(count)]
    rows = [connection.produce(topic, batch.build(numbers[at : at + per_batch])) for at in range(0, count, per_batch)]
    assert [row.error for row in rows] == [wire.NONE] * len(rows)
    return [row.base_offset for row in rows]


@EXACT
@pytest.mark.smoke
def test_offsets_begin_at_zero_and_have_no_gaps(connection, topic):
    assert put(connection, topic, 10, per_batch=1) == list(range(10))
    assert put(connection, topic, 10, per_batch=5) == [10, 15]


def test_offsets_grow_and_readers_see_those_the_producer_was_told(target, java, connection, topic):
    bases = put(connection, topic, 12, per_batch=4)

    offsets = [record["offset"] for record in java.consume(target.bootstrap, topic)]

    assert offsets == [base + place for base in bases for place in range(4)]
    assert offsets == sorted(set(offsets))


@EXACT
def test_offsets_of_two_producers_are_exact_when_they_interleave(target, topic):
    with wire.Connection(target.bootstrap) as one, wire.Connection(target.bootstrap) as other:
        bases = [(one, other)[turn % 2].produce(topic, batch.build([b"x"] * (1 + turn % 3))).base_offset for turn in range(12)]

    sizes = [1 + turn % 3 for turn in range(12)]
    assert bases == [sum(sizes[:turn]) for turn in range(12)]


@EXACT
def test_offsets_are_exact_when_two_producers_pipeline(target, topic):
    with wire.Connection(target.bootstrap) as one, wire.Connection(target.bootstrap) as other:
        for _ in range(30):
            one.send_produce(topic, batch.build([b"one"] * 3))
            other.send_produce(topic, batch.build([b"other"] * 2))
        bases = {name: [each.produced().base_offset for _ in range(30)] for name, each in (("one", one), ("other", other))}
        at = {record.offset: record.value for record in read_all(one, topic)}

    assert all(at[base + place] == b"one" for base in bases["one"] for place in range(3))
    assert all(at[base + place] == b"other" for base in bases["other"] for place in range(2))
    assert sorted(at) == list(range(150))


def test_an_empty_partition_begins_where_it_ends(connection, topic):
    _, _, earliest = connection.list_offset(topic, wire.EARLIEST)
    _, _, latest = connection.list_offset(topic, wire.LATEST)
    fetched = connection.fetch([(topic, 0, latest)])[topic, 0]

    assert earliest == latest == fetched.high_watermark
    assert (fetched.error, fetched.records) == (wire.NONE, b"")


@pytest.mark.smoke
def test_the_end_is_one_after_the_last_record_everywhere(connection, topic):
    last = put(connection, topic, 9, per_batch=3)[-1] + 2

    _, _, latest = connection.list_offset(topic, wire.LATEST)
    fetched = connection.fetch([(topic, 0, latest)])[topic, 0]

    assert latest == fetched.high_watermark == fetched.last_stable_offset == last + 1


def test_the_log_starts_at_the_first_record(connection, topic):
    first = put(connection, topic, 3)[0]

    _, _, earliest = connection.list_offset(topic, wire.EARLIEST)
    fetched = connection.fetch([(topic, 0, first)])[topic, 0]

    assert earliest == fetched.log_start == first


@pytest.mark.parametrize("reader", READERS)
def test_reading_can_begin_in_the_middle_of_a_batch(target, client, connection, topic, reader):
    base = put(connection, topic, 10, per_batch=10)[0]

    read = client(reader).consume(target.bootstrap, topic, offset=base + 6)

    assert [(record["offset"], bytes.fromhex(record["value"])) for record in read] == [(base + n, b"%d" % n) for n in range(6, 10)]


def test_a_fetch_from_the_middle_of_a_batch_gives_a_batch_that_holds_the_offset(connection, topic):
    base = put(connection, topic, 10, per_batch=10)[0]

    fetched = connection.fetch([(topic, 0, base + 6)])[topic, 0]

    first = batch.read(fetched.records)[0]
    assert base + 6 in [record.offset for record in first.records]
    assert first.next_offset == base + 10


@pytest.mark.parametrize("reader", READERS)
def test_reading_can_begin_anywhere(target, client, connection, topic, reader):
    bases = put(connection, topic, 20)

    for start in (0, 7, 19):
        read = client(reader).consume(target.bootstrap, topic, offset=bases[start])
        assert values(read) == [b"%d" % number for number in range(start, 20)]


@pytest.mark.only_on("index", "message-id")
@pytest.mark.smoke
def test_an_envoy_that_has_seen_nothing_finds_every_offset(target, connection, topic):
    bases = put(connection, topic, 60, per_batch=3)
    ends = range(bases[0], bases[-1] + 3)

    with target.envoy_beside("envoy-that-has-seen-nothing") as envoy, wire.Connection(envoy.bootstrap) as newcomer:
        for place in (19, 7, 12, 0, 1):
            for within in (2, 1, 0):
                fetched = newcomer.fetch([(topic, 0, bases[place] + within)])[topic, 0]
                found = {record.offset: record.value for record in batch.records(fetched.records)}
                assert found[bases[place] + within] == b"%d" % (3 * place + within)
        assert newcomer.list_offset(topic, wire.EARLIEST)[2] == ends.start
        assert newcomer.list_offset(topic, wire.LATEST)[2] == ends.stop


@pytest.mark.parametrize("reader", ["java", "librdkafka", "franz-go"])
def test_reading_past_the_end_is_offset_out_of_range(target, client, connection, topic, reader):
    end = put(connection, topic, 3)[-1] + 1

    with pytest.raises(ClientError) as refused:
        client(reader).consume(target.bootstrap, topic, offset=end + 1000, count=1)

    assert refused.value.name in ("OFFSET_OUT_OF_RANGE", "OffsetOutOfRangeException", "AUTO_OFFSET_RESET")


@pytest.mark.parametrize("past", [1, 1000, 2**40])
def test_a_fetch_past_the_end_is_offset_out_of_range(connection, topic, past):
    put(connection, topic, 3)
    _, _, end = connection.list_offset(topic, wire.LATEST)

    fetched = connection.fetch([(topic, 0, end + past)], max_wait_ms=10000)[topic, 0]

    assert (fetched.error, fetched.records) == (wire.OFFSET_OUT_OF_RANGE, b"")


def test_a_fetch_before_the_beginning_is_offset_out_of_range(connection, topic):
    put(connection, topic, 3)

    fetched = connection.fetch([(topic, 0, -5)])[topic, 0]

    assert fetched.error == wire.OFFSET_OUT_OF_RANGE


def test_a_fetch_at_the_end_is_not_out_of_range_and_sees_what_comes_next(connection, topic, target):
    put(connection, topic, 3)
    _, _, end = connection.list_offset(topic, wire.LATEST)

    connection.send_fetch([(topic, 0, end)], max_wait_ms=20000)
    with wire.Connection(target.bootstrap) as other:
        base = other.produce(topic, batch.build([b"next"])).base_offset
    fetched = connection.fetched()[topic, 0]

    assert [(record.offset, record.value) for record in batch.records(fetched.records)] == [(base, b"next")]
    # Apache Kafka may tell the one of a moment ago.
    assert fetched.high_watermark == base + 1 or target.name == "kafka"
    assert connection.fetch([(topic, 0, base + 1)])[topic, 0].high_watermark == base + 1


def test_offsets_of_a_partition_that_does_not_exist_are_an_unknown_partition(connection, topic):
    assert connection.list_offset(topic, wire.LATEST, partition=7)[0] == wire.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.smoke
def test_the_offset_of_a_time_is_that_of_the_first_record_not_older(target, connection, java, topic):
    times = [batch.TIME + 1000 * step for step in range(10)]
    bases = [connection.produce(topic, batch.build([b"x"], timestamps=[time])).base_offset for time in times]

    def at(time):
        return connection.list_offset(topic, time)

    assert at(times[4]) == (wire.NONE, times[4], bases[4])
    assert at(times[4] - 1) == (wire.NONE, times[4], bases[4])
    assert at(times[4] + 1) == (wire.NONE, times[5], bases[5])
    assert at(times[0] - 10**6) == (wire.NONE, times[0], bases[0])
    assert at(times[9] + 1) == (wire.NONE, -1, -1)
    assert java.admin(target.bootstrap, "offsets", topic, partition=0, at=times[7]) == {"offset": bases[7], "timestamp": times[7]}


def test_the_offset_of_a_time_can_be_in_the_middle_of_a_batch(connection, topic):
    times = [batch.TIME + 1000 * step for step in range(6)]
    base = connection.produce(topic, batch.build([b"x"] * 6, timestamps=times)).base_offset

    assert connection.list_offset(topic, times[3]) == (wire.NONE, times[3], base + 3)


@pytest.mark.parametrize("reader", READERS)
def test_a_consumer_can_begin_at_a_time(target, client, topic, reader):
    records = [samples.record(b"%d" % number, timestamp=batch.TIME + 1000 * number) for number in range(10)]
    client("java").produce(target.bootstrap, topic, records)

    read = client(reader).consume(target.bootstrap, topic, offset={"timestamp": batch.TIME + 6500})

    assert values(read) == [b"7", b"8", b"9"]


@pytest.mark.parametrize("reader", ["java", "librdkafka"])
def test_the_maximal_timestamp_is_found_with_its_offset(target, client, topic, reader):
    times = [batch.TIME + step for step in (5, 3, 9000, 7, 1)]
    acks = client("java").produce(target.bootstrap, topic, [samples.record(b"x", timestamp=time) for time in times])

    found = client(reader).admin(target.bootstrap, "offsets", topic, partition=0, at="max-timestamp")

    assert found == {"offset": acks[2]["offset"], "timestamp": times[2]}


@pytest.mark.parametrize("reader", ["java", "librdkafka"])
def test_an_administrator_sees_where_a_partition_begins_and_ends(target, client, connection, topic, reader):
    bases = put(connection, topic, 5)
    admin = client(reader).admin

    assert admin(target.bootstrap, "offsets", topic, partition=0, at="earliest")["offset"] == bases[0]
    assert admin(target.bootstrap, "offsets", topic, partition=0, at="latest")["offset"] == bases[-1] + 1


@pytest.mark.parametrize("end", ["earliest", "latest"])
def test_reading_from_the_end_sees_only_what_comes_later(target, connection, topic, end):
    put(connection, topic, 3)
    spec = {"earliest": wire.EARLIEST, "latest": wire.LATEST}[end]
    _, _, start = connection.list_offset(topic, spec)

    connection.produce(topic, batch.build([b"later"]))

    expected = {"earliest": [b"0", b"1", b"2", b"later"], "latest": [b"later"]}[end]
    assert [record.value for record in read_all(connection, topic, start)] == expected
