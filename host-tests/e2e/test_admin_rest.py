"""Pulsar's admin REST is down, silent, refuses, or answers garbage: what needs it ends in an error of Kafka's, and records go on.

A stub stands in its place (`ring/stub_admin.py`); the Pulsar behind Envoy is real.
"""

import threading

import pytest
from ring import admin_wire, batch, config_wire, stub_admin, wire
from ring.config_wire import BROKER, SET
from ring.reading import read_all
from ring.stub_admin import StubAdmin
from ring.waiting import eventually

pytestmark = pytest.mark.only_on("index")

TOPIC_AUTHORIZATION_FAILED, ELECTION_NOT_NEEDED = 29, 84
KAFKA_STORAGE_ERROR, LEADER_NOT_AVAILABLE = 56, 5
# Longer than the filter waits for anything (`request_timeout_ms`), as a client would.
PATIENCE_S = 90
# Of changes: where that is how they end, and where they are answered before.
CHANGE_TIMEOUT_MS, LONG_TIMEOUT_MS = 2000, 20000

# What is done to requests -> the code of changes, and that of questions about configurations.
TROUBLES = {
    "nobody listens": (stub_admin.down, wire.REQUEST_TIMED_OUT, wire.REQUEST_TIMED_OUT),
    "no answer": (stub_admin.silent, wire.REQUEST_TIMED_OUT, wire.REQUEST_TIMED_OUT),
    "the answer breaks off": (stub_admin.cut_off, wire.REQUEST_TIMED_OUT, wire.REQUEST_TIMED_OUT),
    "401": (stub_admin.status(401), TOPIC_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED),
    "403": (stub_admin.status(403), TOPIC_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED),
    "500": (stub_admin.status(500), wire.REQUEST_TIMED_OUT, wire.REQUEST_TIMED_OUT),
    "redirects in a circle": (stub_admin.round_in_circles, wire.REQUEST_TIMED_OUT, wire.REQUEST_TIMED_OUT),
    "a page for people": (
        stub_admin.saying(b"<html>Welcome!</html>", "text/html"),
        wire.REQUEST_TIMED_OUT,
        wire.UNKNOWN_SERVER_ERROR,
    ),
    "half a JSON": (stub_admin.saying(b'{"retentionTimeInMinutes": '), wire.REQUEST_TIMED_OUT, wire.UNKNOWN_SERVER_ERROR),
    "a huge answer": (stub_admin.huge(mebibytes=64), wire.REQUEST_TIMED_OUT, wire.REQUEST_TIMED_OUT),
}


@pytest.fixture(scope="module")
def stub(target):
    started = StubAdmin(target.pulsar.admin_address)
    yield started
    started.close()


@pytest.fixture(scope="module")
def beside(target, stub):
    """An Envoy that has the stub for its admin cluster."""
    envoy = target.envoy_beside("stubbed", pulsar_admin=stub.address)
    envoy.start()
    yield envoy
    envoy.stop()


class Asked:
    """Runs each of `acts`, functions of a connection, on a connection of its own, all at once; `answers` waits for them."""

    def __init__(self, bootstrap, acts):
        self.found = {}
        self.threads = [threading.Thread(target=self._ask, args=(bootstrap, *act)) for act in acts.items()]
        for thread in self.threads:
            thread.start()

    def _ask(self, bootstrap, name, act):
        try:
            with wire.Connection(bootstrap, timeout_s=PATIENCE_S) as connection:
                self.found[name] = act(connection)
        except (OSError, ValueError) as failed:
            self.found[name] = repr(failed)

    def answers(self):
        for thread in self.threads:
            thread.join()
        return self.found


def values(count, first=0):
    return [b"%d" % number for number in range(first, first + count)]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_every_request_gets_an_error_of_kafkas_and_records_go_on(beside, stub, new_name, new_topic, trouble):
    behaviour, changed, configured = TROUBLES[trouble]
    timeout_ms = CHANGE_TIMEOUT_MS if changed == wire.REQUEST_TIMED_OUT else LONG_TIMEOUT_MS
    topic, idle, fresh = new_topic(), new_topic(), new_name()
    with wire.Connection(beside.bootstrap) as data:
        assert all(data.produce(topic, batch.build([value])).error == wire.NONE for value in values(5))
        node = str(min(data.metadata([topic])[1]))
        with stub.behaving(behaviour):
            asked = Asked(
                beside.bootstrap,
                {
                    "create": lambda ask: config_wire.create(ask, fresh, {}, timeout_ms=timeout_ms)[0],
                    "grow": lambda ask: admin_wire.grow(ask, idle, 2, timeout_ms)[0],
                    "delete": lambda ask: ask.delete_topic(idle, timeout_ms),
                    "describe": lambda ask: config_wire.describe(ask, topic)[0],
                    "alter": lambda ask: config_wire.alter(ask, topic, (SET, "retention.ms", "70000"))[0],
                    "validate": lambda ask: config_wire.alter(ask, topic, (SET, "retention.ms", "70000"), validate_only=True)[0],
                    "replace": lambda ask: config_wire.replace(ask, topic, {"retention.ms": "70000"})[0],
                    "sizes": lambda ask: admin_wire.log_dirs(ask, topic)[0],
                    "broker": lambda ask: config_wire.describe(ask, node, kind=BROKER)[0],
                    "elect": lambda ask: admin_wire.elect(ask, topic, 0)[0],
                    "offsets": lambda ask: ask.list_offset(topic, wire.LATEST)[0],
                },
            )
            for value in values(5, first=5):
                assert data.produce(topic, batch.build([value])).error == wire.NONE
            assert [record.value for record in read_all(data, topic)] == values(10)
            told = asked.answers()
            with wire.Connection(beside.bootstrap) as late:
                assert late.produce(topic, batch.build(values(1, first=10))).error == wire.NONE

        assert told == {
            **dict.fromkeys(("create", "grow", "delete"), changed),
            **dict.fromkeys(("describe", "alter", "validate", "replace"), configured),
            "sizes": KAFKA_STORAGE_ERROR,
            "broker": wire.NONE,
            "elect": ELECTION_NOT_NEEDED,
            "offsets": wire.NONE,
        }
        eventually(lambda: config_wire.describe(data, topic)[0] == wire.NONE, what="an answer, now that the REST is well")


def test_behind_a_slow_rest_everything_is_done_all_the_same_and_records_need_not_wait(beside, stub, new_name, new_topic):
    topic, gone, fresh = new_topic(), new_topic(), new_name()
    long_ms = PATIENCE_S * 1000
    with stub.behaving(stub_admin.slow(after_s=1)), wire.Connection(beside.bootstrap) as data:
        asked = Asked(
            beside.bootstrap,
            {
                "create": lambda ask: config_wire.create(ask, fresh, {"retention.ms": "90000"}, timeout_ms=long_ms)[0],
                "grow": lambda ask: admin_wire.grow(ask, topic, 2, long_ms)[0],
                "delete": lambda ask: ask.delete_topic(gone, long_ms),
                "alter": lambda ask: config_wire.alter(ask, topic, (SET, "retention.ms", "70000"))[0],
                "sizes": lambda ask: admin_wire.log_dirs(ask, topic)[0],
            },
        )
        for value in values(5):
            assert data.produce(topic, batch.build([value])).error == wire.NONE
        assert [record.value for record in read_all(data, topic)] == values(5)
        assert asked.answers() == dict.fromkeys(("create", "grow", "delete", "alter", "sizes"), wire.NONE)
    with wire.Connection(beside.bootstrap) as after:
        found = {name: config_wire.describe(after, name)[2]["retention.ms"].value for name in (fresh, topic)}
        assert found == {fresh: "90000", topic: "70000"}
        assert len(after.metadata([topic])[0][topic][1]) == 2


def test_the_beginning_is_found_without_the_rest_and_a_place_in_the_middle_waits_for_it(target, beside, stub, java, new_topic):
    topic = new_topic()
    with wire.Connection(target.bootstrap) as writer:  # so that no worker of the other Envoy knows where the offsets are
        offsets = [writer.produce(topic, batch.build([value])).base_offset for value in values(5)]

    with wire.Connection(beside.bootstrap) as reader:
        with stub.behaving(stub_admin.down):
            assert reader.fetch([(topic, 0, offsets[2])], max_wait_ms=20000)[topic, 0].error == KAFKA_STORAGE_ERROR
            read = java.consume(beside.bootstrap, topic, count=5)
            assert [record["value"] for record in read] == [value.hex() for value in values(5)]
        eventually(lambda: reader.fetch([(topic, 0, offsets[2])])[topic, 0].records, what="records, now that the REST is well")
        assert [record.value for record in read_all(reader, topic, offsets[2])] == values(3, first=2)


def test_a_group_works_and_commits_while_nobody_listens(beside, stub, new_group):
    group = new_group(bootstrap=beside.bootstrap)
    with stub.behaving(stub_admin.down):
        group.join("java")
        group.wait_shared()
        group.write_and_read()


def test_a_topic_that_nobody_could_make_is_made_when_the_rest_is_back(beside, stub, java, new_name):
    name = new_name()
    with stub.behaving(stub_admin.down), wire.Connection(beside.bootstrap) as connection:
        assert connection.metadata([name], create=True)[0][name][0] == LEADER_NOT_AVAILABLE

    assert java.admin(beside.bootstrap, "create", name, partitions=2, replication=1)["partitions"] == 2
