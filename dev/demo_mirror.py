"""`make demo-mirror`: from Apache Kafka to Pulsar with MirrorMaker, step by step, as docs/migration.md tells it.

Everything is shown by Kafka's own tools, and looked at: the exit status says whether all was as it should be.
"""

import contextlib
import tempfile
import time
from pathlib import Path

from dev.errors import main_guard
from dev.paths import ROOT
from dev.servers import Kafka, MirrorMaker
from dev.walk import expect, isthmus, quietly, read_properties, step, tool, until

PROPERTIES = ROOT / "dev" / "connect" / "connect-mirror-maker.properties"

PARTITIONS, RECORDS, READ, NEW = 3, 300, 200, 30
CONFIGS = {"retention.ms": "604800000", "max.message.bytes": "500000"}


def main():
    """Start what is missing, walk through, stop what was started."""
    with contextlib.ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="isthmus-demo-")))
        bootstrap = isthmus(folder, cleanup)
        Walk(folder, bootstrap, cleanup).all()
    print("\nAll of it was as it should be.")


class Walk:
    """The steps, in order. `kafka` and `pulsar` are the two bootstrap addresses."""

    def __init__(self, folder, pulsar, cleanup):
        self.folder = folder
        self.pulsar = pulsar
        self.cleanup = cleanup
        # Whatever else is in that Pulsar, also from an earlier demo, has another name.
        mark = time.strftime("%H%M%S")
        self.topic, self.group = f"orders-{mark}", f"shipping-{mark}"

    def all(self):
        """From an Apache Kafka in use to consumers and producers on Pulsar."""
        self.furnish_kafka()
        self.start_mirror_maker()
        self.look_at_pulsar()
        self.drain()
        self.cut_over()

    def furnish_kafka(self):
        step(f"An Apache Kafka with a topic, {RECORDS} records, and a group that has read {READ} of them")
        kafka = self.cleanup.enter_context(Kafka(self.folder / "kafka"))
        self.kafka = kafka.bootstrap
        configs = [word for name, value in CONFIGS.items() for word in ("--config", f"{name}={value}")]
        create = ["--create", "--topic", self.topic, "--partitions", PARTITIONS, "--replication-factor", 1, *configs]
        tool("topics", self.kafka, *create)
        self.produce(self.kafka, range(RECORDS))
        self.consume(self.kafka, READ)
        self.show_group(self.kafka)

    def start_mirror_maker(self):
        step(f"MirrorMaker, as {PROPERTIES.relative_to(ROOT)} tells it")
        settings = read_properties(PROPERTIES)
        settings |= {"kafka.bootstrap.servers": self.kafka, "pulsar.bootstrap.servers": self.pulsar}
        print(f"$ dev/kafka-tool connect-mirror-maker {PROPERTIES.relative_to(ROOT)}", flush=True)
        maker = MirrorMaker(self.folder / "mirror-maker", {"kafka": self.kafka, "pulsar": self.pulsar}, [], settings)
        self.cleanup.enter_context(maker)
        until(lambda: self.ends(self.pulsar) == self.ends(self.kafka), "every record is on Pulsar")

    def look_at_pulsar(self):
        step("The topic on Pulsar: partitions, configurations, records")
        described = tool("topics", self.pulsar, "--describe", "--topic", self.topic)
        expect(f"PartitionCount: {PARTITIONS}" in described, "the topic has as many partitions as on Kafka")
        for name, value in CONFIGS.items():
            expect(f"{name}={value}" in described, f"{name} is {value}")
        there, here = (self.records(bootstrap) for bootstrap in (self.pulsar, self.kafka))
        expect(
            len(here) == RECORDS and there == here, "partition, offset, timestamp, headers, key, value: all as on Kafka"
        )
        print("\n".join(there[:3]), "...", sep="\n")
        step(f"The group: it has read {READ} of {RECORDS}, and is translated to there or somewhat before, never behind")
        until(lambda: self.committed(self.pulsar), "the group is on Pulsar")
        self.show_group(self.pulsar)
        expect(self.is_not_ahead(), "no offset is beyond the one on Kafka")

    def drain(self):
        step("The consumers read what is left on Kafka, and stop: now the group is translated exactly")
        self.consume(self.kafka, RECORDS - READ)
        until(
            lambda: self.committed(self.pulsar) == self.ends(self.pulsar), "the group is at the end of every partition"
        )
        self.show_group(self.pulsar)

    def cut_over(self):
        step(f"Producers and consumers move: {NEW} records are produced to Pulsar, and the group goes on there")
        self.produce(self.pulsar, range(RECORDS, RECORDS + NEW))
        read = self.consume(self.pulsar, NEW)
        expect(
            sorted(read) == sorted(map(value, range(RECORDS, RECORDS + NEW))),
            "it read the new records and nothing else",
        )
        self.show_group(self.pulsar)

    def produce(self, bootstrap, numbers):
        """Records with key, header and value."""
        properties = ["parse.key=true", "key.separator=:", "parse.headers=true", "headers.delimiter=|"]
        options = [word for each in properties for word in ("--reader-property", each)]
        lines = "".join(f"source:demo|customer-{number % 50}:{value(number)}\n" for number in numbers)
        tool("console-producer", bootstrap, "--topic", self.topic, *options, given=lines)

    def consume(self, bootstrap, count):
        """The values of the group's next `count` records."""
        options = ["--topic", self.topic, "--group", self.group, "--from-beginning", "--max-messages", count]
        return tool("console-consumer", bootstrap, *options, "--timeout-ms", 60000, show=False).splitlines()

    def records(self, bootstrap):
        """Every record with all that the console consumer prints of it, in the order of partitions and offsets."""
        names = ("partition", "offset", "timestamp", "headers", "key")
        options = [word for name in names for word in ("--formatter-property", f"print.{name}=true")]
        printed = tool(
            "console-consumer",
            bootstrap,
            *("--topic", self.topic, "--from-beginning", "--max-messages", RECORDS, "--timeout-ms", 60000),
            *options,
            show=False,
        )
        return sorted(printed.splitlines())

    def ends(self, bootstrap):
        """{partition: end offset} of the topic, empty where it is not there."""
        told = quietly("get-offsets", bootstrap, "--topic", self.topic)
        rows = [line.split(":") for line in told.splitlines() if line.startswith(f"{self.topic}:")]
        return {int(partition): int(end) for _, partition, end in rows}

    def committed(self, bootstrap):
        """{partition: committed offset} of the group, as far as there is one."""
        told = quietly("consumer-groups", bootstrap, "--describe", "--group", self.group, "--offsets")
        rows = [line.split() for line in told.splitlines() if line.startswith(f"{self.group} ")]
        return {int(row[2]): int(row[3]) for row in rows if row[3] != "-"}

    def is_not_ahead(self):
        """Whether the group on Pulsar has passed over nothing that it has not read on Kafka."""
        here, there = self.committed(self.kafka), self.committed(self.pulsar)
        return all(offset <= here.get(partition, 0) for partition, offset in there.items())

    def show_group(self, bootstrap):
        tool("consumer-groups", bootstrap, "--describe", "--group", self.group)


def value(number):
    """The value of a record."""
    return f"order {number:03}"


if __name__ == "__main__":
    main_guard(main)
