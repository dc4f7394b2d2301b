"""DeleteRecords: where partitions begin afterwards, for whom, and since when."""

import json

import pytest
from ring import batch, config_wire, wire
from ring.reading import read_all
from ring.records_wire import HIGH_WATERMARK, POLICY_VIOLATION, delete, delete_all
from ring.waiting import eventually

TOOL, OFFSETS = "org.apache.kafka.tools.DeleteRecordsCommand", "org.apache.kafka.tools.GetOffsetShell"
# It takes a second; a slow machine needs longer for the questions alone.
SOON_S = 15
ENTRIES = 5
ENTRY_RECORDS = 3


@pytest.fixture
def filled(connection, topic):
    """A topic with some entries of three records each, and the offsets of its records."""
    for _ in range(ENTRIES):
        assert connection.produce(topic, batch.build([b"x"] * ENTRY_RECORDS)).error == wire.NONE
    return topic, [record.offset for record in read_all(connection, topic, earliest(connection, topic))]


def earliest(connection, topic):
    error, _, offset = connection.list_offset(topic, wire.EARLIEST)
    assert error == wire.NONE
    return offset


def fetched(connection, topic, offset, **options):
    """(error, offsets of the records from `offset` on)."""
    row = connection.fetch([(topic, 0, offset)], max_wait_ms=20000, **options)[topic, 0]
    return row.error, [record.offset for record in batch.records(row.records) if record.offset >= offset]


@pytest.mark.smoke
@pytest.mark.parametrize("at", [3, 7, 14])
def test_the_log_starts_where_it_was_asked_to_at_once(connection, filled, at):
    topic, offsets = filled
    assert delete(connection, topic, offsets[at]) == (wire.NONE, offsets[at])
    assert earliest(connection, topic) == offsets[at]
    assert fetched(connection, topic, offsets[at - 1]) == (wire.OFFSET_OUT_OF_RANGE, [])
    assert fetched(connection, topic, offsets[at]) == (wire.NONE, offsets[at:])
    assert connection.fetch([(topic, 0, offsets[at])])[topic, 0].log_start == offsets[at]


@pytest.mark.smoke
def test_everything_up_to_the_high_watermark_goes_and_what_comes_is_read(connection, filled):
    topic, offsets = filled
    end = connection.list_offset(topic, wire.LATEST)[2]
    assert delete(connection, topic, HIGH_WATERMARK) == (wire.NONE, end)
    assert earliest(connection, topic) == end
    assert fetched(connection, topic, offsets[-1]) == (wire.OFFSET_OUT_OF_RANGE, [])
    first = connection.produce(topic, batch.build([b"next"])).base_offset
    assert fetched(connection, topic, end) == (wire.NONE, [first])


def test_a_start_never_falls_and_never_lies_beyond_the_end(connection, filled, new_name):
    topic, offsets = filled
    end = connection.list_offset(topic, wire.LATEST)[2]
    assert delete(connection, topic, offsets[6]) == (wire.NONE, offsets[6])
    assert delete(connection, topic, offsets[2]) == (wire.NONE, offsets[6])
    for wrong in (end + 1, -2):
        assert delete(connection, topic, wrong) == (wire.OFFSET_OUT_OF_RANGE, -1)
    assert delete(connection, topic, 1, partition=7)[0] == wire.UNKNOWN_TOPIC_OR_PARTITION
    assert delete(connection, new_name(), 1)[0] == wire.UNKNOWN_TOPIC_OR_PARTITION
    assert earliest(connection, topic) == offsets[6]


def test_partitions_of_one_request_are_settled_each_for_itself(connection, new_topic):
    topic = new_topic(partitions=3)
    for partition in (0, 1):
        assert connection.produce(topic, batch.build([b"x"] * 4), partition=partition).error == wire.NONE
    ends = [connection.list_offset(topic, wire.LATEST, partition)[2] for partition in range(3)]
    told = delete_all(connection, {(topic, 0): HIGH_WATERMARK, (topic, 1): ends[1] + 1, (topic, 2): HIGH_WATERMARK, (topic, 9): 0})
    errors = {partition: error for (_, partition), (error, _) in told.items()}
    assert errors == {0: wire.NONE, 1: wire.OFFSET_OUT_OF_RANGE, 2: wire.NONE, 9: wire.UNKNOWN_TOPIC_OR_PARTITION}
    assert [connection.list_offset(topic, wire.EARLIEST, partition)[2] for partition in (0, 2)] == [ends[0], ends[2]]


def test_by_time_nothing_below_the_start_is_found(connection, filled):
    topic, offsets = filled
    assert delete(connection, topic, offsets[4]) == (wire.NONE, offsets[4])
    assert connection.list_offset(topic, batch.TIME)[2] == offsets[4]


def test_a_topic_that_is_only_compacted_keeps_its_records(connection, new_name):
    name = new_name()
    assert config_wire.create(connection, name, {"cleanup.policy": "compact"}) == (wire.NONE, None)
    eventually(lambda: connection.list_offset(name, wire.LATEST)[0] == wire.NONE)
    assert connection.produce(name, batch.build([b"x"] * 3, key=b"k")).error == wire.NONE
    assert delete(connection, name, HIGH_WATERMARK) == (POLICY_VIOLATION, -1)


def test_a_topic_that_is_made_again_starts_at_its_beginning(connection, filled, target):
    topic, offsets = filled
    assert delete(connection, topic, HIGH_WATERMARK)[0] == wire.NONE
    assert connection.delete_topic(topic) == wire.NONE
    eventually(lambda: connection.metadata([topic])[0][topic][0] == wire.UNKNOWN_TOPIC_OR_PARTITION)
    eventually(lambda: connection.create_topic(topic) == wire.NONE)
    eventually(lambda: connection.list_offset(topic, wire.LATEST)[0] == wire.NONE)
    first = eventually(lambda: (row := connection.produce(topic, batch.build([b"x"]))).error == wire.NONE and row).base_offset
    assert eventually(lambda: earliest(connection, topic) == first)
    assert fetched(connection, topic, first) == (wire.NONE, [first])


@pytest.mark.only_on("index", "message-id")
def test_another_envoy_sees_it_soon(target, connection, filled):
    topic, offsets = filled
    with target.envoy_beside("beside-deletions") as envoy, wire.Connection(envoy.bootstrap) as other:
        assert earliest(other, topic) == offsets[0]
        assert fetched(other, topic, offsets[0], partition_max_bytes=1) == (wire.NONE, offsets[:ENTRY_RECORDS])
        assert delete(connection, topic, offsets[10]) == (wire.NONE, offsets[10])
        assert eventually(lambda: earliest(other, topic) == offsets[10], SOON_S)
        behind = offsets[ENTRY_RECORDS]
        assert eventually(lambda: fetched(other, topic, behind, partition_max_bytes=1)[0] == wire.OFFSET_OUT_OF_RANGE, SOON_S)


def test_a_consumer_in_the_middle_goes_on_where_the_log_starts(target, connection, filled, java):
    topic, offsets = filled
    assert delete(connection, topic, offsets[8])[0] == wire.NONE
    read = java.consume(target.bootstrap, topic)
    assert [record["offset"] for record in read] == offsets[8:]


@pytest.mark.smoke
def test_the_tool_deletes_and_the_offsets_tool_shows_it(tool, connection, filled, tmp_path):
    topic, offsets = filled
    wanted = tmp_path / "offsets.json"
    wanted.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": offsets[5]}]}))
    assert f"partition: {topic}-0\tlow_watermark: {offsets[5]}" in tool(TOOL, "--offset-json-file", str(wanted))
    assert f"{topic}:0:{offsets[5]}" in tool(OFFSETS, "--topic", topic, "--time", "earliest")
    wanted.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": offsets[-1] + 100}]}))
    assert "OffsetOutOfRangeException" in tool(TOOL, "--offset-json-file", str(wanted))


@pytest.mark.only_on("index", "message-id")
def test_the_topic_that_tells_of_it_is_hidden(connection, filled):
    topic, offsets = filled
    assert delete(connection, topic, offsets[1])[0] == wire.NONE
    assert not [name for name in connection.metadata()[0] if name.startswith("__kafka")]
    assert connection.create_topic("__kafka_log_starts") == wire.INVALID_TOPIC
