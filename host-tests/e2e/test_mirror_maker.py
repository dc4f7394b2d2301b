"""MirrorMaker 2 from Apache Kafka to the target and back: the same happens between two Apache Kafkas."""

import os
import subprocess

import pytest
from ring import samples
from ring.config_wire import DELETE, SET
from ring.mirrors import FIFTY_RECORDS, KAFKA, OWN_RECORDS, PATIENCE_S, THERE, Mirrors
from ring.reading import read_all
from ring.waiting import eventually

from dev import kafka_tool

pytestmark = [pytest.mark.only_on("index", "kafka"), pytest.mark.slow, pytest.mark.rarely_on_kafka]

LOAD_RECORDS, LOAD_PER_S, LOAD_PARTITIONS, BEFORE_THE_CRASH = 20_000, 1_000, 4, 3_000


@pytest.fixture(scope="module")
def mirrors(target, apache_kafka, client, tmp_path_factory):
    """MirrorMaker at work, with all that was there before it."""
    folder = tmp_path_factory.mktemp("mirror-maker")
    made = Mirrors(folder, apache_kafka.bootstrap, target.bootstrap, client("java"), f"mirrored-{os.getpid()}")
    made.furnish()
    made.maker.start()
    yield made
    made.maker.kill()


def wait_mirrored(source, topic, copy, there, partitions):
    """Wait until the copy is as long as its source."""
    # A partition may have no leader at the moment.
    wanted = eventually(lambda: None not in (ends := source.ends(topic, partitions)) and ends, what=f"the ends of {topic}")
    come = lambda: there.partitions(copy) == partitions and there.ends(copy, partitions) == wanted  # noqa: E731
    eventually(come, PATIENCE_S, f"{topic} as {copy}, with the ends {wanted}")


def test_a_hundred_partitions_become_a_hundred_with_each_record_in_its_place(mirrors):
    kafka, there = mirrors.kafka, mirrors.there
    wait_mirrored(kafka, mirrors.name("hundred"), mirrors.over("hundred"), there, 100)

    # Every partition holds the same in the same order, and so does every key.
    assert there.content(mirrors.over("hundred"), 100) == kafka.content(mirrors.name("hundred"), 100)


def test_a_topic_of_fifty_partitions_grows_to_the_hundred_of_its_source(mirrors):
    kafka, there, copy = mirrors.kafka, mirrors.there, mirrors.over("fifty")
    written = {0: OWN_RECORDS + FIFTY_RECORDS, 99: FIFTY_RECORDS}
    wanted = [written.get(partition, 0) for partition in range(100)]
    eventually(lambda: there.partitions(copy) == 100 and there.ends(copy, 100) == wanted, PATIENCE_S, f"the ends {wanted}")

    found, sources = there.content(copy, 100), kafka.content(mirrors.name("fifty"), 100)
    assert [record["value"] for record in found[0][:OWN_RECORDS]] == [b"own".hex()] * OWN_RECORDS
    assert found[0][OWN_RECORDS:] == sources[0], "what the topic had stays"
    assert found[1:] == sources[1:]


@pytest.mark.parametrize("way", ["over", "back"])
def test_keys_values_headers_and_timestamps_come_byte_for_byte(mirrors, way):
    clusters = [mirrors.kafka, mirrors.there]
    source, other = clusters if way == "over" else reversed(clusters)
    topic, copy = (mirrors.name("varied"), mirrors.over("varied")) if way == "over" else (mirrors.name("back"), mirrors.back("back"))
    wait_mirrored(source, topic, copy, other, 2)

    written = [[samples.content(record) for record in samples.varied()] for _ in range(2)]
    assert other.content(copy, 2) == written


def test_configurations_are_synced_and_follow_those_of_the_source(mirrors):
    kafka, there, topic, copy = mirrors.kafka, mirrors.there, mirrors.name("configured"), mirrors.over("configured")
    configs = {"cleanup.policy": "compact,delete", "retention.ms": "90001", "max.message.bytes": "20000"}
    eventually(lambda: there.configs(copy) == configs, PATIENCE_S, "the configurations that the source was created with")

    kafka.configure(topic, (SET, "retention.ms", "180000"), (DELETE, "max.message.bytes", None), (SET, "cleanup.policy", "delete"))

    after = {"cleanup.policy": "delete", "retention.ms": "180000"}
    eventually(lambda: there.configs(copy) == after, PATIENCE_S, "the configurations that the source has now")


@pytest.mark.only_on("index")
def test_a_topic_whose_configurations_pulsar_refuses_is_mirrored_without_them(mirrors):
    kafka, there, topic, copy = mirrors.kafka, mirrors.there, mirrors.name("large"), mirrors.over("large")
    assert eventually(lambda: mirrors.maker.said(f"Could not create topic {copy}"), PATIENCE_S)

    kafka.write(topic, [samples.record(b"%d" % n, partition=n % 3) for n in range(9)])

    # The first record lets the topic be created with the target's own defaults.
    wait_mirrored(kafka, topic, copy, there, 3)
    assert there.content(copy, 3) == kafka.content(topic, 3)
    assert eventually(lambda: mirrors.maker.said(f"Could not alter configuration of topic {copy}"), PATIENCE_S)
    assert "retention.ms" not in there.configs(copy), "all of a topic's configurations are refused together"


def test_offsets_of_groups_are_translated(mirrors):
    place, last = (mirrors.over("fifty"), 0), (mirrors.over("fifty"), 99)
    translated = {place: FIFTY_RECORDS + OWN_RECORDS, last: FIFTY_RECORDS}
    eventually(lambda: mirrors.there.committed(mirrors.name("done")) == translated, PATIENCE_S, f"{translated}")

    # Between two syncs MirrorMaker goes by the one before, or leaves it: records come again, none is passed over.
    halfway = mirrors.there.committed(mirrors.name("halfway"))
    assert halfway.keys() <= {place}
    assert halfway.get(place, 0) <= 4 + OWN_RECORDS


def test_offsets_of_groups_are_translated_on_the_way_back(mirrors):
    ends = {(mirrors.back("back"), partition): len(samples.varied()) for partition in range(2)}

    eventually(lambda: mirrors.kafka.committed(mirrors.name("returning")) == ends, PATIENCE_S, f"{ends}")


def test_a_consumer_goes_on_where_it_was_and_is_not_set_back(mirrors, new_group):
    kafka, there, copy, name = mirrors.kafka, mirrors.there, mirrors.over("moving"), mirrors.name("mover")
    eventually(lambda: there.committed(name) == {(copy, 0): 20}, PATIENCE_S, "the translated offset")
    kafka.write(mirrors.name("moving"), [samples.record(b"%d" % n) for n in range(5)])
    group = new_group(topics={copy: 1}, bootstrap=there.bootstrap)
    group.name = name

    group.join("java")
    group.wait_read([b"%d" % n for n in range(5)], within_s=PATIENCE_S)
    group.wait_committed()

    assert group.values() == [b"%d" % n for n in range(5)]
    # The group on Kafka stays where it was, and MirrorMaker would set the other back to it.
    eventually(lambda: mirrors.maker.said(f"Unable to sync offsets for consumer group {name}"), PATIENCE_S)
    assert there.committed(name) == {(copy, 0): 25}


def test_what_mirror_maker_keeps_for_itself_is_compacted(mirrors):
    kept = [
        *((mirrors.there, topic) for topic in ("heartbeats", f"{KAFKA}.heartbeats", f"{KAFKA}.checkpoints.internal")),
        (mirrors.there, f"mm2-offset-syncs.{KAFKA}.internal"),
        (mirrors.kafka, f"mm2-offset-syncs.{THERE}.internal"),
        (mirrors.kafka, f"{THERE}.checkpoints.internal"),
    ]
    for cluster, topic in kept:
        eventually(lambda cluster=cluster, topic=topic: cluster.ends(topic, 1)[0], PATIENCE_S, f"a record in {topic}")
        assert cluster.configs(topic)["cleanup.policy"] == "compact", topic
    for word, partitions in (("configs", 1), ("offsets", 1), ("status", 5)):
        topic = f"mm2-{word}.{KAFKA}.internal"
        assert (mirrors.there.partitions(topic), mirrors.there.configs(topic)["cleanup.policy"]) == (partitions, "compact")


@pytest.mark.no_second_try
def test_a_worker_killed_under_load_loses_nothing_and_keeps_the_order(mirrors):
    kafka, there, topic, copy = mirrors.kafka, mirrors.there, mirrors.name("load"), mirrors.over("load")
    # Where a partition has no leader at the moment, it has no end either.
    ends = lambda: [end or 0 for end in there.ends(copy, LOAD_PARTITIONS)]  # noqa: E731
    # Its tasks may start long after it has made the topic, when all of the load could have been sent already.
    kafka.write(topic, [samples.record(b"ahead of the load")])
    eventually(lambda: there.partitions(copy) == LOAD_PARTITIONS and sum(ends()) >= 1, PATIENCE_S, "the first record")
    arguments = ["--topic", topic, "--num-records", LOAD_RECORDS, "--record-size", 200, "--throughput", LOAD_PER_S]
    command = kafka_tool.command("producer-perf-test", [*map(str, arguments), "--bootstrap-server", kafka.bootstrap])
    load = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: sum(ends()) > BEFORE_THE_CRASH, PATIENCE_S, "some of the load")
        mirrors.maker.kill()
        at_the_crash = sum(ends())
        mirrors.maker.start()
        assert load.wait(PATIENCE_S) == 0
    finally:
        load.kill()
    wanted = kafka.ends(topic, LOAD_PARTITIONS)

    def all_come():
        return all(end >= least for end, least in zip(ends(), wanted, strict=True)) and values() == written

    def values():
        # What was not yet noted as sent comes twice.
        return [list(dict.fromkeys(record.value for record in read_all(there.connection, copy, None, n))) for n in range(LOAD_PARTITIONS)]

    written = [[record.value for record in read_all(kafka.connection, topic, None, n)] for n in range(LOAD_PARTITIONS)]
    assert sum(map(len, written)) == 1 + LOAD_RECORDS > at_the_crash
    eventually(all_come, PATIENCE_S, "every record, in order")
