"""Kafka Connect with two workers of one group: connectors through REST, their offsets, and what happens when somebody dies."""

import itertools

import pytest
from ring import config_wire, wire
from ring.compaction import wait_compacted
from ring.connect import PATIENCE_S, Lines, Workers, sink, source
from ring.samples import record
from ring.waiting import eventually

pytestmark = pytest.mark.rarely_on_kafka
ISTHMUS = pytest.mark.only_on("index", "message-id")
# By name, the settings of Connect's three topics: partitions as Connect makes them.
STORAGE = {"configs": 1, "offsets": 25, "status": 5}
VICTIMS = [
    pytest.param(["kafka"], id="kafka", marks=pytest.mark.only_on("kafka")),
    pytest.param(["envoy"], id="envoy", marks=ISTHMUS),
    pytest.param(["pulsar"], id="pulsar", marks=ISTHMUS),
]


@pytest.fixture(scope="module")
def workers(target, tmp_path_factory):
    """Two workers of one group, shared by these tests; each starts those again that it has killed."""
    made = Workers(tmp_path_factory.mktemp("connect"), target.bootstrap, f"connect-{target.name}")
    # The first makes the topics. That several may do so at once is tried without a clock (host-tests/tests/topic_configs.rs).
    made.all[0].start()
    made.start()
    yield made
    made.kill()


@pytest.fixture
def lines(tmp_path):
    """`lines()`: a file that is not there yet."""
    numbers = itertools.count(1)
    return lambda: Lines(tmp_path / f"{next(numbers)}.txt")


@pytest.fixture
def connector(workers, new_name):
    """`connector(config)`: a connector of a new name, once it runs; deleted in the end."""
    made = []

    def create(config):
        made.append(workers.connector(new_name(), config))
        return made[-1]

    yield create
    workers.start()
    for each in made:
        if each.ask("GET")[0] != 404:
            each.delete()


@pytest.fixture
def copy(connector, lines, new_name):
    """A file that is copied through a topic into another."""
    return Copy(connector, lines(), new_name(), lines())


class Copy:
    def __init__(self, connector, file, topic, copied):
        self.file, self.topic, self.copied = file, topic, copied
        self.written = []
        self.add(3)
        self.source = connector(source(file, topic))
        self.sink = connector(sink(copied, topic))
        self.wait()

    def add(self, count):
        added = [f"line {len(self.written) + number}" for number in range(count)]
        self.written += added
        self.file.add(*added)

    def wait(self):
        """Wait until all lines have come, each once and in order."""
        self.copied.wait(self.written)


def policy(connection, topic):
    error, _, values = config_wire.describe(connection, topic, keys=["cleanup.policy"])
    return values["cleanup.policy"].value if error == wire.NONE else None


@pytest.mark.smoke
def test_a_file_is_copied_through_a_topic(copy):
    copy.add(1000)
    copy.wait()


def test_connects_own_topics_are_compacted_ones(workers, connection):
    for name, partitions in STORAGE.items():
        topic = f"{workers.group}-{name}"
        error, found = connection.metadata([topic])[0][topic]
        assert (error, len(found)) == (wire.NONE, partitions)
        assert policy(connection, topic) == "compact"


def test_connectors_and_tasks_are_shared_out(copy, workers):
    for worker in workers.all:
        assert worker.alive
    ids = {worker.worker_id for worker in workers.all}
    eventually(lambda: {copy.source.worker.worker_id, copy.sink.worker.worker_id} == ids, PATIENCE_S, "a task on each worker")


def test_a_source_that_is_paused_reads_on_when_it_is_resumed(copy, connector, lines):
    copy.source.do("PUT", "/pause")
    copy.source.wait("PAUSED")
    before = len(copy.written)
    copy.add(5)
    # Nothing can be waited for that shall not come; that another sink comes and reads the topic takes longer than a line.
    other = lines()
    connector(sink(other, copy.topic))
    other.wait(copy.written[:before])
    assert copy.copied.read() == copy.written[:before]
    copy.source.resume()
    copy.wait()


def test_a_restarted_connector_goes_on_where_it_was(copy):
    for each in (copy.source, copy.sink):
        each.do("POST", "/restart?includeTasks=true&onlyFailed=false")
        each.wait("RUNNING")
    copy.add(5)
    copy.wait()


def test_a_deleted_connector_is_gone_and_its_offsets_are_there_for_the_next_of_its_name(copy, workers):
    committed = {"position": sum(len(line) + 1 for line in copy.written)}
    eventually(lambda: [offset for _, offset in copy.source.offsets] == [committed])
    copy.source.delete()
    assert copy.source.name not in workers.do("GET", "/connectors")
    copy.add(5)
    copy.source = workers.connector(copy.source.name, source(copy.file, copy.topic))
    copy.wait()


def test_the_offset_of_a_source_is_told_altered_and_reset(copy):
    end = sum(len(line) + 1 for line in copy.written)
    place = {"filename": str(copy.file.path)}
    # One is called stopped before its task has ended; what that had not yet noted, it notes over the offset that is set meanwhile.
    noted = lambda: copy.source.wait_offsets([(place, {"position": end})])  # noqa: E731
    noted()
    assert copy.source.ask("DELETE", "/offsets")[0] == 400, "only of one that is stopped"

    copy.source.stop()
    copy.source.change_offset(place, {"position": len(copy.written[0]) + 1})
    copy.source.resume()
    again = [*copy.written, *copy.written[1:]]
    copy.copied.wait(again)

    noted()
    copy.source.stop()
    copy.source.do("DELETE", "/offsets")
    copy.source.wait_offsets([])
    copy.source.resume()
    copy.copied.wait([*again, *copy.written])


def test_the_offset_of_a_sink_is_told_altered_and_reset(copy, java, target):
    offsets = [each["offset"] for each in java.consume(target.bootstrap, copy.topic)]
    place = {"kafka_topic": copy.topic, "kafka_partition": 0}
    copy.sink.wait_offsets([(place, {"kafka_offset": offsets[-1] + 1})])

    copy.sink.stop()
    copy.sink.change_offset(place, {"kafka_offset": offsets[1]})
    assert copy.sink.offsets == [(place, {"kafka_offset": offsets[1]})]
    copy.sink.resume()
    again = [*copy.written, *copy.written[1:]]
    copy.copied.wait(again)

    copy.sink.stop()
    copy.sink.change_offset(place, None)
    assert copy.sink.offsets == []
    copy.sink.resume()
    again += copy.written
    copy.copied.wait(again)

    copy.sink.stop()
    copy.sink.do("DELETE", "/offsets")
    assert copy.sink.offsets == []
    copy.sink.resume()
    copy.copied.wait([*again, *copy.written])


def test_a_source_creates_its_topic_as_it_is_told(connector, lines, new_name, connection):
    file, topic = lines(), new_name()
    file.add("line")
    configs = {"retention.ms": "90001", "max.message.bytes": "20000"}
    options = {"replication.factor": "1", "partitions": "3", **configs}
    connector(source(file, topic, **{f"topic.creation.default.{name}": value for name, value in options.items()}))

    eventually(lambda: connection.metadata([topic])[0][topic][0] == wire.NONE)
    assert len(connection.metadata([topic])[0][topic][1]) == 3
    offset = lambda at, partition: connection.list_offset(topic, at, partition)[2]  # noqa: E731
    eventually(lambda: any(offset(wire.LATEST, each) > offset(wire.EARLIEST, each) for each in range(3)), what="the line")
    found = config_wire.describe(connection, topic, keys=list(configs))[2]
    assert {name: found[name].value for name in found} == configs


def test_records_that_cannot_be_handled_go_to_the_dead_letter_queue(connector, lines, java, target, topic, new_name):
    numbers, dead = lines(), new_name()
    acks = java.produce(target.bootstrap, topic, [record(b"1"), record(b"two", b"key", [("mine", b"kept")]), record(b"3"), record(b"four")])
    options = {
        "transforms": "number",
        "transforms.number.type": "org.apache.kafka.connect.transforms.Cast$Value",
        "transforms.number.spec": "int32",
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": dead,
        "errors.deadletterqueue.topic.replication.factor": "1",
        "errors.deadletterqueue.context.headers.enable": "true",
    }
    failing = connector(sink(numbers, topic, **options))

    numbers.wait(["1", "3"])
    found = java.consume(target.bootstrap, dead, count=2)
    assert [(each["key"], bytes.fromhex(each["value"])) for each in found] == [(b"key".hex(), b"two"), (None, b"four")]
    headers = {name: bytes.fromhex(value) for name, value in found[0]["headers"]}
    assert headers.pop("mine") == b"kept"
    told = {name.removeprefix("__connect.errors."): value for name, value in headers.items()}
    expected = {"topic": topic, "partition": 0, "offset": acks[1]["offset"], "connector.name": failing.name, "task.id": 0}
    assert {name: told[name].decode() for name in expected} == {name: str(value) for name, value in expected.items()}
    assert told["stage"] == b"TRANSFORMATION"
    assert told["exception.class.name"] == b"org.apache.kafka.connect.errors.DataException"


@pytest.mark.slow
@pytest.mark.no_second_try
def test_killed_workers_lose_nothing(connector, lines, workers, new_name):
    file, topic, copied = lines(), new_name(), lines()
    file.add("the first line")
    reading = connector(source(file, topic))
    writing = connector(sink(copied, topic))
    copied.wait(["the first line"])
    for victim in (reading, writing):
        seen = copied.size
        file.add(*(f"for {victim.name}, line {number}" for number in range(20_000)))
        eventually(lambda seen=seen: copied.size > seen, PATIENCE_S, "some of them")
        worker = victim.worker
        worker.kill()
        for each in (reading, writing):
            each.wait("RUNNING")
        assert victim.worker is not worker
        workers.start()

    # The source keeps what a full batch left over until there is more to read (FileStreamSourceTask.poll).
    file.add("the last line")
    copied.wait_all(file.read())


@pytest.mark.slow
@pytest.mark.no_second_try
@pytest.mark.parametrize("victims", VICTIMS)
def test_connectors_go_on_when_a_server_comes_back(copy, target, victims):
    for name in victims:
        target.servers[name].kill()
    copy.add(5)
    for name in victims:
        target.servers[name].start()

    copy.copied.wait_all(copy.written)
    for each in (copy.source, copy.sink):
        each.wait("RUNNING")


@pytest.mark.slow
def test_what_workers_know_is_read_back_when_all_were_restarted_also_from_compacted_topics(copy, connector, workers, lines, target):
    gone, paused = connector(sink(lines(), copy.topic)), connector(sink(lines(), copy.topic))
    gone.delete()
    paused.do("PUT", "/pause")
    paused.wait("PAUSED")
    config = copy.source.do("GET", "/config")
    workers.stop()
    if target.pulsar:
        compact(target.admin, workers.group)
    workers.start()

    assert set(workers.do("GET", "/connectors")) == {copy.source.name, copy.sink.name, paused.name}
    assert copy.source.do("GET", "/config") == config
    for each in (copy.source, copy.sink):
        each.wait("RUNNING")
    paused.wait("PAUSED")
    copy.add(5)
    copy.wait()  # none twice: the offsets were there


def compact(admin, group):
    """Pulsar's compaction of all of Connect's topics, to its end."""
    places = [(f"{group}-{name}", partition) for name, count in STORAGE.items() for partition in range(count)]
    for topic, partition in places:
        admin.compact(topic, partition)
    for topic, partition in places:
        wait_compacted(admin, topic, partition)
