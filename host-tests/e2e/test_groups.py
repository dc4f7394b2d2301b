"""Consumer groups with real clients: members share partitions, come and go in order or not, and every record is read."""

from collections import Counter

import pytest
from ring.clients import ClientError

CLIENTS = ["java", "java-2.8", "librdkafka", "franz-go", "kafka-python", "kafkajs"]
# kafkajs has no range assignor.
MIXED = {"range": CLIENTS[:-1], "roundrobin": CLIENTS}
# How the clients name it; librdkafka says so by a fatal error.
FENCED = {"FENCED_INSTANCE_ID", "FATAL"}


@pytest.mark.parametrize("name", [pytest.param("java", marks=pytest.mark.smoke), *CLIENTS[1:]])
@pytest.mark.no_second_try
def test_members_share_partitions_and_read_each_record_once_as_they_come_and_go(group, name):
    first = group.joined(name)
    written = group.write_and_read()
    assert first.owned == group.partitions

    second = group.joined(name)
    written += group.write_and_read()
    assert len(first.owned) == len(second.owned) == 2

    group.leave(second)
    group.wait_shared()
    written += group.write_and_read()
    group.leave(first)

    group.joined(name)
    written += group.write_and_read()
    assert sorted(group.values()) == sorted(written), "each record once, and offsets went on where they were"


@pytest.mark.no_second_try
def test_a_killed_members_partitions_go_to_the_others_after_its_session_and_it_may_come_back(new_group):
    groups = {name: new_group() for name in CLIENTS}
    written = {}
    for _ in range(2):  # of one client one after the other, for two of kafka-python that come at once may hang
        for name, group in groups.items():  # side by side, for each waits for a session to end
            group.join(name)
        for group in groups.values():
            group.wait_shared()
    for name, group in groups.items():
        written[name] = group.write_and_read()

    for name, group in groups.items():
        group.crash(group.members[1])
        written[name] += group.write(3)
    for name, group in groups.items():
        group.wait_shared()
        group.wait_read(written[name])
        group.wait_committed()
        group.join(name)

    for name, group in groups.items():
        group.wait_shared()
        written[name] += group.write_and_read()
        assert sorted(group.values()) == sorted(written[name]), f"{name}: what was committed before the crash is not read again"


@pytest.mark.parametrize("assignor", ["range", "roundrobin"])
def test_different_clients_share_one_group(new_group, assignor):
    clients = MIXED[assignor]
    group = new_group(partitions=2 * len(clients))
    for name in clients:
        group.join(name, assignors=[assignor])
    group.wait_shared()
    written = group.write_and_read()

    for member in group.members[1::2]:
        group.leave(member)
    group.wait_shared()
    written += group.write_and_read()
    while len(group.members) > 1:  # whoever leads leaves too
        group.leave(group.members[0])
        group.wait_shared()
    written += group.write_and_read()

    assert sorted(group.values()) == sorted(written)


@pytest.mark.parametrize("assignor", ["range", "roundrobin", "sticky", "cooperative-sticky"])
@pytest.mark.parametrize("name", ["java", "java-2.8"])
def test_every_assignor_of_java_keeps_each_partition_with_one_member(new_group, name, assignor):
    group = new_group(partitions=6)
    first = group.joined(name, assignors=[assignor])
    second = group.joined(name, assignors=[assignor])
    held = set(first.owned)
    written = group.write_and_read(1)
    since = len(first.events)

    third = group.joined(name, assignors=[assignor])
    written += group.write_and_read(1)
    if "sticky" in assignor:
        assert first.owned <= held, "what a member keeps it had before"
    given_up = set().union(*(partitions for what, partitions in first.events[since:] if what == "revoked"))
    assert given_up == (held - first.owned if assignor == "cooperative-sticky" else held)

    group.leave(third)
    group.wait_shared()
    written += group.write_and_read(1)
    assert second.owned | first.owned == group.partitions
    assert sorted(group.values()) == sorted(written)


@pytest.mark.parametrize("name", ["librdkafka", "franz-go", "kafka-python"])
def test_cooperative_members_keep_what_they_need_not_give_up(group, name):
    first = group.joined(name, assignors=["cooperative-sticky"])
    group.joined(name, assignors=["cooperative-sticky"])
    written = group.write_and_read()

    given_up = set().union(*(partitions for what, partitions in first.events if what == "revoked"))
    assert given_up == group.partitions - first.owned
    assert sorted(group.values()) == sorted(written)


STATIC = ["java", "java-2.8", "librdkafka", "franz-go", "kafka-python"]


@pytest.mark.parametrize("name", STATIC)
@pytest.mark.no_second_try
def test_a_static_member_that_restarts_within_its_session_gets_its_partitions_without_a_rebalance(group, name):
    steady = group.join("java", assignors=["range"], instance_id="steady")
    restarted = group.join(name, assignors=["range"], instance_id="restarted", session_ms=60_000)
    group.wait_shared()
    written = group.write_and_read()
    held, events = set(restarted.owned), list(steady.events)

    group.crash(restarted)
    written += group.write(3)
    again = group.join(name, assignors=["range"], instance_id="restarted", session_ms=60_000)
    group.wait_shared()
    group.wait_read(written)

    assert again.owned == held
    assert steady.events == events, "the other member never saw a rebalance"
    assert sorted(group.values()) == sorted(written)


# kafka-python only stops its heartbeats and says nothing before its next commit.
@pytest.mark.parametrize("name", STATIC[:-1])
def test_a_second_member_of_the_same_instance_fences_the_first(group, name):
    first = group.joined(name, instance_id="twice")
    group.write_and_read()
    group.drop(first)  # it ends by itself

    second = group.joined(name, instance_id="twice")
    first.wait_ended()
    written = group.write_and_read()

    assert isinstance(first.ended, ClientError), "the first must not end in peace"
    assert first.ended.name in FENCED
    assert sorted(second.values) == sorted(written)


@pytest.mark.parametrize("name", ["java", "librdkafka", "franz-go"])
@pytest.mark.no_second_try
def test_a_member_that_froze_past_its_session_commits_nothing_when_it_wakes_and_joins_again(group, name):
    frozen = group.joined(name, commit="manual")
    held = group.write(3)
    group.wait_read(held)
    frozen.freeze()
    group.drop(frozen)

    other = group.joined(name)  # it reads everything again, for nothing was committed
    written = held + group.write_and_read()
    frozen.commit()
    frozen.thaw()
    group.members.append(frozen)
    group.gone.remove(frozen)
    # By the time that this looks, it may have partitions again.
    group.wait(lambda: frozen.refused or any(what == "lost" for what, _ in frozen.events), "the sleeper is told")
    group.wait_shared()

    assert not frozen.committed
    assert set(other.values) == set(written)
    late = group.write(2)
    group.wait_read(written + late)
    times = Counter(group.values())
    assert set(times) == set(written + late)
    assert all(times[value] == 2 for value in held), "what the sleeper had not committed came again"
    # A fetch of its own may have been answered while it slept.
    assert all(times[value] <= 2 for value in written)
    assert all(times[value] == 1 for value in late), "the sleeper is a member like any other again"


@pytest.mark.parametrize("name", ["java", "librdkafka", "franz-go"])
@pytest.mark.no_second_try
def test_members_that_come_and_go_while_records_flow_read_each_record_once(group, name):
    written = []

    def flow_until(member, reads):
        group.wait(lambda: len(member.records) >= reads, f"{reads} records read", meanwhile=lambda: written.extend(group.write(5)))

    first = group.join(name)
    flow_until(first, 100)
    second = group.join(name)
    flow_until(second, 100)
    group.leave(first)
    third = group.join(name)
    flow_until(third, 100)
    group.leave(second)
    flow_until(third, len(third.records) + 100)
    group.wait_read(written)

    assert sorted(group.values()) == sorted(written)


def test_members_with_different_topics_get_partitions_of_their_own_topics(new_group, new_topic):
    one, two = new_topic(2), new_topic(2)
    group = new_group(topics={one: 2, two: 2})
    first = group.join("java", topics=[one])
    second = group.join("java", topics=[one, two])
    # Until the first has joined too, the second owns everything.
    group.wait(
        lambda: first.owned and first.owned | second.owned == group.partitions and not first.owned & second.owned,
        "both have partitions, and each partition one owner",
    )

    assert {topic for topic, _ in first.owned} == {one}
    assert {(two, 0), (two, 1)} <= second.owned
    written = group.write_and_read()
    assert sorted(group.values()) == sorted(written)
    assert [{topic for topic, *_ in member.records} for member in (first, second)] == [{one}, {one, two}]


@pytest.mark.parametrize("name", ["java", "librdkafka"])
def test_partitions_that_a_topic_grows_by_are_shared_too(target, client, group, name):
    (topic,) = group.topics
    group.join(name, metadata_ms=1000)
    group.join(name, metadata_ms=1000)
    group.wait_shared()
    written = group.write_and_read()

    client("java").admin(target.bootstrap, "partitions", topic, count=6)
    group.topics[topic] = 6
    group.wait_shared()
    written += group.write_and_read()
    assert sorted(group.values()) == sorted(written)
