"""Fixtures of the end-to-end ring. Servers and clients start once per session and are shared; every test has topics of its own."""

import contextlib
import itertools
import os
import re
import subprocess

import pytest
from ring import paths  # noqa: F401  (first: it puts the checkout on the module path)
from ring import clients, group_wire, groups, programs, second_tries, targets, wire
from ring.waiting import eventually

from dev import install

TOOL_PATIENCE_S = 180


def pytest_addoption(parser):
    parser.addoption(
        "--target", action="append", choices=targets.NAMES, help="what to test; several are allowed (default: kafka)"
    )


def pytest_configure(config):
    for line in (
        "smoke: the few tests that show a target works at all",
        "slow: takes more than some ten seconds",
        "soak: takes minutes; runs only with ISTHMUS_TEST_ALL=1",
        "differential: the same script on Apache Kafka and on the target, outputs compared",
        "only_on(*names): targets that the test is for",
        "no_second_try: on Isthmus it fails when it fails once, be it only late (ring/second_tries.py)",
        "rarely_on_kafka: on Apache Kafka, where it only shows that the test itself is right, with ISTHMUS_TEST_ALL=1 alone",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc):
    if "target" in metafunc.fixturenames:
        names = metafunc.config.getoption("target") or [targets.KAFKA]
        metafunc.parametrize("target", names, indirect=True, scope="session")


def pytest_collection_modifyitems(config, items):
    """Drop tests that are not for their target, and those of clients whose toolchain is missing (with CI set, that fails)."""
    absent = programs.missing()
    if absent and os.environ.get("CI"):
        raise pytest.UsageError(f"with CI set these tools must be there: {', '.join(sorted(absent.values()))}")
    everything = os.environ.get("ISTHMUS_TEST_ALL") == "1"
    kept, dropped = [], []
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        mode = targets.mode_of(params["target"]) if "target" in params else None
        fits = all(mode in mark.args for mark in item.iter_markers("only_on"))
        fits &= everything or item.get_closest_marker("soak") is None
        fits &= everything or mode != targets.KAFKA or item.get_closest_marker("rarely_on_kafka") is None
        present = not any(isinstance(value, str) and value in absent for value in params.values())
        (kept if fits and present else dropped).append(item)
        if not everything:
            second_tries.allow(item, mode)
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept
    for name, tool in absent.items():
        print(f"left out: {name}, because {tool} is missing")


@pytest.fixture(scope="session")
def target(request, tmp_path_factory):
    """The running target. Tests that crash a part of it start that part again."""
    made = targets.make(request.param, tmp_path_factory.mktemp(f"target-{request.param}-"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory):
    """Apache Kafka beside the target, to compare with."""
    made = targets.make(targets.KAFKA, tmp_path_factory.mktemp("apache-kafka"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    """`client(name)`: that client's program, started at its first command and kept."""
    folder = tmp_path_factory.mktemp("clients")
    started = {}

    def get(name):
        if name not in started:
            started[name] = clients.Client(name, folder)
        return started[name]

    yield get
    for each in started.values():
        each.close()


@pytest.fixture
def java(client):
    return client("java")


@pytest.fixture
def connection(target):
    """A Kafka connection at the level of requests."""
    with wire.Connection(target.bootstrap) as opened:
        # Until the first request Pulsar hears nothing of the connection, and it closes one that says nothing for half a minute.
        opened.metadata([])
        yield opened


@pytest.fixture
def tool_status(target):
    """`tool_status(program, *arguments)`: the exit code of one of Kafka's tools, by its class, and what it prints."""

    def run(program, *arguments):
        jvm = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{install.kafka()}/*", program]
        command = [*jvm, "--bootstrap-server", target.bootstrap, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_PATIENCE_S)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def tool(tool_status):
    """`tool(program, *arguments)`: what the tool prints."""
    return lambda program, *arguments: tool_status(program, *arguments)[1]


NUMBERS = itertools.count(1)


@pytest.fixture
def new_name(request):
    """`new_name()`: a topic name that nothing used before and that tells which test it is of."""
    # Pulsar allows no name with "-partition-" in it.
    test = re.sub(r"[^a-zA-Z0-9]+", "-", request.node.originalname.removeprefix("test_")).replace("partition", "part")[:60]
    return lambda: f"{test}-{os.getpid()}.{next(NUMBERS)}"


def served(connection, name, partitions):
    """Whether every partition answers; as every client does, look for the leaders first."""
    error, found = connection.metadata([name])[0][name]
    if error != wire.NONE or len(found) != partitions:
        return False
    return all(connection.list_offset(name, wire.LATEST, partition)[0] == wire.NONE for partition in range(partitions))


@pytest.fixture
def new_topic(target, new_name):
    """`new_topic(partitions=1)`: the name of a topic that was just created."""

    def create(partitions=1):
        name = new_name()
        with wire.Connection(target.bootstrap) as opened:
            assert opened.create_topic(name, partitions) == wire.NONE
            eventually(lambda: served(opened, name, partitions), what=f"a leader for {name}")
        return name

    return create


@pytest.fixture
def topic(new_topic):
    """A new topic of one partition."""
    return new_topic()


@pytest.fixture
def coordinator(target, new_name):
    """`coordinator(group=None, versions=None)`: a connection to the coordinator of a group, of a new one by default, once it serves."""
    with contextlib.ExitStack() as opened:

        def connect(group=None, versions=None, bootstrap=None, **options):
            group = new_name() if group is None else group
            connection = opened.enter_context(group_wire.GroupConnection(bootstrap or target.bootstrap, group, versions, **options))
            if group:
                eventually(lambda: connection.coordinators(group)[0][1] == group_wire.NONE, what="a coordinator")
                eventually(lambda: connection.describe()[0].error == group_wire.NONE, what="a coordinator that serves")
            return connection

        yield connect


@pytest.fixture(scope="session")
def member_programs(tmp_path_factory):
    """Processes for group members."""
    kept = groups.Programs(tmp_path_factory.mktemp("members"))
    yield kept
    kept.close()


@pytest.fixture
def new_group(target, new_name, new_topic, member_programs):
    """`new_group(partitions=4)`: a group without members, on a new topic, or on `topics`, {name: partitions}."""
    made = []

    def create(partitions=4, topics=None, bootstrap=None):
        topics = topics or {new_topic(partitions): partitions}
        made.append(groups.Group(bootstrap or target.bootstrap, new_name(), topics, member_programs.take))
        return made[-1]

    yield create
    living = [member for group in made for member in group.members if member.ended is None]
    for member in living:
        member.order("stop")
    for member in living:
        with contextlib.suppress(groups.ClientError):
            member.wait_ended()
    for member in [member for group in made for member in group.ever]:
        member_programs.give_back(member)


@pytest.fixture
def group(new_group):
    """A group without members, on a new topic of four partitions."""
    return new_group()
