"""Kafka Connect with Debezium: the rows of a PostgreSQL table, and every change of them, as records with their schemas."""

import json
import platform
import shutil
import tempfile
from pathlib import Path

import pytest
from ring import programs, wire
from ring.connect import Workers
from ring.postgres import Postgres
from ring.reading import read_all
from ring.waiting import eventually

# What PostgreSQL's programs are built for.
pytestmark = [
    pytest.mark.skipif((platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="PostgreSQL for Linux on x86-64"),
    pytest.mark.rarely_on_kafka,
    pytest.mark.no_second_try,
]
PATIENCE_S = 240
# So many that some of them are still to come when the first is there.
ROWS, MORE_ROWS = range(1000, 9000), range(9000, 10000)
JSON = "org.apache.kafka.connect.json.JsonConverter"


@pytest.fixture
def database(tmp_path):
    # Not below pytest's folders, which only their owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="isthmus-postgres-", dir="/tmp"))
    folder.chmod(0o755)
    with Postgres(folder, tmp_path / "postgres.log") as started:
        yield started
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def workers(target, tmp_path, new_name):
    """One worker that has Debezium."""
    made = Workers(tmp_path, target.bootstrap, new_name(), names=["one"], plugins=[programs.debezium()])
    made.start()
    yield made
    made.kill()


def captured(database, prefix):
    """The configuration of a connector for the table `parcels`, whose records go to PREFIX.public.parcels."""
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "publication.autocreate.mode": "filtered",
        "slot.name": "isthmus",
        "database.hostname": "127.0.0.1",
        "database.port": str(database.port),
        "database.user": database.user,
        "database.dbname": "postgres",
        "topic.prefix": prefix,
        "table.include.list": "public.parcels",
        "max.batch.size": "100",
        "max.queue.size": "200",
        "key.converter": JSON,
        "value.converter": JSON,
    }


def read(java, target, topic, count):
    """(key, value) of the first `count` records, without their schemas; a tombstone's value is None."""
    found = java.consume(target.bootstrap, topic, count=count, timeout_ms=PATIENCE_S * 1000)
    return [(payload(record["key"]), payload(record["value"])) for record in found]


def payload(text):
    return None if text is None else json.loads(bytes.fromhex(text))["payload"]


@pytest.mark.slow
def test_rows_and_their_changes_arrive_and_none_is_missed_when_the_worker_dies(database, workers, java, target, new_name, connection):
    prefix = new_name()
    topic = f"{prefix}.public.parcels"
    database.run("create table parcels (id int primary key, place text)", "insert into parcels values (1, 'Kiel'), (2, 'Oslo')")
    source = workers.connector(f"{prefix}-source", captured(database, prefix))
    eventually(lambda: connection.metadata([topic])[0][topic][0] == wire.NONE, PATIENCE_S, "the topic")
    assert [(key, value["op"], value["after"]) for key, value in read(java, target, topic, 2)] == [
        ({"id": 1}, "r", {"id": 1, "place": "Kiel"}),
        ({"id": 2}, "r", {"id": 2, "place": "Oslo"}),
    ]

    database.run("insert into parcels values (3, 'Bonn')")
    database.run("update parcels set place = 'Bergen' where id = 2", "delete from parcels where id = 1")
    inserted, updated, deleted, tombstone = read(java, target, topic, 6)[2:]
    assert (inserted[1]["op"], inserted[1]["before"], inserted[1]["after"]) == ("c", None, {"id": 3, "place": "Bonn"})
    assert (updated[0], updated[1]["op"], updated[1]["after"]) == ({"id": 2}, "u", {"id": 2, "place": "Bergen"})
    assert (deleted[0], deleted[1]["op"], deleted[1]["after"]) == ({"id": 1}, "d", None)
    assert tombstone == ({"id": 1}, None)
    before = read_all(connection, topic)
    assert json.loads(before[0].value)["schema"]["name"] == f"{prefix}.public.parcels.Envelope"

    database.run(f"insert into parcels select n, 'here' from generate_series({ROWS[0]}, {ROWS[-1]}) n")
    seen = lambda: {json.loads(record.key)["payload"]["id"] for record in read_all(connection, topic)}  # noqa: E731
    eventually(lambda: connection.list_offset(topic, wire.LATEST)[2] > before[-1].offset + 1, PATIENCE_S, "some of the rows")
    workers.kill()
    assert 0 < len(seen() & {*ROWS}) < len(ROWS), "the crash was in the middle"
    database.run(f"insert into parcels select n, 'here' from generate_series({MORE_ROWS[0]}, {MORE_ROWS[-1]}) n")
    workers.start()
    source.wait("RUNNING")

    eventually(lambda: seen() >= {*ROWS, *MORE_ROWS}, PATIENCE_S, "every row")
