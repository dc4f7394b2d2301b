"""The command loop that every Python client of the ring shares: one JSON command per line in, JSON lines out (see ../README.md)."""

import json
import sys
import time


class KafkaFailure(Exception):
    """A failure with its name in Kafka's error table, or the client's own name for it."""

    def __init__(self, name, message):
        super().__init__(message)
        self.name = name


def line(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def unhex(text):
    return None if text is None else bytes.fromhex(text)


def tohex(value):
    return None if value is None else bytes(value).hex()


def records(command):
    """The records listed under "records", or made from the rule under "generate"."""
    rule = command.get("generate")
    if rule is None:
        for record in command["records"]:
            yield {
                "partition": record.get("partition"),
                "key": unhex(record.get("key")),
                "value": unhex(record.get("value")),
                "timestamp": record.get("timestamp"),
                "headers": [(name, unhex(value)) for name, value in record.get("headers") or []],
            }
        return
    start = rule.get("start", 0)
    for number in range(start, start + rule["count"]):
        value = b"%010d" % number
        yield {
            "partition": rule.get("partition", 0),
            "key": None,
            "value": value.ljust(rule.get("size", 10), b"."),
            "timestamp": None,
            "headers": [],
        }


def stay(command):
    """Keep the connections open for as long as the command says, once everything is sent."""
    time.sleep(command.get("stay_ms", 0) / 1000)


def record_line(topic, partition, offset, timestamp, key, value, headers):
    line(
        {
            "record": {
                "topic": topic,
                "partition": partition,
                "offset": offset,
                "timestamp": timestamp,
                "key": tohex(key),
                "value": tohex(value),
                "headers": [[name, tohex(content)] for name, content in headers or []],
            }
        }
    )


def places(partitions):
    """Topic and number of each, as lines have them."""
    return [[each.topic, each.partition] for each in partitions]


def serve(operations):
    while text := sys.stdin.readline():
        command = json.loads(text)
        try:
            operations[command["op"]](command)
            line({"done": True})
        except KafkaFailure as failure:
            line({"error": failure.name, "message": str(failure)})
        except Exception as failure:  # the loop outlives a command that went wrong, and says how
            line({"error": type(failure).__name__, "message": str(failure)})
