"""Servers die and come back, group logs move, Envoys stand side by side, while members work and commit: no acknowledged commit is lost."""

import itertools
import threading
import time

import pytest
from ring import group_wire as codes
from ring.seats import gather, seat
from ring.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.no_second_try]

PARTITIONS = 8
COMMITTERS = 4
COMMITS_BEFORE = 200
COMMITS_AFTER = 100
BACK_WITHIN_S = 180
ISTHMUS = pytest.mark.only_on("index", "message-id")
KAFKA = pytest.mark.only_on("kafka")


def group_log(group):
    """The topic of a group's log. Names of tests need no escapes."""
    return f"__kafka_group_{group}.g"


def crash(*names):
    def disturb(target, _):
        for name in names:
            target.servers[name].kill()
        for name in reversed(names):
            target.servers[name].start()

    return disturb


def unload(target, group):
    target.admin.call("PUT", f"/admin/v2/persistent/public/default/{group_log(group)}/unload")


def disturbances(*quick):
    """All there are, each as a parameter; those that are not `quick` wait for a long run, since Pulsar takes its time to come back."""
    found = [
        ("kafka killed", crash("kafka"), KAFKA),
        ("envoy killed", crash("envoy"), ISTHMUS),
        ("pulsar killed", crash("pulsar"), ISTHMUS),
        ("both killed", crash("envoy", "pulsar"), ISTHMUS),
        ("log unloaded", unload, ISTHMUS),
    ]
    return [pytest.param(do, id=name, marks=[where] if name in quick else [where, pytest.mark.soak]) for name, do, where in found]


class Committer(threading.Thread):
    """Commits ever greater offsets of its own partitions, as a simple consumer, one request at a time; connects again when it must.

    `sent` and `acked` are the greatest offset of each partition that was sent, and that was answered without an error.
    """

    def __init__(self, bootstrap, group, places):
        super().__init__(daemon=True)
        self.bootstrap = bootstrap
        self.group = group
        self.sent = dict.fromkeys(places, -1)
        self.acked = dict.fromkeys(places, -1)
        self.count = 0
        self.ending = threading.Event()

    def run(self):
        numbers = itertools.count(1)
        while not self.ending.is_set():
            try:
                with codes.GroupConnection(self.bootstrap, self.group, timeout_s=15, client_id="e2e-committer") as connection:
                    while not self.ending.is_set():
                        self.commit_once(connection, next(numbers))
            except OSError:
                self.ending.wait(0.05)

    def commit_once(self, connection, number):
        offsets = dict.fromkeys(self.sent, number)
        self.sent.update(offsets)
        for place, error in connection.commit(offsets).items():
            if error == codes.NONE:
                self.acked[place] = number
                self.count += 1

    def end(self):
        self.ending.set()
        self.join(60)
        assert not self.is_alive(), "a commit is never answered"


@pytest.mark.parametrize("disturb", disturbances("kafka killed", "envoy killed", "pulsar killed", "log unloaded"))
def test_no_acknowledged_commit_is_lost_in_a_storm_of_them(target, coordinator, new_topic, disturb):
    topic = new_topic(PARTITIONS)
    group = coordinator().group
    places = [(topic, partition) for partition in range(PARTITIONS)]
    coordinator(group).commit(dict.fromkeys(places, 0))
    storm = [Committer(target.bootstrap, group, places[n::COMMITTERS]) for n in range(COMMITTERS)]
    try:
        for each in storm:
            each.start()
        eventually(lambda: all(each.count > COMMITS_BEFORE for each in storm), within_s=BACK_WITHIN_S, what="commits")
        disturb(target, group)
        counts = [each.count for each in storm]
        going_on = lambda: all(each.count > count + COMMITS_AFTER for each, count in zip(storm, counts, strict=True))  # noqa: E731
        eventually(going_on, within_s=BACK_WITHIN_S, what="commits afterwards")
    finally:
        for each in storm:
            each.ending.set()
    for each in storm:
        each.end()

    error, found = coordinator(group).offsets(places)
    assert error == codes.NONE
    for each in storm:
        for place, sent in each.sent.items():
            assert each.acked[place] <= found[place][0] <= sent, place


@pytest.mark.parametrize("disturb", disturbances("log unloaded"))
def test_what_is_acknowledged_just_before_a_crash_is_there_after_it(target, coordinator, topic, disturb):
    ask = coordinator()
    offset = next(n for n in itertools.count() if ask.commit({(topic, 0): n}) == {(topic, 0): codes.NONE} and n > 50)

    disturb(target, ask.group)

    def fetched():
        try:
            with codes.GroupConnection(target.bootstrap, ask.group) as again:
                error, found = again.offsets([(topic, 0)])
        except OSError:
            return None
        return found if error == codes.NONE and found[topic, 0][2] == codes.NONE else None

    assert eventually(fetched, within_s=BACK_WITHIN_S) == {(topic, 0): (offset, "", codes.NONE)}


def test_what_a_fenced_member_commits_is_never_seen(target, coordinator, topic):
    group = coordinator().group
    fenced = seat(coordinator(group), instance="one", session_ms=60_000)
    gather(fenced)
    fenced.commit({(topic, 0): 1})
    after = coordinator(group)
    answer = after.join(instance="one", session_ms=60_000)

    # Both commit, many times over, on connections of their own.
    for number in range(100):
        fenced.connection.send_commit({(topic, 0): 1000 + number}, member=fenced.member, generation=1, instance="one")
        after.send_commit({(topic, 0): 2 + number}, member=answer.member, generation=answer.generation, instance="one")
    assert {code for _ in range(100) for code in fenced.connection.commit_answer().values()} == {codes.FENCED_INSTANCE_ID}
    assert {code for _ in range(100) for code in after.commit_answer().values()} == {codes.NONE}
    assert after.offsets([(topic, 0)])[1] == {(topic, 0): (101, "", codes.NONE)}


@pytest.mark.parametrize("disturb", disturbances("envoy killed", "log unloaded"))
def test_members_go_on_over_a_crash_without_losing_offsets(target, group, disturb):
    for name in ("java", "librdkafka", "franz-go"):
        group.join(name, assignors=["roundrobin"], session_ms=20_000)
    group.wait_shared()
    written = group.write_and_read()

    disturb(target, group.name)
    group.wait_shared(within_s=BACK_WITHIN_S)
    written += group.write(3)
    group.wait_read(written, within_s=BACK_WITHIN_S)
    group.wait_committed(within_s=BACK_WITHIN_S)
    group.wait_shared(within_s=BACK_WITHIN_S)

    assert set(group.values()) == set(written)
    repeated = sorted(group.values())
    assert [value for value in repeated if value in set(written[:12])] == sorted(written[:12]), "what was committed is not read again"


@pytest.fixture
def second_envoy(target):
    """A further Envoy in front of the same broker, whose clients stay with it."""
    envoy = target.envoy_beside("second-envoy")
    with envoy:
        yield envoy


@ISTHMUS
def test_members_of_a_group_may_be_spread_over_two_envoys(target, second_envoy, group):
    doors = [target.bootstrap, second_envoy.bootstrap]
    for number, name in enumerate(["java", "librdkafka", "franz-go", "java"]):
        group.join(name, assignors=["roundrobin"], bootstrap=doors[number % 2])
    group.wait_shared()
    written = group.write_and_read()

    group.leave(group.members[0])
    group.wait_shared()
    written += group.write_and_read()
    group.crash(group.members[0])
    group.wait_shared()
    written += group.write_and_read()
    assert sorted(group.values()) == sorted(written)

    for door in doors:  # both tell the same
        with codes.GroupConnection(door, group.name) as ask:
            (described,) = ask.describe()
            assert (described.state, len(described.members)) == ("Stable", 2)
            ends = {place: row[0] for place, row in ask.offsets(sorted(group.partitions))[1].items()}
            assert ends == {place: offset for place, offset in group.committed().items()}


@ISTHMUS
def test_an_envoy_that_dies_takes_no_members_of_another_with_it(target, second_envoy, group):
    first = group.join("java", assignors=["range"])
    there = group.join("librdkafka", assignors=["range"], bootstrap=second_envoy.bootstrap)
    group.wait_shared()
    written = group.write_and_read()

    second_envoy.kill()
    group.drop(there)
    there.program.process.kill()
    there.wait_ended()
    written += group.write(3)
    group.wait_shared()
    group.wait_read(written)

    assert first.owned == group.partitions
    assert sorted(group.values()) == sorted(written)


@ISTHMUS
def test_requests_of_one_group_over_two_envoys_agree(target, second_envoy, coordinator, topic):
    group = coordinator().group
    doors = [target.bootstrap, second_envoy.bootstrap] * 3  # several connections each: all workers
    seats = gather(*(seat(coordinator(group, bootstrap=door)) for door in doors))

    for number, each in enumerate(seats):
        assert each.commit({(topic, 0): number}) == {(topic, 0): codes.NONE}
        found = {(topic, 0): (number, "", codes.NONE)}
        assert all(coordinator(group, bootstrap=door).offsets([(topic, 0)])[1] == found for door in doors), "read your neighbour's write"
    assert seats[0].connection.leave(seats[0].member) == (codes.NONE, [codes.NONE])
    for each in seats[1:]:
        eventually(lambda each=each: each.beat() == codes.REBALANCE_IN_PROGRESS)
    assert seats[0].beat() == codes.UNKNOWN_MEMBER_ID


@ISTHMUS
def test_a_hundred_members_over_two_envoys_become_stable(target, second_envoy, new_topic, coordinator, capsys):
    group = coordinator().group
    doors = [target.bootstrap, second_envoy.bootstrap]
    options = {"session_ms": 60_000, "rebalance_ms": 60_000}
    seats = [seat(coordinator(group, bootstrap=doors[n % 2], timeout_s=120), **options) for n in range(100)]
    stats = lambda: target.admin.call("GET", f"/admin/v2/persistent/public/default/{group_log(group)}/stats")  # noqa: E731

    gather(seats[0])
    for each in seats[1:]:
        each.ask_for_an_id()
    before = stats()
    for each in seats[1:]:
        each.send_join()
    eventually(lambda: seats[0].beat() == codes.REBALANCE_IN_PROGRESS)
    seats[0].send_join()
    started = time.monotonic()
    done = threading.Event()
    threads = [threading.Thread(target=settle, args=(each, len(seats), done), daemon=True) for each in seats]
    for thread in threads:
        thread.start()
    assert done.wait(240)
    stable = time.monotonic() - started
    for thread in threads:
        thread.join(60)
    after = stats()
    (described,) = coordinator(group).describe()
    entries, messages, size = (after[name] - before[name] for name in ("msgInCounter", "msgOutCounter", "bytesOutCounter"))
    with capsys.disabled():
        print(f"\n100 members, 2 Envoys: stable {stable:.2f} s after the last join was sent; {entries} entries in the group's log,")
        print(f"given to its replicas as {messages} messages of {size / 1024:.0f} KiB together")
    assert (described.state, len(described.members)) == ("Stable", 100)


def settle(each, count, done):
    """Go through rounds until the leader of one that holds `count` members has shared out."""
    while True:
        joined = each.take_join()
        synced = each.sync(dict.fromkeys(joined.members, b"assignment") if each.leads else None)
        if synced.error == codes.NONE and each.leads and len(joined.members) == count:
            done.set()
        while synced.error == codes.NONE and each.beat() == codes.NONE:
            if done.wait(0.5):
                return
        each.send_join()


def test_a_thousand_commits_a_second_for_a_minute(target, coordinator, new_topic, capsys):
    topic = new_topic(10)
    group = coordinator().group
    lanes = [coordinator(group) for _ in range(10)]
    assert lanes[0].commit({(topic, 0): 0}) == {(topic, 0): codes.NONE}
    rate, seconds = 1000, 60
    latencies = []
    started = time.monotonic()
    for number in range(rate * seconds // len(lanes)):
        due = started + number * len(lanes) / rate
        time.sleep(max(0, due - time.monotonic()))
        sent = time.monotonic()
        for partition, lane in enumerate(lanes):
            lane.send_commit({(topic, partition): number})
        for partition, lane in enumerate(lanes):
            assert lane.commit_answer() == {(topic, partition): codes.NONE}
            latencies.append(time.monotonic() - sent)
    took = time.monotonic() - started
    latencies.sort()
    with capsys.disabled():
        p50, p99 = (latencies[int(len(latencies) * part)] * 1000 for part in (0.5, 0.99))
        print(f"\n{len(latencies)} commits in {took:.1f} s ({len(latencies) / took:.0f}/s), ten at once: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    assert lanes[0].offsets(None)[1] == {(topic, p): (rate * seconds // len(lanes) - 1, "", codes.NONE) for p in range(10)}
