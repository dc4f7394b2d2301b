"""`make demo-connect`: Kafka Connect on Pulsar, standalone and distributed, as docs/connect.md tells it.

Every step is looked at: the exit status says whether all was as it should be.
"""

import contextlib
import json
import tempfile
import time
from pathlib import Path

from dev.errors import DevError, main_guard
from dev.paths import ROOT
from dev.servers import Connect
from dev.servers.connect import ask_settled
from dev.walk import expect, isthmus, read_properties, step, tool, until

FILES = ROOT / "dev" / "connect"
# Connect waits five minutes for a worker that is gone, and ten seconds until it believes that; nobody wants to look on that long.
QUICK = {"scheduled.rebalance.max.delay.ms": 0, "session.timeout.ms": 6000, "heartbeat.interval.ms": 1000, "offset.flush.interval.ms": 1000}


def main():
    """Start what is missing, walk through, stop what was started."""
    with contextlib.ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="isthmus-demo-")))
        Walk(folder, isthmus(folder, cleanup), cleanup).all()
    print("\nAll of it was as it should be.")


class Walk:
    """The steps, in order."""

    def __init__(self, folder, bootstrap, cleanup):
        self.folder = folder
        self.bootstrap = bootstrap
        self.cleanup = cleanup
        # Whatever else is in that Pulsar, also from an earlier walk, has another name.
        self.mark = time.strftime("%H%M%S")
        self.group, self.reader, self.writer = (f"demo-{name}-{self.mark}" for name in ("connect", "source", "sink"))
        self.topics = {"standalone": f"connect-test-{self.mark}", "distributed": f"demo-lines-{self.mark}"}
        self.workers = []

    def all(self):
        """From a file to a file, with one worker and with two."""
        self.standalone()
        self.start_workers()
        self.create()
        self.pause()
        self.kill()
        self.reset()
        self.clean_up()

    def standalone(self):
        step("Kafka's quick start: one worker, a file that becomes a topic, and a topic that becomes a file")
        given, taken = self.folder / "test.txt", self.folder / "test.sink.txt"
        append(given, "foo", "bar")
        names = ["connect-standalone", "connect-file-source", "connect-file-sink"]
        worker, source, sink = (read_properties(FILES / f"{name}.properties") for name in names)
        source |= {"file": given, "topic": self.topics["standalone"]}
        sink |= {"file": taken, "topics": self.topics["standalone"]}
        print(f"$ dev/kafka-tool connect-standalone {' '.join(f'dev/connect/{name}.properties' for name in names)}", flush=True)
        converters = {name: value for name, value in worker.items() if "converter" in name}
        connectors = {f"{each.pop('name')}-{self.mark}": each for each in (source, sink)}
        self.groups = [f"connect-{name}" for name in connectors if "sink" in name]
        with Connect(self.folder / "standalone", self.bootstrap, connectors=connectors, settings=converters):
            until(lambda: lines(taken) == ["foo", "bar"], "test.sink.txt holds what test.txt holds")
            options = ["--topic", self.topics["standalone"], "--from-beginning", "--max-messages", 2, "--timeout-ms", 60000]
            told = tool("console-consumer", self.bootstrap, *options)
            expect([json.loads(line)["payload"] for line in told.splitlines()] == ["foo", "bar"], "the topic holds them as JSON")
            append(given, "Another line")
            until(lambda: lines(taken) == lines(given), "a line that is added to test.txt comes to test.sink.txt")

    def start_workers(self):
        step("Two workers of one group, which keep all they know in three topics")
        for name in ("one", "two"):
            worker = Connect(self.folder / name, self.bootstrap, self.group, settings=QUICK)
            self.workers.append(worker)
            print(f"$ dev/kafka-tool connect-distributed {name}.properties    # with listeners={worker.url}", flush=True)
            self.cleanup.callback(worker.stop)
            worker.start()
        for topic in self.own_topics():
            told = tool("configs", self.bootstrap, "--describe", "--topic", topic)
            expect("cleanup.policy=compact " in told, f"{topic} is compacted")

    def create(self):
        step("Connectors by REST")
        self.given, self.taken = self.folder / "lines.txt", self.folder / "lines.copy.txt"
        append(self.given, *(f"line {number}" for number in range(1, 6)))
        text = dict.fromkeys(("key.converter", "value.converter"), "org.apache.kafka.connect.storage.StringConverter")
        source = {"connector.class": "FileStreamSource", "file": str(self.given), "topic": self.topics["distributed"], **text}
        sink = {"connector.class": "FileStreamSink", "file": str(self.taken), "topics": self.topics["distributed"], **text}
        self.rest("PUT", f"/connectors/{self.reader}/config", source)
        self.rest("PUT", f"/connectors/{self.writer}/config", sink)
        self.is_copied("the lines of one file are in the other")
        for name in (self.reader, self.writer):
            self.runs(name, "RUNNING")
            self.rest("GET", f"/connectors/{name}/status")

    def pause(self):
        step("A connector that is paused, and resumed")
        self.rest("PUT", f"/connectors/{self.reader}/pause")
        self.runs(self.reader, "PAUSED")
        append(self.given, "while the source was paused")
        time.sleep(2)
        expect(lines(self.taken) != lines(self.given), "what is added now does not come")
        self.rest("PUT", f"/connectors/{self.reader}/resume")
        self.is_copied("it comes when the connector is resumed")

    def kill(self):
        step("SIGKILL for the worker that reads the file")
        victim_id = self.status(self.reader)["tasks"][0]["worker_id"]
        (victim,) = (worker for worker in self.workers if worker.worker_id == victim_id)
        print(f"$ kill -9 {victim.pid}    # {victim_id}", flush=True)
        victim.kill()
        self.workers.remove(victim)
        append(self.given, "while a worker was dead")
        until(lambda: set(lines(self.given)) <= set(lines(self.taken)), "the other worker has read on")
        for name in (self.reader, self.writer):
            self.runs(name, "RUNNING", without=victim_id)

    def reset(self):
        step("Offsets: where the source is, and back to the beginning")
        place = {"partition": {"filename": str(self.given)}, "offset": {"position": self.given.stat().st_size}}
        told = lambda: self.ask("GET", f"/connectors/{self.reader}/offsets")[1]  # noqa: E731
        until(lambda: told() == {"offsets": [place]}, "the source has told how far it has read")
        self.rest("GET", f"/connectors/{self.reader}/offsets")
        self.rest("PUT", f"/connectors/{self.reader}/stop")
        self.runs(self.reader, "STOPPED")
        self.rest("DELETE", f"/connectors/{self.reader}/offsets")
        before = len(lines(self.taken))
        self.rest("PUT", f"/connectors/{self.reader}/resume")
        until(lambda: lines(self.taken)[before:] == lines(self.given), "every line came once more")

    def clean_up(self):
        step("Nothing is left behind")
        for name in (self.reader, self.writer):
            self.rest("DELETE", f"/connectors/{name}")
        until(lambda: self.ask("GET", "/connectors")[1] == [], "there are no connectors")
        for worker in self.workers:
            worker.stop()
        groups = [word for name in (*self.groups, f"connect-{self.writer}") for word in ("--group", name)]
        tool("consumer-groups", self.bootstrap, "--delete", *groups)
        for topic in [*self.topics.values(), *self.own_topics()]:
            tool("topics", self.bootstrap, "--delete", "--topic", topic)

    def own_topics(self):
        return [f"{self.group}-{name}" for name in ("configs", "offsets", "status")]

    def is_copied(self, words):
        until(lambda: lines(self.taken) == lines(self.given), words)

    def runs(self, name, state, without=None):
        """Wait until the connector, and each task it has, is in that state, and on another worker than `without`."""

        def look():
            status = self.status(name)
            parts = [status["connector"], *status["tasks"]] if status else []
            # What is on a dead worker is said to run for as long as that is not missed.
            return {part["state"] for part in parts} == {state} and without not in {part["worker_id"] for part in parts}

        until(look, f"{name} is {state}{' on the other worker' if without else ''}")

    def status(self, name):
        """What its status is, None while that is not known."""
        status, answer = self.ask("GET", f"/connectors/{name}/status")
        return answer if status == 200 and (answer["tasks"] or answer["connector"]["state"] == "STOPPED") else None

    def rest(self, method, path, body=None):
        """Show a question to the workers, ask it, and show the answer."""
        url = self.workers[0].url + path
        shown = f" -H 'Content-Type: application/json' -d '{json.dumps(body)}'" if body else ""
        print(f"$ curl -s -X {method}{shown} {url}", flush=True)
        status, answer = self.ask(method, path, body)
        if not 200 <= status < 300:
            raise DevError(f"{method} {path} was answered with {status}: {answer}")
        if answer is not None:
            print(json.dumps(answer), flush=True)

    def ask(self, method, path, body=None):
        """(status, JSON) of a question to the first worker, once the workers know."""
        return ask_settled(lambda: self.workers[0], method, path, body)


def append(path, *added):
    """Add lines to a file."""
    with open(path, "a") as file:
        file.writelines(f"{line}\n" for line in added)


def lines(path):
    """The lines of a file, none where it is not there yet."""
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    main_guard(main)
