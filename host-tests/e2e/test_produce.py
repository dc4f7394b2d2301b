"""Produce: acknowledgements, refusals, and the rules of idempotent producers, at the level of requests."""

import pytest
from ring import batch, wire
from ring.clients import NAMES, ClientError
from ring.reading import read_all
from ring.samples import record
from ring.waiting import eventually


def read_values(connection, topic, start=None):
    return [each.value for each in read_all(connection, topic, start)]


def broken(data, at=-1):
    """The batch with one bit of a byte turned over."""
    data = bytearray(data)
    data[at] ^= 1
    return bytes(data)


@pytest.mark.parametrize("acks", [-1, 1])
def test_an_acknowledged_batch_is_there(connection, topic, acks):
    row = connection.produce(topic, batch.build([b"a", b"b"]), acks=acks)

    assert (row.error, row.log_append_time) == (wire.NONE, -1)
    assert read_values(connection, topic, row.base_offset) == [b"a", b"b"]


def test_a_batch_without_acks_is_not_answered_and_arrives_in_order(connection, topic):
    for number in range(20):
        connection.send_produce(topic, batch.build([b"%d" % number]), acks=0)
    connection.produce(topic, batch.build([b"last"]))

    assert read_values(connection, topic) == [b"%d" % number for number in range(20)] + [b"last"]


def test_batches_without_acks_are_stored_though_the_client_leaves_at_once(target, connection, topic):
    with wire.Connection(target.bootstrap) as leaving:
        leaving.produce(topic, batch.build([b"first"]))  # from here on the partition is open
        for number in range(20):
            leaving.send_produce(topic, batch.build([b"%d" % number]), acks=0)

    expected = [b"first", *(b"%d" % number for number in range(20))]
    assert eventually(lambda: (read := read_values(connection, topic)) == expected and read)


def test_a_batch_without_acks_that_is_refused_closes_the_connection(connection, topic):
    connection.send_produce(topic, broken(batch.build([b"broken"])), acks=0)

    with pytest.raises(ConnectionError):
        connection.receive()


def test_acks_that_kafka_does_not_know_are_refused(connection, topic):
    assert connection.produce(topic, batch.build([b"x"]), acks=2).error == wire.INVALID_REQUIRED_ACKS


@pytest.mark.smoke
def test_pipelined_batches_are_stored_and_answered_in_order(connection, topic):
    sent = [connection.send_produce(topic, batch.build([b"%d" % number])) for number in range(50)]
    answered = [connection.produced().base_offset for _ in sent]

    assert answered == sorted(answered)
    assert read_values(connection, topic) == [b"%d" % number for number in range(50)]


@pytest.mark.parametrize("place", [batch.HEADER.size, -1], ids=["in its header", "in its records"])
def test_a_corrupt_batch_is_refused_and_the_next_one_is_not(connection, topic, place):
    assert connection.produce(topic, broken(batch.build([b"broken"]), place)).error == wire.CORRUPT_MESSAGE

    assert connection.produce(topic, batch.build([b"whole"])).error == wire.NONE
    assert read_values(connection, topic) == [b"whole"]


@pytest.mark.parametrize("declared", [0, 2, 2**31 - 1])
def test_a_batch_that_lies_about_its_record_count_is_refused(connection, topic, declared):
    row = connection.produce(topic, batch.build([b"one"], count=declared))

    assert row.error in (wire.INVALID_RECORD, wire.CORRUPT_MESSAGE)
    assert connection.produce(topic, batch.build([b"whole"])).error == wire.NONE
    assert read_values(connection, topic) == [b"whole"]


def test_compressed_bytes_that_do_not_decompress_are_refused(connection, topic):
    row = connection.produce(topic, batch.build([b"x"], attributes=batch.GZIP))

    assert row.error in (wire.UNKNOWN_SERVER_ERROR, wire.INVALID_RECORD, wire.CORRUPT_MESSAGE)
    assert connection.produce(topic, batch.build([b"whole"])).error == wire.NONE


def test_a_control_batch_of_a_client_is_refused(connection, topic):
    assert connection.produce(topic, batch.build([b"x"], attributes=0x20)).error == wire.INVALID_RECORD


def test_a_batch_that_is_too_large_is_refused_with_its_own_error(connection, topic):
    row = connection.produce(topic, batch.build([b"x" * (6 << 20)]))

    assert row.error == wire.MESSAGE_TOO_LARGE
    assert connection.produce(topic, batch.build([b"small"])).error == wire.NONE


def test_records_of_a_whole_batch_of_nearly_a_mebibyte_are_stored(connection, topic):
    values = [bytes([65 + number]) * 100_000 for number in range(10)]
    row = connection.produce(topic, batch.build(values))

    assert row.error == wire.NONE
    assert read_values(connection, topic, row.base_offset) == values


def test_a_batch_of_very_many_records_is_stored_and_read_back(connection, topic):
    values = [b"%d" % number for number in range(10_000)]
    row = connection.produce(topic, batch.build(values))

    assert row.error == wire.NONE
    read = read_all(connection, topic, row.base_offset)
    assert [record.value for record in read] == values
    assert connection.list_offset(topic, wire.LATEST)[2] == read[-1].offset + 1
    assert connection.produce(topic, batch.build([b"next"])).error == wire.NONE


@pytest.mark.parametrize("writer", ["java", "librdkafka"])
def test_a_client_is_told_when_a_record_is_too_large(target, client, topic, writer):
    with pytest.raises(ClientError) as refused:
        client(writer).produce(target.bootstrap, topic, [record(b"x" * (6 << 20))], max_request_size=8 << 20)

    assert refused.value.name == "MESSAGE_TOO_LARGE"


def test_a_partition_that_does_not_exist_is_unknown(connection, topic):
    assert connection.produce(topic, batch.build([b"x"]), partition=5).error == wire.UNKNOWN_TOPIC_OR_PARTITION
    assert connection.produce(topic + "-not", batch.build([b"x"])).error == wire.UNKNOWN_TOPIC_OR_PARTITION


def test_every_client_produces_to_a_topic_that_is_made_by_the_first_record(target, client, new_name):
    for writer in NAMES:
        name = new_name()
        client(writer).produce(target.bootstrap, name, [record(b"first", partition=0)])
        assert [each["value"] for each in client("java").consume(target.bootstrap, name)] == [b"first".hex()]


@pytest.mark.only_on("index", "message-id")
def test_a_transactional_producer_is_refused_for_good(target, java, topic):
    with pytest.raises(ClientError) as refused:
        java.produce(target.bootstrap, topic, [record(b"x")], transactional_id="t")

    # The second where the coordinator of transactions cannot even be asked for.
    assert refused.value.name in ("TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "UNSUPPORTED_VERSION")


@pytest.mark.only_on("index", "message-id")
def test_a_batch_with_a_transactional_id_is_refused(connection, topic):
    row = connection.produce(topic, batch.build([b"x"], producer=(1, 0), sequence=0, attributes=0x10), transactional_id="t")

    assert row.error not in (wire.NONE, wire.UNKNOWN_TOPIC_OR_PARTITION)


@pytest.fixture
def send(connection, topic):
    """Sends numbered one-record batches of one idempotent producer: `send(sequence)`, more with `count`."""
    producer, epoch = connection.new_producer()
    assert epoch == 0

    def send(sequence, count=1, epoch=0):
        values = [b"%d" % number for number in range(sequence, sequence + count)]
        return connection.produce(topic, batch.build(values, producer=(producer, epoch), sequence=sequence))

    return send


def test_every_producer_id_is_a_new_one(connection):
    ids = [connection.new_producer()[0] for _ in range(20)]

    assert len(set(ids)) == 20
    assert min(ids) >= 0


def test_a_batch_sent_again_is_acknowledged_with_its_first_offset_and_stored_once(connection, topic, send):
    rows = [send(number) for number in range(4)]

    again = send(2)

    assert (again.error, again.base_offset) == (wire.NONE, rows[2].base_offset)
    assert read_values(connection, topic) == [b"0", b"1", b"2", b"3"]


@pytest.mark.smoke
def test_a_batch_sent_again_after_a_reconnect_is_stored_once(target, connection, topic):
    producer, epoch = connection.new_producer()
    data = batch.build([b"a", b"b"], producer=(producer, epoch), sequence=0)
    with wire.Connection(target.bootstrap) as lost:
        first = lost.produce(topic, data)

    with wire.Connection(target.bootstrap) as other:
        again = other.produce(topic, data)
        following = other.produce(topic, batch.build([b"c"], producer=(producer, epoch), sequence=2))

    assert (again.error, again.base_offset) == (wire.NONE, first.base_offset)
    assert following.error == wire.NONE
    assert read_values(connection, topic) == [b"a", b"b", b"c"]


@pytest.mark.smoke
def test_a_gap_in_the_sequence_is_refused_and_nothing_is_stored(connection, topic, send):
    send(0)

    assert send(2).error == wire.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert send(1).error == wire.NONE
    assert read_values(connection, topic) == [b"0", b"1"]


def test_batches_behind_a_refused_one_are_refused_until_it_is_sent_again(connection, topic):
    producer, epoch = connection.new_producer()

    def data(sequence, whole=True):
        made = batch.build([b"%d" % sequence], producer=(producer, epoch), sequence=sequence)
        return made if whole else broken(made)

    for sequence in range(5):
        connection.send_produce(topic, data(sequence, whole=sequence != 2))
    errors = [connection.produced().error for _ in range(5)]
    retried = [connection.produce(topic, data(sequence)).error for sequence in (2, 3, 4)]

    late = wire.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert errors == [wire.NONE, wire.NONE, wire.CORRUPT_MESSAGE, late, late]
    assert retried == [wire.NONE] * 3
    assert read_values(connection, topic) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_new_epoch_begins_at_zero_and_shuts_out_the_old_one(connection, topic, send):
    send(0)

    assert send(5, epoch=1).error == wire.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert send(0, epoch=1).error == wire.NONE
    assert send(1, epoch=0).error == wire.INVALID_PRODUCER_EPOCH
    assert read_values(connection, topic) == [b"0", b"0"]


def test_sequences_go_on_over_batches_of_many_records(connection, topic, send):
    sizes = [3, 1, 7, 2]
    firsts = [sum(sizes[:place]) for place in range(len(sizes))]
    rows = [send(first, count) for first, count in zip(firsts, sizes, strict=True)]

    assert [row.error for row in rows] == [wire.NONE] * len(sizes)
    assert read_values(connection, topic) == [b"%d" % number for number in range(sum(sizes))]


def test_partitions_have_sequences_of_their_own(connection, new_topic):
    topic = new_topic(partitions=2)
    producer, epoch = connection.new_producer()

    for partition in (0, 1, 0, 1):
        data = batch.build([b"x"], producer=(producer, epoch), sequence=0)
        assert connection.produce(topic, data, partition).error == wire.NONE

    for partition in (0, 1):
        assert len(read_all(connection, topic, partition=partition)) == 1
