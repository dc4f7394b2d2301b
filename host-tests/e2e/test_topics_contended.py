"""Topics that several make at once, and topics that are deleted under those who use them."""

import contextlib

import pytest
from ring import batch, wire
from ring.waiting import eventually

OFTEN = 5


def made_at_once(bootstraps, name, partitions):
    """The error codes of requests to create `name`, each on a connection of its own and with its number of partitions, sent together."""
    with contextlib.ExitStack() as opened:
        connections = [opened.enter_context(wire.Connection(bootstrap)) for bootstrap in bootstraps]
        for connection, count in zip(connections, partitions, strict=True):
            connection.send_create_topic(name, count)
        return [connection.created() for connection in connections]


def has(connection, name, partitions):
    """Wait until the topic has that many partitions."""
    return eventually(lambda: len(connection.metadata([name])[0][name][1]) == partitions, what=f"{partitions} partitions")


def test_of_several_who_create_a_topic_at_once_one_makes_it_and_the_others_are_told(target, connection, new_name):
    counts = [1, 2, 3, 4]
    for _ in range(OFTEN):
        name = new_name()
        codes = made_at_once([target.bootstrap] * len(counts), name, counts)
        assert sorted(codes) == [wire.NONE] + [wire.TOPIC_ALREADY_EXISTS] * 3
        assert has(connection, name, counts[codes.index(wire.NONE)])


@pytest.mark.only_on("index", "message-id")
def test_through_two_envoys_one_makes_a_topic_and_the_other_is_told(target, connection, new_name):
    beside = target.envoy_beside("second")
    beside.start()
    try:
        for _ in range(OFTEN):
            name = new_name()
            codes = made_at_once([target.bootstrap, beside.bootstrap], name, [2, 3])
            assert sorted(codes) == [wire.NONE, wire.TOPIC_ALREADY_EXISTS]
            assert has(connection, name, [2, 3][codes.index(wire.NONE)])
    finally:
        beside.stop()


def test_one_that_creates_and_one_that_deletes_at_once_leave_a_topic_or_none(target, connection, new_name):
    for _ in range(OFTEN):
        name = new_name()
        assert connection.create_topic(name) == wire.NONE
        has(connection, name, 1)
        with wire.Connection(target.bootstrap) as creator:
            creator.send_create_topic(name, 2)
            deleted = connection.delete_topic(name)
            created = creator.created()
        assert created in (wire.NONE, wire.TOPIC_ALREADY_EXISTS)
        # Whoever looks whether the old topic is gone may see the new one only, for as long as he looks.
        assert deleted in ((wire.NONE, wire.REQUEST_TIMED_OUT) if created == wire.NONE else (wire.NONE,))
        eventually(lambda: len(connection.metadata([name])[0][name][1]) == (2 if created == wire.NONE else 0))  # noqa: B023


@pytest.mark.parametrize("client", ["java", "librdkafka"])
def test_members_of_a_group_go_on_when_their_topic_is_deleted_and_made_again(new_group, connection, client):
    group = new_group(partitions=1)
    (topic,) = group.topics
    member = group.join(client, metadata_ms=500)
    group.wait_shared()
    group.write_and_read()

    old = connection.list_offset(topic, wire.LATEST)
    assert connection.delete_topic(topic) == wire.NONE
    # A member that asks for its topic meanwhile makes it by that.
    unknown = lambda: connection.metadata([topic])[0][topic][0] == wire.UNKNOWN_TOPIC_OR_PARTITION  # noqa: E731
    eventually(lambda: unknown() or connection.list_offset(topic, wire.LATEST) != old, what="the old topic gone")
    eventually(lambda: connection.create_topic(topic) in (wire.NONE, wire.TOPIC_ALREADY_EXISTS))
    group.wait_read(group.write(2), within_s=120)
    assert member.ended is None


def test_a_producer_is_told_that_its_topic_is_gone_and_writes_to_it_when_it_is_made_again(connection, topic):
    assert connection.produce(topic, batch.build([b"old"])).error == wire.NONE
    assert connection.delete_topic(topic) == wire.NONE
    eventually(lambda: connection.produce(topic, batch.build([b"lost"])).error == wire.UNKNOWN_TOPIC_OR_PARTITION)
    eventually(lambda: connection.create_topic(topic) == wire.NONE)
    assert eventually(lambda: connection.produce(topic, batch.build([b"new"])).error == wire.NONE)
