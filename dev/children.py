"""Child processes that never outlive this one.

A child gets a session of its own, so that Ctrl-C reaches only the starter, which then stops its children in order.
On Linux the kernel kills a child when the *thread* that started it ends, however it ended: start children from a
thread that lives as long as they should.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent, sig):
    """Ask the kernel for `sig` when the parent ends; called in the child. `parent` is the pid it should have."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, sig, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), sig)


def spawn(argv, **popen):
    """Start `argv` in a session of its own, to be killed when this process ends. Returns the `Popen`."""
    parent = os.getpid()
    return subprocess.Popen(
        [str(arg) for arg in argv],
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(parent, signal.SIGKILL),
        **{"stdin": subprocess.DEVNULL, **popen},
    )


def signal_group(child, sig):
    """Send `sig` to the child and everything it started."""
    try:
        os.killpg(child.pid, sig)
    except (ProcessLookupError, PermissionError):
        pass


def kill(child):
    """SIGKILL the child's whole group and reap it."""
    signal_group(child, signal.SIGKILL)
    child.wait()


def stop(child, patience_s):
    """SIGTERM the child's group; SIGKILL what is left of it after `patience_s` seconds."""
    signal_group(child, signal.SIGTERM)
    try:
        child.wait(patience_s)
    except subprocess.TimeoutExpired:
        pass
    kill(child)


def run(argv, **popen):
    """Run a tool that shows its own progress, to its end. Returns its exit status."""
    child = spawn(argv, **popen)
    try:
        return child.wait()
    finally:
        kill(child)


def run_with_progress(argv, title, count=lambda line: False, **popen):
    """Run a long tool, telling every few seconds how long it has run and how many lines `count` was true for.

    Returns (exit status, the last 40 lines of its output).
    """
    started = told = time.monotonic()
    counted, tail = 0, []
    print(f"{title} ...", flush=True)
    child = spawn(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **popen)
    try:
        for line in child.stdout:
            counted += bool(count(line))
            tail = (tail + [line.rstrip()])[-40:]
            if time.monotonic() - told >= 5:
                told = time.monotonic()
                so_far = f", {counted} files" if counted else ""
                print(f"  {told - started:.0f} s{so_far}", flush=True)
        return child.wait(), tail
    finally:
        kill(child)
