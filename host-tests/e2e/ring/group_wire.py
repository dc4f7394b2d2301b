"""Requests of the group protocol by hand, in every version from the oldest to the flexible ones.

Shapes are those of Apache Kafka's *Request.json and *Response.json.
"""

from types import SimpleNamespace as Row

from ring import wire
from ring.waiting import eventually
from ring.wire import i8, i16, i32, i64

OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN, HEARTBEAT, LEAVE, SYNC, DESCRIBE, LIST = 8, 9, 10, 11, 12, 13, 14, 15, 16
DELETE, OFFSET_DELETE = 42, 47
FIRST_FLEXIBLE = {
    **{OFFSET_COMMIT: 8, OFFSET_FETCH: 6, FIND_COORDINATOR: 3, JOIN: 6, HEARTBEAT: 4, LEAVE: 4, SYNC: 4, DESCRIBE: 5, LIST: 3, DELETE: 2},
    OFFSET_DELETE: 1,
}
# What both Apache Kafka 4 and Isthmus serve.
OLDEST = {OFFSET_COMMIT: 2, OFFSET_FETCH: 1, FIND_COORDINATOR: 0, JOIN: 2, HEARTBEAT: 0, LEAVE: 0, SYNC: 0, DESCRIBE: 0, LIST: 0, DELETE: 0}
NEWEST = {OFFSET_COMMIT: 8, OFFSET_FETCH: 8, FIND_COORDINATOR: 4, JOIN: 9, HEARTBEAT: 4, LEAVE: 5, SYNC: 5, DESCRIBE: 5, LIST: 4, DELETE: 2}

NONE, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR = 0, 14, 15, 16
OFFSET_METADATA_TOO_LARGE, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL, INVALID_GROUP_ID, UNKNOWN_MEMBER_ID = 12, 22, 23, 24, 25
INVALID_SESSION_TIMEOUT, REBALANCE_IN_PROGRESS, NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND = 26, 27, 68, 69
MEMBER_ID_REQUIRED, FENCED_INSTANCE_ID, GROUP_SUBSCRIBED_TO_TOPIC = 79, 82, 86
# What every client answers by asking again.
RETRIABLE = (COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR)


def subscription(*topics):
    """A consumer's metadata (ConsumerProtocolSubscription, version 0).

    Apache Kafka reads that of every member of type "consumer" when a round ends (ClassicGroup.computeSubscribedTopics). It puts up with
    metadata too short for a version; lengths that lead past the end leave its round without an end, timer and all (seen in 4.3.1).
    """
    return i16(0) + wire.array(map(wire.string, topics)) + wire.blob(None)


def uvarint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


class Shape:
    """How a request of one version is written: `flexible` lengths are varints, one more than they say, and structs end in tagged fields."""

    def __init__(self, key, version):
        self.version = version
        self.flexible = version >= FIRST_FLEXIBLE[key]

    def since(self, version, data):
        return data if self.version >= version else b""

    def string(self, text):
        if not self.flexible:
            return wire.string(text)
        return uvarint(0) if text is None else uvarint(len(text.encode()) + 1) + text.encode()

    def blob(self, data):
        return uvarint(len(data) + 1) + data if self.flexible else wire.blob(data)

    def array(self, items):
        if items is None:
            return uvarint(0) if self.flexible else i32(-1)
        items = list(items)
        return (uvarint(len(items) + 1) if self.flexible else i32(len(items))) + b"".join(items)

    def struct(self, *fields):
        return b"".join(fields) + (wire.NO_TAGS if self.flexible else b"")


class Reader:
    """Takes fields from an answer of one version."""

    def __init__(self, answer, shape):
        self.answer = answer
        self.shape = shape
        self.tags()

    def number(self, format_):
        return self.answer.number(format_)

    def since(self, version, read, otherwise=None):
        return read() if self.shape.version >= version else otherwise

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.number("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def length(self, format_):
        return self.uvarint() - 1 if self.shape.flexible else self.number(format_)

    def string(self):
        length = self.length("h")
        return None if length < 0 else self.answer.take(length).decode()

    def blob(self):
        length = self.length("i")
        return None if length < 0 else self.answer.take(length)

    def array(self, read):
        """Of structs: each ends in tagged fields."""

        def one():
            value = read()
            self.tags()
            return value

        return [one() for _ in range(self.length("i"))]

    def tags(self):
        if self.shape.flexible:
            for _ in range(self.uvarint()):
                self.uvarint()
                self.answer.take(self.uvarint())

    def throttle(self, since):
        self.since(since, lambda: self.number("i"))

    def end(self):
        self.tags()
        assert self.answer.ended(), "bytes left over in the answer"


class GroupConnection(wire.Connection):
    """A connection to a group's coordinator. `versions` says which to use, by API key; the newest otherwise.

    `send_X` and `X_answer` apart let a test do something while a request waits.
    """

    def __init__(self, bootstrap, group, versions=None, **options):
        super().__init__(bootstrap, **options)
        self.group = group
        self.versions = {**NEWEST, OFFSET_DELETE: 0, **(versions or {})}

    def shape(self, key):
        return Shape(key, self.versions[key])

    def put(self, key, *fields):
        shape = self.shape(key)
        return self.send(key, shape.struct(*fields), shape.version, shape.flexible)

    def take(self, key):
        _, answer = self.receive()
        return Reader(answer, self.shape(key))

    def send_join(self, member="", protocols=(("range", b""),), type_="consumer", instance=None, session_ms=30_000, rebalance_ms=10_000):
        s = self.shape(JOIN)
        rows = s.array(s.struct(s.string(name), s.blob(metadata)) for name, metadata in protocols)
        self.put(
            JOIN,
            *(s.string(self.group), i32(session_ms), s.since(1, i32(rebalance_ms)), s.string(member), s.since(5, s.string(instance))),
            *(s.string(type_), rows, s.since(8, s.string(None))),
        )

    def join_answer(self):
        """error, generation, type, protocol, leader, skip, member, members: {member: (instance, metadata)}."""
        r = self.take(JOIN)
        r.throttle(2)
        row = Row(error=r.number("h"), generation=r.number("i"), type=r.since(7, r.string), protocol=r.string(), leader=r.string())
        row.skip = r.since(9, lambda: bool(r.number("b")), False)
        row.member = r.string()
        row.members = dict(r.array(lambda: (r.string(), (r.since(5, r.string), r.blob()))))
        r.end()
        return row

    def join(self, *arguments, **options):
        self.send_join(*arguments, **options)
        return self.join_answer()

    def send_sync(self, member, generation, assignments=None, instance=None, type_="consumer", protocol="range"):
        s = self.shape(SYNC)
        rows = s.array(s.struct(s.string(name), s.blob(data)) for name, data in (assignments or {}).items())
        self.put(
            SYNC,
            *(s.string(self.group), i32(generation), s.string(member), s.since(3, s.string(instance))),
            *(s.since(5, s.string(type_)), s.since(5, s.string(protocol)), rows),
        )

    def sync_answer(self):
        """error, type, protocol, assignment."""
        r = self.take(SYNC)
        r.throttle(1)
        row = Row(error=r.number("h"), type=r.since(5, r.string), protocol=r.since(5, r.string), assignment=r.blob())
        r.end()
        return row

    def sync(self, *arguments, **options):
        self.send_sync(*arguments, **options)
        return self.sync_answer()

    def heartbeat(self, member, generation, instance=None):
        """The error."""
        s = self.shape(HEARTBEAT)
        self.put(HEARTBEAT, s.string(self.group), i32(generation), s.string(member), s.since(3, s.string(instance)))
        r = self.take(HEARTBEAT)
        r.throttle(1)
        error = r.number("h")
        r.end()
        return error

    def leave(self, *members):
        """`members` are ids, or (id, instance). The error and, where the version has them, the members' errors."""
        s = self.shape(LEAVE)
        pairs = [(each, None) if isinstance(each, str) else each for each in members]
        if s.version < 3:
            self.put(LEAVE, s.string(self.group), s.string(pairs[0][0]))
        else:
            rows = s.array(s.struct(s.string(member), s.string(instance), s.since(5, s.string(None))) for member, instance in pairs)
            self.put(LEAVE, s.string(self.group), rows)
        r = self.take(LEAVE)
        r.throttle(1)
        error = r.number("h")
        rows = r.since(3, lambda: r.array(lambda: (r.string(), r.string(), r.number("h"))), [])
        r.end()
        return error, [row[2] for row in rows]

    def send_commit(self, offsets, member="", generation=-1, instance=None, metadata=""):
        """`offsets` is {(topic, partition): offset}, or of (offset, metadata)."""
        s = self.shape(OFFSET_COMMIT)
        topics = {}
        for (topic, partition), value in offsets.items():
            offset, text = value if isinstance(value, tuple) else (value, metadata)
            fields = i32(partition) + i64(offset) + s.since(6, i32(-1)) + s.string(text)
            topics.setdefault(topic, []).append(s.struct(fields))
        self.put(
            OFFSET_COMMIT,
            *(s.string(self.group), i32(generation), s.string(member), s.since(7, s.string(instance)), i64(-1) if s.version < 5 else b""),
            s.array(s.struct(s.string(topic), s.array(rows)) for topic, rows in topics.items()),
        )

    def commit_answer(self):
        """{(topic, partition): error}."""
        r = self.take(OFFSET_COMMIT)
        r.throttle(3)
        topics = r.array(lambda: (r.string(), r.array(lambda: (r.number("i"), r.number("h")))))
        r.end()
        return {(topic, partition): error for topic, rows in topics for partition, error in rows}

    def commit(self, offsets, **options):
        self.send_commit(offsets, **options)
        return self.commit_answer()

    def offsets_of(self, groups, require_stable=False):
        """`groups` is {group: None for all, or [(topic, partition)]}. {group: (error, {(topic, partition): (offset, metadata, error)})}."""
        s = self.shape(OFFSET_FETCH)
        wanted = []
        for group, places in groups.items():
            topics = {}
            for topic, partition in places or ():
                topics.setdefault(topic, []).append(i32(partition))
            rows = None if places is None else [s.struct(s.string(topic), s.array(numbers)) for topic, numbers in topics.items()]
            wanted.append((group, s.string(group) + s.array(rows)))
        if s.version < 8:
            ((group, fields),) = wanted
            self.put(OFFSET_FETCH, fields, s.since(7, i8(require_stable)))
            r = self.take(OFFSET_FETCH)
            r.throttle(3)
            found = _fetched_offsets(r)
            answers = {group: (r.since(2, lambda: r.number("h"), NONE), found)}
        else:
            self.put(OFFSET_FETCH, s.array(s.struct(fields) for _, fields in wanted), i8(require_stable))
            r = self.take(OFFSET_FETCH)
            r.throttle(3)

            def one():
                name, found = r.string(), _fetched_offsets(r)
                return name, (r.number("h"), found)

            answers = dict(r.array(one))
        r.end()
        return answers

    def offsets(self, places=None, **options):
        """(error, {(topic, partition): (offset, metadata, error)}) of this group."""
        return self.offsets_of({self.group: places}, **options)[self.group]

    def coordinators(self, *keys, type_=0):
        """[(key, error, node, host, port)]."""
        s = self.shape(FIND_COORDINATOR)
        if s.version < 4:
            self.put(FIND_COORDINATOR, s.string(keys[0]), s.since(1, i8(type_)))
        else:
            self.put(FIND_COORDINATOR, i8(type_), s.array(map(s.string, keys)))
        r = self.take(FIND_COORDINATOR)
        r.throttle(1)
        if s.version < 4:
            error = r.number("h")
            r.since(1, r.string)
            found = [(keys[0], error, r.number("i"), r.string(), r.number("i"))]
        else:

            def one():
                key, node, host, port = r.string(), r.number("i"), r.string(), r.number("i")
                error = r.number("h")
                r.string()
                return key, error, node, host, port

            found = r.array(one)
        r.end()
        return found

    def describe(self, *groups):
        """[error, group, state, type, protocol, members: {member: (instance, client id, metadata, assignment)}]."""
        s = self.shape(DESCRIBE)
        self.put(DESCRIBE, s.array(s.string(group) for group in groups or [self.group]), s.since(3, i8(0)))
        r = self.take(DESCRIBE)
        r.throttle(1)

        def member():
            name, instance, client = r.string(), r.since(4, r.string), r.string()
            r.string()  # host
            return name, (instance, client, r.blob(), r.blob())

        def one():
            row = Row(error=r.number("h"), group=r.string(), state=r.string(), type=r.string(), protocol=r.string())
            row.members = dict(r.array(member))
            r.since(3, lambda: r.number("i"))
            return row

        rows = r.array(one)
        r.end()
        return rows

    def list(self, *states):
        """error, {group: (type, state)}; asked again while logs of groups are read, as by every client."""
        return eventually(lambda: (told := self._list(states))[0] not in RETRIABLE and told, within_s=90, what="a list of groups")

    def _list(self, states):
        s = self.shape(LIST)
        self.put(LIST, s.since(4, s.array(map(s.string, states))))
        r = self.take(LIST)
        r.throttle(1)
        error = r.number("h")
        rows = dict(r.array(lambda: (r.string(), (r.string(), r.since(4, r.string)))))
        r.end()
        return error, rows

    def delete(self, *groups):
        """{group: error}."""
        s = self.shape(DELETE)
        self.put(DELETE, s.array(s.string(group) for group in groups or [self.group]))
        r = self.take(DELETE)
        r.throttle(0)
        rows = dict(r.array(lambda: (r.string(), r.number("h"))))
        r.end()
        return rows

    def delete_offsets(self, *places):
        """The error, and {(topic, partition): error}."""
        s = self.shape(OFFSET_DELETE)
        topics = {}
        for topic, partition in places:
            topics.setdefault(topic, []).append(i32(partition))
        self.put(OFFSET_DELETE, s.string(self.group), s.array(s.string(topic) + s.array(numbers) for topic, numbers in topics.items()))
        r = self.take(OFFSET_DELETE)
        error = r.number("h")
        r.throttle(0)
        rows = r.array(lambda: (r.string(), r.array(lambda: (r.number("i"), r.number("h")))))
        r.end()
        return error, {(topic, partition): code for topic, found in rows for partition, code in found}


def _fetched_offsets(r):
    def partition():
        index, offset = r.number("i"), r.number("q")
        r.since(5, lambda: r.number("i"))  # leader epoch
        return index, (offset, r.string(), r.number("h"))

    topics = r.array(lambda: (r.string(), r.array(partition)))
    return {(topic, index): rest for topic, rows in topics for index, rest in rows}
