"""The client programs, each a long-lived process that takes JSON commands on standard input (the protocol: ../README.md)."""

import json
import os
import queue
import subprocess
import threading
import time

from ring import programs

# Which codecs each client can write; all of them read every codec.
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
NAMES = ["java", "librdkafka", "kafka-python", "franz-go", "kafkajs"]
# kafkajs has no assigned partitions, it reads only as a member of a group.
READERS = ["java", "librdkafka", "kafka-python", "franz-go"]
# For the start of the process too, on a busy machine.
GRACE_S = 60


class ClientError(Exception):
    """The command failed; `name` is Kafka's name of the error, or the client's own. `lines` came before the failure."""

    def __init__(self, name, message, lines):
        super().__init__(f"{name}: {message}")
        self.name = name
        self.lines = lines


class Client:
    """One client program. Commands run one after the other; a new process is started when the last one was lost."""

    def __init__(self, name, log_folder):
        self.name = name
        self.log_path = log_folder / f"client-{name}.log"
        self.process = None
        self.lines = None

    def _start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in programs.command(self.name)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **programs.environment(self.name)},
            )
        self.lines = queue.SimpleQueue()
        threading.Thread(target=_forward, args=(self.process.stdout, self.lines), daemon=True).start()

    def send(self, op, **command):
        """Write a command, without waiting for anything."""
        if self.process is None or self.process.poll() is not None:
            self._start()
        self.process.stdin.write(json.dumps({"op": op, **command}) + "\n")
        self.process.stdin.flush()

    def stream(self, op, **command):
        """Run a command and yield its lines as they come; raises ClientError when it failed."""
        seen = []
        try:
            self.send(op, **command)
            # From here on: sending builds the client where it was not used yet.
            deadline = time.monotonic() + command.get("timeout_ms", 30000) / 1000 + GRACE_S
            while True:
                line = self._next(deadline)
                if line is None:
                    raise ClientError("CLIENT_ENDED", f"the process ended, see {self.log_path}", seen)
                answer = json.loads(line)
                if answer.get("done"):
                    return
                if "error" in answer:
                    raise ClientError(answer["error"], answer["message"], seen)
                seen.append(answer)
                yield answer
        except (GeneratorExit, queue.Empty, json.JSONDecodeError) as lost:
            self.close()
            if isinstance(lost, queue.Empty):
                raise ClientError("CLIENT_HANGS", f"no answer to {op}, see {self.log_path}", seen) from lost
            raise

    def _next(self, deadline):
        return self.lines.get(timeout=max(0.01, deadline - time.monotonic()))

    def run(self, op, **command):
        """Run a command and return all its lines."""
        return list(self.stream(op, **command))

    def produce(self, bootstrap, topic, records=None, **options):
        """Produce and return the acknowledgements, in the order of the records. Any failure raises."""
        what = {} if records is None else {"records": records}
        lines = self.run("produce", bootstrap=bootstrap, topic=topic, **what, **options)
        for line in lines:
            if "failed" in line:
                raise ClientError(line["failed"]["error"], line["failed"]["message"], lines)
        return sorted((line["ack"] for line in lines), key=lambda ack: ack["index"])

    def consume(self, bootstrap, topic, partition=0, offset="earliest", **options):
        """The records of one partition, up to its end or `count`."""
        assign = options.pop("assign", None) or [{"topic": topic, "partition": partition, "offset": offset}]
        return [line["record"] for line in self.run("consume", bootstrap=bootstrap, assign=assign, **options)]

    def admin(self, bootstrap, action, topic=None, **options):
        """One administrative action; its line, or an empty mapping."""
        lines = self.run("admin", bootstrap=bootstrap, action=action, topic=topic, **options)
        return lines[0] if lines else {}

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process = None


def _forward(stream, lines):
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)
