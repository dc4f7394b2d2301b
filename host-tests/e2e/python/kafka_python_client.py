"""kafka-python."""

import time

import orders
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import KafkaError
from protocol import KafkaFailure, line, places, record_line, records, serve, stay


def name_of(error):
    """kafka-python names its errors as Kafka's Java classes or as Kafka's table does; the table's name is wanted."""
    return getattr(error, "message", None) or type(error).__name__


def produce(command):
    acks = command.get("acks", "all")
    timeout_ms = command.get("timeout_ms", 30000)
    codec = command.get("codec", "none")
    producer = KafkaProducer(
        bootstrap_servers=command["bootstrap"],
        client_id=command.get("client_id", "e2e-kafka-python"),
        acks=acks if acks == "all" else int(acks),
        enable_idempotence=command.get("idempotent", acks == "all"),
        compression_type=None if codec == "none" else codec,
        linger_ms=command.get("linger_ms", 20),
        batch_size=command.get("batch_size", 16384),
        max_request_size=command.get("max_request_size", 1048576),
        delivery_timeout_ms=timeout_ms,
        request_timeout_ms=min(15000, timeout_ms // 2),
        max_block_ms=timeout_ms,
    )
    try:
        sent = [
            producer.send(
                command["topic"],
                value=record["value"],
                key=record["key"],
                headers=record["headers"],
                partition=record["partition"],
                timestamp_ms=record["timestamp"],
            )
            for record in records(command)
        ]
        producer.flush(timeout=timeout_ms / 1000 + 5)
        for index, future in enumerate(sent):
            report(index, future)
        stay(command)
    finally:
        producer.close(timeout=5)


def report(index, future):
    try:
        stored = future.get(timeout=1)
    except KafkaError as error:
        line({"failed": {"index": index, "error": name_of(error), "message": str(error)}})
        return
    line({"ack": {"index": index, "partition": stored.partition, "offset": stored.offset, "timestamp": stored.timestamp}})


def start(consumer, partition, offset):
    if isinstance(offset, int):
        consumer.seek(partition, offset)
    elif isinstance(offset, dict):
        found = consumer.offsets_for_times({partition: offset["timestamp"]})[partition]
        if found is None:
            consumer.seek_to_end(partition)
        else:
            consumer.seek(partition, found.offset)
    elif offset == "earliest":
        consumer.seek_to_beginning(partition)
    else:
        consumer.seek_to_end(partition)


def consume(command):
    consumer = KafkaConsumer(
        bootstrap_servers=command["bootstrap"],
        client_id=command.get("client_id", "e2e-kafka-python"),
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_min_bytes=command.get("min_bytes", 1),
        fetch_max_wait_ms=command.get("max_wait_ms", 200),
        max_partition_fetch_bytes=command.get("max_partition_bytes", 1048576),
        check_crcs=True,
    )
    try:
        partitions = [TopicPartition(one["topic"], one["partition"]) for one in command["assign"]]
        consumer.assign(partitions)
        for partition, one in zip(partitions, command["assign"], strict=True):
            start(consumer, partition, one["offset"])
        wanted = command.get("count")
        ends = None if wanted is not None else consumer.end_offsets(partitions)
        seen = 0
        deadline = time.monotonic() + command.get("timeout_ms", 30000) / 1000
        while seen != wanted and not (ends and all(consumer.position(p) >= end for p, end in ends.items())):
            if time.monotonic() > deadline:
                raise KafkaFailure("DEADLINE", f"deadline passed after {seen} records")
            for partition, batch in consumer.poll(timeout_ms=100).items():
                for record in batch:
                    if seen != wanted:
                        seen += 1
                        record_line(
                            partition.topic,
                            partition.partition,
                            record.offset,
                            record.timestamp,
                            record.key,
                            record.value,
                            record.headers,
                        )
    except KafkaError as error:
        raise KafkaFailure(name_of(error), str(error)) from error
    finally:
        consumer.close()


ASSIGNORS = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "sticky": StickyPartitionAssignor,
    "cooperative-sticky": CooperativeStickyAssignor,
}


class Member(ConsumerRebalanceListener):
    """A group member until it is told to stop. What was consumed and not yet committed is committed on revocation."""

    def __init__(self, command):
        optional = {
            "group_instance_id": command.get("instance_id"),
            "partition_assignment_strategy": [ASSIGNORS[name] for name in command.get("assignors") or []],
            "session_timeout_ms": command.get("session_ms"),
            "heartbeat_interval_ms": command.get("heartbeat_ms"),
            "max_poll_interval_ms": command.get("rebalance_ms"),
            "metadata_max_age_ms": command.get("metadata_ms"),
        }
        self.consumer = KafkaConsumer(
            bootstrap_servers=command["bootstrap"],
            client_id=command.get("client_id", "e2e-kafka-python"),
            group_id=command["group"],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=200,
            **{name: value for name, value in optional.items() if value},
        )
        self.policy = command.get("commit", "batch")
        self.uncommitted = {}
        self.consumer.subscribe(command["topics"], listener=self)
        # Metadata that comes after the first assignment makes a leader join again, and it forgets that it does so when a poll ends
        # while its SyncGroup is under way (need_rejoin in kafka/coordinator/consumer.py): it beats no more and owns nothing.
        self.consumer.end_offsets([TopicPartition(topic, 0) for topic in command["topics"]])

    def on_partitions_assigned(self, assigned):
        line({"assigned": places(assigned)})

    def on_partitions_revoked(self, revoked):
        self.commit()
        self.forget(revoked)
        line({"revoked": places(revoked)})

    def on_partitions_lost(self, lost):
        self.forget(lost)
        line({"lost": places(lost)})

    def forget(self, partitions):
        for each in partitions:
            self.uncommitted.pop(each, None)

    def commit(self):
        """A commit that the coordinator refuses is told, and stays to be done."""
        if not self.uncommitted:
            return
        try:
            self.consumer.commit({at: OffsetAndMetadata(offset, "", -1) for at, offset in self.uncommitted.items()})
        except KafkaError as refused:
            line({"refused": {"error": name_of(refused)}})
            return
        line({"committed": {"offsets": [[*at, offset] for at, offset in self.uncommitted.items()]}})
        self.uncommitted.clear()

    def work(self, waiting):
        while (order := orders.next_of(waiting)) != "stop":
            if order == "commit":
                self.commit()
            for at, batch in self.consumer.poll(timeout_ms=100).items():
                for record in batch:
                    record_line(at.topic, at.partition, record.offset, record.timestamp, record.key, record.value, record.headers)
                    self.uncommitted[at] = record.offset + 1
                    if self.policy == "record":
                        self.commit()
            if self.policy == "batch":
                self.commit()


def group(command):
    waiting = orders.read()
    member = Member(command)
    try:
        member.work(waiting)
    except KafkaError as error:
        raise KafkaFailure(name_of(error), str(error)) from error
    finally:
        member.consumer.close()


serve({"produce": produce, "consume": consume, "group": group})
