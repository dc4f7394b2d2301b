"""What Kafka's tools ask a cluster about besides topics and groups: sizes, elections, reassignments, users, ACLs."""

import json

from ring import batch, wire
from ring.waiting import eventually

LOG_DIRS, ELECTION = "org.apache.kafka.tools.LogDirsCommand", "org.apache.kafka.tools.LeaderElectionCommand"
REASSIGN, CONFIGS = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "kafka.admin.ConfigCommand"
ACLS = "org.apache.kafka.tools.AclCommand"


def sizes(printed):
    """{partition: bytes} out of what kafka-log-dirs prints."""
    described = json.loads(next(line for line in printed.splitlines() if line.startswith("{")))
    directories = [directory for broker in described["brokers"] for directory in broker["logDirs"]]
    assert all(directory["error"] is None for directory in directories)
    return {row["partition"]: row["size"] for directory in directories for row in directory["partitions"]}


def test_the_log_dirs_tool_tells_how_large_every_partition_is(tool, connection, new_topic):
    topic, other = new_topic(partitions=2), new_topic()
    for _ in range(5):
        assert connection.produce(topic, batch.build([b"x" * 10000]), partition=1).error == wire.NONE

    told = sizes(tool(LOG_DIRS, "--describe", "--topic-list", topic))
    assert told.keys() == {f"{topic}-0", f"{topic}-1"}
    assert told[f"{topic}-0"] == 0
    assert 50_000 < told[f"{topic}-1"] < 60_000
    assert {f"{topic}-0", f"{topic}-1", f"{other}-0"} <= sizes(tool(LOG_DIRS, "--describe")).keys()


def test_the_election_tool_finds_every_leader_in_place(tool, new_topic, new_name):
    topic = new_topic(partitions=2)

    assert "error" not in tool(ELECTION, "--election-type", "preferred", "--all-topic-partitions").lower()
    of_it = ("--election-type", "preferred", "--topic")
    assert f"Valid replica already elected for partitions {topic}-1" in tool(ELECTION, *of_it, topic, "--partition", "1")
    assert f"No such partition as {topic}-7" in tool(ELECTION, *of_it, topic, "--partition", "7")
    unknown = new_name()
    assert f"No such topic as {unknown}" in tool(ELECTION, *of_it, unknown, "--partition", "0")


def test_nothing_is_reassigned_and_nobody_has_quotas_or_acls(tool):
    assert "No partition reassignments found." in tool(REASSIGN, "--list")
    assert not tool(CONFIGS, "--describe", "--entity-type", "users").strip()
    assert not tool(CONFIGS, "--describe", "--entity-type", "clients").strip()
    assert eventually(lambda: "SecurityDisabledException: No Authorizer is configured" in tool(ACLS, "--list"), within_s=120)


def test_nothing_is_configured_of_a_group_and_of_client_metrics(tool, new_group):
    group = new_group(partitions=1)
    group.join("java")
    group.wait_shared()

    printed = tool(CONFIGS, "--describe", "--entity-type", "groups")
    assert f"Dynamic configs for group {group.name} are:" in printed
    assert "=" not in printed
    assert not tool(CONFIGS, "--describe", "--entity-type", "client-metrics").strip()
