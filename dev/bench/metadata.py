"""Metadata of many topics, and the requests of admin clients, through the filter and on Apache Kafka, in one run.

Bare: the same questions about partition counts, put to Pulsar itself, all at once on one connection.
"""

import os
import time
from dataclasses import dataclass
from statistics import median

from dev import tools, wasm
from dev.bench.folder import scratch_folder
from dev.bench.groups import percentile, timed
from dev.bench.idle import allow_files
from dev.bench.pulsar_count import Counter
from dev.bench.report import verdict
from dev.bench.topic_client import Client, until_seen
from dev.errors import DevError
from dev.servers import Envoy, Kafka, Pulsar, free_ports

# What the filter is to reach, p50 of the largest number of topics, warm.
WARM_TARGET_MS = 50
# Two configurations that Pulsar has policies for.
CONFIGS = {b"retention.ms": b"3600000", b"max.message.bytes": b"500000"}
CREATED_AT_ONCE = 50
# 10,000 partitions with a ledger and a deduplication cursor each; Kafka's with a log each.
PULSAR_HEAP_MIB = 1536
KAFKA_HEAP_MIB = 1024
FILES_PER_PARTITION = 1.5


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    rounds: int = 3
    sizes: tuple = (1, 100, 1000)
    partitions: int = 10
    warm: int = 50
    cold: int = 3
    admin_topics: int = 100

    def quick(self):
        """To see that it works: the figures mean nothing."""
        return Plan(rounds=1, sizes=(1, 20), warm=10, cold=1, admin_topics=10)


def main(plan, keep=False):
    """Run it and print the tables."""
    tools.require("rustup", "cargo", "cc", "java")
    module = wasm.build()
    allow_files(int(FILES_PER_PARTITION * max(plan.sizes) * plan.partitions))
    begun = time.perf_counter()
    with scratch_folder(keep) as folder:
        kafka_port, *_ = free_ports(1)
        pulsar = Pulsar(folder / "pulsar", kafka_port=kafka_port, heap_mib=PULSAR_HEAP_MIB, log_level="warn")
        envoy = Envoy(folder / "envoy", pulsar, module, kafka_port=kafka_port, concurrency=2, log_level="warn")
        settings = {"log.index.size.max.bytes": 65536}
        kafka = Kafka(folder / "kafka", settings=settings, heap_mib=KAFKA_HEAP_MIB, log_level="warn")
        print(f"load average before the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        with pulsar, envoy, kafka:
            run = Run(plan, pulsar, envoy, kafka)
            run.everything()
            run.show()
    print(f"\nall of it took {time.perf_counter() - begun:.0f} s")


class Run:
    """One run; seconds by what was done, how many topics, and with whom; a list with one value for each time."""

    def __init__(self, plan, pulsar, envoy, kafka):
        self.plan = plan
        self.pulsar = pulsar
        self.envoy = envoy
        self.ports = {"filter": envoy.kafka_port, "kafka": kafka.port}
        self.names = [f"bench-{number:04}".encode() for number in range(max(plan.sizes))]
        self.times = {}

    def everything(self):
        """The topics, then the rounds; who is first changes from round to round."""
        self.make_topics()
        for number in range(-1, self.plan.rounds):
            turn = ["filter", "kafka", "bare"] if number % 2 else ["bare", "kafka", "filter"]
            for who in turn:
                for size in self.plan.sizes:
                    if who == "bare":
                        self.bare(number, size)
                    else:
                        self.warm(who, number, size)
            print(f"round {number + 1} of {self.plan.rounds}", flush=True)
        for number in range(self.plan.cold):
            for size in self.plan.sizes:
                for listing in (False, True):
                    self.cold("filter", number, size, listing)
                    self.cold("kafka", number, size, listing)
            print(f"cold {number + 1} of {self.plan.cold}", flush=True)
        for number in range(-1, self.plan.rounds):
            for who in ("filter", "kafka") if number % 2 else ("kafka", "filter"):
                self.admin(who, number)
            print(f"admin requests {number + 1} of {self.plan.rounds}", flush=True)

    def make_topics(self):
        """On both."""
        for who, port in self.ports.items():
            client = Client(port)
            begun = time.perf_counter()
            for start in range(0, len(self.names), CREATED_AT_ONCE):
                client.create(self.names[start : start + CREATED_AT_ONCE], self.plan.partitions)
            seconds = time.perf_counter() - begun
            until_seen(lambda: self.check(client, self.names, len(self.names)))
            client.close()
            print(f"{who}: {len(self.names)} topics of {self.plan.partitions} partitions made in {seconds:.1f} s", flush=True)

    def note(self, number, times, *key):
        """Figures of a round; those of the first do not count."""
        if number >= 0:
            self.times.setdefault(key, []).extend(times)

    def warm(self, who, number, size):
        """One request after the other on one connection, by name; where all topics are asked for by name, then by none."""
        client = Client(self.ports[who])
        names = self.names[:size]
        self.check(client, names, size)
        self.note(number, timed(self.plan.warm, lambda _: client.metadata(names)), "warm, by name", size, who)
        if size == len(self.names):
            self.check(client, None, size)
            self.note(number, timed(self.plan.warm, lambda _: client.metadata(None)), "warm, all topics", size, who)
        client.close()

    def check(self, client, names, size):
        """Every partition is told."""
        told = client.partitions_in(client.metadata(names))
        if told != size * self.plan.partitions:
            raise DevError(f"{told} partitions of {size} topics are told.")

    def bare(self, number, size):
        """What the broker needs for the counts."""
        counter = Counter(self.pulsar.port)
        topics = [b"persistent://public/default/" + name for name in self.names[:size]]
        counter.ask_all(topics)
        self.note(number, timed(self.plan.warm, lambda _: counter.ask_all(topics)), "warm, by name", size, "bare")
        counter.close()

    def cold(self, who, number, size, listing):
        """The first request of a client: the filter's workers are fresh; Kafka's broker has all in its memory."""
        if listing and size < len(self.names):
            return
        if who == "filter":
            self.envoy.stop()
            self.envoy.start()
        names = None if listing else self.names[:size]
        begun = time.perf_counter()
        client = Client(self.ports[who])
        client.metadata(names)
        seconds = time.perf_counter() - begun
        self.check(client, names, size)
        client.close()
        self.note(number, [seconds], "cold, all topics" if listing else "cold, by name", size, who)

    def admin(self, who, number):
        """CreateTopics, plain and with configurations, and DescribeConfigs; the topics are deleted again."""
        client = Client(self.ports[who])
        size = self.plan.admin_topics
        for what, configs in (("CreateTopics", {}), ("CreateTopics, 2 configs", CONFIGS)):
            names = [f"admin-{number}-{len(configs)}-{topic}".encode() for topic in range(size)]
            self.note(number, timed(1, lambda _: client.create(names, 1, configs)), what, size, who)
            if configs:
                until_seen(lambda: client.describe_configs(names))
                self.note(number, timed(1, lambda _: client.describe_configs(names)), "DescribeConfigs", size, who)
            self.note(number, timed(1, lambda _: client.delete(names)), "DeleteTopics", size, who)
        client.close()

    def show(self):
        """The tables."""
        print(f"\nMetadata, topics of {self.plan.partitions} partitions, ms")
        print(f"{self.plan.rounds} rounds of {self.plan.warm} requests, one after the other; {self.plan.cold} cold ones")
        for what, size in dict.fromkeys(key[:2] for key in self.times):
            contestants = [who for who in ("filter", "kafka", "bare") if (what, size, who) in self.times]
            middle = {who: median(self.times[what, size, who]) * 1000 for who in contestants}
            cells = [f"{who} {middle[who]:8.2f} / {self.late(what, size, who):8.2f}" for who in contestants]
            ratio = middle["filter"] / middle["kafka"]
            print(f"{what:24} {size:5} topics   p50 / p99: {'   '.join(cells)}   filter / kafka {ratio:.2f}")
        largest = max(self.plan.sizes)
        for what in ("warm, by name", "warm, all topics"):
            reached = median(self.times[what, largest, "filter"]) * 1000
            print(f"{what}, {largest} topics: {verdict(reached, WARM_TARGET_MS, -1)} ms at p50")

    def late(self, *key):
        """In ms."""
        return percentile(self.times[key], 99) * 1000
