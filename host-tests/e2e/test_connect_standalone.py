"""Kafka's quick start for Connect, and workers that cannot work and say why."""

import itertools
import json

import pytest
from ring import config_wire, wire
from ring.connect import PATIENCE_S, QUICK, Lines
from ring.paths import ROOT
from ring.waiting import eventually

from dev import children
from dev.servers import Connect, free_ports

pytestmark = pytest.mark.rarely_on_kafka


@pytest.fixture
def quick_start(target, tmp_path):
    """The folder of Kafka's quick start, but for addresses."""
    (tmp_path / ".cache").symlink_to(ROOT / ".cache")
    (port,) = free_ports(1)
    own = {"bootstrap.servers": target.bootstrap, "listeners": f"http://127.0.0.1:{port}"}
    own["offset.storage.file.filename"] = tmp_path / "connect.offsets"
    # A task that stops more slowly is given up without a commit, and what it has done is done twice.
    own["task.shutdown.graceful.timeout.ms"] = 60000
    for path in (ROOT / "dev" / "connect").glob("*.properties"):
        kept = [line for line in path.read_text().splitlines() if line.partition("=")[0] not in own]
        added = [f"{name}={value}" for name, value in own.items()] if "standalone" in path.name else []
        (tmp_path / path.name).write_text("\n".join([*kept, *added, ""]))
    return tmp_path


@pytest.mark.smoke
def test_kafkas_quick_start_works_but_for_the_address(quick_start, target, java):
    files = [f"connect-{name}.properties" for name in ("standalone", "file-source", "file-sink")]
    command = [ROOT / "dev" / "kafka-tool", "connect-standalone", *files]
    given, taken = Lines(quick_start / "test.txt"), Lines(quick_start / "test.sink.txt")

    def run_until(expected):
        with open(quick_start / "worker.log", "ab") as log:
            worker = children.spawn(command, cwd=quick_start, stdout=log, stderr=log)
        try:
            taken.wait(expected)
        finally:
            children.stop(worker, patience_s=120)

    given.add("foo", "bar")
    run_until(["foo", "bar"])
    found = [json.loads(bytes.fromhex(each["value"])) for each in java.consume(target.bootstrap, "connect-test")]
    assert found == [{"schema": {"type": "string", "optional": False}, "payload": line} for line in ("foo", "bar")]
    given.add("Another line")
    run_until(["foo", "bar", "Another line"])


@pytest.fixture
def worker(target, tmp_path, new_name):
    """`worker(**settings)`: a distributed worker of a new group, launched; killed in the end."""
    made = []
    numbers = itertools.count(1)

    def launch(**settings):
        made.append(Connect(tmp_path / str(next(numbers)), target.bootstrap, new_name(), settings={**QUICK, **settings}))
        return made[-1].launch()

    yield launch
    for each in made:
        each.kill()


def says(worker, words):
    """Wait until the worker's log has these words."""
    eventually(lambda: words in worker.log_path.read_text(), PATIENCE_S, f"{words} in {worker.log_path}")


@pytest.mark.parametrize("storage", ["config", "offset", "status"])
def test_a_topic_that_is_not_compacted_is_refused(worker, connection, new_name, storage):
    name = new_name()
    assert config_wire.create(connection, name, {"cleanup.policy": "delete"}) == (wire.NONE, None)
    refusing = worker(**{f"{storage}.storage.topic": name})

    says(refusing, f"Topic '{name}' supplied via the '{storage}.storage.topic' property is required to have 'cleanup.policy=compact'")
    says(refusing, "but found the topic currently has 'cleanup.policy=delete'")


@pytest.mark.only_on("index", "message-id")
def test_exactly_once_sources_are_refused_with_a_reason(worker):
    refused = worker(**{"exactly.once.source.support": "enabled"})

    says(refused, "Unable to claim write privileges for config topic")
    says(refused, "TransactionalIdAuthorizationException: Transactional Id authorization failed.")
