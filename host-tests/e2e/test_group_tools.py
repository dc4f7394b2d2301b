"""Apache Kafka's own tools on groups: after the same history they print the same about Isthmus as about Apache Kafka."""

import re
import subprocess
import threading

import pytest
from ring import batch, group_wire, wire
from ring.differential import assert_same
from ring.group_wire import subscription
from ring.paths import E2E
from ring.seats import gather, seat
from ring.waiting import eventually

from dev import children, install

TOOLS = {
    "consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}
PATIENCE_S = 180
# Other tests' members have sessions of up to a minute; who does not serve them waits a third longer, and some seconds.
OTHERS_END_WITHIN_S = 300
# All its questions together, and the wait before them.
TOOL_LIVES_S = 900
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# Broker, its address, and what columns are wide for.
ADDRESS = re.compile(r"127\.0\.0\.1:\d+ +\(-?\d+\)")
SPACES = re.compile(r" +")


def command(tool, bootstrap, *arguments):
    jvm = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{install.kafka()}/*", TOOLS[tool]]
    return [*jvm, "--bootstrap-server", bootstrap, *arguments]


def run(tool, bootstrap, *arguments):
    """(exit status, what it prints)."""
    done = subprocess.run(command(tool, bootstrap, *arguments), capture_output=True, text=True, timeout=PATIENCE_S)
    return done.returncode, done.stdout + done.stderr


def plain(printed, *names):
    """The printed lines without ids, addresses, widths and order. `names` are this history's own, by which it is told from others."""
    text = ADDRESS.sub("ADDRESS", UUID.sub("UUID", printed))
    lines = [SPACES.sub(" ", line).strip() for line in text.splitlines()]
    kept = [line for line in lines if not names or any(name in line for name in names) or line.startswith(("GROUP", "Error"))]
    headings = {line for line in kept if line.startswith("GROUP")}  # one for each group, other tests' too
    return sorted([*headings, *(line for line in kept if line and line not in headings)])


class History:
    """The same on every target: a group that is stable, with a member of each kind, one that is empty, one of a simple consumer."""

    def __init__(self, target, name, opened):
        self.bootstrap = target.bootstrap
        self.topics = [f"{name}-a", f"{name}-b"]
        self.stable, self.empty, self.simple, self.unknown = (f"{name}-{kind}" for kind in ("stable", "empty", "simple", "unknown"))
        with wire.Connection(self.bootstrap) as ask:
            for topic in self.topics:
                ask.create_topic(topic, 2)
                for partition in range(2):
                    served = lambda topic=topic, partition=partition: ask.list_offset(topic, wire.LATEST, partition)[0] == wire.NONE  # noqa: E731
                    eventually(served)
                    assert ask.produce(topic, batch.build([b"x"] * 10), partition).error == wire.NONE
        self.opened = opened
        protocols = [("range", subscription(*self.topics))]
        first = seat(self.connect(self.stable), protocols=protocols, session_ms=600_000)
        static = seat(self.connect(self.stable), protocols=protocols, instance="static", session_ms=600_000)
        self.members = gather(first, static, assignments=[self.assignment(0), self.assignment(1)])
        first.commit({(topic, 0): (4, "note") for topic in self.topics})
        static.commit({(self.topics[0], 1): 10})
        past = seat(self.connect(self.empty), protocols=protocols)
        gather(past)
        past.commit({(self.topics[0], 0): 3, (self.topics[1], 1): 6})
        past.connection.leave(past.member)
        self.simple_consumer = self.connect(self.simple)
        self.simple_consumer.commit({(self.topics[0], 0): 2})

    def connect(self, group):
        return self.opened(self.bootstrap, group)

    def is_alone(self):
        """Whether no group of another test has members: those have assignments that are none of a consumer, and the tool reads them."""
        others = self.simple_consumer.list("Stable", "PreparingRebalance", "CompletingRebalance")[1]
        return set(others) <= {self.stable}

    def assignment(self, partition):
        """A consumer's assignment (ConsumerProtocolAssignment, version 0): that partition of every topic."""
        rows = (wire.string(topic) + wire.array([wire.i32(partition)]) for topic in self.topics)
        return wire.i16(0) + wire.array(rows) + wire.blob(None)

    def groups(self, tool, words):
        names = {"stable": self.stable, "empty": self.empty, "simple": self.simple, "unknown": self.unknown}
        asked = words.format(a=self.topics[0], b=self.topics[1], **names)
        status, printed = tool(f"--bootstrap-server {self.bootstrap} {asked}")
        return status, plain(printed, *self.topics, *names.values())


@pytest.fixture
def groups_tool(tmp_path):
    """`groups_tool(arguments)`: exit status and what kafka-consumer-groups prints, always of the same process."""
    jvm = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{install.kafka()}/*", E2E / "tools" / "Questions.java"]
    with open(tmp_path / "tool.err", "wb") as errors:
        process = children.spawn(jvm, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)

    def ask(arguments):
        process.stdin.write(f"{arguments}\n".encode())
        process.stdin.flush()
        status, size = map(int, process.stdout.readline().split())
        return status, process.stdout.read(size).decode()

    watchdog = threading.Timer(TOOL_LIVES_S, process.kill)
    watchdog.start()
    yield ask
    watchdog.cancel()
    children.kill(process)


@pytest.fixture(scope="module")
def histories(target, apache_kafka, tmp_path_factory):
    """The same history on Apache Kafka and on the target."""
    name = f"tools-{tmp_path_factory.getbasetemp().name.rpartition('-')[2]}"
    made = []

    def opened(bootstrap, group):
        connection = group_wire.GroupConnection(bootstrap, group)
        made.append(connection)
        eventually(lambda: connection.coordinators(group)[0][1] == group_wire.NONE)
        eventually(lambda: connection.describe()[0].error == group_wire.NONE)
        return connection

    yield [History(each, name, opened) for each in (apache_kafka, target)]
    for connection in made:
        connection.socket.close()


# What the tool is asked, with the names of a History's groups and topics; the order matters, the last ones change things.
QUESTIONS = {
    "list": "--list",
    "list with states": "--list --state",
    "list those that are empty": "--list --state empty",
    "list with types": "--list --type",
    "describe a stable group": "--describe --group {stable}",
    "describe it with more words": "--describe --group {stable} --verbose",
    "describe its members": "--describe --group {stable} --members",
    "describe its members with more words": "--describe --group {stable} --members --verbose",
    "describe its state": "--describe --group {stable} --state",
    "describe an empty group": "--describe --group {empty}",
    "describe the members of an empty group": "--describe --group {empty} --members",
    "describe the state of an empty group": "--describe --group {empty} --state",
    "describe a group of no members ever": "--describe --group {simple}",
    "describe a group that is not there": "--describe --group {unknown}",
    "describe all": "--describe --all-groups",
    "describe the states of all": "--describe --all-groups --state",
    "reset, dry run": "--reset-offsets --group {empty} --topic {a} --to-earliest --dry-run",
    "reset a group with members": "--reset-offsets --group {stable} --all-topics --to-earliest --execute",
    "reset to the latest": "--reset-offsets --group {empty} --topic {a} --to-latest --execute",
    "reset by a shift": "--reset-offsets --group {empty} --topic {a}:0 --shift-by -3 --execute",
    "reset to an offset": "--reset-offsets --group {simple} --topic {b} --to-offset 5 --execute",
    "describe after that": "--describe --group {empty} --group {simple}",
    "delete offsets of a group with members": "--delete-offsets --group {stable} --topic {a}",
    "delete offsets": "--delete-offsets --group {empty} --topic {a}",
    "delete offsets of a group that is not there": "--delete-offsets --group {unknown} --topic {a}",
    "delete a group with members": "--delete --group {stable}",
    "delete several": "--delete --group {empty} --group {simple} --group {unknown}",
    "list after that": "--list",
}


@pytest.mark.differential
@pytest.mark.slow
@pytest.mark.only_on("index")
def test_the_groups_tool_prints_what_it_prints_about_apache_kafka(target, histories, groups_tool):
    on_kafka, on_target = ({}, {})
    for history in histories:
        eventually(history.is_alone, within_s=OTHERS_END_WITHIN_S, what="the end of other tests' members")
    for question, words in QUESTIONS.items():
        for history, seen in zip(histories, (on_kafka, on_target), strict=True):
            seen[question] = history.groups(groups_tool, words)
    assert_same("groups_tool", on_kafka, on_target, target.name)


@pytest.mark.smoke
def test_the_groups_tool_tells_the_lag_of_a_console_consumers_group(target, new_topic, new_name):
    topic, group = new_topic(2), new_name()
    with wire.Connection(target.bootstrap) as ask:
        for partition in range(2):
            assert ask.produce(topic, batch.build([b"%d" % n for n in range(5)]), partition).error == wire.NONE
    options = ["--topic", topic, "--group", group, "--from-beginning", "--max-messages", "10", "--timeout-ms", "90000"]
    status, printed = run("consumer", target.bootstrap, *options)
    assert status == 0, printed
    with wire.Connection(target.bootstrap) as ask:
        assert ask.produce(topic, batch.build([b"more"] * 3), 1).error == wire.NONE

    status, printed = run("groups", target.bootstrap, "--describe", "--group", group)
    rows = [line.split() for line in printed.splitlines() if line.startswith(group)]
    assert status == 0, printed
    lags = {row[2]: row[5] for row in rows}
    assert set(lags) == {"0", "1"}
    assert lags["0"] == "0"
    if target.contiguous_offsets:
        assert lags["1"] == "3"


def test_console_consumers_of_one_group_share_partitions_and_take_over_from_one_that_is_killed(target, new_topic, new_name, tmp_path):
    topic, group = new_topic(4), new_name()
    sent = iter(range(10**6))
    quick = ["--command-property", "session.timeout.ms=6000", "--command-property", "heartbeat.interval.ms=500"]
    consumers = {}

    def start(name):
        arguments = command("consumer", target.bootstrap, "--topic", topic, "--group", group, "--from-beginning", *quick)
        with open(tmp_path / name, "wb") as printed, open(tmp_path / f"{name}.err", "wb") as errors:
            consumers[name] = children.spawn(arguments, stdout=printed, stderr=errors)

    def read(name):
        return {int(line) for line in (tmp_path / name).read_text().splitlines() if line}

    def write():
        """A record to each partition. Returns their numbers."""
        numbers = {next(sent) for _ in range(4)}
        with wire.Connection(target.bootstrap) as ask:
            for partition, number in enumerate(sorted(numbers)):
                assert ask.produce(topic, batch.build([b"%d" % number]), partition).error == wire.NONE
        return numbers

    def reads_all(*names):
        """Whether the consumers read together what is written now, each some of it."""
        numbers = write()
        together = lambda: numbers <= set().union(*map(read, names))  # noqa: E731
        eventually(together, within_s=PATIENCE_S, what=f"{names} read {numbers}")
        return all(read(name) & numbers for name in names)

    try:
        start("one")
        eventually(lambda: reads_all("one"), within_s=PATIENCE_S)
        start("two")
        eventually(lambda: reads_all("one", "two"), within_s=PATIENCE_S)
        children.kill(consumers["one"])
        assert reads_all("two")
        start("three")
        eventually(lambda: reads_all("two", "three"), within_s=PATIENCE_S)
        assert read("one") | read("two") | read("three") == set(range(next(sent)))
    finally:
        for each in consumers.values():
            children.kill(each)

