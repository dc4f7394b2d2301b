"""Topics that come into being because a client asks for them: where the filter is told so, where the client allows it, and how large."""

import pytest
from ring import batch, wire
from ring.clients import NAMES, ClientError
from ring.samples import record
from ring.waiting import eventually

pytestmark = pytest.mark.only_on("index", "message-id")

DEFAULT_PARTITIONS = 3


@pytest.fixture(scope="module")
def without_creation(target):
    """An Envoy beside the target's, whose filter creates no topic unasked."""
    with target.envoy_beside("envoy-without-creation", auto_create_topics=False) as envoy:
        yield envoy


@pytest.fixture(scope="module")
def with_three_partitions(target):
    """An Envoy beside the target's, whose filter gives a new topic three partitions."""
    with target.envoy_beside("envoy-with-three-partitions", default_partitions=DEFAULT_PARTITIONS) as envoy:
        yield envoy


def exists(target, name):
    """Whether Pulsar has the topic, with or without partitions."""
    root = "/admin/v2/persistent/public/default"
    known = target.admin.call("GET", f"{root}/partitioned") + target.admin.call("GET", root)
    return any(each.startswith(f"persistent://public/default/{name}") for each in known)


ASKING = {
    "metadata": lambda c, name: c.metadata([name], create=True)[0][name][0],
    "metadata that does not allow it": lambda c, name: c.metadata([name], create=False)[0][name][0],
    "produce": lambda c, name: c.produce(name, batch.build([b"x"])).error,
    "fetch": lambda c, name: c.fetch([(name, 0, 0)])[name, 0].error,
    "list offsets": lambda c, name: c.list_offset(name, wire.LATEST)[0],
}


@pytest.mark.parametrize("how", ASKING)
def test_where_the_filter_creates_nothing_a_topic_that_is_not_there_is_unknown(target, without_creation, new_name, how):
    name = new_name()
    with wire.Connection(without_creation.bootstrap) as connection:
        first, second = (ASKING[how](connection, name) for _ in range(2))

    assert first == second == wire.UNKNOWN_TOPIC_OR_PARTITION
    assert not exists(target, name)


@pytest.mark.parametrize("how", [how for how in ASKING if how != "metadata"])
def test_where_the_client_allows_no_creation_a_topic_that_is_not_there_is_unknown(target, connection, new_name, how):
    name = new_name()

    assert ASKING[how](connection, name) == wire.UNKNOWN_TOPIC_OR_PARTITION
    assert not exists(target, name)


@pytest.mark.parametrize("writer", NAMES)
def test_where_the_filter_creates_nothing_a_producer_fails(target, client, without_creation, new_name, writer):
    name = new_name()
    with pytest.raises(ClientError):
        client(writer).produce(without_creation.bootstrap, name, [record(b"x", partition=0)], timeout_ms=4000)

    assert not exists(target, name)


def test_where_the_filter_creates_nothing_a_topic_can_be_created_by_name(client, without_creation, new_name):
    name, java = new_name(), client("java")

    java.admin(without_creation.bootstrap, "create", name, partitions=1, replication=1)
    eventually(lambda: name in java.admin(without_creation.bootstrap, "list")["topics"])

    java.produce(without_creation.bootstrap, name, [record(b"x")])
    assert [each["value"] for each in java.consume(without_creation.bootstrap, name)] == [b"x".hex()]


def test_a_topic_that_is_created_by_asking_gets_the_configured_partitions(with_three_partitions, new_name):
    name = new_name()
    with wire.Connection(with_three_partitions.bootstrap) as connection:

        def partitions():
            error, found = connection.metadata([name], create=True)[0][name]
            return error == wire.NONE and [partition for partition, _ in found]

        assert eventually(partitions) == list(range(DEFAULT_PARTITIONS))


def test_a_topic_that_is_created_without_numbers_gets_the_configured_partitions(with_three_partitions, java, new_name):
    made = java.admin(with_three_partitions.bootstrap, "create", new_name())

    assert made == {"partitions": DEFAULT_PARTITIONS, "replication": 1}


def test_a_producer_makes_a_topic_whose_every_partition_takes_records(with_three_partitions, java, new_name):
    name, bootstrap = new_name(), with_three_partitions.bootstrap
    java.produce(bootstrap, name, [record(b"%d" % partition, partition=partition) for partition in range(DEFAULT_PARTITIONS)])

    for partition in range(DEFAULT_PARTITIONS):
        assert [each["value"] for each in java.consume(bootstrap, name, partition)] == [(b"%d" % partition).hex()]
