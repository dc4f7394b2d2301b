"""A program in a terminal (`consoles/terminal.py`): keys go in, and its screen is read."""

import contextlib
import json
import os
import subprocess

from ring import programs
from ring.waiting import eventually

ENTER = "\r"
GRACE_S = 10
# A program may have to start first.
PATIENCE_S = 120


class Terminal:
    """`with Terminal(command, home)`; `home` is the program's home folder, which it may fill."""

    def __init__(self, command, home):
        self.process = subprocess.Popen(
            [str(part) for part in (programs.kaskade(), programs.TERMINAL, *command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": str(home)},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            with contextlib.suppress(BrokenPipeError):  # it has ended
                self.process.stdin.close()
            self.process.wait(GRACE_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def press(self, *keys):
        """Type; returns the screen as it was then."""
        self.process.stdin.write(json.dumps({"keys": "".join(keys)}) + "\n")
        self.process.stdin.flush()
        return "\n".join(line.rstrip() for line in json.loads(self.process.stdout.readline())["screen"])

    def shows(self, *words, without=()):
        """Wait until the screen has all these words and none of `without`; returns it."""

        def look():
            screen = self.press()
            return all(word in screen for word in words) and not any(word in screen for word in without) and screen

        try:
            return eventually(look, PATIENCE_S, what=f"{words} on the screen")
        except AssertionError as missed:
            raise AssertionError(f"{missed}; it shows\n{self.press()}") from None
