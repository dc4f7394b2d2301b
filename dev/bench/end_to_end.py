"""The end-to-end comparison: the same work through the filter, by a native Pulsar client, and through a plain hop.

In every round each of them does each piece of work once, and who is first changes from round to round: a broker's speed drifts,
and only neighbours can be compared. Each topic is written once by each; all read the one that the filter wrote.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from dev import tools, wasm
from dev.bench import client, idle, report, usage
from dev.bench.contestants import Servers
from dev.bench.folder import scratch_folder
from dev.errors import DevError

IDLE_TOPIC = "idle"
LATENCY_RATE = 100
LATENCY_BYTES = 1024
LATENCY_WARM_UP = 300


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    rounds: int = 5
    # Size of a value in bytes, and how many records are measured.
    sizes: dict = field(default_factory=lambda: {1024: 1_000_000, 100: 4_000_000})
    # Of each run, before its clock starts, in bytes.
    warm_up_bytes: int = 200_000_000
    # The whole of it, not counted, for the broker's sake: a part of each run.
    warm_up_share: float = 0.5
    # Of each topic. With more than one, latency is left out: it is of a single message.
    partitions: int = 1
    latency_messages: int = 2000
    idle_connections: int = 1000
    concurrency: int = 2

    def quick(self):
        """To see that it works: the figures mean nothing."""
        return Plan(
            rounds=min(self.rounds, 2),
            sizes={size: max(1, count // 20) for size, count in self.sizes.items()},
            warm_up_bytes=10_000_000,
            warm_up_share=0,
            partitions=self.partitions,
            latency_messages=200,
            idle_connections=200,
            concurrency=self.concurrency,
        )


def main(plan, keep=False):
    """Run it and print the tables."""
    if not Path("/proc/self/stat").exists():
        raise DevError("the end-to-end comparison reads CPU time from /proc, which is not here: run it on Linux.")
    tools.require("rustup", "cargo", "cc", "java", "mvn")
    module = wasm.build()
    class_path = client.build()
    idle.allow_connections(plan.idle_connections)
    with scratch_folder(keep) as folder:
        print(f"load average before the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        with Servers(folder, module, plan.concurrency).running() as servers:
            results = Run(plan, servers, class_path, folder).everything()
        report.show(results, plan)


class Run:
    """One run of the comparison; `results` maps (work, size, contestant) to what each round gave."""

    def __init__(self, plan, servers, class_path, folder):
        self.plan = plan
        self.servers = servers
        self.class_path = class_path
        self.log_path = folder / "clients.log"
        self.results = report.Results(deduplication=servers.deduplication())

    def everything(self):
        """Idle connections while Envoy is fresh, a round that is not counted, then the rounds."""
        self.servers.create_topic(IDLE_TOPIC)
        self.results.idle = idle.measure(self.servers.filter, IDLE_TOPIC, self.plan.idle_connections)
        if self.plan.warm_up_share:
            print("warming up ...", flush=True)
            self.round(-1, self.plan.warm_up_share, report.Results())
        for number in range(self.plan.rounds):
            print(f"round {number + 1} of {self.plan.rounds}", flush=True)
            self.round(number, 1, self.results)
        return self.results

    def round(self, number, share, results):
        """Everything once, by everyone; a round that is not counted does no more than its share of the work."""
        turn = number % len(self.servers.contestants)
        contestants = self.servers.contestants[turn:] + self.servers.contestants[:turn]
        for size, count in self.plan.sizes.items():
            self.throughput(contestants, number, size, max(1, int(count * share)), results)
        for contestant in doing("latency", contestants) if self.plan.partitions == 1 else ():
            self.latency(contestant, number, max(1, int(self.plan.latency_messages * share)), results)

    def throughput(self, contestants, number, size, records, results):
        """Writes a topic each, then reads one of them."""
        amount = {"size": size, "records": records, "warm_up": max(1, self.plan.warm_up_bytes // size), "partitions": self.plan.partitions}
        topics = {one.name: f"bench-{number}-{size}-{one.name}" for one in contestants}
        for contestant in doing("produce", contestants):
            topic = topics[contestant.name]
            self.servers.create_topic(topic, self.plan.partitions)
            self.one("produce", contestant, topic, results, **amount)
            if contestant.name != "filter":
                self.servers.delete_topic(topic)
        for contestant in doing("consume", contestants):
            self.one("consume", contestant, topics["filter"], results, **amount)
        self.servers.delete_topic(topics["filter"])

    def latency(self, contestant, number, messages, results):
        """Single messages there and back."""
        topic = f"bench-{number}-latency-{contestant.name}"
        self.servers.create_topic(topic)
        amount = {"size": LATENCY_BYTES, "records": messages, "warm_up": LATENCY_WARM_UP, "rate": LATENCY_RATE}
        self.one("latency", contestant, topic, results, **amount)
        self.servers.delete_topic(topic)

    def one(self, work, contestant, topic, results, size, records, **amount):
        """One piece of work by one contestant."""
        watched = {"broker": self.servers.pulsar.pid}
        if contestant.envoy:
            watched["envoy"] = contestant.envoy.pid
        options = {**contestant.options, "topic": topic, "size": size, "records": records, **amount}
        figures = client.run(self.class_path, work, contestant.protocol, watched, self.log_path, **options)
        if contestant.envoy:
            figures["resident_bytes"] = usage.resident_bytes(contestant.envoy.pid)
            figures["wasm_bytes"] = usage.wasm_bytes(contestant.envoy.pid)
        results.add(work, size, contestant.name, figures)
        print(f"  {report.line(work, size, contestant.name, figures)}", flush=True)


def doing(work, contestants):
    """Those who take part in it."""
    return [contestant for contestant in contestants if work in contestant.works]
