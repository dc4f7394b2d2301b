"""librdkafka, through confluent-kafka."""

import time

import orders
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, OffsetSpec
from protocol import KafkaFailure, line, places, record_line, records, serve, stay


BATCH = 500
# Where librdkafka abbreviates the names of Kafka's error table.
TABLE_NAMES = {
    "UNKNOWN_TOPIC_OR_PART": "UNKNOWN_TOPIC_OR_PARTITION",
    "MSG_SIZE_TOO_LARGE": "MESSAGE_TOO_LARGE",
    "INVALID_MSG": "CORRUPT_MESSAGE",
    "TOPIC_EXCEPTION": "INVALID_TOPIC_EXCEPTION",
}


def failure(error):
    name = error.name().lstrip("_")
    return KafkaFailure(TABLE_NAMES.get(name, name), error.str())


def produce(command):
    timeout_ms = command.get("timeout_ms", 30000)
    acks = command.get("acks", "all")
    producer = Producer(
        {
            "bootstrap.servers": command["bootstrap"],
            "client.id": command.get("client_id", "e2e-librdkafka"),
            "acks": acks,
            "enable.idempotence": command.get("idempotent", acks == "all"),
            "compression.codec": command.get("codec", "none"),
            "linger.ms": command.get("linger_ms", 20),
            "batch.size": command.get("batch_size", 1000000),
            "message.max.bytes": command.get("max_request_size", 1000000),
            "message.timeout.ms": timeout_ms,
        }
    )

    def acknowledge(index):
        def report(error, message):
            if error is not None:
                line({"failed": {"index": index, "error": failure(error).name, "message": error.str()}})
            else:
                offset = message.offset()
                line(
                    {
                        "ack": {
                            "index": index,
                            "partition": message.partition(),
                            "timestamp": message.timestamp()[1],
                            "offset": -1 if offset is None else offset,
                        }
                    }
                )

        return report

    for index, record in enumerate(records(command)):
        extra = {} if record["timestamp"] is None else {"timestamp": record["timestamp"]}
        if record["partition"] is not None:
            extra["partition"] = record["partition"]
        while True:
            try:
                producer.produce(
                    command["topic"],
                    value=record["value"],
                    key=record["key"],
                    headers=record["headers"],
                    on_delivery=acknowledge(index),
                    **extra,
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(timeout_ms / 1000 + 5):
        raise KafkaFailure("TIMED_OUT", "records left in the queue")
    stay(command)


def start_of(one):
    offset = one["offset"]
    if isinstance(offset, int):
        return offset
    return {"earliest": OFFSET_BEGINNING, "latest": OFFSET_END}[offset]


def consume(command):
    """Without "count", reads until PARTITION_EOF was reported for every partition, as `kcat -C -e` does."""
    consumer = Consumer(
        {
            "bootstrap.servers": command["bootstrap"],
            "client.id": command.get("client_id", "e2e-librdkafka"),
            "group.id": "unused",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "check.crcs": True,
            "fetch.min.bytes": command.get("min_bytes", 1),
            "fetch.wait.max.ms": command.get("max_wait_ms", 200),
            "fetch.message.max.bytes": command.get("max_partition_bytes", 1048576),
        }
    )
    try:
        assignment = [TopicPartition(one["topic"], one["partition"], 0) for one in command["assign"]]
        for partition, one in zip(assignment, command["assign"], strict=True):
            if isinstance(one["offset"], dict):
                partition.offset = one["offset"]["timestamp"]
                partition.offset = consumer.offsets_for_times([partition], timeout=20)[0].offset
            else:
                partition.offset = start_of(one)
        consumer.assign(assignment)
        wanted = command.get("count")
        seen = 0
        ended = set()
        deadline = time.monotonic() + command.get("timeout_ms", 30000) / 1000
        while seen != wanted and not (wanted is None and len(ended) == len(assignment)):
            if time.monotonic() > deadline:
                raise KafkaFailure("DEADLINE", f"deadline passed after {seen} records")
            message = consumer.poll(0.1)
            if message is None:
                continue
            error = message.error()
            if error is None:
                seen += 1
                record_line(
                    message.topic(),
                    message.partition(),
                    message.offset(),
                    message.timestamp()[1],
                    message.key(),
                    message.value(),
                    message.headers(),
                )
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add((message.topic(), message.partition()))
            elif error.fatal() or not error.retriable():
                raise failure(error)
    finally:
        consumer.close()


class Member:
    """A group member until it is told to stop. What was consumed and not yet committed is committed on revocation."""

    def __init__(self, command):
        optional = {
            "group.instance.id": command.get("instance_id"),
            "partition.assignment.strategy": ",".join(command.get("assignors") or []),
            "session.timeout.ms": command.get("session_ms"),
            "heartbeat.interval.ms": command.get("heartbeat_ms"),
            "max.poll.interval.ms": command.get("rebalance_ms"),
            "topic.metadata.refresh.interval.ms": command.get("metadata_ms"),
        }
        self.fatal = None
        self.consumer = Consumer(
            {
                "bootstrap.servers": command["bootstrap"],
                "client.id": command.get("client_id", "e2e-librdkafka"),
                "group.id": command["group"],
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 200,
                "error_cb": self.trouble,
                **{name: value for name, value in optional.items() if value},
            }
        )
        self.policy = command.get("commit", "batch")
        self.uncommitted = {}
        self.consumer.subscribe(command["topics"], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.lost)

    def trouble(self, error):
        """What librdkafka gets over by itself, or the end of this member."""
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.fatal = error
        else:
            line({"trouble": {"error": failure(error).name}})

    def assigned(self, _, partitions):
        line({"assigned": places(partitions)})

    def revoked(self, _, partitions):
        self.commit()
        self.forget(partitions)
        line({"revoked": places(partitions)})

    def lost(self, _, partitions):
        self.forget(partitions)
        line({"lost": places(partitions)})

    def forget(self, partitions):
        for each in partitions:
            self.uncommitted.pop((each.topic, each.partition), None)

    def commit(self):
        """A commit that the coordinator refuses is told, and stays to be done."""
        if not self.uncommitted:
            return
        try:
            self.consumer.commit(offsets=[TopicPartition(*at, offset) for at, offset in self.uncommitted.items()], asynchronous=False)
        except KafkaException as refused:
            line({"refused": {"error": failure(refused.args[0]).name}})
            return
        line({"committed": {"offsets": [[*at, offset] for at, offset in self.uncommitted.items()]}})
        self.uncommitted.clear()

    def take(self, message):
        error = message.error()
        if error is not None:
            self.trouble(error)
            return
        content = (message.timestamp()[1], message.key(), message.value(), message.headers())
        record_line(message.topic(), message.partition(), message.offset(), *content)
        self.uncommitted[message.topic(), message.partition()] = message.offset() + 1
        if self.policy == "record":
            self.commit()

    def work(self, waiting):
        """A record is told before the next poll, where its partition may be revoked; a batch ends where a poll finds nothing."""
        while (order := orders.next_of(waiting)) != "stop":
            if order == "commit":
                self.commit()
            message = self.consumer.poll(0.1)
            for _ in range(BATCH):
                if message is None:
                    break
                self.take(message)
                message = self.consumer.poll(0)
            else:
                if message is not None:
                    self.take(message)
            if self.policy == "batch":
                self.commit()
            if self.fatal is not None:
                raise failure(self.fatal)


def group(command):
    waiting = orders.read()
    member = Member(command)
    try:
        member.work(waiting)
    except KafkaException as exception:
        raise failure(exception.args[0]) from exception
    finally:
        member.consumer.close()


def admin(command):
    client = AdminClient({"bootstrap.servers": command["bootstrap"]})
    timeout = command.get("timeout_ms", 20000) / 1000
    topic = command.get("topic")
    only = command.get("validate_only", False)
    action = command["action"]
    try:
        if action == "create":
            new = NewTopic(topic, num_partitions=command.get("partitions", -1), replication_factor=command.get("replication", -1))
            client.create_topics([new], validate_only=only, request_timeout=timeout)[topic].result()
        elif action == "delete":
            client.delete_topics([topic], request_timeout=timeout)[topic].result()
        elif action == "partitions":
            client.create_partitions([NewPartitions(topic, command["count"])], validate_only=only)[topic].result()
        elif action == "list":
            line({"topics": sorted(client.list_topics(timeout=timeout).topics)})
        elif action == "describe":
            found = client.list_topics(topic, timeout=timeout).topics[topic]
            if found.error is not None:
                raise failure(found.error)
            line(
                {
                    "topic": topic,
                    "partitions": [
                        {"partition": p.id, "leader": p.leader, "replicas": len(p.replicas), "isr": len(p.isrs)}
                        for p in found.partitions.values()
                    ],
                }
            )
        elif action == "offsets":
            at = command["at"]
            spec = {"earliest": OffsetSpec.earliest(), "latest": OffsetSpec.latest(), "max-timestamp": OffsetSpec.max_timestamp()}
            chosen = spec[at] if isinstance(at, str) else OffsetSpec.for_timestamp(at)
            partition = TopicPartition(topic, command["partition"])
            found = client.list_offsets({partition: chosen})[partition].result()
            line({"offset": found.offset, "timestamp": found.timestamp})
        else:
            raise ValueError(f"unknown action {action}")
    except KafkaException as exception:
        raise failure(exception.args[0]) from exception


serve({"produce": produce, "consume": consume, "group": group, "admin": admin})
