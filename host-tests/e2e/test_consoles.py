"""Kafka's consoles: the command lines of kafka-python and kafka-util, and kaskade in a terminal.

What they show on Isthmus is what they show on Apache Kafka.
"""

import json
import os
import signal
import subprocess

import pytest
from ring import programs
from ring.samples import record
from ring.terminals import ENTER, Terminal
from ring.waiting import eventually

# A member that leaves without a word is missed after its session, 45 s, and up to a third of that later.
PATIENCE_S = 120
# kaskade's own deadlines, of which the last is how long it waits for a further record before it shows what it has.
DEADLINES = [word for each in ("admin.read=60", "consumer.request=60", "consumer.idle=10") for word in ("--timeout", each)]
REFRESH = "\x12"  # ctrl+r


@pytest.fixture
def command_line(target):
    """`command_line("admin", "topics", "list")`: exit code and output of `python -m kafka.KIND`; `given` is typed."""

    def run(kind, *arguments, given=None):
        output = ("--format", "json") if kind == "admin" else ()
        command = [programs.python(), "-m", f"kafka.{kind}", "-b", target.bootstrap, *output, *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=PATIENCE_S)
        return done.returncode, done.stdout + done.stderr

    return run


def as_json(printed):
    """What a command tells as JSON; behind it may stand what its client complains of."""
    return json.JSONDecoder().raw_decode(printed.lstrip())[0]


def wait_listed(ask, group):
    """Wait until the group is among those that `ask()` lists: states as far as they were read, and none at all while one log is not."""

    def look():
        status, printed = ask()
        return status == 0 and group in {row["group_id"] for row in as_json(printed)}

    eventually(look, PATIENCE_S, f"{group} in the list")


@pytest.fixture
def told(command_line):
    """What an `admin` command tells, as JSON."""

    def ask(*arguments):
        status, printed = command_line("admin", *arguments)
        assert status == 0, printed
        return as_json(printed)

    return ask


@pytest.fixture
def kaskade(target, tmp_path):
    """`kaskade("admin", ...)` in a terminal."""
    # Its own script names the interpreter by the path that it was installed at, which a moved checkout has no more.
    program = [programs.kaskade(), "-m", "kaskade.main"]
    return lambda mode, *options: Terminal([*program, mode, "-b", target.bootstrap, *DEADLINES, *options], tmp_path)


@pytest.fixture
def kafka_util(target, tmp_path):
    """`kafka_util("topic", "list")`: exit code and output of the command; its home folder has this target's address."""
    cluster = {"bootstrap_servers": target.bootstrap}
    chosen = {"organization": "tests", "cluster": "target"}
    config = tmp_path / ".kafka-cli" / "config.yaml"
    config.parent.mkdir()
    # JSON is YAML, too
    config.write_text(json.dumps({"organizations": {"tests": {"name": "tests", "clusters": {"target": cluster}}}, "default": chosen}))
    environment = {**os.environ, "HOME": str(tmp_path), "COLUMNS": "200"}

    def run(*arguments):
        command = [programs.kafka_util(), "-m", "kafka_cli", *map(str, arguments)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, env=environment)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def printed(kafka_util):
    """What a command of kafka-util prints that succeeds."""

    def run(*arguments):
        status, output = kafka_util(*arguments)
        assert status == 0, output
        return output

    return run


@pytest.fixture
def shown(printed):
    """What kafka-util shows as JSON."""
    return lambda *arguments: as_json(printed(*arguments, "--output", "json"))


def typed(terminal, text):
    """Type into a field; ENTER takes what the field has then, which may be a part of it until it is shown."""
    terminal.press(text)
    in_a_field = lambda: text in (part.strip() for line in terminal.press().splitlines() for part in line.split("│"))  # noqa: E731
    eventually(in_a_field, PATIENCE_S, f"{text} in the field")


def found(terminal, topic):
    """Make kaskade's list have this topic alone, and know its groups."""
    terminal.press("/")
    terminal.shows("Filter Topics", "contains…")
    typed(terminal, topic)
    terminal.press(ENTER)
    terminal.shows("[1]", topic, without=["Filter Topics"])

    def describable():
        """It asks for every group of the cluster, and knows of none as long as one of them, say one that is deleted, gave no answer."""
        screen = terminal.press()
        if "Updated" in screen and "Describe" not in screen:
            terminal.press(REFRESH)
        return "Describe" in screen

    eventually(describable, PATIENCE_S, "all groups in kaskade's list")


@pytest.mark.smoke
def test_the_command_line_makes_a_topic_and_shows_it(told, command_line, new_name):
    name = new_name()

    (made,) = told("topics", "create", "-t", name, "--num-partitions", "2", "--replication-factor", "1")["topics"]
    assert (made["name"], made["error_code"], made["num_partitions"]) == (name, 0, 2)
    assert made["configs"]["cleanup.policy"]["value"] == "delete"
    eventually(lambda: name in told("topics", "list"))
    (described,) = told("topics", "describe", "-t", name)
    assert [row["partition_index"] for row in described["partitions"]] == [0, 1]
    assert all(row["replica_nodes"] == row["isr_nodes"] == [row["leader_id"]] for row in described["partitions"])
    status, printed = command_line("admin", "topics", "create", "-t", name)
    assert status != 0
    assert f"Topic '{name}' already exists." in printed


def test_the_command_line_sends_reads_and_shows_the_group(told, command_line, target, topic, tmp_path):
    group = f"{topic}-group"
    status, printed = command_line("producer", "-t", topic, given="one\ntwo\n")
    assert status == 0, printed
    reading = [programs.python(), "-m", "kafka.consumer", "-b", target.bootstrap, "-t", topic, "-g", group]
    shown = tmp_path / "shown.txt"
    # In the background of a shell SIGINT may be ignored, and that is inherited.
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    with shown.open("w") as file:
        reader = subprocess.Popen([*reading, "-C", "auto_offset_reset=earliest"], stdout=file, preexec_fn=heed)
    try:
        eventually(lambda: shown.read_text().split() == ["one", "two"], PATIENCE_S, "both lines")
        described = eventually(lambda: (found := told("groups", "describe", "-g", group)[group])["members"] and found)
        assert (described["group_state"], described["protocol_type"], described["protocol_data"]) == ("Stable", "consumer", "range")
        assert described["members"][0]["member_assignment"]["assigned_partitions"] == [{"topic": topic, "partitions": [0]}]
        # What it commits first may be the first line alone.
        eventually(lambda: (rows := told("groups", "list-offsets", "-g", group)) and rows[topic]["0"]["lag"] == 0, PATIENCE_S, "no lag")
        reader.send_signal(signal.SIGINT)
        reader.wait(PATIENCE_S)
    finally:
        reader.kill()
        reader.wait()
    eventually(lambda: told("groups", "describe", "-g", group)[group]["group_state"] == "Empty", PATIENCE_S, "a group without members")
    wait_listed(lambda: command_line("admin", "groups", "list"), group)
    assert told("groups", "delete", "-g", group) == {group: "OK"}


def test_the_command_line_shows_and_changes_configurations(told, command_line, topic):
    of_it = ("-r", "topic", "-n", topic)

    assert told("configs", "alter", *of_it, "-c", "retention.ms=90000") == {"topic": {topic: "OK"}}
    changed = eventually(lambda: told("configs", "describe", *of_it, "--modified")["topic"][topic])
    assert {name: value["value"] for name, value in changed.items()} == {"retention.ms": "90000"}
    status, printed = command_line("admin", "configs", "alter", *of_it, "-c", "nope=1")
    assert (status != 0, "nope" in printed) == (True, True)
    assert told("configs", "reset", *of_it, "-c", "retention.ms") == {"topic": {topic: "OK"}}
    eventually(lambda: not told("configs", "describe", *of_it, "--modified")["topic"][topic])


def test_the_command_line_shows_the_cluster_and_deletes_a_topic(told, command_line, topic):
    cluster = told("cluster", "describe")
    assert cluster["controller_id"] in {broker["broker_id"] for broker in cluster["brokers"]}

    def measured():
        (broker,) = told("cluster", "describe-log-dirs")
        return topic in {row["name"] for directory in broker["log_dirs"] for row in directory["topics"]}

    # A directory is told without its topics while one of them all cannot be measured.
    eventually(measured, PATIENCE_S, f"{topic} in a log directory")

    told("topics", "delete", "-t", topic)
    eventually(lambda: topic not in told("topics", "list"))
    status, printed = command_line("admin", "topics", "delete", "-t", topic)
    assert (status != 0, "UnknownTopicOrPartitionError" in printed) == (True, True)


def test_kaskade_shows_records_with_key_and_offset(kaskade, target, java, topic):
    java.produce(target.bootstrap, topic, [record(b"value-%d" % number, key=b"key-%d" % number) for number in range(3)])

    with kaskade("consumer", "-t", topic, "--earliest", "-k", "string", "-v", "string") as terminal:
        screen = terminal.shows("value-0", "value-2")
        for number in range(3):
            (row,) = (line.split() for line in screen.splitlines() if f"value-{number}" in line)
            assert f"key-{number}" in row


def test_kaskade_shows_the_groups_of_a_topic(kaskade, new_group):
    group = new_group(partitions=2)
    group.join("java")
    group.wait_shared()
    group.write_and_read()
    (topic,) = group.topics

    with kaskade("admin", "--refresh-interval", "0") as terminal:
        terminal.shows("Updated")
        found(terminal, topic)
        terminal.press(ENTER)
        terminal.shows("Groups [1]", "Group Members [1]")
        terminal.press("l")
        terminal.shows("cleanup.policy")
        terminal.press("l")
        terminal.shows("stable", "range")


def test_kafka_util_makes_a_topic_changes_it_and_deletes_it(kafka_util, printed, shown, new_name):
    name = new_name()

    def settings():
        entries = shown("topic", "describe", name)["configs"]
        return {entry["name"]: entry["value"] for entry in entries if entry["name"] in ("retention.ms", "max.message.bytes")}

    def listed():
        # It gives the cluster ten seconds for the list of all topics.
        status, output = kafka_util("topic", "list", "--filter", name, "--output", "json")
        return as_json(output) if status == 0 else None

    create = ("topic", "create", name, "--partitions", 2, "--config", "retention.ms=90000", "--yes")
    assert f"Topic '{name}' created" in printed(*create)
    status, refusal = kafka_util(*create)
    assert (status != 0, "TOPIC_ALREADY_EXISTS" in refusal) == (True, True)
    (row,) = eventually(listed, PATIENCE_S, f"{name} in the list")
    assert (row["partitions"], row["replication_factor"]) == (2, 1)
    eventually(lambda: settings()["retention.ms"] == "90000")

    # It sends AlterConfigs, which takes back what it does not name.
    printed("topic", "alter", name, "--config", "max.message.bytes=100000")
    eventually(lambda: (now := settings())["max.message.bytes"] == "100000" and now["retention.ms"] != "90000")
    status, refusal = kafka_util("topic", "alter", name, "--config", "nope=1")
    assert (status != 0, "INVALID_CONFIG" in refusal) == (True, True)
    printed("topic", "alter", name, "--partitions", 3)
    eventually(lambda: len(shown("topic", "describe", name)["partitions"]) == 3)

    printed("topic", "delete", name, "--yes")
    eventually(lambda: listed() == [], PATIENCE_S, f"{name} gone from the list")


def test_kafka_util_sends_reads_and_sets_the_group_back(kafka_util, printed, shown, topic, tmp_path):
    group, read = f"{topic}-group", tmp_path / "read.json"

    assert f"Delivered to {topic}[0]" in printed("produce", topic, "--key", "first", "--value", "one", "--header", "of:test")
    assert f"Delivered to {topic}[0]" in printed("produce", topic, "--key", "second", "--value", "two")
    assert "key=second | two" in printed("consume", topic, "--timeout", 30)
    printed("consume", topic, "--from-beginning", "--group", group, "--limit", 2, "--dump", read)
    one, two = json.loads(read.read_text())
    assert (one["key"], one["value"], one["headers"]) == ("first", "one", [{"key": "of", "value": "test"}])
    assert (two["key"], two["value"], two["headers"]) == ("second", "two", [])

    (at_the_end,) = eventually(lambda: (row := shown("group", "describe", group))["state"] == "EMPTY" and row["offsets"])
    assert (at_the_end["topic"], at_the_end["partition"], at_the_end["lag"]) == (topic, 0, 0)
    assert at_the_end["current_offset"] == two["offset"] + 1
    wait_listed(lambda: kafka_util("group", "list", "--state", "empty", "--output", "json"), group)
    printed("group", "reset-offsets", group, "--topic", topic, "--to-earliest", "--execute")
    (set_back,) = shown("group", "describe", group)["offsets"]
    assert set_back["current_offset"] == set_back["first_offset"] <= one["offset"]
    printed("group", "delete", group, "--yes")
    status, refusal = kafka_util("group", "delete", group, "--yes")
    assert (status != 0, "GROUP_ID_NOT_FOUND" in refusal) == (True, True)
