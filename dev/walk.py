"""What the walk-throughs are made of (`make demo-connect`, `make demo-mirror`): an Isthmus to walk on, steps, and expectations that end them."""

import contextlib
import os
import subprocess
import sys
import threading
import time

from dev import children, kafka_tool
from dev.errors import DevError
from dev.paths import ROOT
from dev.servers.kafka_probe import serves
from dev.servers.ports import LOOPBACK
from dev.settings import from_environment

PATIENCE_S = 120
POLL_INTERVAL_S = 0.2
STOP_PATIENCE_S = 60


def isthmus(folder, cleanup):
    """The address of the Isthmus at KAFKA_PORT, else of one that is started in `folder` and stopped by the ExitStack `cleanup`."""
    port = from_environment().kafka_port
    with contextlib.suppress(OSError):
        if serves(LOOPBACK, port):
            print(f"Walking on what runs at {LOOPBACK}:{port}.")
            return f"{LOOPBACK}:{port}"
    print(f"Nothing runs at {LOOPBACK}:{port}, so here is `make run`, with data of its own:")
    run = children.spawn(
        [sys.executable, "-m", "dev.run"],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(folder / "isthmus")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    cleanup.callback(children.stop, run, STOP_PATIENCE_S)
    for line in run.stdout:
        print(f"  {line}", end="", flush=True)
        if line.startswith("ready: "):
            # A pipe that nobody reads would stop it.
            threading.Thread(target=run.stdout.read, daemon=True).start()
            return line.removeprefix("ready: ").strip()
    raise DevError("`make run` did not come up: see above.")


def step(words):
    """The heading of a step."""
    print(f"\n== {words}", flush=True)


def expect(holds, words):
    """Say that it is so, or end."""
    if not holds:
        raise DevError(f"it is not so that {words}.")
    print(f"-- {words}", flush=True)


def until(look, words):
    """Look again and again until it is so; say that it is, or end."""
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        if time.monotonic() > deadline:
            raise DevError(f"after {PATIENCE_S} s it is still not so that {words}.")
        time.sleep(POLL_INTERVAL_S)
    print(f"-- {words}", flush=True)


def tool(name, bootstrap, *arguments, given="", show=True):
    """Show a command of Kafka's tools, run it, show what it prints unless told not to, and return that."""
    words = words_of(bootstrap, arguments)
    print(f"$ dev/kafka-tool {name} {' '.join(words)}", flush=True)
    done = run(name, words, given)
    if done.returncode:
        raise DevError(f"{name} failed: {(done.stderr or done.stdout).strip()}")
    if show and done.stdout.strip():
        print(done.stdout.strip(), flush=True)
    return done.stdout


def quietly(name, bootstrap, *arguments):
    """What the tool prints, nothing where it fails."""
    done = run(name, words_of(bootstrap, arguments))
    return "" if done.returncode else done.stdout


def words_of(bootstrap, arguments):
    """The words of a tool's command line."""
    return [str(word) for word in ("--bootstrap-server", bootstrap, *arguments)]


def run(name, words, given=""):
    """Run the tool to its end."""
    command = kafka_tool.command(name, words)
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=PATIENCE_S)


def read_properties(path):
    """A properties file without escapes, as a mapping."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
