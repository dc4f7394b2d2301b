"""MirrorMaker 2 in its dedicated mode: one process, without a Connect cluster of its own."""

from dev import install, tools
from dev.servers.connect import FILE_CONNECTORS, write_properties
from dev.servers.java import java
from dev.servers.server import Server

MAIN_CLASS = "org.apache.kafka.connect.mirror.MirrorMaker"
STARTED = "Kafka MirrorMaker started"

# They print all their settings whenever a task is started anew.
QUIET = [
    f"org.apache.kafka.clients.{name}Config" for name in ("admin.AdminClient", "consumer.Consumer", "producer.Producer")
]

# Clusters of one broker: the defaults are 2 for topics and 3 for what MirrorMaker keeps for itself.
ONE_REPLICA = dict.fromkeys(
    (
        "replication.factor",
        "checkpoints.topic.replication.factor",
        "heartbeats.topic.replication.factor",
        "offset-syncs.topic.replication.factor",
        "config.storage.replication.factor",
        "offset.storage.replication.factor",
        "status.storage.replication.factor",
    ),
    1,
)


class MirrorMaker(Server):
    """MirrorMaker of `install.KAFKA_VERSION` between `clusters`, {alias: bootstrap}.

    `flows` are pairs of aliases, source and target. `settings` are further properties, as a mapping; they win.
    It counts as ready when it has started its workers; what they do begins some seconds later.
    """

    name = "mirror-maker"
    stop_patience_s = 60

    def __init__(self, data, clusters, flows, settings=None, heap_mib=256, log_level="info", log_path=None):
        super().__init__(data, log_path)
        self.clusters = clusters
        self.flows = flows
        self.settings = settings or {}
        self.heap_mib = heap_mib
        self.log_level = log_level

    def properties(self):
        """What its one file says."""
        return {
            "clusters": ", ".join(self.clusters),
            **{f"{alias}.bootstrap.servers": bootstrap for alias, bootstrap in self.clusters.items()},
            **{f"{source}->{target}.enabled": "true" for source, target in self.flows},
            **ONE_REPLICA,
            **self.settings,
        }

    def prepare(self):
        """Install the jars, write the properties, and remember where the log of this life begins."""
        tools.require("java")
        self.jars = install.connect()
        write_properties(self.data / "mirror-maker.properties", self.properties())
        self.log_start = self.log_path.stat().st_size if self.log_path.exists() else 0

    def command(self):
        """The process."""
        flags = ["-XX:TieredStopAtLevel=1"]
        return [
            *java(self.jars, self.data, self.heap_mib, self.log_level, *flags, quiet=QUIET, without=[FILE_CONNECTORS]),
            MAIN_CLASS,
            self.data / "mirror-maker.properties",
        ]

    def ready(self):
        """It serves nobody, so its log must tell."""
        return self.said(STARTED)

    def said(self, words):
        """Whether `words` stand in its log since its last start."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return words.encode() in log.read()
