"""Runs a program in a terminal and tells what it shows: `terminal.py PROGRAM ARGUMENTS`.

One JSON command per line on standard input: `{"keys": TEXT}` types, `{}` only looks. Each is answered with
`{"screen": [LINE, ...], "ended": whether the program has}`.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios

import pyte

COLUMNS, LINES = 140, 40
READ_BYTES = 1 << 16


def start(command):
    """The program's process id, and the file descriptor of its terminal."""
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    return child, terminal


class Terminal:
    def __init__(self, command):
        self.child, self.descriptor = start(command)
        self.screen = pyte.Screen(COLUMNS, LINES)
        self.stream = pyte.ByteStream(self.screen)
        self.ended = False

    def take(self):
        """Draw what the program printed."""
        try:
            data = os.read(self.descriptor, READ_BYTES)
        except OSError:  # as Linux tells that the program has ended
            data = b""
        self.ended = not data
        self.stream.feed(data)

    def answer(self, command):
        """Type, and say what is shown."""
        if not self.ended:
            os.write(self.descriptor, command.get("keys", "").encode())
        print(json.dumps({"screen": self.screen.display, "ended": self.ended}), flush=True)

    def end(self):
        """End the program: one whose terminal is gone may look for it for ever, as fast as it can."""
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)


def main():
    """Serve until the end of the input; the program ends with that."""
    terminal = Terminal(sys.argv[1:])
    try:
        serve(terminal, sys.stdin.fileno())
    finally:
        terminal.end()


def serve(terminal, commands):
    """Take commands until there are no more."""
    rest = b""
    while True:
        watched = [commands] if terminal.ended else [commands, terminal.descriptor]
        ready, _, _ = select.select(watched, [], [])
        if terminal.descriptor in ready:
            terminal.take()
        if commands in ready:
            data = os.read(commands, READ_BYTES)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                terminal.answer(json.loads(line))


if __name__ == "__main__":
    main()
