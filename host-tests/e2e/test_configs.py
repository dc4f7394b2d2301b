"""Configurations of topics and brokers: shown, set, refused; on Pulsar they are policies of the topic."""

import pytest
from ring import batch, compaction, config_wire, wire
from ring.config_wire import APPEND, BROKER, DELETE, INVALID_CONFIG, INVALID_REQUEST, SET, SUBTRACT, alter, create, describe, replace
from ring.waiting import eventually

TOPIC_ALREADY_EXISTS, POLICY_VIOLATION = 36, 44
CONFIGS, TOPICS = "kafka.admin.ConfigCommand", "org.apache.kafka.tools.TopicCommand"
DONE = (wire.NONE, None)


def own(connection, topic):
    """{name: value} of what the topic has for itself."""
    error, _, values = describe(connection, topic)
    assert error == wire.NONE
    return {name: value.value for name, value in values.items() if value.source == config_wire.DYNAMIC_TOPIC}


def has(connection, topic, expected):
    """Wait until the topic has exactly these values for itself; Apache Kafka shows a change a moment after it took it."""
    return eventually(lambda: own(connection, topic) == expected, what=f"{expected} for {topic}")


def value_of(connection, topic, name):
    return describe(connection, topic, keys=[name])[2][name]


@pytest.fixture
def policy(target):
    """`policy(topic, name)`: a topic's policy as Pulsar's admin REST shows it."""
    return lambda topic, name: target.admin.call("GET", f"/admin/v2/persistent/public/default/{topic}/{name}")


@pytest.mark.smoke
def test_a_topic_is_created_with_configurations_and_told_with_them(connection, new_name):
    name = new_name()
    configs = {"cleanup.policy": "compact,delete", "retention.ms": "90001", "retention.bytes": "5000", "max.message.bytes": "20000"}

    assert create(connection, name, configs) == DONE
    assert has(connection, name, configs)


@pytest.mark.smoke
def test_values_are_set_and_deleted_one_by_one(connection, topic):
    assert alter(connection, topic, (SET, "retention.ms", "90001"), (SET, "cleanup.policy", "compact")) == DONE
    assert has(connection, topic, {"retention.ms": "90001", "cleanup.policy": "compact"})
    assert alter(connection, topic, (DELETE, "retention.ms", None), (SET, "max.message.bytes", " 20000 ")) == DONE
    assert has(connection, topic, {"cleanup.policy": "compact", "max.message.bytes": "20000"})


def test_a_list_is_appended_to_and_subtracted_from(connection, topic):
    def after(operation, words):
        assert alter(connection, topic, (operation, "cleanup.policy", words)) == DONE
        return lambda value: has(connection, topic, {"cleanup.policy": value})

    assert after(APPEND, "compact")("delete,compact")
    assert after(APPEND, "compact")("delete,compact")
    assert after(SUBTRACT, "delete")("compact")
    assert after(SUBTRACT, "delete")("compact")
    assert after(SUBTRACT, "compact")("")


def test_all_values_are_replaced_at_once(connection, topic):
    assert alter(connection, topic, (SET, "max.message.bytes", "20000")) == DONE
    assert replace(connection, topic, {"retention.ms": "70000", "cleanup.policy": "delete"}) == DONE
    assert has(connection, topic, {"retention.ms": "70000", "cleanup.policy": "delete"})
    assert replace(connection, topic, {}) == DONE
    assert has(connection, topic, {})


def test_validation_changes_nothing(connection, topic, new_name):
    assert alter(connection, topic, (SET, "retention.ms", "5000"), validate_only=True) == DONE
    assert replace(connection, topic, {"retention.ms": "5000"}, validate_only=True) == DONE
    assert alter(connection, topic, (SET, "retention.ms", "x"), validate_only=True)[0] == INVALID_CONFIG
    assert has(connection, topic, {})
    name = new_name()
    assert create(connection, name, {"retention.ms": "5000"}, validate_only=True) == DONE
    assert describe(connection, name)[0] == wire.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.parametrize(
    "name, value",
    [
        ("nope", "1"),
        ("retention.ms", "-5"),
        ("retention.ms", "soon"),
        ("cleanup.policy", "shrink"),
        ("max.message.bytes", "99999999999"),
        ("message.timestamp.type", "Sometimes"),
        ("preallocate", "perhaps"),
    ],
)
def test_what_is_no_value_is_refused_in_kafkas_words(connection, topic, new_name, name, value):
    error, words = alter(connection, topic, (SET, name, value))
    assert error == INVALID_CONFIG
    assert words.startswith((f"Unknown topic config name: {name}", f"Invalid value {value} for configuration {name}: "))
    assert replace(connection, topic, {name: value}) == (error, words)
    refused = new_name()
    assert create(connection, refused, {name: value}) == (error, words)
    assert describe(connection, refused)[0] == wire.UNKNOWN_TOPIC_OR_PARTITION


def test_one_wrong_value_lets_nothing_through(connection, topic):
    assert alter(connection, topic, (SET, "retention.ms", "5000"), (SET, "nope", "1"))[0] == INVALID_CONFIG
    assert has(connection, topic, {})


def test_requests_that_make_no_sense_are_refused(connection, topic, new_name):
    unknown = new_name()
    assert describe(connection, unknown)[0] == wire.UNKNOWN_TOPIC_OR_PARTITION
    assert alter(connection, unknown, (SET, "retention.ms", "5")) == (3, f"The topic '{unknown}' does not exist.")
    assert replace(connection, unknown, {})[0] == wire.UNKNOWN_TOPIC_OR_PARTITION
    for name in ("a b", ""):
        assert describe(connection, name)[0] == config_wire.INVALID_TOPIC
    assert alter(connection, "a b", (SET, "retention.ms", "5"))[0] == config_wire.INVALID_TOPIC
    assert alter(connection, topic, (SET, "retention.ms", None)) == (INVALID_REQUEST, "Null value not supported for : retention.ms")
    assert alter(connection, topic, (SET, "retention.ms", "1"), (DELETE, "retention.ms", None))[0] == INVALID_REQUEST
    assert alter(connection, topic, (APPEND, "retention.ms", "1"))[0] == INVALID_CONFIG


def test_a_batch_larger_than_the_topic_allows_is_refused(connection, topic):
    assert alter(connection, topic, (SET, "max.message.bytes", "20000")) == DONE

    assert eventually(lambda: connection.produce(topic, batch.build([b"x" * 30000])).error == wire.MESSAGE_TOO_LARGE)
    assert connection.produce(topic, batch.build([b"x" * 10000])).error == wire.NONE


def test_a_broker_tells_its_configurations_and_lets_none_be_set(connection):
    _, brokers = connection.metadata([])
    node = str(min(brokers))

    error, _, values = describe(connection, node, kind=BROKER)
    assert error == wire.NONE
    for name in ("auto.create.topics.enable", "num.partitions", "message.max.bytes", "log.cleanup.policy", "delete.topic.enable"):
        assert values[name].value
    assert alter(connection, node, (SET, "num.partitions", "7"), kind=BROKER) == (
        INVALID_REQUEST,
        "Cannot update these configs dynamically: [num.partitions]",
    )
    assert describe(connection, "987654", kind=BROKER)[0] == INVALID_REQUEST


@pytest.mark.smoke
@pytest.mark.only_on("index", "message-id")
def test_pulsar_has_every_policy_that_was_asked_for(connection, policy, new_name):
    name = new_name()
    configs = {"cleanup.policy": "compact,delete", "retention.ms": "90001", "retention.bytes": "1048577", "max.message.bytes": "20000"}

    assert create(connection, name, configs) == DONE
    assert policy(name, "retention") == {"retentionTimeInMinutes": 2, "retentionSizeInMB": 2}
    assert policy(name, "compactionThreshold") == 16 << 20
    assert policy(name, "maxMessageSize") == 20000
    assert policy(name, "properties") == {f"kafka.{config}": value for config, value in configs.items()}
    assert replace(connection, name, {}) == DONE
    assert [policy(name, each) for each in ("retention", "compactionThreshold", "maxMessageSize")] == [None] * 3
    assert not policy(name, "properties")


@pytest.mark.only_on("index", "message-id")
def test_what_pulsars_own_tools_change_is_shown(connection, target, policy, topic):
    assert alter(connection, topic, (SET, "retention.ms", "90001"), (SET, "cleanup.policy", "compact,delete")) == DONE
    path = f"/admin/v2/persistent/public/default/{topic}"

    target.admin.call("POST", f"{path}/retention", {"retentionTimeInMinutes": 7, "retentionSizeInMB": 3})
    # Before the next change: a broker that has not read this one back yet would undo it.
    eventually(lambda: value_of(connection, topic, "retention.ms").value == "420000")
    assert value_of(connection, topic, "retention.bytes").value == str(3 << 20)
    target.admin.call("DELETE", f"{path}/compactionThreshold")
    assert eventually(lambda: value_of(connection, topic, "cleanup.policy").value == "delete")


@pytest.mark.only_on("index", "message-id")
def test_a_compacted_topic_is_compacted_for_real_and_loses_nothing_to_retention(connection, target, policy, topic):
    assert alter(connection, topic, (SET, "cleanup.policy", "compact")) == DONE
    assert policy(topic, "retention") == {"retentionTimeInMinutes": -1, "retentionSizeInMB": -1}
    for value in (b"old", b"new"):
        assert connection.produce(topic, batch.build([value])).error == wire.NONE

    target.admin.compact(topic)
    compaction.wait_compacted(target.admin, topic)
    assert value_of(connection, topic, "cleanup.policy").value == "compact"


@pytest.mark.only_on("index", "message-id")
@pytest.mark.parametrize(
    "name, value, held",
    [
        ("min.insync.replicas", "2", "1"),
        ("compression.type", "zstd", "producer"),
        ("message.timestamp.type", "LogAppendTime", "CreateTime"),
        ("segment.ms", "3600000", "14400000"),
        ("unclean.leader.election.enable", "true", "false"),
        ("max.message.bytes", "5242881", "5242880"),
    ],
)
def test_what_pulsar_cannot_do_is_refused_and_what_holds_is_taken(connection, topic, name, value, held):
    error, words = alter(connection, topic, (SET, name, value))
    assert error == INVALID_CONFIG
    assert held in words
    assert alter(connection, topic, (SET, name, held)) == DONE
    assert has(connection, topic, {name: held})


@pytest.mark.only_on("index", "message-id")
def test_topics_of_groups_and_of_pulsar_are_not_configurable(connection):
    for name in ("__kafka_group_x", "__change_events", "x-partition-0"):
        assert describe(connection, name)[0] == config_wire.INVALID_TOPIC
        assert alter(connection, name, (SET, "retention.ms", "5"))[0] == config_wire.INVALID_TOPIC


@pytest.mark.only_on("index")
def test_an_envoy_beside_sees_the_same_and_its_own_rules_hold(target, connection, topic):
    assert alter(connection, topic, (SET, "retention.ms", "90001")) == DONE
    beside = target.envoy_beside("ignoring", ignored_topic_configs=["segment.bytes"], compaction_threshold_bytes=4096)
    beside.start()
    try:
        with wire.Connection(beside.bootstrap) as other:
            assert has(other, topic, {"retention.ms": "90001"})
            changes = (SET, "segment.bytes", "52428800"), (SET, "cleanup.policy", "compact")
            assert alter(other, topic, *changes) == DONE
            assert has(other, topic, {"retention.ms": "90001", "cleanup.policy": "compact"})
            assert target.admin.call("GET", f"/admin/v2/persistent/public/default/{topic}/compactionThreshold") == 4096
        assert has(connection, topic, {"retention.ms": "90001", "cleanup.policy": "compact"})
    finally:
        beside.stop()


@pytest.mark.only_on("index")
def test_without_an_admin_cluster_only_what_always_holds_is_told_and_nothing_is_altered(target, topic):
    beside = target.envoy_beside("no-admin", admin_cluster="")
    beside.start()
    try:
        with wire.Connection(beside.bootstrap) as other:
            error, _, values = describe(other, topic)
            assert error == wire.NONE
            assert "compression.type" in values
            assert not {"cleanup.policy", "retention.ms", "max.message.bytes"} & values.keys()
            error, words = alter(other, topic, (SET, "retention.ms", "90001"))
            assert error == POLICY_VIOLATION
            assert "admin_cluster" in words
            assert other.create_topic(topic) == TOPIC_ALREADY_EXISTS
            assert other.create_topic(f"{topic}-new") == POLICY_VIOLATION
    finally:
        beside.stop()


@pytest.mark.smoke
def test_kafkas_tools_set_and_show_what_a_topic_has(tool_status, new_name):
    name = new_name()
    of_it = ("--entity-type", "topics", "--entity-name", name)

    status, printed = tool_status(TOPICS, "--create", "--topic", name, "--config", "cleanup.policy=compact", "--config", "retention.ms=70000")
    assert status == 0, printed
    describe_it = lambda: (text := tool_status(TOPICS, "--describe", "--topic", name)[1]) and "PartitionCount: 1" in text and text  # noqa: E731
    described = eventually(describe_it, within_s=120)
    assert "cleanup.policy=compact" in described
    assert "retention.ms=70000" in described
    status, printed = tool_status(CONFIGS, "--alter", *of_it, "--add-config", "retention.ms=-1", "--delete-config", "cleanup.policy")
    assert status == 0, printed
    printed = tool_status(CONFIGS, "--describe", *of_it)[1]
    assert "retention.ms=-1 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=-1" in printed
    assert "cleanup.policy" not in printed
    everything = tool_status(CONFIGS, "--describe", *of_it, "--all")[1]
    assert "cleanup.policy=delete sensitive=false synonyms={DEFAULT_CONFIG:log.cleanup.policy=delete}" in everything
    status, printed = tool_status(CONFIGS, "--alter", *of_it, "--add-config", "retention.ms=-7")
    assert status != 0
    assert "InvalidConfigurationException: Invalid value -7 for configuration retention.ms: Value must be at least -1" in printed


def test_kafkas_tools_show_a_broker(tool_status, connection):
    node = str(min(connection.metadata([])[1]))

    status, printed = tool_status(CONFIGS, "--describe", "--entity-type", "brokers", "--entity-name", node, "--all")
    assert status == 0, printed
    assert "log.cleanup.policy=delete" in printed
    status, printed = tool_status(CONFIGS, "--alter", "--entity-type", "brokers", "--entity-name", node, "--add-config", "log.dirs=x")
    assert status != 0
    assert "Cannot update these configs dynamically: [log.dirs]" in printed
