"""Members of a consumer group at the level of requests: versions without tagged fields, so that the bytes are few.

Shapes: JoinGroupRequest.json and its like of Apache Kafka. JoinGroup 3 is the last version without MEMBER_ID_REQUIRED.
"""

import contextlib
import socket
import struct

from dev.errors import DevError
from dev.servers.kafka_probe import receive
from dev.servers.ports import LOOPBACK

OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN_GROUP, SYNC_GROUP, CREATE_TOPICS = 8, 9, 10, 11, 14, 19
SESSION_MS = 60_000
REBALANCE_MS = 60_000
# Of the coordinator: it is being elected, or loads; it moved.
PASSING = (14, 15, 16)


def string(text):
    """A length and the bytes."""
    return struct.pack(">h", len(text)) + text


def data(blob):
    """The same, for longer ones."""
    return struct.pack(">i", len(blob)) + blob


def array(items):
    """A count and the items."""
    return struct.pack(">i", len(items)) + b"".join(items)


class Connection:
    """Requests go out and answers come in, each when it is asked for."""

    def __init__(self, port):
        self.socket = socket.create_connection((LOOPBACK, port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        """It is over."""
        self.socket.close()

    def send(self, key, version, body):
        """A request, whose answer is taken later."""
        header = struct.pack(">hhih", key, version, 1, 5) + b"bench"
        self.socket.sendall(struct.pack(">i", len(header) + len(body)) + header + body)

    def take(self):
        """The body of the next answer."""
        (length,) = struct.unpack(">i", receive(self.socket, 4))
        return receive(self.socket, length)[4:]

    def ask(self, key, version, body):
        """Both."""
        self.send(key, version, body)
        return self.take()

    def create_topic(self, topic):
        """Of one partition."""
        nothing = array([])
        topics = array([string(topic) + struct.pack(">ih", 1, 1) + nothing + nothing])
        self.ask(CREATE_TOPICS, 2, topics + struct.pack(">i?", 30_000, False))

    def find_coordinator(self, group):
        """Until there is one: Apache Kafka makes its topic for it first."""
        for _ in range(600):
            (error,) = struct.unpack_from(">h", self.ask(FIND_COORDINATOR, 0, string(group)))
            if error == 0:
                return
        raise DevError(f"no coordinator was found: error {error}.")

    def commit(self, group, topic, offsets, member=b"", generation=-1):
        """Commits {partition: offset}; raises unless every partition took it."""
        partitions = [struct.pack(">iq", partition, offset) + string(b"") for partition, offset in offsets.items()]
        topics = array([string(topic) + array(partitions)])
        for _ in range(600):
            body = self.ask(OFFSET_COMMIT, 2, string(group) + struct.pack(">i", generation) + string(member) + struct.pack(">q", -1) + topics)
            errors = {error for _, error in struct.iter_unpack(">ih", body[4 + 2 + len(topic) + 4 :])}
            if errors == {0}:
                return
            if not errors <= set(PASSING):
                raise DevError(f"a commit was answered {errors}.")
        raise DevError("commits are not taken.")

    def fetch_all(self, group):
        """How many partitions have an offset."""
        for _ in range(600):
            body = self.ask(OFFSET_FETCH, 2, string(group) + struct.pack(">i", -1))
            (error,) = struct.unpack(">h", body[-2:])
            if error == 0:
                return count_of(body)
            if error not in PASSING:
                raise DevError(f"OffsetFetch was answered {error}.")
        raise DevError("offsets are not told.")


def count_of(body):
    """OffsetFetch 2: topics of partitions of (index, offset, metadata, error)."""
    (topics,) = struct.unpack_from(">i", body)
    at, count = 4, 0
    for _ in range(topics):
        (length,) = struct.unpack_from(">h", body, at)
        at += 2 + length
        (partitions,) = struct.unpack_from(">i", body, at)
        at += 4
        for _ in range(partitions):
            (length,) = struct.unpack_from(">h", body, at + 12)
            at += 12 + 2 + max(0, length) + 2
            count += 1
    return count


class Group:
    """So many members, each on a connection of its own; they do everything at the same time."""

    def __init__(self, port, name, size):
        self.name = name
        self.connections = [Connection(port) for _ in range(size)]
        self.members = [b""] * size
        self.rounds = 0

    def __enter__(self):
        self.connections[0].find_coordinator(self.name)
        return self

    def __exit__(self, *_):
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.close()

    def round(self):
        """All join, the leader assigns, all have their assignment. Returns the generation."""
        # A follower that asks for what it has goes on in its generation: here everybody wants something new.
        self.rounds += 1
        protocols = array([string(b"range") + data(struct.pack(">q32x", self.rounds))])
        for connection, member in zip(self.connections, self.members, strict=True):
            timeouts = struct.pack(">ii", SESSION_MS, REBALANCE_MS)
            connection.send(JOIN_GROUP, 3, string(self.name) + timeouts + string(member) + string(b"bench") + protocols)
        joined = [joined_of(connection.take()) for connection in self.connections]
        self.members = [member for _, _, member in joined]
        generation, leader, _ = joined[0]
        if len({generation for generation, _, _ in joined}) > 1:
            raise DevError("members are of different generations.")
        assignments = array([string(member) + data(b"\0" * 40) for member in self.members])
        for connection, member in zip(self.connections, self.members, strict=True):
            given = assignments if member == leader else array([])
            connection.send(SYNC_GROUP, 1, string(self.name) + struct.pack(">i", generation) + string(member) + given)
        for connection in self.connections:
            (error,) = struct.unpack_from(">h", connection.take(), 4)
            if error:
                raise DevError(f"SyncGroup was answered {error}.")
        return generation


def joined_of(body):
    """JoinGroup 3: throttle, error, generation, protocol, leader, member, members."""
    error, generation = struct.unpack_from(">hi", body, 4)
    if error:
        raise DevError(f"JoinGroup was answered {error}.")
    at, texts = 10, []
    for _ in range(3):
        (length,) = struct.unpack_from(">h", body, at)
        texts.append(body[at + 2 : at + 2 + length])
        at += 2 + length
    return generation, texts[1], texts[2]
