"""Members at the level of requests, and the rounds they go through together."""

from dataclasses import dataclass

from ring import group_wire as codes
from ring.waiting import eventually


@dataclass
class Seat:
    """A member as its own connection sees it. `options` are those of its JoinGroup."""

    connection: codes.GroupConnection
    options: dict
    member: str = ""
    generation: int = -1
    leads: bool = False
    protocol: str = ""
    assignment: bytes = b""

    @property
    def instance(self):
        return self.options.get("instance")

    def ask_for_an_id(self):
        answer = self.connection.join(**self.options)
        assert answer.error == codes.MEMBER_ID_REQUIRED, answer
        self.member = answer.member

    def send_join(self):
        """Join, by an id that is asked for first where the version of JoinGroup wants that of a dynamic member."""
        # Just before it joins: Kafka's rounds wait for those who asked for an id.
        if not self.member and not self.instance and self.connection.versions[codes.JOIN] >= 4:
            self.ask_for_an_id()
        self.connection.send_join(self.member, **self.options)

    def take_join(self):
        answer = self.connection.join_answer()
        assert answer.error == codes.NONE, answer
        self.member, self.generation, self.leads = answer.member, answer.generation, answer.leader == answer.member
        self.protocol = answer.protocol
        return answer

    def beat(self):
        return self.connection.heartbeat(self.member, self.generation, self.instance)

    def commit(self, offsets, **options):
        owner = {"member": self.member, "generation": self.generation, "instance": self.instance}
        return self.connection.commit(offsets, **{**owner, **options})

    def send_sync(self, assignments=None, **options):
        choice = {"type_": self.options.get("type_", "consumer"), "protocol": self.protocol}
        self.connection.send_sync(self.member, self.generation, assignments, instance=self.instance, **{**choice, **options})

    def sync(self, assignments=None, **options):
        self.send_sync(assignments, **options)
        return self.connection.sync_answer()


def seat(connection, **options):
    """A member that has not joined yet."""
    return Seat(connection, options)


def sit_down(new, others=()):
    """`new` joins; the `others`, who are all members so far, join again when they hear of it. Returns the answers, new's first."""
    new.send_join()
    for other in others:
        eventually(lambda other=other: other.beat() == codes.REBALANCE_IN_PROGRESS, what="a rebalance")
    for other in others:
        other.send_join()
    return [each.take_join() for each in (new, *others)]


def share(seats, assignments=()):
    """The round's second half: the leader gives everyone `assignments`, or its own name."""
    for each in seats:
        given = assignments or {other.member: other.member.encode() for other in seats}
        each.send_sync(given if each.leads else None)
    for each in seats:
        answer = each.connection.sync_answer()
        assert answer.error == codes.NONE, answer
        each.assignment = answer.assignment


def gather(*seats, assignments=()):
    """Bring all into one stable group, one after the other; each gets its own of `assignments`, or its name."""
    for at, each in enumerate(seats):
        sit_down(each, seats[:at])
        share(seats[: at + 1], {other.member: given for other, given in zip(seats[: at + 1], assignments, strict=False)})
    return seats
