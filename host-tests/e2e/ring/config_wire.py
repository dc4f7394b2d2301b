"""Configurations at the level of requests: DescribeConfigs 3, IncrementalAlterConfigs 0, AlterConfigs 1 and CreateTopics 4, by hand."""

from dataclasses import dataclass, field

from ring import wire
from ring.wire import i8, i16, i32

DESCRIBE_CONFIGS, ALTER_CONFIGS, INCREMENTAL_ALTER_CONFIGS = 32, 33, 44
TOPIC, BROKER = 2, 4
SET, DELETE, APPEND, SUBTRACT = range(4)
INVALID_TOPIC, INVALID_CONFIG, INVALID_REQUEST = 17, 40, 42

# DescribeConfigsResponse.ConfigSource
DYNAMIC_TOPIC, STATIC_BROKER, DEFAULT = 1, 4, 5


@dataclass
class Value:
    """One configuration as DescribeConfigs tells it."""

    value: str
    read_only: bool
    source: int
    type: int
    synonyms: list = field(default_factory=list)
    documentation: str | None = None


def describe(connection, name, kind=TOPIC, keys=None, synonyms=True, documentation=False):
    """(error, message, {name: Value}) of one resource."""
    wanted = i32(-1) if keys is None else wire.array(map(wire.string, keys))
    body = wire.array([i8(kind) + wire.string(name) + wanted]) + i8(synonyms) + i8(documentation)
    answer = connection.ask(DESCRIBE_CONFIGS, body, 3)
    answer.take(4 + 4)  # throttle time, one result
    error, message = answer.number("h"), answer.string()
    assert (answer.number("b"), answer.string()) == (kind, name)
    return error, message, dict(answer.array(lambda: _config(answer)))


def _config(answer):
    name, value = answer.string(), answer.string()
    read_only, source, _ = answer.number("b"), answer.number("b"), answer.number("b")
    synonyms = answer.array(lambda: (answer.string(), answer.string(), answer.number("b")))
    type_ = answer.number("b")
    return name, Value(value, bool(read_only), source, type_, synonyms, answer.string())


def alter(connection, name, *operations, kind=TOPIC, validate_only=False):
    """IncrementalAlterConfigs with `operations` of (SET, DELETE, APPEND or SUBTRACT, config, value): (error, message)."""
    rows = [wire.string(config) + i8(operation) + wire.string(value) for operation, config, value in operations]
    return _alter(connection, INCREMENTAL_ALTER_CONFIGS, 0, name, rows, kind, validate_only)


def replace(connection, name, configs, kind=TOPIC, validate_only=False):
    """AlterConfigs: `configs` are all that are set afterwards. Returns (error, message)."""
    rows = [wire.string(config) + wire.string(value) for config, value in configs.items()]
    return _alter(connection, ALTER_CONFIGS, 1, name, rows, kind, validate_only)


def _alter(connection, key, version, name, rows, kind, validate_only):
    body = wire.array([i8(kind) + wire.string(name) + wire.array(rows)]) + i8(validate_only)
    answer = connection.ask(key, body, version)
    answer.take(4 + 4)  # throttle time, one row
    return answer.number("h"), answer.string()


def create(connection, name, configs, partitions=1, validate_only=False, timeout_ms=15000):
    """CreateTopics with configurations: (error, message)."""
    rows = [wire.string(config) + wire.string(value) for config, value in configs.items()]
    row = wire.string(name) + i32(partitions) + i16(1) + wire.array([]) + wire.array(rows)
    answer = connection.ask(wire.CREATE_TOPICS, wire.array([row]) + i32(timeout_ms) + i8(validate_only))
    answer.take(4 + 4)
    answer.string()
    return answer.number("h"), answer.string()
