"""Fetch: when it waits, how much it gives, and that no partition starves another."""

import time

import pytest
from ring import batch, wire

LONG_MS = 20000


def put(connection, topic, *sizes, partition=0):
    """One batch of one record for each size. Returns the base offsets."""
    rows = [connection.produce(topic, batch.build([b"v" * size]), partition) for size in sizes]
    assert {row.error for row in rows} == {wire.NONE}
    return [row.base_offset for row in rows]


def all_of(*sizes):
    """How to ask for as many batches of one record: the answer waits until they are there."""
    return {"min_bytes": sum(len(batch.build([b"v" * size])) for size in sizes), "max_wait_ms": LONG_MS}


def sizes(fetched):
    return [len(record.value) for record in batch.records(fetched.records)]


def timed(act):
    """What `act` returned, and how long it took. Bounds in tests are orders of magnitude, not benchmarks."""
    began = time.monotonic()
    found = act()
    return found, time.monotonic() - began


def test_a_fetch_with_data_answers_at_once(connection, topic):
    (base,) = put(connection, topic, 10)

    found, took = timed(lambda: connection.fetch([(topic, 0, base)], max_wait_ms=LONG_MS))

    assert sizes(found[topic, 0]) == [10]
    assert took < LONG_MS / 2000


def test_a_fetch_without_data_waits_max_wait_and_answers_empty(connection, topic):
    _, _, end = connection.list_offset(topic, wire.LATEST)

    found, took = timed(lambda: connection.fetch([(topic, 0, end)], max_wait_ms=700))

    assert found[topic, 0].records == b""
    assert 0.65 <= took < 10


def test_a_fetch_that_waits_for_nothing_answers_at_once(connection, topic):
    _, _, end = connection.list_offset(topic, wire.LATEST)

    found, took = timed(lambda: connection.fetch([(topic, 0, end)], max_wait_ms=LONG_MS, min_bytes=0))

    assert found[topic, 0].records == b""
    assert took < LONG_MS / 2000


@pytest.mark.smoke
def test_a_waiting_fetch_is_answered_when_data_comes(target, connection, topic):
    _, _, end = connection.list_offset(topic, wire.LATEST)
    connection.send_fetch([(topic, 0, end)], max_wait_ms=LONG_MS)

    with wire.Connection(target.bootstrap) as other:
        put(other, topic, 33)
    found, took = timed(connection.fetched)

    assert sizes(found[topic, 0]) == [33]
    assert took < LONG_MS / 2000


def test_a_fetch_waits_until_min_bytes_have_come(target, connection, topic):
    bases = put(connection, topic, 100)
    connection.send_fetch([(topic, 0, bases[0])], max_wait_ms=LONG_MS, min_bytes=3000)

    with wire.Connection(target.bootstrap) as other:
        put(other, topic, 100)
        put(other, topic, 5000)
    found, took = timed(connection.fetched)

    assert sizes(found[topic, 0])[:2] == [100, 100]
    assert took < LONG_MS / 2000


def test_a_fetch_short_of_min_bytes_gives_what_there_is_after_max_wait(connection, topic):
    (base,) = put(connection, topic, 100)

    found, took = timed(lambda: connection.fetch([(topic, 0, base)], max_wait_ms=700, min_bytes=100000))

    assert sizes(found[topic, 0]) == [100]
    assert 0.65 <= took < 10


@pytest.mark.parametrize("bound", ["max_bytes", "partition_max_bytes"])
def test_a_batch_larger_than_the_bound_comes_whole_and_alone(connection, topic, bound):
    (base, _) = put(connection, topic, 50000, 50000)

    found = connection.fetch([(topic, 0, base)], **{bound: 1000})

    assert sizes(found[topic, 0]) == [50000]


@pytest.mark.parametrize("bound", ["max_bytes", "partition_max_bytes"])
def test_a_fetch_does_not_go_far_beyond_its_bound(connection, topic, bound):
    base = put(connection, topic, *[1000] * 50)[0]

    found = connection.fetch([(topic, 0, base)], **{bound: 10000})

    assert 1 <= len(sizes(found[topic, 0])) <= 10


def test_a_small_bound_still_reads_everything_step_by_step(connection, topic):
    base = put(connection, topic, *[3000] * 10)[0]
    _, _, end = connection.list_offset(topic, wire.LATEST)

    offset, read = base, []
    while offset < end:
        records = connection.fetch([(topic, 0, offset)], max_bytes=100)[topic, 0].records
        read += [record.offset for record in batch.records(records)]
        offset = batch.read(records)[-1].next_offset

    assert len(read) == len(set(read)) == 10


def test_a_full_answer_lists_every_partition_asked_for_once_also_the_empty_ones(connection, new_topic):
    full, empty, many = new_topic(), new_topic(), new_topic(partitions=3)
    put(connection, full, 10)
    put(connection, many, 10, partition=1)
    places = [(full, 0), (many, 0), (many, 1), (many, 2), (empty, 0)]
    asked = [(name, partition, connection.list_offset(name, wire.EARLIEST, partition)[2]) for name, partition in places]

    found = connection.fetch(asked, **all_of(10, 10))

    assert sorted(found) == sorted(places)
    assert {place: sizes(row) for place, row in found.items() if row.records} == {(full, 0): [10], (many, 1): [10]}
    assert all(row.records is not None for row in found.values())


def test_several_topics_come_in_one_answer(connection, new_topic):
    topics = [new_topic() for _ in range(5)]
    bases = [put(connection, topic, 10 + place)[0] for place, topic in enumerate(topics)]

    found = connection.fetch([(topic, 0, base) for topic, base in zip(topics, bases, strict=True)], **all_of(10, 11, 12, 13, 14))

    assert [sizes(found[topic, 0]) for topic in topics] == [[10], [11], [12], [13], [14]]


def test_no_partition_starves_when_max_bytes_fits_only_one(connection, new_topic):
    topic = new_topic(partitions=3)
    offsets = {partition: put(connection, topic, *[5000] * 4, partition=partition)[0] for partition in range(3)}

    read = {partition: 0 for partition in range(3)}
    order = [0, 1, 2]
    for _ in range(40):
        found = connection.fetch([(topic, partition, offsets[partition]) for partition in order], max_bytes=4000, max_wait_ms=50)
        served = [partition for partition in order if found[topic, partition].records]
        for partition in served:
            batches = batch.read(found[topic, partition].records)
            offsets[partition] = batches[-1].next_offset
            read[partition] += len(batches)
        order = [each for each in order if each not in served] + served  # as every client does

    assert read == {0: 4, 1: 4, 2: 4}


def test_a_partition_that_does_not_exist_is_an_error_of_its_own(connection, topic):
    (base,) = put(connection, topic, 10)

    found = connection.fetch([(topic, 0, base), (topic, 9, 0), (topic + "-not", 0, 0)])

    assert sizes(found[topic, 0]) == [10]
    assert found[topic, 9].error == found[topic + "-not", 0].error == wire.UNKNOWN_TOPIC_OR_PARTITION


def test_an_offset_out_of_range_is_told_at_once_though_another_partition_could_wait(connection, new_topic):
    topic = new_topic(partitions=2)

    found, took = timed(lambda: connection.fetch([(topic, 0, 0), (topic, 1, 1000)], max_wait_ms=LONG_MS))

    assert found[topic, 1].error == wire.OFFSET_OUT_OF_RANGE
    assert took < LONG_MS / 2000


@pytest.mark.only_on("index", "message-id")
def test_a_fetch_session_is_declined(connection, topic):
    _, _, end = connection.list_offset(topic, wire.LATEST)

    connection.fetch([(topic, 0, end)], session_epoch=0)

    assert connection.session_id == 0


def test_answers_leave_in_the_order_of_the_requests_also_behind_a_waiting_fetch(connection, topic):
    _, _, end = connection.list_offset(topic, wire.LATEST)
    sent = [connection.send_fetch([(topic, 0, end)], max_wait_ms=500)]
    sent += [connection.send(wire.API_VERSIONS, b"") for _ in range(3)]
    sent.append(connection.send_fetch([(topic, 0, end)], max_wait_ms=1))

    assert [connection.receive()[0] for _ in sent] == sent
