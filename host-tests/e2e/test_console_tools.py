"""Apache Kafka's own command-line tools, as a new user tries them."""

import subprocess

import pytest
from ring.samples import record
from ring.waiting import eventually

from dev import install

TOOLS = {
    "topics": "org.apache.kafka.tools.TopicCommand",
    "producer": "org.apache.kafka.tools.ConsoleProducer",
    "consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "offsets": "org.apache.kafka.tools.GetOffsetShell",
}
PATIENCE_S = 180


@pytest.fixture
def tool(target):
    """`tool(name, *arguments, given="")`: what the tool prints."""

    def run(name, *arguments, given=""):
        jvm = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{install.kafka()}/*", TOOLS[name]]
        done = subprocess.run(
            [*jvm, "--bootstrap-server", target.bootstrap, *arguments], input=given, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.smoke
def test_the_console_producer_writes_what_the_console_consumer_reads_from_partition_zero(tool, topic):
    properties = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
    # By itself it gives up a record after four times a second and a half, and says nothing of it with its status.
    tool("producer", "--topic", topic, *properties, "--request-timeout-ms", "20000", given="a:one\nb:two\nc:three\n")

    printed = tool(
        "consumer",
        *("--topic", topic, "--partition", "0", "--offset", "earliest", "--max-messages", "3", "--timeout-ms", "60000"),
        *("--formatter-property", "print.key=true", "--formatter-property", "print.offset=true"),
    )

    rows = [line.split("\t") for line in printed.splitlines()]
    assert [row[1:] for row in rows] == [["a", "one"], ["b", "two"], ["c", "three"]]
    offsets = [int(row[0].removeprefix("Offset:")) for row in rows]
    assert offsets == sorted(set(offsets))


def test_the_console_consumer_begins_at_an_offset(tool, target, java, topic):
    acks = java.produce(target.bootstrap, topic, [record(b"%d" % number) for number in range(5)])

    printed = tool(
        "consumer",
        *("--topic", topic, "--partition", "0", "--offset", str(acks[3]["offset"]), "--max-messages", "2", "--timeout-ms", "60000"),
    )

    assert printed.splitlines() == ["3", "4"]


def test_the_topics_tool_creates_describes_lists_grows_and_deletes(tool, new_name):
    name = new_name()

    assert "Created topic" in tool("topics", "--create", "--topic", name, "--partitions", "2", "--replication-factor", "1")
    described = tool("topics", "--describe", "--topic", name)
    assert f"Topic: {name}" in described
    assert "PartitionCount: 2" in described
    assert described.count("Leader: ") == 2
    tool("topics", "--alter", "--topic", name, "--partitions", "3")
    assert name in tool("topics", "--list").splitlines()
    eventually(lambda: "PartitionCount: 3" in tool("topics", "--describe", "--topic", name), within_s=120)
    tool("topics", "--delete", "--topic", name)
    eventually(lambda: name not in tool("topics", "--list").splitlines(), within_s=120)


def test_the_offsets_tool_tells_where_partitions_begin_and_end(tool, target, java, new_topic):
    topic = new_topic(partitions=2)
    acks = java.produce(target.bootstrap, topic, [record(b"%d" % number, partition=1) for number in range(5)])

    latest = tool("offsets", "--topic", topic, "--time", "latest").splitlines()
    earliest = tool("offsets", "--topic", topic, "--time", "earliest").splitlines()

    assert f"{topic}:1:{acks[-1]['offset'] + 1}" in latest
    assert f"{topic}:1:{acks[0]['offset']}" in earliest
    assert len(latest) == len(earliest) == 2
