"""What changes or measures topics, at the level of requests: CreatePartitions 1, DescribeLogDirs 1 and ElectLeaders 1, by hand."""

from ring import wire
from ring.wire import i8, i32

CREATE_PARTITIONS, DESCRIBE_LOG_DIRS, ELECT_LEADERS = 37, 35, 43
PREFERRED = 0


def grow(connection, topic, count, timeout_ms=15000, validate_only=False):
    """CreatePartitions of one topic: (error, message)."""
    row = wire.string(topic) + i32(count) + i32(-1)
    answer = connection.ask(CREATE_PARTITIONS, wire.array([row]) + i32(timeout_ms) + i8(validate_only), 1)
    answer.take(4 + 4)  # throttle time, one row
    answer.string()
    return answer.number("h"), answer.string()


def log_dirs(connection, topic, partitions=(0,)):
    """DescribeLogDirs of a topic: (error, {(topic, partition): size}) of the only directory."""
    row = wire.string(topic) + wire.array(map(i32, partitions))
    answer = connection.ask(DESCRIBE_LOG_DIRS, wire.array([row]), 1)
    answer.take(4 + 4)
    error, _ = answer.number("h"), answer.string()

    def size():
        index, stored, _, _ = answer.number("i"), answer.number("q"), answer.number("q"), answer.number("b")
        return index, stored

    topics = answer.array(lambda: (answer.string(), answer.array(size)))
    return error, {(name, index): stored for name, rows in topics for index, stored in rows}


def elect(connection, topic, partition):
    """ElectLeaders of one partition: (error, message)."""
    row = wire.string(topic) + wire.array([i32(partition)])
    answer = connection.ask(ELECT_LEADERS, i8(PREFERRED) + wire.array([row]) + i32(15000), 1)
    answer.take(4 + 2 + 4)  # throttle time, error of the whole, one topic
    answer.string()
    answer.take(4 + 4)  # one partition, its index
    return answer.number("h"), answer.string()
