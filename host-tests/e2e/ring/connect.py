"""Kafka Connect: the workers of one group, and what their REST says."""

import time

from ring.waiting import POLL_INTERVAL_S, eventually

from dev.servers import Connect
from dev.servers.connect import ask_settled

# Kafka's smallest session, and everything else as soon as it can be.
QUICK = {
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 500,
    "rebalance.timeout.ms": 15000,
    "scheduled.rebalance.max.delay.ms": 0,
    "offset.flush.interval.ms": 200,
    # A task that stops more slowly is given up without a commit, and what it has done is done twice.
    "task.shutdown.graceful.timeout.ms": 15000,
    "plugin.discovery": "service_load",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
}
# A killed worker is missed after its session, and the consumer of its sink after Kafka's own, 45 s; Isthmus may need a third of that and
# some seconds more, and then connectors start anew.
PATIENCE_S = 180


class Workers:
    """Workers of one group. Questions go to the first that lives, which asks the others by itself."""

    def __init__(self, folder, bootstrap, group, names=("one", "two"), **options):
        self.group = group
        self.all = [Connect(folder / name, bootstrap, group, settings=QUICK, **options) for name in names]

    def start(self):
        for worker in self.all:
            if not worker.alive:
                worker.launch()
        for worker in self.all:
            worker.wait_ready()

    def stop(self):
        for worker in self.all:
            worker.stop()

    def kill(self):
        for worker in self.all:
            worker.kill()

    @property
    def living(self):
        return [worker for worker in self.all if worker.alive]

    def ask(self, method, path, body=None):
        """(status, JSON), once the group has settled enough to answer."""
        return ask_settled(lambda: self.living[0], method, path, body)

    def do(self, method, path, body=None):
        """The JSON of an answer that must be a good one."""
        status, answer = self.ask(method, path, body)
        assert 200 <= status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def connector(self, name, config):
        """A connector, made or changed, once it and its task run."""
        self.do("PUT", f"/connectors/{name}/config", config)
        made = Connector(self, name)
        made.wait("RUNNING")
        return made


class Connector:
    """One connector of one task, at most."""

    def __init__(self, workers, name):
        self.workers = workers
        self.name = name

    def do(self, method, path="", body=None):
        return self.workers.do(method, f"/connectors/{self.name}{path}", body)

    def ask(self, method, path="", body=None):
        return self.workers.ask(method, f"/connectors/{self.name}{path}", body)

    def states(self):
        """The state of the connector, those of its tasks, and the living workers they are on; None where that is not known."""
        status, answer = self.ask("GET", "/status")
        if status != 200:
            return None
        parts = [answer["connector"], *answer["tasks"]]
        if not {part["worker_id"] for part in parts} <= {worker.worker_id for worker in self.workers.living}:
            return None
        return [part["state"] for part in parts]

    def wait(self, state, tasks=1):
        expected = [state] * (1 + tasks)
        eventually(lambda: self.states() == expected, PATIENCE_S, f"{self.name} {state}")

    @property
    def worker(self):
        """The worker its task runs on."""
        found = self.do("GET", "/status")["tasks"][0]["worker_id"]
        return next(worker for worker in self.workers.all if worker.worker_id == found)

    @property
    def offsets(self):
        """[(partition, offset)], each as the connector writes it."""
        return [(each["partition"], each["offset"]) for each in self.do("GET", "/offsets")["offsets"]]

    def wait_offsets(self, expected):
        """Wait until these are told: of a source's, a worker reads which there are first, and only then the log to its end."""
        eventually(lambda: self.offsets == expected, PATIENCE_S, f"the offsets {expected} of {self.name}")

    def change_offset(self, partition, offset):
        self.do("PATCH", "/offsets", {"offsets": [{"partition": partition, "offset": offset}]})

    def stop(self):
        """Stopped: without tasks, as its offsets may be changed."""
        self.do("PUT", "/stop")
        self.wait("STOPPED", tasks=0)

    def resume(self):
        self.do("PUT", "/resume")
        self.wait("RUNNING")

    def delete(self):
        # One that broke off is asked again, and may have done it.
        status, answer = self.ask("DELETE")
        assert status in (204, 404), f"DELETE {self.name}: {status} {answer}"
        eventually(lambda: self.ask("GET")[0] == 404, PATIENCE_S, f"no {self.name}")


class Lines:
    """A file of lines that a connector reads or writes."""

    def __init__(self, path):
        self.path = path

    def add(self, *lines):
        with open(self.path, "a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def read(self):
        return self.path.read_text().splitlines() if self.path.exists() else []

    @property
    def size(self):
        return self.path.stat().st_size if self.path.exists() else 0

    def wait(self, expected):
        """Wait until there are exactly these lines."""
        self._wait(lambda found: found == list(expected), expected)

    def wait_all(self, expected):
        """Wait until each of these lines is there, be it more than once."""
        self._wait(lambda found: set(found) >= set(expected), expected)

    def _wait(self, enough, expected):
        deadline = time.monotonic() + PATIENCE_S
        while not enough(self.read()):
            assert time.monotonic() < deadline, f"{self.path.name}: {self.read()[-5:]} instead of {list(expected)[-5:]}"
            time.sleep(POLL_INTERVAL_S)


def source(lines, topic, **config):
    """The configuration of a source of a file's lines."""
    return _file("Source", lines, {"topic": topic, **config})


def sink(lines, topic, **config):
    """The configuration of a sink of a topic's records into a file."""
    return _file("Sink", lines, {"topics": topic, **config})


def _file(kind, lines, config):
    return {"connector.class": f"FileStream{kind}", "tasks.max": "1", "file": str(lines.path), **config}
