"""kafka-python."""

import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from protocol import KafkaFailure, line, record_line, records, serve, stay


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


serve({"produce": produce, "consume": consume})
