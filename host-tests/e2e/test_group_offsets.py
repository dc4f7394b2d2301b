"""Offsets of groups, and what lists, describes and deletes groups, at the level of requests."""

import pytest
from ring import group_wire as codes
from ring.group_wire import OFFSET_COMMIT, OFFSET_FETCH, subscription
from ring.seats import gather, seat

NOTHING = (-1, "", codes.NONE)


def test_simple_consumers_of_one_group_may_commit_their_first_offsets_at_once(coordinator, new_topic):
    group, topic = coordinator().group, new_topic(4)
    consumers = [coordinator(group) for _ in range(4)]
    for partition, ask in enumerate(consumers):
        ask.send_commit({(topic, partition): 10 + partition})

    assert [ask.commit_answer() for ask in consumers] == [{(topic, partition): codes.NONE} for partition in range(4)]
    assert consumers[0].offsets(None)[1] == {(topic, partition): (10 + partition, "", codes.NONE) for partition in range(4)}


def test_a_simple_consumer_commits_without_being_a_member(coordinator, new_topic):
    ask, topic = coordinator(), new_topic(3)
    assert ask.commit({(topic, 0): (7, "seven"), (topic, 1): (8, None)}) == {(topic, 0): codes.NONE, (topic, 1): codes.NONE}

    found = {(topic, 0): (7, "seven", codes.NONE), (topic, 1): (8, "", codes.NONE)}
    assert ask.offsets([(topic, 0), (topic, 1), (topic, 2), ("none", 0)])[1] == {**found, (topic, 2): NOTHING, ("none", 0): NOTHING}
    assert ask.offsets(None)[1] == found, "all there are"
    (described,) = ask.describe()
    assert (described.state, described.type, described.protocol, described.members) == ("Empty", "", "", {})
    assert ask.list()[1][ask.group] == ("", "Empty")
    assert ask.commit({(topic, 0): 3}) == {(topic, 0): codes.NONE}, "back too"
    assert ask.offsets([(topic, 0)])[1] == {(topic, 0): (3, "", codes.NONE)}


@pytest.mark.parametrize("version", range(codes.OLDEST[OFFSET_COMMIT], codes.NEWEST[OFFSET_COMMIT] + 1))
def test_commits_of_every_version_are_fetched_by_every_version(coordinator, topic, version):
    ask = coordinator(versions={OFFSET_COMMIT: version})
    assert ask.commit({(topic, 0): (version, "v")}) == {(topic, 0): codes.NONE}

    for fetch in range(codes.OLDEST[OFFSET_FETCH], codes.NEWEST[OFFSET_FETCH] + 1):
        ask.versions[OFFSET_FETCH] = fetch
        assert ask.offsets([(topic, 0)]) == (codes.NONE, {(topic, 0): (version, "v", codes.NONE)}), fetch


def test_metadata_that_is_too_large_fails_its_partition_alone(coordinator, new_topic):
    ask, topic = coordinator(), new_topic(2)

    answers = ask.commit({(topic, 0): (1, "x" * 4096), (topic, 1): (1, "x" * 4097)})
    assert answers == {(topic, 0): codes.NONE, (topic, 1): codes.OFFSET_METADATA_TOO_LARGE}
    assert ask.offsets([(topic, 0), (topic, 1)])[1] == {(topic, 0): (1, "x" * 4096, codes.NONE), (topic, 1): NOTHING}


def test_offsets_of_several_groups_are_fetched_at_once(coordinator, topic):
    one, two, unknown = coordinator(), coordinator(), coordinator()
    one.commit({(topic, 0): 1})
    two.commit({(topic, 0): 2})

    found = one.offsets_of({one.group: [(topic, 0)], unknown.group: None, two.group: None}, require_stable=True)
    assert found == {
        one.group: (codes.NONE, {(topic, 0): (1, "", codes.NONE)}),
        unknown.group: (codes.NONE, {}),
        two.group: (codes.NONE, {(topic, 0): (2, "", codes.NONE)}),
    }


def test_the_coordinators_of_several_groups_are_found_at_once(coordinator, new_name):
    ask = coordinator()
    found = ask.coordinators("one", "two", "drei ö")

    assert [(key, error) for key, error, *_ in found] == [("one", codes.NONE), ("two", codes.NONE), ("drei ö", codes.NONE)]
    _, brokers = ask.metadata()
    assert all(brokers[node] == (host, port) for _, _, node, host, port in found)


@pytest.mark.parametrize("group", ["a b", "ä/ö:%", "-partition-3", "." * 3, "x" * 150])
def test_groups_may_have_any_name(coordinator, new_name, topic, group):
    ask = coordinator(new_name() + group)
    (alone,) = gather(seat(ask))

    assert alone.commit({(topic, 0): 5}) == {(topic, 0): codes.NONE}
    assert ask.offsets([(topic, 0)])[1] == {(topic, 0): (5, "", codes.NONE)}
    assert ask.list()[1][ask.group] == ("consumer", "Stable")
    assert ask.describe()[0].members.keys() == {alone.member}


def test_groups_are_listed_by_their_states(coordinator, topic):
    stable, empty = coordinator(), coordinator()
    gather(seat(stable))
    empty.commit({(topic, 0): 1})

    assert stable.list("Stable")[1].keys() & {stable.group, empty.group} == {stable.group}
    assert stable.list("Empty", "Dead")[1].keys() & {stable.group, empty.group} == {empty.group}
    assert stable.list("empty")[1].keys() & {stable.group, empty.group} == {empty.group}, "in any case"
    assert stable.list("Wrong") == (codes.NONE, {})


def test_groups_are_described_at_once_and_none_that_is_not_there_is_left_out(coordinator):
    stable, unknown = coordinator(), coordinator()
    (alone,) = gather(seat(stable, instance="static"))

    there, dead = stable.describe(stable.group, unknown.group)
    assert (there.group, there.state, list(there.members)) == (stable.group, "Stable", [alone.member])
    assert there.members[alone.member][0] == "static"
    assert (dead.group, dead.error, dead.state, dead.type, dead.members) == (unknown.group, codes.NONE, "Dead", "", {})


def test_only_groups_without_members_are_deleted_and_then_they_are_as_new(coordinator, topic):
    empty, busy, unknown = coordinator(), coordinator(), coordinator()
    empty.commit({(topic, 0): 1})
    (member,) = gather(seat(busy))
    member.commit({(topic, 0): 2})

    assert empty.delete(empty.group, busy.group, unknown.group) == {
        **{empty.group: codes.NONE, busy.group: codes.NON_EMPTY_GROUP, unknown.group: codes.GROUP_ID_NOT_FOUND},
    }
    assert empty.offsets(None)[1] == {}
    assert empty.group not in empty.list()[1]
    assert empty.delete() == {empty.group: codes.GROUP_ID_NOT_FOUND}
    assert busy.offsets(None)[1] == {(topic, 0): (2, "", codes.NONE)}

    (again,) = gather(seat(empty))
    assert again.generation == 1
    assert empty.offsets([(topic, 0)])[1] == {(topic, 0): NOTHING}


def test_offsets_are_deleted_but_not_of_topics_that_members_read(coordinator, new_topic):
    read, unread = new_topic(), new_topic()
    ask = coordinator()
    (member,) = gather(seat(ask, protocols=[("range", subscription(read))]))
    member.commit({(read, 0): 1, (unread, 0): 2})

    assert ask.delete_offsets((read, 0), (unread, 0)) == (codes.NONE, {(read, 0): codes.GROUP_SUBSCRIBED_TO_TOPIC, (unread, 0): codes.NONE})
    assert ask.offsets(None)[1] == {(read, 0): (1, "", codes.NONE)}
    ask.leave(member.member)
    assert ask.delete_offsets((read, 0)) == (codes.NONE, {(read, 0): codes.NONE})
    assert ask.offsets(None)[1] == {}


def test_offsets_of_a_group_that_does_not_consume_are_deleted_only_when_it_is_empty(coordinator, topic):
    ask = coordinator()
    (member,) = gather(seat(ask, type_="connect", protocols=[("default", b"")]))
    member.commit({(topic, 0): 1})

    assert ask.delete_offsets((topic, 0))[0] == codes.NON_EMPTY_GROUP
    ask.leave(member.member)
    assert ask.delete_offsets((topic, 0)) == (codes.NONE, {(topic, 0): codes.NONE})
