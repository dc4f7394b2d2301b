"""Runs one of Apache Kafka's console tools: `dev/kafka-tool console-producer --bootstrap-server ...`."""

import os
import sys

from dev import install, tools
from dev.errors import DevError, main_guard
from dev.servers.connect import DISTRIBUTED, FILE_CONNECTORS, STANDALONE
from dev.servers.java import class_path
from dev.servers.mirror_maker import MAIN_CLASS as MIRROR_MAKER

# Names as Kafka's own scripts have them, without `kafka-` and `.sh`.
MAIN_CLASSES = {
    "acls": "org.apache.kafka.tools.AclCommand",
    "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "cluster": "org.apache.kafka.tools.ClusterTool",
    "configs": "kafka.admin.ConfigCommand",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "features": "org.apache.kafka.tools.FeatureCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "groups": "org.apache.kafka.tools.GroupsCommand",
    "leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "replica-verification": "org.apache.kafka.tools.ReplicaVerificationTool",
    "share-groups": "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
    "streams-application-reset": "org.apache.kafka.tools.StreamsResetter",
    "streams-groups": "org.apache.kafka.tools.streams.StreamsGroupCommand",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
    "verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
}
# Kafka Connect has jars of its own.
WORKERS = {"connect-distributed": DISTRIBUTED, "connect-mirror-maker": MIRROR_MAKER, "connect-standalone": STANDALONE}
CONNECT_CLASSES = {**WORKERS, "connect-plugin-path": "org.apache.kafka.tools.ConnectPluginPath"}
NAMES = sorted([*MAIN_CLASSES, *CONNECT_CLASSES])


def command(name, arguments):
    """The command line of the tool, installed first where it is not."""
    name = name.removeprefix("kafka-").removesuffix(".sh")
    if name not in NAMES:
        raise DevError(f"no tool {name}: there are {', '.join(NAMES)}.")
    tools.require("java")
    level = "INFO" if name in WORKERS else "WARN"
    flags = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", f"-Dlog4j2.level={level}"]
    if name in MAIN_CLASSES:
        return ["java", *flags, "-cp", f"{install.kafka()}/*", MAIN_CLASSES[name], *arguments]
    jars = class_path(install.connect(), without=[FILE_CONNECTORS])
    return ["java", *flags, "-cp", jars, CONNECT_CLASSES[name], *arguments]


def main():
    """Become the tool."""
    if len(sys.argv) < 2:
        raise DevError(f"usage: dev/kafka-tool NAME ARGUMENTS, where NAME is one of {', '.join(NAMES)}.")
    argv = command(sys.argv[1], sys.argv[2:])
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main_guard(main)
