"""Consumer groups at the level of requests: what each answers, as Apache Kafka's coordinator does."""

import pytest
from ring import group_wire as codes
from ring.group_wire import JOIN, LIST, OFFSET_COMMIT, subscription
from ring.seats import gather, seat, share, sit_down
from ring.waiting import eventually

NOTHING = (-1, "", codes.NONE)
SHORT_REBALANCE_MS = 4000
SESSION_MS = 6000


def versions(number):
    """The version `number` of every API, or the nearest to it that both sides know."""
    return {key: min(max(number, codes.OLDEST[key]), newest) for key, newest in codes.NEWEST.items()}


OLD = pytest.mark.only_on("index", "message-id")  # Apache Kafka 4 no longer serves these


@pytest.mark.parametrize("number", [pytest.param(0, marks=OLD), pytest.param(1, marks=OLD), *range(2, 9), pytest.param(9, marks=pytest.mark.smoke)])
def test_a_member_joins_syncs_beats_commits_and_leaves_in_every_version(coordinator, topic, number):
    ask = coordinator(versions={**versions(number), JOIN: number})
    metadata = subscription(topic)
    alone = seat(ask, protocols=[("range", metadata)])

    joined = sit_down(alone)[0]
    assert joined.member.startswith("e2e-wire-")
    assert (joined.generation, joined.protocol, joined.leader) == (1, "range", joined.member)
    assert joined.type == ("consumer" if number >= 7 else None)
    assert joined.members == {joined.member: (None, metadata)}

    synced = alone.sync({alone.member: b"assignment"}, type_="consumer", protocol="range")
    assert (synced.error, synced.assignment) == (codes.NONE, b"assignment")
    assert (synced.type, synced.protocol) == (("consumer", "range") if number >= 5 else (None, None))
    assert alone.beat() == codes.NONE
    assert alone.commit({(topic, 0): (42, "note")}) == {(topic, 0): codes.NONE}
    assert ask.offsets([(topic, 0)]) == (codes.NONE, {(topic, 0): (42, "note", codes.NONE)})

    (described,) = ask.describe()
    assert (described.error, described.state, described.type, described.protocol) == (codes.NONE, "Stable", "consumer", "range")
    assert described.members == {alone.member: (None, "e2e-wire", metadata, b"assignment")}
    error, listed = ask.list()
    assert error == codes.NONE
    assert listed[ask.group] == ("consumer", "Stable" if ask.versions[LIST] >= 4 else None)

    assert ask.leave(alone.member) == (codes.NONE, [codes.NONE] if number >= 3 else [])
    assert ask.describe()[0].state == "Empty"
    assert ask.offsets([(topic, 0)])[1] == {(topic, 0): (42, "note", codes.NONE)}
    assert ask.delete() == {ask.group: codes.NONE}
    assert ask.describe()[0].state == "Dead"


def test_the_leader_sees_all_members_and_everyone_gets_what_it_assigned(coordinator):
    group = coordinator().group
    first, second, third = (seat(coordinator(group), protocols=[("range", b"%d" % n)]) for n in range(3))
    gather(first, second)

    answers = sit_down(third, [first, second])
    leading = [answer for answer in answers if answer.leader == answer.member]
    assert len(leading) == 1
    assert {data for _, data in leading[0].members.values()} == {b"0", b"1", b"2"}
    assert all(answer.members == {} for answer in answers if answer is not leading[0])
    assert {answer.generation for answer in answers} == {3}

    share([first, second, third], {first.member: b"one", third.member: b"three"})
    assert [each.assignment for each in (first, second, third)] == [b"one", b"", b"three"], "whom the leader forgot gets nothing"
    assert [each.beat() for each in (first, second, third)] == [codes.NONE] * 3
    assert {name: row[3] for name, row in coordinator(group).describe()[0].members.items()} == {
        each.member: each.assignment for each in (first, second, third)
    }


@pytest.mark.parametrize("members", [2, 5])
def test_the_first_members_of_a_group_may_come_at_once_over_several_connections(coordinator, members):
    group = coordinator().group
    seats = [seat(coordinator(group), instance=f"seat-{n}") for n in range(members)]
    for each in seats:
        each.send_join()

    eventually(lambda: len(coordinator(group).describe()[0].members) == members, within_s=10, what="all are members")


def test_the_protocol_is_one_that_all_members_have_by_their_votes(coordinator):
    group = coordinator().group
    first = seat(coordinator(group), protocols=[("own", b""), ("b", b""), ("a", b"")])
    second = seat(coordinator(group), protocols=[("a", b""), ("b", b"")])
    third = seat(coordinator(group), protocols=[("b", b""), ("other", b""), ("a", b"")])
    assert sit_down(first)[0].protocol == "own"
    share([first])
    gather(first)
    sit_down(second, [first])
    share([first, second])

    assert {answer.protocol for answer in sit_down(third, [first, second])} == {"b"}


def test_who_has_no_protocol_in_common_is_refused(coordinator):
    ask = coordinator()
    gather(seat(ask, protocols=[("range", b"")]))
    other = coordinator(ask.group)

    for options in ({"protocols": [("sticky", b"")]}, {"type_": "connect"}, {"protocols": []}, {"type_": ""}):
        refused = other.join(**options)
        assert (refused.error, refused.generation, refused.leader) == (codes.INCONSISTENT_GROUP_PROTOCOL, -1, ""), options
        static = other.join(instance="static", **options)
        assert static.error == codes.INCONSISTENT_GROUP_PROTOCOL, options
    for options in ({"protocols": []}, {"type_": ""}):
        assert coordinator().join(**options).error == codes.INCONSISTENT_GROUP_PROTOCOL, options


@pytest.mark.parametrize("session_ms", [5999, 1_800_001, 0, -1])
def test_sessions_outside_the_bounds_are_refused(coordinator, session_ms):
    assert coordinator().join(session_ms=session_ms).error == codes.INVALID_SESSION_TIMEOUT


@pytest.mark.parametrize("number", [0, 3, 9])
def test_the_empty_group_has_no_members(coordinator, number):
    ask = coordinator("", versions=versions(number))

    assert ask.join().error == codes.INVALID_GROUP_ID
    assert ask.sync("member", 1).error == codes.INVALID_GROUP_ID
    assert ask.heartbeat("member", 1) == codes.INVALID_GROUP_ID


@pytest.mark.parametrize("number", [0, 3, 9])
def test_a_group_that_does_not_exist_knows_no_members(coordinator, topic, number):
    ask = coordinator(versions=versions(number))

    assert ask.join(member="nobody").error == codes.UNKNOWN_MEMBER_ID
    assert ask.sync("nobody", 1).error == codes.UNKNOWN_MEMBER_ID
    assert ask.heartbeat("nobody", 1) == codes.UNKNOWN_MEMBER_ID
    assert ask.leave("nobody") == ((codes.NONE, [codes.UNKNOWN_MEMBER_ID]) if number >= 3 else (codes.UNKNOWN_MEMBER_ID, []))
    assert ask.commit({(topic, 0): 1}, member="nobody", generation=1) == {(topic, 0): codes.ILLEGAL_GENERATION}
    assert ask.offsets([(topic, 0)]) == (codes.NONE, {(topic, 0): NOTHING})
    assert ask.describe()[0].state == "Dead"
    assert ask.delete() == {ask.group: codes.GROUP_ID_NOT_FOUND}
    assert ask.delete_offsets((topic, 0))[0] == codes.GROUP_ID_NOT_FOUND
    assert ask.group not in ask.list()[1], "asking makes no group"


def test_members_and_generations_are_checked_in_a_stable_group(coordinator, topic):
    ask = coordinator()
    (member,) = gather(seat(ask))
    at = (topic, 0)

    for generation, code in ((0, codes.ILLEGAL_GENERATION), (2, codes.ILLEGAL_GENERATION)):
        assert ask.heartbeat(member.member, generation) == code
        assert ask.sync(member.member, generation).error == code
        assert ask.commit({at: 1}, member=member.member, generation=generation) == {at: code}
    assert ask.heartbeat("nobody", 1) == codes.UNKNOWN_MEMBER_ID
    assert ask.sync("nobody", 1).error == codes.UNKNOWN_MEMBER_ID
    assert ask.commit({at: 1}, member="nobody", generation=1) == {at: codes.UNKNOWN_MEMBER_ID}
    assert ask.commit({at: 1}) == {at: codes.UNKNOWN_MEMBER_ID}, "a simple consumer may not commit beside members"
    assert ask.join(member="nobody").error == codes.UNKNOWN_MEMBER_ID
    assert ask.leave("nobody") == (codes.NONE, [codes.UNKNOWN_MEMBER_ID])
    assert ask.sync(member.member, 1, type_="connect", protocol="range").error == codes.INCONSISTENT_GROUP_PROTOCOL
    assert ask.sync(member.member, 1, type_="consumer", protocol="sticky").error == codes.INCONSISTENT_GROUP_PROTOCOL
    assert ask.sync(member.member, 1, type_=None, protocol=None).error == codes.INCONSISTENT_GROUP_PROTOCOL
    assert member.sync().assignment == member.member.encode(), "a member may ask again"
    assert member.beat() == codes.NONE
    assert ask.offsets([at])[1] == {at: NOTHING}


def test_while_members_join_again_they_may_commit_and_while_they_sync_they_may_not(coordinator, topic):
    group = coordinator().group
    first, second = seat(coordinator(group)), seat(coordinator(group))
    at = (topic, 0)
    gather(first)
    second.send_join()

    eventually(lambda: first.beat() == codes.REBALANCE_IN_PROGRESS)
    assert coordinator(group).describe()[0].state == "PreparingRebalance"
    assert first.sync().error == codes.REBALANCE_IN_PROGRESS
    assert first.commit({at: 1}) == {at: codes.NONE}

    first.send_join()
    old = first.generation
    first.take_join()
    second.take_join()
    assert coordinator(group).describe()[0].state == "CompletingRebalance"
    assert first.beat() == second.beat() == codes.NONE
    assert first.commit({at: 2}) == {at: codes.REBALANCE_IN_PROGRESS}
    assert first.commit({at: 3}, generation=old) == {at: codes.ILLEGAL_GENERATION}
    share([first, second])
    assert first.commit({at: 4}) == {at: codes.NONE}
    assert second.connection.offsets([at])[1] == {at: (4, "", codes.NONE)}


def test_a_member_that_joins_again_unchanged_gets_the_generation_it_is_in_but_the_leader_starts_a_round(coordinator):
    group = coordinator().group
    first, second = gather(seat(coordinator(group)), seat(coordinator(group)))
    leader, follower = (first, second) if first.leads else (second, first)

    follower.send_join()
    again = follower.take_join()
    assert (again.generation, again.leader, again.members) == (2, leader.member, {})
    assert follower.sync().assignment == follower.member.encode()
    assert leader.beat() == codes.NONE

    leader.send_join()
    eventually(lambda: follower.beat() == codes.REBALANCE_IN_PROGRESS)
    follower.send_join()
    assert {each.take_join().generation for each in (leader, follower)} == {3}
    share([leader, follower])

    follower.options = {"protocols": [("range", subscription("changed"))]}
    sit_down(follower, [leader])
    share([leader, follower])
    assert leader.generation == 4


def test_a_leader_that_leaves_is_followed_by_another(coordinator):
    group = coordinator().group
    seats = gather(*(seat(coordinator(group)) for _ in range(3)))
    leader = next(each for each in seats if each.leads)
    rest = [each for each in seats if each is not leader]

    assert leader.connection.leave(leader.member) == (codes.NONE, [codes.NONE])
    assert leader.beat() == codes.UNKNOWN_MEMBER_ID
    for each in rest:
        eventually(lambda each=each: each.beat() == codes.REBALANCE_IN_PROGRESS)
    for each in rest:
        each.send_join()
    answers = [each.take_join() for each in rest]
    assert len({answer.leader for answer in answers} & {each.member for each in rest}) == 1
    share(rest)
    assert [each.assignment for each in rest] == [each.member.encode() for each in rest]


def test_members_leave_in_one_request_each_with_an_answer_of_its_own(coordinator):
    ask = coordinator()
    one, two, static = gather(seat(coordinator(ask.group)), seat(coordinator(ask.group)), seat(coordinator(ask.group), instance="static"))

    error, errors = ask.leave(one.member, "nobody", two.member, ("", "static"), ("", "none"), (one.member, None))
    assert error == codes.NONE
    assert errors == [
        *(codes.NONE, codes.UNKNOWN_MEMBER_ID, codes.NONE, codes.NONE, codes.UNKNOWN_MEMBER_ID, codes.UNKNOWN_MEMBER_ID),
    ]
    assert ask.describe()[0].state == "Empty"
    eventually(lambda: static.beat() == codes.UNKNOWN_MEMBER_ID, what="word of it on another worker")


@pytest.mark.parametrize("number", [5, 7, 9])
def test_a_static_member_that_returns_keeps_its_place_and_its_old_id_is_fenced(coordinator, topic, number):
    group, used = coordinator().group, {**versions(number), OFFSET_COMMIT: 8}
    static = seat(coordinator(group, used), instance="static")
    other = seat(coordinator(group, used))
    gather(other, static)
    at = (topic, 0)

    returned = coordinator(group, used)
    answer = returned.join(instance="static")
    assert (answer.error, answer.generation) == (codes.NONE, 2)
    assert answer.member.startswith("static-")
    assert answer.member != static.member
    assert other.beat() == codes.NONE, "no rebalance"
    assert returned.sync(answer.member, 2, instance="static").assignment == static.assignment

    eventually(lambda: static.beat() == codes.FENCED_INSTANCE_ID, what="word of it on another worker")
    assert static.sync().error == codes.FENCED_INSTANCE_ID
    assert static.commit({at: 1}) == {at: codes.FENCED_INSTANCE_ID}
    assert static.connection.join(member=static.member, instance="static").error == codes.FENCED_INSTANCE_ID
    assert static.connection.leave((static.member, "static"))[1] == [codes.FENCED_INSTANCE_ID]
    assert returned.commit({at: 2}, member=answer.member, generation=2, instance="static") == {at: codes.NONE}
    assert returned.heartbeat(answer.member, 2, "unknown") == codes.UNKNOWN_MEMBER_ID


def test_a_static_leader_that_returns_is_told_what_it_needs_but_not_to_assign_again(coordinator):
    group = coordinator().group
    leader = seat(coordinator(group), instance="leader")
    other = seat(coordinator(group))
    gather(leader, other)
    assert leader.leads

    answer = coordinator(group).join(instance="leader")
    assert (answer.error, answer.generation, answer.leader, answer.skip) == (codes.NONE, 2, answer.member, True)
    assert set(answer.members) == {answer.member, other.member}

    older = coordinator(group, versions(8)).join(instance="leader")
    assert (older.error, older.generation) == (codes.NONE, 2)
    assert older.leader == answer.member != older.member, "it is told the old id, so that it does not lead"
    assert other.beat() == codes.NONE


def test_a_static_member_that_returns_with_other_metadata_of_the_same_choice_starts_no_round(coordinator):
    group = coordinator().group
    static, other = gather(seat(coordinator(group), instance="static"), seat(coordinator(group)))

    answer = coordinator(group).join(instance="static", protocols=[("range", b""), ("new", b"")])
    assert (answer.error, answer.generation) == (codes.NONE, 2)
    assert other.beat() == codes.NONE
    eventually(lambda: static.beat() == codes.FENCED_INSTANCE_ID, what="word of it on another worker")


def test_a_member_that_is_silent_past_its_session_is_removed(coordinator, topic):
    group = coordinator().group
    silent = seat(coordinator(group), session_ms=SESSION_MS)
    alive = seat(coordinator(group), session_ms=SESSION_MS)
    gather(silent, alive)

    eventually(lambda: alive.beat() == codes.REBALANCE_IN_PROGRESS, within_s=60, what="the expiry")
    alive.send_join()
    alive.take_join()
    share([alive])
    assert set(coordinator(group).describe()[0].members) == {alive.member}
    assert silent.beat() == codes.UNKNOWN_MEMBER_ID
    assert silent.commit({(topic, 0): 1}) == {(topic, 0): codes.UNKNOWN_MEMBER_ID}


def test_a_member_that_does_not_join_again_in_time_is_left_out_though_it_beats(coordinator):
    group = coordinator().group
    idle = seat(coordinator(group), rebalance_ms=SHORT_REBALANCE_MS)
    new = seat(coordinator(group), rebalance_ms=SHORT_REBALANCE_MS)
    gather(idle)
    new.send_join()

    eventually(lambda: idle.beat() == codes.UNKNOWN_MEMBER_ID, what="the end of the round")
    assert new.take_join().members.keys() == {new.member}
    share([new])
    assert new.beat() == codes.NONE


def test_a_leader_that_does_not_sync_in_time_is_left_out(coordinator):
    group = coordinator().group
    first = seat(coordinator(group), rebalance_ms=SHORT_REBALANCE_MS)
    second = seat(coordinator(group), rebalance_ms=SHORT_REBALANCE_MS)
    gather(first)
    sit_down(second, [first])
    leader, follower = (first, second) if first.leads else (second, first)
    follower.send_sync()

    assert follower.connection.sync_answer().error == codes.REBALANCE_IN_PROGRESS
    eventually(lambda: leader.beat() == codes.UNKNOWN_MEMBER_ID, what="word of it on another worker")
    follower.send_join()
    follower.take_join()
    share([follower])
    assert follower.leads


def test_members_of_any_protocol_type_come_together(coordinator):
    group = coordinator().group
    one, two = gather(*(seat(coordinator(group), type_="sr", protocols=[("v0", b"%d" % n)]) for n in range(2)))

    (described,) = coordinator(group).describe()
    assert (described.type, described.protocol) == ("sr", "v0")
    assert {row[2] for row in described.members.values()} == {b"0", b"1"}
    assert one.beat() == two.beat() == codes.NONE


def test_requests_that_follow_on_one_connection_are_answered_in_order_though_the_first_waits(coordinator):
    group = coordinator().group
    first = seat(coordinator(group))
    second = seat(coordinator(group))
    gather(first)
    second.send_join()
    listing = second.connection.put(LIST, second.connection.shape(LIST).since(4, second.connection.shape(LIST).array([])))

    eventually(lambda: first.beat() == codes.REBALANCE_IN_PROGRESS)
    first.send_join()
    first.take_join()
    second.take_join()
    assert second.connection.receive()[0] == listing
