"""What a connection may begin with, and that it is left alone."""

import pytest
from ring import batch, wire
from ring.reading import read_all

FIRST_REQUESTS = {
    "api versions": lambda c, topic, base: c.ask(wire.API_VERSIONS, b"").number("h"),
    "metadata": lambda c, topic, base: c.metadata([topic])[0][topic][0],
    "produce": lambda c, topic, base: c.produce(topic, batch.build([b"x"])).error,
    "fetch": lambda c, topic, base: c.fetch([(topic, 0, base)])[topic, 0].error,
    "list offsets": lambda c, topic, base: c.list_offset(topic, wire.LATEST)[0],
    "init producer id": lambda c, topic, base: c.new_producer()[1],
    "delete a topic that is not there": lambda c, topic, base: c.delete_topic(f"{topic}-not") - wire.UNKNOWN_TOPIC_OR_PARTITION,
}


@pytest.mark.parametrize("first", FIRST_REQUESTS)
def test_a_connection_may_begin_with_any_request(target, connection, topic, first):
    base = connection.produce(topic, batch.build([b"before"])).base_offset

    with wire.Connection(target.bootstrap) as fresh:
        assert FIRST_REQUESTS[first](fresh, topic, base) == wire.NONE


@pytest.mark.only_on("index", "message-id")
def test_what_is_advertised_is_what_the_project_serves(connection):
    answer = connection.ask(wire.API_VERSIONS, b"")

    assert answer.number("h") == wire.NONE
    served = {key: (low, high) for key, low, high in answer.array(lambda: (answer.number("h"), answer.number("h"), answer.number("h")))}
    assert served[wire.PRODUCE][0] == 0  # old librdkafka stops compressing when it is higher
    assert served[wire.PRODUCE][1] <= 12  # topic ids are not served
    assert served[wire.FETCH] == (4, 12)
    assert served[wire.LIST_OFFSETS][0] == 1
    assert served[wire.LIST_OFFSETS][1] >= 7


def test_many_connections_work_at_the_same_time(target, topic):
    opened = [wire.Connection(target.bootstrap) for _ in range(100)]
    try:
        for connection in opened:
            connection.send_produce(topic, batch.build([b"x"]))
        rows = [connection.produced() for connection in opened]
    finally:
        for connection in opened:
            connection.socket.close()

    assert {row.error for row in rows} == {wire.NONE}
    assert len({row.base_offset for row in rows}) == 100


def test_a_client_that_closes_in_the_middle_of_a_waiting_fetch_harms_nobody(target, connection, topic):
    base = connection.produce(topic, batch.build([b"x"])).base_offset
    for _ in range(20):
        with wire.Connection(target.bootstrap) as leaving:
            leaving.send_fetch([(topic, 0, base + 1)], max_wait_ms=20000)

    assert connection.produce(topic, batch.build([b"y"])).error == wire.NONE
    assert [record.value for record in read_all(connection, topic, base)] == [b"x", b"y"]
