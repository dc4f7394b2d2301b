"""What becomes of the Pulsar topic of a deleted group: Pulsar deletes it, and never one that somebody has begun to use again."""

import random
import threading
import time

import pytest
from ring import group_wire as codes
from ring.seats import gather, seat
from ring.waiting import eventually

pytestmark = pytest.mark.only_on("index", "message-id")

# Pulsar looks every five seconds for topics that have been inactive for one (dev/servers/pulsar.py).
LOOKS_EVERY_S = 5
GROUPS = 8
USED_FOR_S = 25


def has_topic(target, group):
    topics = target.admin.call("GET", "/admin/v2/persistent/public/default")
    return f"persistent://public/default/__kafka_group_{group}.g" in topics


def is_deleted(target, group):
    eventually(lambda: not has_topic(target, group), within_s=120, what=f"the topic of {group} to go")


@pytest.mark.smoke
def test_the_topic_of_a_deleted_group_goes_and_the_group_can_be_used_again(coordinator, topic, target):
    ask = coordinator()
    ask.commit({(topic, 0): 7})
    eventually(lambda: has_topic(target, ask.group), what="the topic among those that Pulsar lists")
    assert ask.delete() == {ask.group: codes.NONE}
    is_deleted(target, ask.group)

    assert ask.offsets(None)[1] == {}
    (member,) = gather(seat(ask))
    assert member.commit({(topic, 0): 8}) == {(topic, 0): codes.NONE}
    assert ask.offsets([(topic, 0)])[1] == {(topic, 0): (8, "", codes.NONE)}


def test_the_topic_goes_although_other_connections_have_used_the_group(coordinator, topic, target):
    asks = [coordinator()]
    asks += [coordinator(asks[0].group) for _ in range(7)]
    for offset, ask in enumerate(asks):
        ask.commit({(topic, 0): offset})
    assert asks[0].delete() == {asks[0].group: codes.NONE}
    is_deleted(target, asks[0].group)
    assert asks[1].describe(asks[0].group)[0].state == "Dead"


def test_a_group_that_never_came_into_being_leaves_no_topic(coordinator, target):
    ask = coordinator()
    assert ask.join(protocols=[], instance="i").error == codes.INCONSISTENT_GROUP_PROTOCOL
    is_deleted(target, ask.group)


@pytest.mark.slow
def test_groups_that_are_used_again_while_their_topics_go_lose_nothing(coordinator, topic, target):
    place, failures, found_gone = (topic, 0), [], []
    until = time.monotonic() + USED_FOR_S

    def use(ask, dice):
        offset = 0
        try:
            while time.monotonic() < until:
                offset += 1
                found_gone.append(not has_topic(target, ask.group))
                ask = coordinator(ask.group)
                assert ask.offsets([place])[1] == {place: (-1, "", codes.NONE)}
                assert ask.commit({place: offset}) == {place: codes.NONE}
                assert ask.delete() == {ask.group: codes.NONE}
                time.sleep(dice.uniform(0, 1.5 * LOOKS_EVERY_S))
            assert coordinator(ask.group).commit({place: offset}) == {place: codes.NONE}
            time.sleep(2 * LOOKS_EVERY_S)
            assert coordinator(ask.group).offsets([place])[1] == {place: (offset, "", codes.NONE)}
        except Exception as failure:
            failures.append(failure)
            raise

    users = [threading.Thread(target=use, args=(coordinator(), random.Random(number))) for number in range(GROUPS)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert failures == []
    assert True in found_gone[GROUPS:] and False in found_gone, "some topics were gone already, and some were not"
