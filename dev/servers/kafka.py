"""Apache Kafka: one KRaft broker that is its own controller, to compare with."""

import subprocess

from dev import install, tools
from dev.errors import DevError
from dev.servers.java import java
from dev.servers.ports import LOOPBACK, free_ports
from dev.servers.server import Server
from dev.servers.kafka_probe import serves

# Any 16 bytes in base64 do; a fixed one lets a data folder be used again.
CLUSTER_ID = "aXN0aG11cy1kZXYtMDAwMQ"


class Kafka(Server):
    """Apache Kafka of `install.KAFKA_VERSION`; `settings` are further server properties, as a mapping; they win."""

    name = "kafka"

    def __init__(self, data, port=None, settings=None, heap_mib=384, log_level="info", log_path=None):
        super().__init__(data, log_path)
        spare = free_ports(2)
        self.port = port or spare[0]
        self.controller_port = spare[1]
        self.settings = settings or {}
        self.heap_mib = heap_mib
        self.log_level = log_level

    @property
    def bootstrap(self):
        """What Kafka clients take as bootstrap server."""
        return f"{LOOPBACK}:{self.port}"

    def properties(self):
        """The server's properties."""
        return {
            "node.id": 1,
            "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
            "log.dirs": self.data / "logs",
            "num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            **self.settings,
        }

    def prepare(self):
        """Install the jars, write the properties, format the data folder where it is new."""
        tools.require("java")
        self.jars = install.kafka()
        lines = "".join(f"{key}={value}\n" for key, value in self.properties().items())
        (self.data / "server.properties").write_text(lines)
        if not (self.data / "logs" / "meta.properties").exists():
            self.format()

    def java(self, main):
        """A command line that runs `main` of these jars."""
        return [*java(self.jars, self.data, self.heap_mib, self.log_level), main]

    def format(self):
        """Give the data folder its cluster id."""
        options = ["-t", CLUSTER_ID, "-c", self.data / "server.properties"]
        done = subprocess.run(
            [*self.java("kafka.tools.StorageTool"), "format", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise DevError(f"Kafka's data folder could not be formatted: {(done.stderr or done.stdout).strip()}")

    def command(self):
        """The broker."""
        return [*self.java("kafka.Kafka"), self.data / "server.properties"]

    def ready(self):
        """A Kafka round trip."""
        return serves(LOOPBACK, self.port)
