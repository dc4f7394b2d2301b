"""The servers of the end-to-end comparison, and the ways to them.

The filter, a native client, a native client behind a plain hop, and one that has no more batches in flight than Kafka's may have.
"""

import contextlib
import http.client
import json
from dataclasses import dataclass
from pathlib import Path

from dev.errors import DevError
from dev.servers import Envoy, Pulsar, free_ports
from dev.servers.ports import LOOPBACK
from dev.servers.server import http_status

# A Pulsar client behind the hop is told the hop's address, not the broker's, when it asks for this listener.
HOP_LISTENER = "hop"

# `max.in.flight.requests.per.connection`: no idempotent producer may have more (KafkaProducer).
KAFKA_IN_FLIGHT = 5

# Nothing of this changes speed: a bench writes some 10 GB, and what is deleted should leave the disk while it runs.
HOUSEKEEPING = {"gcWaitTime": 60000, "journalMaxBackups": 1}


class Hop(Envoy):
    """Envoy without the filter."""

    name = "hop"

    def ready(self):
        """There is no Kafka behind it."""
        return http_status(self.admin_port, "/ready") == 200


@dataclass(frozen=True)
class Contestant:
    """A way to the broker: the client's protocol, what it is told, and the Envoy on the way, if any."""

    name: str
    protocol: str
    options: dict
    envoy: Envoy | None = None
    works: tuple = ("produce", "consume", "latency")


class Servers:
    """Pulsar as `make run` sets it up, Envoy with the filter, and Envoy without it."""

    def __init__(self, folder, module, concurrency):
        kafka_port, hop_port, port = free_ports(3)
        listeners = {"internal": port, "kafka": kafka_port, HOP_LISTENER: hop_port}
        advertised = ",".join(f"{name}:pulsar://{LOOPBACK}:{at}" for name, at in listeners.items())
        self.pulsar = Pulsar(
            folder / "pulsar",
            port=port,
            kafka_port=kafka_port,
            settings={"advertisedListeners": advertised, **HOUSEKEEPING},
            log_level="warn",
        )
        self.filter = Envoy(
            folder / "envoy", self.pulsar, module, kafka_port=kafka_port, concurrency=concurrency, log_level="warn"
        )
        template = Path(__file__).with_name("tcp_proxy.yaml")
        self.hop = Hop(
            folder / "hop", self.pulsar, module, kafka_port=hop_port, concurrency=concurrency, template=template
        )
        native = {"address": self.pulsar.address}
        self.contestants = [
            Contestant("native", "pulsar", native),
            Contestant("filter", "kafka", {"address": self.filter.bootstrap}, self.filter),
            Contestant("native-5", "pulsar", {**native, "batches_in_flight": KAFKA_IN_FLIGHT}, works=("produce",)),
            Contestant("tcp_proxy", "pulsar", {"address": self.hop.bootstrap, "listener": HOP_LISTENER}, self.hop),
        ]

    @contextlib.contextmanager
    def running(self):
        """All of them."""
        with self.pulsar, self.filter, self.hop:
            yield self

    def create_topic(self, topic, partitions=1):
        """A topic of so many partitions."""
        self._admin("PUT", topic, str(partitions))

    def delete_topic(self, topic):
        """Also where something still reads it."""
        self._admin("DELETE", topic)

    def _admin(self, method, topic, body=None):
        connection = http.client.HTTPConnection(LOOPBACK, self.pulsar.web_port, timeout=60)
        path = f"/admin/v2/persistent/public/default/{topic}/partitions?force=true"
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            told = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise DevError(f"{method} {path} was answered {answer.status}: {told.decode(errors='replace')[:200]}")

    def deduplication(self):
        """Whether the broker deduplicates, as it says itself: it does so for every client or for none."""
        connection = http.client.HTTPConnection(LOOPBACK, self.pulsar.web_port, timeout=60)
        try:
            connection.request("GET", "/admin/v2/brokers/configuration/runtime")
            return json.load(connection.getresponse())["brokerDeduplicationEnabled"] == "true"
        finally:
            connection.close()
