"""Members of consumer groups: each a client program in a process of its own, and what it told so far."""

import itertools
import json
import queue
import signal
import time

from ring import batch, clients, wire
from ring.clients import ClientError
from ring.waiting import POLL_INTERVAL_S, eventually

# Kafka's smallest session, and heartbeats that tell a member of a rebalance at once.
QUICK = {"session_ms": 6000, "heartbeat_ms": 500}
SESSION_S = 6
# Expiry by those who only read of a member comes a third and two seconds later than by the one that serves it.
PATIENCE_S = 90
# Java's client gives itself half a minute to leave.
STOP_PATIENCE_S = 60
NUMBERS = itertools.count(1)


class Member:
    """A client that was told to join. `look` takes in what it printed since; all else is what is known by then."""

    def __init__(self, program, command):
        self.program = program
        self.command = command
        self.ended = None  # "done", or a ClientError
        self.owned = set()  # (topic, partition)
        self.events = []  # ("assigned" | "revoked" | "lost", {(topic, partition)})
        self.records = []  # (topic, partition, offset, value)
        self.committed = {}  # (topic, partition) -> offset
        self.refused = []  # names of errors of commits
        self.generation = None
        self.member_id = None
        program.send("group", **command)

    @property
    def name(self):
        return self.program.name

    @property
    def values(self):
        return [value for *_, value in self.records]

    def look(self):
        """Take in everything there is; never waits."""
        while self.ended is None:
            try:
                text = self.program.lines.get_nowait()
            except queue.Empty:
                return
            self._take(None if text is None else json.loads(text))

    def _take(self, line):
        if line is None:
            self.ended = ClientError("CLIENT_ENDED", f"the process ended, see {self.program.log_path}", self.events)
            self.owned = set()
        elif "done" in line:
            self.ended = "done"
            self.owned = set()
        elif "error" in line:
            self.ended = ClientError(line["error"], line["message"], self.events)
            self.owned = set()
        elif "record" in line:
            record = line["record"]
            self.records.append((record["topic"], record["partition"], record["offset"], bytes.fromhex(record["value"])))
        elif "committed" in line:
            self.committed.update({(topic, partition): offset for topic, partition, offset in line["committed"]["offsets"]})
        elif "refused" in line:
            self.refused.append(line["refused"]["error"])
        elif "trouble" not in line:
            self._own(line)

    def _own(self, line):
        what = next(name for name in ("assigned", "revoked", "lost") if name in line)
        partitions = {tuple(place) for place in line[what]}
        self.owned = self.owned | partitions if what == "assigned" else self.owned - partitions
        self.generation = line.get("generation", self.generation)
        self.member_id = line.get("member", self.member_id)
        self.events.append((what, partitions))

    def order(self, op):
        self.program.send(op)

    def commit(self):
        self.order("commit")

    def stop(self):
        """Leave in order and wait until it has left."""
        self.order("stop")
        self.wait_ended()
        if isinstance(self.ended, ClientError):
            raise self.ended

    def wait_ended(self, within_s=STOP_PATIENCE_S):
        deadline = time.monotonic() + within_s
        while self.ended is None:
            try:
                text = self.program.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise ClientError("CLIENT_HANGS", f"a member did not end, see {self.program.log_path}", self.events) from None
            self._take(None if text is None else json.loads(text))

    def kill(self):
        """SIGKILL, as a crash; what it had printed by then counts."""
        process = self.program.process
        process.kill()
        process.wait()
        self.wait_ended()

    def freeze(self):
        self.program.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.program.process.send_signal(signal.SIGCONT)

    def __repr__(self):
        end = f" ended {self.ended!r}" if self.ended else ""
        events = [(what, sorted(partition for _, partition in partitions)) for what, partitions in self.events[-6:]]
        return f"<{self.name} owns {sorted(p for _, p in self.owned)} read {len(self.records)} events {events}{end}>"


class Group:
    """A group with its members. Conditions are looked at over and over, within bounds; they fail when a member ended unasked."""

    def __init__(self, bootstrap, name, topics, start):
        self.bootstrap = bootstrap
        self.name = name
        self.topics = topics  # {topic: partitions}
        self._start = start
        self.members = []  # those that live
        self.gone = []

    def join(self, client, **options):
        """A new member; it need not have its partitions yet."""
        command = {"bootstrap": self.bootstrap, "group": self.name, "topics": list(self.topics), **QUICK, **options}
        member = Member(self._start(client), command)
        self.members.append(member)
        return member

    def joined(self, client, **options):
        """A new member, once all have their shares."""
        member = self.join(client, **options)
        self.wait_shared()
        return member

    def leave(self, member):
        self._remove(member)
        member.stop()

    def crash(self, member):
        self._remove(member)
        member.kill()

    def drop(self, member):
        """A member that ends, or has ended, by itself."""
        self._remove(member)

    def _remove(self, member):
        self.members.remove(member)
        self.gone.append(member)

    def wait(self, condition, what, within_s=PATIENCE_S, meanwhile=lambda: None):
        deadline = time.monotonic() + within_s
        while True:
            for member in self.members:
                member.look()
                assert member.ended is None, f"{member} ended while waiting until {what}"
            if condition():
                return
            assert time.monotonic() < deadline, f"not within {within_s} s: {what}; {self.members}, gone: {self.gone}"
            meanwhile()
            time.sleep(POLL_INTERVAL_S)

    @property
    def partitions(self):
        return {(topic, partition) for topic, count in self.topics.items() for partition in range(count)}

    def shared(self):
        """Whether each partition has exactly one owner and each member its fair share, give or take one."""
        owned = [place for member in self.members for place in member.owned]
        least = len(self.partitions) // len(self.members)
        return sorted(owned) == sorted(self.partitions) and all(least <= len(member.owned) for member in self.members)

    def wait_shared(self, within_s=PATIENCE_S):
        self.wait(self.shared, "every partition has one owner, every member its share", within_s)

    @property
    def ever(self):
        """Every member there has been."""
        return [*self.gone, *self.members]

    def values(self):
        return [value for member in self.ever for value in member.values]

    def committed(self):
        """The greatest offset committed of each partition, as the members told."""
        best = {}
        for member in self.ever:
            for place, offset in member.committed.items():
                best[place] = max(offset, best.get(place, -1))
        return best

    def write(self, count):
        """`count` records that nobody wrote before, to each partition. Returns their values."""
        written = []
        with wire.Connection(self.bootstrap) as connection:
            for topic, partition in sorted(self.partitions):
                values = [b"%010d" % next(NUMBERS) for _ in range(count)]
                data = batch.build(values)
                # One that was just added may need a moment to have its leader; such an error means that nothing was written.
                written_now = lambda: connection.produce(topic, data, partition).error == wire.NONE  # noqa: B023, E731
                eventually(written_now, what=f"a record written to {topic}/{partition}")
                written += values
        return written

    def wait_read(self, values, within_s=PATIENCE_S):
        """Wait until each of `values` was read by someone and, where the members commit, committed."""
        wanted = set(values)

        def all_read():
            return wanted <= set(self.values())

        self.wait(all_read, "all records are read", within_s)

    def wait_committed(self, within_s=PATIENCE_S):
        """Wait until the offset after the last record that was read is committed, of every partition."""

        def all_committed():
            ends = {}
            for member in self.ever:
                for topic, partition, offset, _ in member.records:
                    ends[topic, partition] = max(offset + 1, ends.get((topic, partition), 0))
            committed = self.committed()
            return all(committed.get(place, -1) >= end for place, end in ends.items())

        self.wait(all_committed, "all that was read is committed", within_s)

    def write_and_read(self, count=3):
        """Write some records to each partition and wait until they are read and committed. Returns their values."""
        written = self.write(count)
        self.wait_read(written)
        self.wait_committed()
        return written


class Programs:
    """Processes for members, kept from test to test: starting them is what takes long. Those that crashed are not used again."""

    def __init__(self, folder):
        self.folder = folder
        self.idle = {}
        self.count = itertools.count(1)

    def take(self, name):
        waiting = self.idle.setdefault(name, [])
        if waiting:
            return waiting.pop()
        folder = self.folder / str(next(self.count))
        folder.mkdir()
        return clients.Client(name, folder)

    def give_back(self, member):
        if member.ended == "done":
            self.idle.setdefault(member.name, []).append(member.program)
        else:
            member.program.close()

    def close(self):
        for program in [each for waiting in self.idle.values() for each in waiting]:
            program.close()
