"""Apache Kafka and the target with MirrorMaker between them: what stood there before it came, and what comes of it."""

import functools
import zlib

from ring import config_wire, group_wire, samples, wire
from ring.waiting import eventually

from dev.servers import MirrorMaker

# As MirrorMaker calls the two clusters. Topics get the alias of the cluster they come from.
KAFKA, THERE = "kafka", "there"
# Of Kafka's own topic configurations only those that are policies of a Pulsar topic too.
ONLY_POLICIES = r"(?!(retention[.]ms|retention[.]bytes|cleanup[.]policy|max[.]message[.]bytes)$).*"
OFTEN = dict.fromkeys(
    (
        "refresh.topics.interval.seconds",
        "refresh.groups.interval.seconds",
        "sync.topic.configs.interval.seconds",
        "emit.checkpoints.interval.seconds",
        "sync.group.offsets.interval.seconds",
    ),
    1,
)
# Of the worker on each cluster. One that was killed is waited for by the next until its session ends. A task that stops more slowly than it
# is given time for is given up without a commit, and what it has done is done twice: they stop whenever there is something new to mirror.
WORKER = {
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 2000,
    "offset.flush.interval.ms": 1000,
    "task.shutdown.graceful.timeout.ms": 30000,
}
WORKERS = {f"{alias}.{name}": ms for alias in (KAFKA, THERE) for name, ms in WORKER.items()}
PATIENCE_S = 300
KEYS, ROUNDS = 200, 5
OWN_RECORDS = 3  # of the topic that is there before
FIFTY_RECORDS = 10
BACK_RECORDS = len(samples.varied())


class Cluster:
    """One of the two, as the tests look at it."""

    def __init__(self, bootstrap, java):
        self.bootstrap = bootstrap
        self.java = java

    @functools.cached_property
    def connection(self):
        """Opened when it is first used: Pulsar closes one that says nothing for half a minute."""
        return wire.Connection(self.bootstrap)

    def create(self, topic, partitions=1, **configs):
        configs = {name.replace("_", "."): value for name, value in configs.items()}
        assert config_wire.create(self.connection, topic, configs, partitions) == (wire.NONE, None)
        eventually(lambda: self.ends(topic, partitions) == [0] * partitions, PATIENCE_S, f"leaders for {topic}")

    def partitions(self, topic):
        error, found = self.connection.metadata([topic])[0][topic]
        return len(found) if error == wire.NONE else 0

    def ends(self, topic, partitions):
        """The end of each partition, None where it has no leader."""
        self.connection.metadata([topic])
        found = [self.connection.list_offset(topic, wire.LATEST, partition) for partition in range(partitions)]
        return [offset if error == wire.NONE else None for error, _, offset in found]

    def write(self, topic, records):
        return self.java.produce(self.bootstrap, topic, records)

    def content(self, topic, partitions):
        """What each partition holds, in its order, without offsets."""
        assign = [{"topic": topic, "partition": partition, "offset": "earliest"} for partition in range(partitions)]
        found = [[] for _ in range(partitions)]
        for record in self.java.consume(self.bootstrap, topic, assign=assign, timeout_ms=60_000):
            found[record["partition"]].append(samples.content(record))
        return found

    def configs(self, topic):
        """{name: value} of what the topic has for itself."""
        _, _, values = config_wire.describe(self.connection, topic)
        return {name: value.value for name, value in values.items() if value.source == config_wire.DYNAMIC_TOPIC}

    def configure(self, topic, *operations):
        assert config_wire.alter(self.connection, topic, *operations) == (wire.NONE, None)

    def commit(self, group, offsets):
        with group_wire.GroupConnection(self.bootstrap, group) as asked:
            eventually(lambda: asked.coordinators(group)[0][1] == wire.NONE, what=f"a coordinator for {group}")
            eventually(lambda: set(asked.commit(offsets).values()) == {wire.NONE}, what=f"a commit of {group}")

    def committed(self, group):
        """{(topic, partition): offset}"""
        with group_wire.GroupConnection(self.bootstrap, group) as asked:
            error, found = asked.offsets()
        return {place: offset for place, (offset, _, _) in found.items()} if error == wire.NONE else {}


class Mirrors:
    """Two clusters and a MirrorMaker with both directions. Names begin with one prefix, by which it knows what to mirror."""

    def __init__(self, folder, kafka, there, java, prefix):
        self.kafka, self.there = Cluster(kafka, java), Cluster(there, java)
        self.prefix = prefix
        ours = f"{prefix}-.*"
        settings = {
            "topics": ours,
            "groups": ours,
            "config.properties.exclude": ONLY_POLICIES,
            "sync.group.offsets.enabled": "true",
            "offset.lag.max": 0,
            # A task asks for their ends once for each partition that it mirrors.
            "offset.storage.partitions": 1,
            **OFTEN,
            **WORKERS,
        }
        clusters = {KAFKA: kafka, THERE: there}
        self.maker = MirrorMaker(folder, clusters, [(KAFKA, THERE), (THERE, KAFKA)], settings)

    def name(self, word):
        return f"{self.prefix}-{word}"

    def over(self, word):
        """Kafka's topic as it is called there."""
        return f"{KAFKA}.{self.name(word)}"

    def back(self, word):
        """The topic from there as it is called on Kafka."""
        return f"{THERE}.{self.name(word)}"

    def furnish(self):
        """What is there before MirrorMaker."""
        self.furnish_kafka()
        self.furnish_there()

    def furnish_kafka(self):
        kafka = self.kafka
        kafka.create(self.name("hundred"), 100)
        kafka.create(self.name("fifty"), 100)
        kafka.create(self.name("varied"), 2)
        kafka.create(self.name("moving"))
        kafka.create(self.name("load"), 4)
        kafka.create(self.name("configured"), cleanup_policy="compact,delete", retention_ms="90001", max_message_bytes="20000")
        # More than a Pulsar broker takes. The records are to stay until they are compared.
        kafka.create(self.name("large"), 3, max_message_bytes="20000000", retention_ms="90000001")
        keys = [b"key %d" % number for number in range(KEYS)]
        rounds = [(key, turn) for turn in range(ROUNDS) for key in keys]
        kafka.write(self.name("hundred"), [samples.record(b"%d" % turn, key, partition=zlib.crc32(key) % 100) for key, turn in rounds])
        for partition in (0, 99):
            kafka.write(self.name("fifty"), [samples.record(b"%d" % n, partition=partition) for n in range(FIFTY_RECORDS)])
        kafka.write(self.name("varied"), samples.varied(0) + samples.varied(1))
        kafka.write(self.name("moving"), [samples.record(b"before") for _ in range(20)])
        places = {(self.name("fifty"), 0): FIFTY_RECORDS, (self.name("fifty"), 99): FIFTY_RECORDS}
        kafka.commit(self.name("done"), places)
        kafka.commit(self.name("halfway"), {(self.name("fifty"), 0): 4})
        kafka.commit(self.name("mover"), {(self.name("moving"), 0): 20})

    def furnish_there(self):
        there = self.there
        there.create(self.over("fifty"), 50)
        there.write(self.over("fifty"), [samples.record(b"own") for _ in range(OWN_RECORDS)])
        there.create(self.name("back"), 2)
        there.write(self.name("back"), samples.varied(0) + samples.varied(1))
        there.commit(self.name("returning"), {(self.name("back"), 0): BACK_RECORDS, (self.name("back"), 1): BACK_RECORDS})
