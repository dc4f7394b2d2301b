"""The same script on Apache Kafka and on the target: what a client sees is the same, but for what known_differences.toml lists."""

import contextlib

import pytest
from ring import batch, config_wire, group_wire, records_wire, samples, wire
from ring.clients import ClientError
from ring.differential import assert_same
from ring.reading import read_all
from ring.seats import gather, seat
from ring.waiting import eventually

pytestmark = [pytest.mark.differential, pytest.mark.only_on("index", "message-id")]


class Script:
    """Runs steps on one target and notes what each one gave. Names of topics are the same on both."""

    def __init__(self, target, client, name):
        self.bootstrap = target.bootstrap
        self.client = client
        self.name = name
        self.seen = {}
        self.connection = wire.Connection(target.bootstrap)

    def note(self, step, value):
        assert step not in self.seen, f"two steps are called {step}"
        self.seen[step] = value

    def topic(self, suffix="", partitions=1):
        name = f"{self.name}{suffix}"
        self.connection.create_topic(name, partitions)
        for partition in range(partitions):
            eventually(lambda partition=partition: self.connection.list_offset(name, wire.LATEST, partition)[0] == wire.NONE)
        return name

    def error_of(self, program, op, *arguments, **options):
        """The name of the error the client got, or None."""
        try:
            getattr(self.client(program), op)(self.bootstrap, *arguments, **options)
        except ClientError as failed:
            return failed.name
        return None


def records(script):
    """What every kind of record comes back as, to each reader."""
    topic = script.topic()
    script.client("java").produce(script.bootstrap, topic, samples.varied(), codec="zstd")
    for reader in ("java", "librdkafka", "kafka-python", "franz-go"):
        read = script.client(reader).consume(script.bootstrap, topic)
        script.note(f"{reader} reads", [samples.content(record) for record in read])


def offsets(script):
    """Offsets, ends and offsets of times, number by number."""
    topic = script.topic()
    ask = script.connection
    sizes = [1, 3, 2, 5, 1]
    rows = [ask.produce(topic, batch.build([b"x"] * size, timestamps=[batch.TIME + 1000 * n] * size)) for n, size in enumerate(sizes)]
    script.note("base offsets", [row.base_offset for row in rows])
    script.note("log append time", {row.log_append_time for row in rows})
    for name, at in (("earliest", wire.EARLIEST), ("latest", wire.LATEST), ("a time", batch.TIME + 2000), ("a later time", batch.TIME + 10**9)):
        script.note(f"offset of {name}", ask.list_offset(topic, at))
    for offset in (0, 2, 5, 11, 12, 13, -7):
        row = ask.fetch([(topic, 0, offset)])[topic, 0]
        read = [] if row.error else [record.offset for record in read_all(ask, topic, offset)]
        script.note(f"fetch at {offset}", (row.error, row.high_watermark, row.last_stable_offset, row.log_start, read))


def errors_of_topics(script):
    """Error codes of CreateTopics, CreatePartitions and DeleteTopics."""
    ask = script.connection
    topic = script.topic(partitions=2)
    script.note("exists", ask.create_topic(topic))
    for name in ("", ".", "..", "a b", "ä", "x" * 250):
        script.note(f"create {name[:10]!r}", ask.create_topic(name))
    for partitions in (0, -2, 1_000_000_000):
        script.note(f"create with {partitions} partitions", ask.create_topic(f"{topic}-n", partitions))
    for replication in (0, -2, 2):
        script.note(f"create with {replication} replicas", ask.create_topic(f"{topic}-r", replication=replication))
    script.note("validated only", ask.create_topic(f"{topic}-v", validate_only=True))
    script.note("was only validated", ask.metadata([f"{topic}-v"])[0][f"{topic}-v"])
    for count in (1, 2, 0, -1):
        script.note(f"grow to {count}", script.error_of("java", "admin", "partitions", topic, count=count))
    script.note("grow none", script.error_of("java", "admin", "partitions", f"{topic}-none", count=2))
    script.note("delete none", ask.delete_topic(f"{topic}-none"))
    script.note("delete", ask.delete_topic(topic))
    eventually(lambda: ask.metadata([topic])[0][topic][0] == wire.UNKNOWN_TOPIC_OR_PARTITION)

    def settled(error):
        """The error a deleted topic ends in; the broker may serve it for a moment after it said it is deleted."""
        return eventually(lambda: error() == wire.UNKNOWN_TOPIC_OR_PARTITION and wire.UNKNOWN_TOPIC_OR_PARTITION)

    script.note("produce to deleted", settled(lambda: ask.produce(topic, batch.build([b"x"])).error))
    script.note("fetch of deleted", settled(lambda: ask.fetch([(topic, 0, 0)])[topic, 0].error))
    script.note("offset of deleted", settled(lambda: ask.list_offset(topic, wire.LATEST)[0]))


def idempotence(script):
    """Error codes and stored values of an idempotent producer that misbehaves."""
    topic = script.topic()
    ask = script.connection
    producer, _ = ask.new_producer()

    def send(step, sequence, epoch=0, count=1):
        values = [b"%d" % number for number in range(sequence, sequence + count)]
        script.note(step, ask.produce(topic, batch.build(values, producer=(producer, epoch), sequence=sequence)).error)

    send("first", 0)
    send("second, of three", 1, count=3)
    send("second again", 1, count=3)
    send("part of the second", 2, count=2)
    send("gap", 9)
    send("third", 4)
    send("first again", 0)
    send("new epoch, not at zero", 3, epoch=1)
    send("new epoch", 0, epoch=1)
    send("old epoch", 5)
    script.note("stored", [record.value for record in read_all(ask, topic)])


def hostile_produce(script):
    """Error codes for batches that are wrong."""
    topic = script.topic()
    ask = script.connection
    whole = batch.build([b"x"])
    wrong = {
        "checksum": whole[:-1] + b"?",
        "acks": None,
        "no bytes": b"",
        "two batches": whole * 2,
        "magic 1": whole[:16] + b"\x01" + whole[17:],
        "cut off": whole[:-3],
        "more than it says": whole + b"rest",
        "gzip that is none": batch.build([b"x"], attributes=batch.GZIP),
        "codec 7": batch.build([b"x"], attributes=7),
        "control": batch.build([b"x"], attributes=0x20),
        "count of 0": batch.build([b"x"], count=0),
        "count of 2": batch.build([b"x"], count=2),
        "no records": batch.build([]),
        "sequence without number": batch.build([b"x"], producer=(4711, 0), sequence=-1),
        "6 MiB": batch.build([b"x" * (6 << 20)]),
    }
    for step, data in wrong.items():
        script.note(step, ask.produce(topic, whole if step == "acks" else data, acks=3 if step == "acks" else -1).error)
    script.note("whole, afterwards", ask.produce(topic, whole).error)


def transactions(script):
    """What a transactional producer meets."""
    topic = script.topic()
    failed = script.error_of("java", "produce", topic, [samples.record(b"x")], transactional_id=topic, timeout_ms=15000)
    script.note("java begins a transaction", failed)


def group_requests(script):
    """Error codes of group requests that are wrong or early; what is as it should be is in test_group_requests.py."""
    topic = script.topic()

    @contextlib.contextmanager
    def at(suffix, **options):
        group = f"{script.name}{suffix}" if suffix is not None else ""
        with group_wire.GroupConnection(script.bootstrap, group, **options) as opened:
            if group:
                eventually(lambda: opened.coordinators(group)[0][1] == wire.NONE)
                eventually(lambda: opened.describe()[0].error == wire.NONE)
            yield opened

    with at("-simple") as ask:
        script.note("commit of a topic that does not exist", list(ask.commit({(f"{topic}-none", 0): 1}).values()))
        script.note("commit of a partition that does not exist", list(ask.commit({(topic, 7): 1}).values()))
        script.note("commit of an offset below zero", list(ask.commit({(topic, 0): -5}).values()))
        script.note("commit of no metadata", list(ask.commit({(topic, 0): (1, None)}).values()))
        script.note("commit of nothing", ask.commit({}))
        script.note("fetch of no partition", ask.offsets([]))
        script.note("coordinator of an unknown type", ask.coordinators("x", type_=7)[0][1])
        script.note("leave of nobody", ask.leave())
        script.note("delete of a simple consumer's group", list(ask.delete().values()))
    with at(None) as ask:
        script.note("the group without a name: commit", list(ask.commit({(topic, 0): 1}).values()))
        script.note("the group without a name: fetch", ask.offsets([(topic, 0)])[0])
        script.note("the group without a name: delete", ask.delete())
    with at("-pending") as one, at("-pending") as two, at("-pending") as three:
        # Neither the round nor the id may run out while it is looked whether they are waited for.
        first, second = (seat(each, session_ms=6000, rebalance_ms=60_000) for each in (one, two))
        gather(first)
        three.join(session_ms=60_000)  # an id, and no more
        second.send_join()
        eventually(lambda: first.beat() == group_wire.REBALANCE_IN_PROGRESS)
        first.send_join()
        two.socket.settimeout(5)
        try:
            script.note("who asked for an id holds up a round", second.take_join().error)
        except TimeoutError:
            script.note("who asked for an id holds up a round", "it waits")
    with at("-fenced") as ask, at("-fenced") as other:
        (member,) = gather(seat(ask, instance="one"))
        script.note("join by an id of another instance", other.join(member=member.member, instance="two").error)
        script.note("join by the id and without the instance", other.join(member=member.member).error)
        script.note("join by another id of the instance", other.join(member="else", instance="one").error)
        script.note("beat by another id of the instance", other.heartbeat("else", 1, "one"))
        script.note("leave by another id of the instance", other.leave(("else", "one")))
        script.note("commit of the old generation", list(member.commit({(topic, 0): 1}, generation=0).values()))
        script.note("commit without a generation", list(member.commit({(topic, 0): 1}, generation=-1).values()))
        script.note("sync of a later generation", other.sync(member.member, 5, instance="one").error)


def configurations(script):
    """Codes and words of requests about configurations, and what is set afterwards."""
    ask = script.connection
    topic = script.topic()
    set_, delete, append, subtract = range(4)

    for step, operations in {
        "set": [(set_, "retention.ms", "90001"), (set_, "cleanup.policy", "compact,delete")],
        "unknown": [(set_, "nope", "1")],
        "too small": [(set_, "retention.ms", "-2")],
        "no number": [(set_, "max.message.bytes", "many")],
        "no word": [(set_, "cleanup.policy", "shrink")],
        "null": [(set_, "retention.ms", None)],
        "twice": [(set_, "retention.ms", "1"), (set_, "retention.ms", "2")],
        "append to a number": [(append, "retention.ms", "1")],
        "subtract": [(subtract, "cleanup.policy", "compact")],
        "append": [(append, "cleanup.policy", "compact")],
        "nothing": [],
        "delete": [(delete, "cleanup.policy", None), (delete, "segment.ms", None), (delete, "nope", None)],
        "one of two": [(set_, "retention.bytes", "7"), (set_, "retention.ms", "soon")],
        "an operation that is none": [(9, "retention.ms", "1")],
    }.items():
        script.note(f"alter: {step}", config_wire.alter(ask, topic, *operations))
    script.note("alter: validate", config_wire.alter(ask, topic, (set_, "retention.ms", "7"), validate_only=True))
    script.note("alter: none", config_wire.alter(ask, f"{topic}-none", (set_, "retention.ms", "7")))
    script.note("alter: a resource of no type", config_wire.alter(ask, topic, kind=99))
    for step, values in {"these": {"retention.bytes": "7"}, "null": {"retention.ms": None}, "unknown": {"nope": "1"}, "none": {}}.items():
        script.note(f"replace: {step}", config_wire.replace(ask, topic, values))
    for step, values in {"unknown": {"nope": "1"}, "null": {"retention.ms": None}, "wrong": {"preallocate": "x"}}.items():
        script.note(f"create: {step}", config_wire.create(ask, f"{topic}-c", values))
    script.note("create: existing, and wrong", config_wire.create(ask, topic, {"nope": "1"}))
    script.note("describe: none", config_wire.describe(ask, f"{topic}-none")[0])
    script.note("describe: an impossible name", config_wire.describe(ask, "a b")[0])
    values = eventually(lambda: (found := config_wire.describe(ask, topic)[2]) and all(value.source != 1 for value in found.values()) and found)
    for name in ("cleanup.policy", "compression.type", "message.timestamp.type", "min.insync.replicas", "preallocate", "retention.ms"):
        script.note(f"type of {name}", values[name].type)
        script.note(f"default of {name}", values[name].value)
    script.note("keys", sorted(config_wire.describe(ask, topic, keys=["retention.ms", "nope"])[2]))
    script.note("no keys", len(config_wire.describe(ask, topic, keys=[])[2]) == len(values))
    for step, name in {"of another": "987654", "of none": "x"}.items():
        script.note(f"broker: {step}", config_wire.describe(ask, name, kind=config_wire.BROKER)[0])
    node = str(min(ask.metadata([])[1]))
    script.note("broker: set", config_wire.alter(ask, node, (set_, "num.partitions", "7"), kind=config_wire.BROKER))


def deleted_records(script):
    """Codes and log starts of DeleteRecords, and what is read afterwards."""
    ask = script.connection
    topic = script.topic()
    for _ in range(4):
        ask.produce(topic, batch.build([b"x"] * 3))

    def note(step, offset, **options):
        script.note(step, records_wire.delete(ask, topic, offset, **options))
        script.note(f"{step}: earliest", ask.list_offset(topic, wire.EARLIEST))
        script.note(f"{step}: at a time", ask.list_offset(topic, batch.TIME))
        for at in (0, 4, 5, 12):
            row = ask.fetch([(topic, 0, at)])[topic, 0]
            offsets = [record.offset for record in batch.records(row.records)]
            script.note(f"{step}: fetch at {at}", (row.error, row.high_watermark, row.log_start, offsets[:1]))

    note("at the beginning", 0)
    note("in the middle of a batch", 4)
    note("at a batch", 6)
    note("below", 3)
    note("above the end", 13)
    note("below zero", -2)
    note("of no partition", 1, partition=7)
    note("everything", -1)
    script.note("of no topic", records_wire.delete(ask, f"{topic}-none", 1))
    for policy in ("compact", "compact,delete"):
        name = f"{topic}-{policy.replace(',', '-')}"
        script.note(f"create {policy}", config_wire.create(ask, name, {"cleanup.policy": policy}))
        eventually(lambda name=name: ask.list_offset(name, wire.LATEST)[0] == wire.NONE)
        ask.produce(name, batch.build([b"x"] * 3, key=b"k"))
        script.note(f"of a topic that is {policy}", records_wire.delete(ask, name, 2))


SCENARIOS = [configurations, deleted_records, records, offsets, errors_of_topics, idempotence, hostile_produce, transactions, group_requests]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_clients_see_the_same_on_apache_kafka(target, apache_kafka, client, new_name, scenario):
    name = new_name()
    seen = []
    # One after the other: a connection that says nothing for as long as the other script takes may be closed.
    for each in (apache_kafka, target):
        script = Script(each, client, name)
        scenario(script)
        seen.append(script.seen)

    assert_same(scenario.__name__, *seen, target.name)
