"""Lag of consumer groups, in Envoy's stats."""

import http.client

import pytest
from ring import batch, wire
from ring import group_wire as codes
from ring.waiting import eventually

pytestmark = pytest.mark.only_on("index", "message-id")


def series(envoy, name):
    """{name: value} of the gauges whose names hold `name`."""
    connection = http.client.HTTPConnection("127.0.0.1", envoy.admin_port, timeout=30)
    try:
        connection.request("GET", "/stats?filter=isthmus")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    pairs = (line.rpartition(": ") for line in lines if name in line)
    return {key.removeprefix("wasmcustom.isthmus."): int(value) for key, _, value in pairs if value.isdigit()}


def read_to_the_end(bootstrap, topic):
    """Whoever fetches tells the filter where the partition ends. Returns that end."""
    with wire.Connection(bootstrap) as reader:
        offset = reader.list_offset(topic, wire.EARLIEST)[2]
        return reader.fetch([(topic, 0, offset)])[topic, 0].high_watermark


def test_what_a_group_has_not_committed_is_its_lag(target, coordinator, connection, topic):
    assert connection.produce(topic, batch.build([b"x"] * 10), 0).error == wire.NONE
    committer = coordinator()
    end = read_to_the_end(target.bootstrap, topic)
    assert committer.commit({(topic, 0): end - 6}) == {(topic, 0): codes.NONE}

    gauge = f"lag.{committer.group}.{topic}.0"
    eventually(lambda: series(target.servers["envoy"], gauge).get(gauge) == 6)

    assert committer.commit({(topic, 0): end}) == {(topic, 0): codes.NONE}
    eventually(lambda: series(target.servers["envoy"], gauge).get(gauge) == 0)


def test_without_gauges_there_are_none(target, coordinator, connection, topic):
    assert connection.produce(topic, batch.build([b"x"] * 10), 0).error == wire.NONE
    with target.envoy_beside("without-gauges", max_lag_gauges=0) as envoy:
        committer = coordinator(bootstrap=envoy.bootstrap)
        end = read_to_the_end(envoy.bootstrap, topic)
        assert committer.commit({(topic, 0): end - 6}) == {(topic, 0): codes.NONE}

        # Gauges are written with the counters, once a second: when the commit is counted, they would be there.
        eventually(lambda: series(envoy, "requests.offsetcommit").get("requests.offsetcommit", 0) > 0)
        assert not series(envoy, topic)
