"""Topics: made, listed, described, grown and deleted, with the errors Kafka gives."""

import pytest
from ring import batch, wire
from ring.clients import NAMES, ClientError
from ring.samples import record
from ring.waiting import eventually

ADMINS = ["java", "librdkafka"]


def refusal(act):
    """The name of the error that `act` ends in."""
    with pytest.raises(ClientError) as refused:
        act()
    return refused.value.name


@pytest.fixture(params=ADMINS)
def admin(request, target, client):
    """`admin(action, topic, ...)` by each client that administers."""
    program = client(request.param)
    return lambda action, topic=None, **options: program.admin(target.bootstrap, action, topic, **options)


def partitions_of(admin, topic):
    return len(admin("describe", topic)["partitions"])


@pytest.mark.smoke
def test_a_created_topic_is_listed_and_described_with_a_leader_for_every_partition(admin, new_name):
    name = new_name()
    admin("create", name, partitions=3, replication=1)

    eventually(lambda: name in admin("list")["topics"])
    described = admin("describe", name)
    assert [row["partition"] for row in described["partitions"]] == [0, 1, 2]
    assert all(row["leader"] >= 0 and row["replicas"] == row["isr"] == 1 for row in described["partitions"])


def test_a_topic_created_without_numbers_gets_the_defaults(target, java, new_name):
    made = java.admin(target.bootstrap, "create", new_name())

    assert made == {"partitions": 1, "replication": 1}


def test_a_topic_that_exists_is_not_created_again(admin, topic):
    assert refusal(lambda: admin("create", topic, partitions=1, replication=1)) == "TOPIC_ALREADY_EXISTS"


@pytest.mark.parametrize("name", ["", ".", "..", "with space", "a/b", "ü", "x" * 250])
def test_a_name_kafka_does_not_allow_is_refused(connection, name):
    assert connection.create_topic(name) == wire.INVALID_TOPIC


def test_the_longest_name_is_allowed(connection, new_name):
    name = new_name().ljust(249, "x")

    assert connection.create_topic(name) == wire.NONE
    assert eventually(lambda: connection.metadata([name])[0][name][0] == wire.NONE)


@pytest.mark.only_on("index", "message-id")
@pytest.mark.parametrize("name", ["x-partition-3", "x-partition-0", "x-partition-3-partition-1"])
def test_a_name_pulsar_would_read_as_a_partition_is_refused(connection, name):
    assert connection.create_topic(name) == wire.INVALID_TOPIC
    assert connection.metadata([name], create=True)[0][name][0] == wire.INVALID_TOPIC
    assert connection.produce(name, batch.build([b"x"])).error in (wire.INVALID_TOPIC, wire.UNKNOWN_TOPIC_OR_PARTITION)


@pytest.mark.only_on("index", "message-id")
@pytest.mark.parametrize("pattern", ["{}-partition-", "{}-partition-a", "{}-partition-1-b"])
def test_a_name_pulsar_refuses_because_a_partition_could_be_meant_is_an_invalid_topic(connection, new_name, pattern):
    assert connection.create_topic(pattern.format(new_name())) == wire.INVALID_TOPIC


@pytest.mark.parametrize("pattern", ["partition-1.{}", "{}-partition", "{}-Partition-1", "{}.a.b_c-d"])
def test_a_name_that_only_looks_like_a_partition_is_allowed(connection, new_name, pattern):
    assert connection.create_topic(pattern.format(new_name())) == wire.NONE


@pytest.mark.parametrize("partitions", [0, -2])
def test_a_topic_without_partitions_is_refused(connection, new_name, partitions):
    assert connection.create_topic(new_name(), partitions) == wire.INVALID_PARTITIONS


@pytest.mark.parametrize("replication", [0, -2])
def test_a_replication_factor_that_makes_no_sense_is_refused(connection, new_name, replication):
    assert connection.create_topic(new_name(), replication=replication) == wire.INVALID_REPLICATION_FACTOR


def test_more_replicas_than_brokers_are_refused(connection, new_name):
    assert connection.create_topic(new_name(), replication=3) == wire.INVALID_REPLICATION_FACTOR


def test_validation_only_creates_nothing_but_refuses_what_would_be_refused(connection, new_name, topic):
    name = new_name()

    assert connection.create_topic(name, validate_only=True) == wire.NONE
    assert connection.metadata([name])[0][name][0] == wire.UNKNOWN_TOPIC_OR_PARTITION
    assert connection.create_topic(topic, validate_only=True) == wire.TOPIC_ALREADY_EXISTS
    assert connection.create_topic("a/b", validate_only=True) == wire.INVALID_TOPIC


@pytest.mark.smoke
def test_a_topic_grows_and_its_new_partitions_take_records(target, client, admin, topic):
    admin("partitions", topic, count=3)

    eventually(lambda: partitions_of(admin, topic) == 3)
    client("java").produce(target.bootstrap, topic, [record(b"new", partition=2)])
    assert [each["value"] for each in client("java").consume(target.bootstrap, topic, 2)] == [b"new".hex()]


def test_a_topic_does_not_shrink(admin, new_topic):
    topic = new_topic(partitions=3)

    assert refusal(lambda: admin("partitions", topic, count=2)) == "INVALID_PARTITIONS"
    assert refusal(lambda: admin("partitions", topic, count=3)) == "INVALID_PARTITIONS"
    assert partitions_of(admin, topic) == 3


def test_growth_that_is_only_validated_does_not_happen(admin, topic):
    admin("partitions", topic, count=4, validate_only=True)

    assert partitions_of(admin, topic) == 1


def test_a_topic_that_does_not_exist_does_not_grow(admin, new_name):
    assert refusal(lambda: admin("partitions", new_name(), count=4)) == "UNKNOWN_TOPIC_OR_PARTITION"


@pytest.mark.smoke
def test_a_deleted_topic_is_gone(admin, connection, topic):
    admin("delete", topic)

    eventually(lambda: connection.metadata([topic])[0][topic][0] == wire.UNKNOWN_TOPIC_OR_PARTITION)
    eventually(lambda: topic not in admin("list")["topics"])


def test_a_topic_that_does_not_exist_is_not_deleted(admin, new_name):
    assert refusal(lambda: admin("delete", new_name())) == "UNKNOWN_TOPIC_OR_PARTITION"


def test_a_topic_made_again_is_empty(target, connection, topic):
    assert connection.produce(topic, batch.build([b"old"])).error == wire.NONE
    assert connection.delete_topic(topic) == wire.NONE
    if target.name == "kafka":
        # Its broker serves the old log for a moment after its controller said that the topic is deleted.
        eventually(lambda: connection.list_offset(topic, wire.LATEST)[0] == wire.UNKNOWN_TOPIC_OR_PARTITION)
    eventually(lambda: connection.create_topic(topic) == wire.NONE)

    def ends():
        found = [connection.list_offset(topic, at) for at in (wire.EARLIEST, wire.LATEST)]
        return found if {error for error, _, _ in found} == {wire.NONE} else None

    (_, _, earliest), (_, _, latest) = eventually(ends)
    assert earliest == latest
    assert eventually(lambda: connection.produce(topic, batch.build([b"new"])).error == wire.NONE)


def test_a_topic_is_deleted_while_it_is_consumed_and_the_consumer_is_told(target, connection, topic):
    base = connection.produce(topic, batch.build([b"x"])).base_offset
    with wire.Connection(target.bootstrap) as consumer:
        consumer.send_fetch([(topic, 0, base + 1)], max_wait_ms=3000)
        assert connection.delete_topic(topic) == wire.NONE
        assert consumer.fetched()[topic, 0].error in (wire.NONE, wire.UNKNOWN_TOPIC_OR_PARTITION, 6, 100)
        eventually(lambda: consumer.fetch([(topic, 0, base)])[topic, 0].error == wire.UNKNOWN_TOPIC_OR_PARTITION)


def test_a_topic_is_deleted_while_it_is_produced_to(target, connection, topic):
    with wire.Connection(target.bootstrap) as producer:
        assert producer.produce(topic, batch.build([b"x"])).error == wire.NONE
        assert connection.delete_topic(topic) == wire.NONE
        eventually(lambda: producer.produce(topic, batch.build([b"x"])).error == wire.UNKNOWN_TOPIC_OR_PARTITION)


def test_metadata_creates_a_topic_only_when_it_is_allowed_to(connection, new_name):
    name, other = new_name(), new_name()

    assert connection.metadata([name], create=False)[0][name][0] == wire.UNKNOWN_TOPIC_OR_PARTITION
    assert connection.metadata([name], create=False)[0][name][0] == wire.UNKNOWN_TOPIC_OR_PARTITION

    def made():
        error, partitions = connection.metadata([other], create=True)[0][other]
        return error == wire.NONE and [partition for partition, _ in partitions] == [0]

    assert eventually(made)


def test_leaders_are_among_the_brokers_and_are_where_the_client_came_in(target, connection, new_topic):
    topic = new_topic(partitions=4)
    topics, brokers = connection.metadata([topic])

    assert {leader for _, leader in topics[topic][1]} <= set(brokers)
    assert {f"{host}:{port}" for host, port in brokers.values()} == {target.bootstrap}


def test_the_cluster_has_an_id_and_its_controller_is_one_of_its_nodes(target, java):
    seen = [java.admin(target.bootstrap, "cluster") for _ in range(2)]

    assert seen[0] == seen[1]
    assert seen[0]["cluster_id"]
    assert seen[0]["controller_is_a_node"]
    assert [f"{node['host']}:{node['port']}" for node in seen[0]["nodes"]] == [target.bootstrap]


@pytest.mark.parametrize("reader", [name for name in NAMES if name != "kafkajs"])
def test_a_consumer_of_a_topic_that_does_not_exist_ends_with_an_error_or_nothing(target, client, new_name, reader):
    with pytest.raises(ClientError):
        client(reader).consume(target.bootstrap, new_name(), count=1, timeout_ms=3000)
