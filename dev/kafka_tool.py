"""Runs one of Apache Kafka's console tools: `dev/kafka-tool console-producer --bootstrap-server ...`."""

import os
import sys

from dev import install, tools
from dev.errors import DevError, main_guard

# Names as Kafka's own scripts have them, without `kafka-` and `.sh`.
MAIN_CLASSES = {
    "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "cluster": "org.apache.kafka.tools.ClusterTool",
    "configs": "kafka.admin.ConfigCommand",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
}


def command(name, arguments):
    """The command line of the tool, installed first where it is not."""
    main_class = MAIN_CLASSES.get(name.removeprefix("kafka-").removesuffix(".sh"))
    if main_class is None:
        raise DevError(f"no tool {name}: there are {', '.join(MAIN_CLASSES)}.")
    tools.require("java")
    jars = install.kafka()
    quiet = "-Dlog4j2.level=WARN"
    return ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", quiet, "-cp", f"{jars}/*", main_class, *arguments]


def main():
    """Become the tool."""
    if len(sys.argv) < 2:
        raise DevError(f"usage: dev/kafka-tool NAME ARGUMENTS, where NAME is one of {', '.join(MAIN_CLASSES)}.")
    argv = command(sys.argv[1], sys.argv[2:])
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main_guard(main)
