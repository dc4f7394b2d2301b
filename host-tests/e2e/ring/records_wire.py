"""DeleteRecords 1 at the level of requests, by hand."""

from ring import wire
from ring.wire import i32, i64

DELETE_RECORDS = 21
HIGH_WATERMARK = -1
POLICY_VIOLATION = 44


def delete(connection, topic, offset, partition=0, timeout_ms=15000):
    """(error, low watermark) of one partition."""
    return delete_all(connection, {(topic, partition): offset}, timeout_ms)[topic, partition]


def delete_all(connection, offsets, timeout_ms=15000):
    """{(topic, partition): (error, low watermark)} of `offsets`, {(topic, partition): offset}."""
    topics = {}
    for (topic, partition), offset in offsets.items():
        topics.setdefault(topic, []).append(i32(partition) + i64(offset))
    body = wire.array(wire.string(topic) + wire.array(rows) for topic, rows in topics.items()) + i32(timeout_ms)
    answer = connection.ask(DELETE_RECORDS, body, 1)
    answer.take(4)  # throttle time
    found = {}
    for topic, rows in answer.array(lambda: (answer.string(), answer.array(lambda: _row(answer)))):
        found.update({(topic, partition): (error, low) for partition, low, error in rows})
    return found


def _row(answer):
    return answer.number("i"), answer.number("q"), answer.number("h")
