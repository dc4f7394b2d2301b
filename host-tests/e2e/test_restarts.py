"""Servers die and come back, topics move, in the middle of a produce run: nothing acknowledged is lost, nothing comes twice, order stays."""

import time

import pytest
from ring import batch, wire
from ring.clients import ClientError
from ring.reading import read_all
from ring.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.no_second_try]

RECORDS = 40_000
SIZE = 400
BEFORE_THE_CRASH = 4_000  # records acknowledged by then
PATIENCE_MS = 300_000
WRITERS = ["java", "librdkafka", "franz-go"]
VICTIMS = [
    pytest.param(["kafka"], id="kafka", marks=pytest.mark.only_on("kafka")),
    pytest.param(["envoy"], id="envoy", marks=pytest.mark.only_on("index", "message-id")),
    pytest.param(["pulsar"], id="pulsar", marks=pytest.mark.only_on("index", "message-id")),
]
BOTH = pytest.param(["envoy", "pulsar"], id="envoy-and-pulsar", marks=pytest.mark.only_on("index", "message-id"))


def crash(target, victims):
    for name in victims:
        target.servers[name].kill()
    for name in reversed(victims):  # Envoy waits for Pulsar to serve
        target.servers[name].start()


def run_and_disturb(target, program, topic, disturb):
    """Produce RECORDS numbered records, call `disturb` once BEFORE_THE_CRASH are acknowledged. Returns {number: offset}."""
    acked = {}
    rule = {"count": RECORDS, "size": SIZE}
    lines = program.stream(
        "produce", bootstrap=target.bootstrap, topic=topic, generate=rule, idempotent=True, batch_size=16384, timeout_ms=PATIENCE_MS
    )
    for line in lines:
        assert "ack" in line, line
        acked[line["ack"]["index"]] = line["ack"]["offset"]
        if len(acked) == BEFORE_THE_CRASH:
            # In this thread: a server lives as long as the thread that started it. The client goes on by itself meanwhile.
            disturb()
    return acked


def read_back(target, reader, topic):
    read = reader.consume(target.bootstrap, topic, timeout_ms=PATIENCE_MS)
    return [(record["offset"], int(bytes.fromhex(record["value"])[:10])) for record in read]


def assert_all_once_in_order(acked, read, exact):
    assert sorted(acked) == list(range(RECORDS)), "every record was acknowledged"
    assert [number for _, number in read] == list(range(RECORDS)), "all are there, once, in order"
    offsets = [offset for offset, _ in read]
    assert offsets == sorted(set(offsets))
    # A duplicate whose first offset is no longer known is acknowledged without one.
    told = {number: offset for number, offset in acked.items() if offset >= 0}
    at = {number: offset for offset, number in read}
    assert all(at[number] == offset for number, offset in told.items()), "acknowledged offsets are those the records have"
    if exact:
        assert offsets == list(range(RECORDS))


# Pulsar takes long to come back: with every client only where time does not matter.
@pytest.mark.parametrize("writer", [WRITERS[0], *(pytest.param(name, marks=pytest.mark.soak) for name in WRITERS[1:])])
@pytest.mark.only_on("index", "message-id")
def test_both_servers_killed_in_the_middle_of_a_run_lose_and_double_nothing(target, client, topic, writer):
    acked = run_and_disturb(target, client(writer), topic, lambda: crash(target, ["envoy", "pulsar"]))

    assert_all_once_in_order(acked, read_back(target, client("java"), topic), target.contiguous_offsets)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("victims", VICTIMS)
def test_a_server_killed_in_the_middle_of_a_run_loses_and_doubles_nothing(target, client, topic, writer, victims):
    acked = run_and_disturb(target, client(writer), topic, lambda: crash(target, victims))

    assert_all_once_in_order(acked, read_back(target, client("java"), topic), target.contiguous_offsets)


@pytest.mark.only_on("index", "message-id")
@pytest.mark.parametrize("writer", WRITERS)
def test_a_topic_unloaded_in_the_middle_of_a_run_loses_and_doubles_nothing(target, client, topic, writer):
    acked = run_and_disturb(target, client(writer), topic, lambda: target.admin.unload(topic))

    assert_all_once_in_order(acked, read_back(target, client("java"), topic), target.contiguous_offsets)


@pytest.mark.parametrize("victims", VICTIMS)
def test_a_consumer_goes_on_where_it_was_when_a_server_comes_back(target, client, topic, victims):
    client("java").produce(target.bootstrap, topic, generate={"count": 5000, "size": 400})
    reading = client("librdkafka").stream(
        "consume",
        bootstrap=target.bootstrap,
        assign=[{"topic": topic, "partition": 0, "offset": "earliest"}],
        count=6000,
        max_partition_bytes=20000,
        timeout_ms=PATIENCE_MS,
    )
    numbers = []
    for line in reading:
        numbers.append(int(bytes.fromhex(line["record"]["value"])[:10]))
        if len(numbers) == 1000:
            crash(target, victims)
            rule = {"count": 1000, "start": 5000, "size": 400}
            client("java").produce(target.bootstrap, topic, generate=rule, timeout_ms=PATIENCE_MS)

    assert numbers == list(range(6000))


@pytest.mark.parametrize("victims", [*VICTIMS[:2], BOTH])
def test_offsets_and_sequences_are_remembered_over_a_restart(target, topic, victims):
    with wire.Connection(target.bootstrap) as before:
        producer, epoch = before.new_producer()
        now = [int(time.time() * 1000)]  # Kafka forgets producers whose last record is older than a day
        sent = [batch.build([b"%d" % n], timestamps=now, producer=(producer, epoch), sequence=n) for n in range(8)]
        bases = [before.produce(topic, data).base_offset for data in sent[:6]]
    for name in victims:
        target.servers[name].restart()

    with wire.Connection(target.bootstrap) as after:

        def produced(data):
            """Its row, once the partition has found its leader again."""
            stored = lambda: (row := after.produce(topic, data)).error in (wire.NONE, wire.DUPLICATE_SEQUENCE_NUMBER) and row  # noqa: E731
            return eventually(stored, within_s=120)

        again = produced(sent[5])
        following = produced(sent[6])
        out_of_order = after.produce(topic, batch.build([b"9"], producer=(producer, epoch), sequence=9))
        _, _, end = after.list_offset(topic, wire.LATEST)
        read = read_all(after, topic, bases[0])

    assert again.base_offset in (bases[5], -1)
    assert out_of_order.error == wire.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert [record.offset for record in read] == [*bases, following.base_offset]
    assert [record.value for record in read] == [b"%d" % n for n in range(7)]
    assert end == following.base_offset + 1


@pytest.mark.only_on("index", "message-id")
def test_a_request_that_finds_no_broker_behind_the_filter_is_answered_with_an_error_or_the_connection_closes(target, client, topic):
    target.pulsar.kill()
    try:
        with pytest.raises(ClientError):
            client("java").produce(target.bootstrap, topic, generate={"count": 1}, timeout_ms=5000)
    finally:
        target.pulsar.start()
    client("java").produce(target.bootstrap, topic, generate={"count": 1}, timeout_ms=PATIENCE_MS)
