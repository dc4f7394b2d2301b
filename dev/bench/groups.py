"""Consumer groups through the filter, beside Apache Kafka's and beside bare sends to Pulsar, in one run.

Each round does everything once with each; who is first changes from round to round.
"""

import os
import time
from dataclasses import dataclass
from statistics import median, quantiles

from dev import tools, wasm
from dev.bench.folder import scratch_folder
from dev.bench.group_client import Connection, Group
from dev.bench.pulsar_send import Producer
from dev.bench.report import verdict
from dev.errors import DevError
from dev.servers import Envoy, Kafka, Pulsar, free_ports

# What the filter is to reach: of a bare send's p50, of Apache Kafka's time, and seconds.
COMMIT_TARGET = 1.5
REBALANCE_TARGET = 1.5
LOAD_TARGET_S = 1.0

DELAY_MS = 1000
TOPIC = b"bench"
PARTITIONS_PER_COMMIT = 1000
# About what an entry with one commit has.
BARE_BYTES = 120


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    rounds: int = 5
    commits: int = 2000
    sizes: tuple = (2, 10, 100)
    rebalances: int = 5
    offsets: int = 10_000

    def quick(self):
        """To see that it works: the figures mean nothing."""
        return Plan(rounds=1, commits=100, rebalances=2)


def main(plan, keep=False):
    """Run it and print the tables."""
    tools.require("rustup", "cargo", "cc", "java")
    module = wasm.build()
    with scratch_folder(keep) as folder:
        kafka_port, *_ = free_ports(1)
        pulsar = Pulsar(folder / "pulsar", kafka_port=kafka_port, log_level="warn")
        delay = {"group_initial_rebalance_delay_ms": DELAY_MS}
        envoy = Envoy(folder / "envoy", pulsar, module, kafka_port=kafka_port, concurrency=2, filter_config=delay, log_level="warn")
        kafka = Kafka(folder / "kafka", settings={"group.initial.rebalance.delay.ms": DELAY_MS}, log_level="warn")
        print(f"load average before the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        with pulsar, envoy, kafka:
            run = Run(plan, pulsar, envoy, kafka)
            run.everything()
            run.show()


class Run:
    """One run; figures by name and contestant, a list with one value for each time."""

    def __init__(self, plan, pulsar, envoy, kafka):
        self.plan = plan
        self.pulsar = pulsar
        self.envoy = envoy
        self.ports = {"filter": envoy.kafka_port, "kafka": kafka.port}
        self.commits = {"filter": [], "kafka": [], "bare": []}
        self.rebalances = {}
        self.loads = []

    def everything(self):
        """A round that is not counted, then the rounds, then the load of a large group."""
        for port in self.ports.values():
            connection = Connection(port)
            # Apache Kafka takes no commit for a topic that it does not have.
            connection.create_topic(TOPIC)
            connection.close()
        for number in range(-1, self.plan.rounds):
            turn = ["filter", "kafka", "bare"] if number % 2 else ["bare", "kafka", "filter"]
            for who in turn:
                latencies = self.bare(number) if who == "bare" else self.commit(who, number)
                if number >= 0:
                    self.commits[who].append(latencies)
            for size in self.plan.sizes:
                for who in ("filter", "kafka"):
                    first, again = self.rebalance(who, number, size)
                    if number >= 0:
                        self.rebalances.setdefault(("first", size, who), []).append(first)
                        self.rebalances.setdefault(("again", size, who), []).extend(again)
            print(f"round {number + 1} of {self.plan.rounds}", flush=True)
        for _ in range(max(1, self.plan.rounds)):
            self.loads.append(self.load())

    def commit(self, who, number):
        """One commit after the other, of one partition; seconds each."""
        connection = Connection(self.ports[who])
        group = f"commits-{number}".encode()
        connection.find_coordinator(group)
        connection.commit(group, TOPIC, {0: 0})
        times = timed(self.plan.commits, lambda n: connection.commit(group, TOPIC, {0: n}))
        connection.close()
        return times

    def bare(self, number):
        """The same number of durable writes."""
        producer = Producer(self.pulsar.port, f"persistent://public/default/bare-{number}".encode())
        producer.send(b"x" * BARE_BYTES)
        times = timed(self.plan.commits, lambda _: producer.send(b"x" * BARE_BYTES))
        producer.close()
        return times

    def rebalance(self, who, number, size):
        """Seconds of the first round, and of each in which all members join again."""
        with Group(self.ports[who], f"group-{number}-{size}".encode(), size) as group:
            (first,) = timed(1, lambda _: group.round())
            return first, timed(self.plan.rebalances, lambda _: group.round())

    def load(self):
        """Seconds from a fresh Envoy to all offsets of a large group."""
        group = b"large"
        connection = Connection(self.envoy.kafka_port)
        connection.find_coordinator(group)
        for start in range(0, self.plan.offsets, PARTITIONS_PER_COMMIT):
            offsets = {partition: partition for partition in range(start, start + PARTITIONS_PER_COMMIT)}
            connection.commit(group, TOPIC, offsets)
        connection.close()
        self.envoy.stop()
        self.envoy.start()
        start = time.perf_counter()
        connection = Connection(self.envoy.kafka_port)
        found = connection.fetch_all(group)
        seconds = time.perf_counter() - start
        connection.close()
        if found != self.plan.offsets:
            raise DevError(f"{found} of {self.plan.offsets} offsets were found again.")
        return seconds

    def show(self):
        """The tables."""
        print(f"\n{self.plan.rounds} rounds of {self.plan.commits} commits, one after the other; medians over the rounds, ms")
        middle = {}
        for who, rounds in self.commits.items():
            p50, p99 = (median([percentile(times, percent) for times in rounds]) * 1000 for percent in (50, 99))
            middle[who] = p50
            print(f"{'bare Pulsar send' if who == 'bare' else who:20} p50 {p50:6.2f}   p99 {p99:6.2f}")
        print(f"filter / bare send at p50: {verdict(middle['filter'] / middle['bare'], COMMIT_TARGET, -1)}")
        told = {"first": f"a new group, initial delay {DELAY_MS} ms", "again": "all members join again"}
        for which, what in told.items():
            print(f"\n{what}, until all have their assignments; medians [least - most], ms")
            for size in self.plan.sizes:
                self.show_rebalance(which, size)
        print(f"\nload of a group with {self.plan.offsets} offsets, from a fresh Envoy: {verdict(median(self.loads), LOAD_TARGET_S, -1)} s")

    def show_rebalance(self, which, size):
        """One row."""
        both = {who: [second * 1000 for second in self.rebalances[which, size, who]] for who in ("filter", "kafka")}
        cells = "   ".join(f"{who} {median(all_):7.1f} [{min(all_):.1f} - {max(all_):.1f}]" for who, all_ in both.items())
        ratio = median(both["filter"]) / median(both["kafka"])
        print(f"{size:4} members   {cells}   filter / kafka {verdict(ratio, REBALANCE_TARGET, -1)}")


def timed(count, work):
    """Seconds of each call."""
    times = []
    for number in range(count):
        start = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - start)
    return times


def percentile(values, percent):
    """By interpolation."""
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]
