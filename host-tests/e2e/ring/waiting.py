"""Waiting for what must come, instead of sleeping and hoping."""

import time

POLL_INTERVAL_S = 0.05


def eventually(look, within_s=30, what="it"):
    """The first true value that `look` gives; fails when none came in time."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within_s} s")
        time.sleep(POLL_INTERVAL_S)
