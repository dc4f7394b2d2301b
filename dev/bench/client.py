"""One run of benches/java/Bench.java, with the servers' CPU time watched while it measures."""

import hashlib
import os
import subprocess
import sys
import threading

from dev import children, install, tools
from dev.bench import usage
from dev.errors import DevError
from dev.paths import CACHE, ROOT

SOURCE = ROOT / "benches" / "java" / "Bench.java"
E2E = ROOT / "host-tests" / "e2e"

# The same for both clients. The heap is larger than either needs.
JVM = ["-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]

RUN_PATIENCE_S = 600


def build():
    """The class path: the clients of the end-to-end tests, pinned there, and the benchmark's own class."""
    if str(E2E) not in sys.path:
        sys.path.insert(0, str(E2E))
    from ring import programs

    jars = programs.java() / "lib"
    folder = CACHE / "bench-client"

    def compile_it():
        if not tools.have("javac"):
            raise DevError(f"javac is not on the PATH: {tools.ADVICE['java']}.")
        command = ["javac", "--release", "17", "-d", folder, "-cp", f"{jars}/*", SOURCE]
        compiled = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if compiled.returncode:
            raise DevError(f"the benchmark's client does not compile: {compiled.stderr.strip()}")

    sums = hashlib.sha256((E2E / "java" / "lib.sha256").read_bytes()).digest()
    install.made_once(folder, [SOURCE.read_bytes(), sums], compile_it)
    return f"{folder}:{jars}/*"


def run(class_path, mode, protocol, watched, log_path, **options):
    """Run one mode to its end.

    `watched` names processes by their id. Returns what the client measured, and in `cpu` the CPU seconds that each of the
    watched, the `client`, and all `others` on the machine used meanwhile.
    """
    arguments = [f"{name}={value}" for name, value in options.items()]
    command = ["java", *JVM, "-cp", class_path, "Bench", mode, protocol, *arguments]
    with open(log_path, "ab") as log:
        child = children.spawn(command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ)
    overdue = threading.Timer(RUN_PATIENCE_S, children.kill, [child])
    overdue.start()
    try:
        return measured(child, {**watched, "client": child.pid}) or failed(mode, protocol, log_path)
    finally:
        overdue.cancel()
        children.kill(child)


def measured(child, watched):
    """Read what the client prints; None when it ends without a result."""
    began = used = None
    for line in child.stdout:
        word, *rest = line.split()
        if word == "start":
            began = cpu(watched)
        elif word == "end" and began:
            used = {name: seconds - began[name] for name, seconds in cpu(watched).items()}
        elif word == "result" and used:
            values = dict(pair.split("=") for pair in rest)
            return {**{name: float(value) for name, value in values.items()}, "cpu": used}
    return None


def cpu(watched):
    """CPU seconds so far, by name."""
    used = {name: usage.cpu_seconds(pid) for name, pid in watched.items()}
    return {**used, "others": usage.busy_seconds() - sum(used.values())}


def failed(mode, protocol, log_path):
    """Say where to look."""
    raise DevError(f"the {protocol} client failed to {mode}: see {log_path}.")
