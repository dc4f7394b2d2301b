"""What ends a command with a message instead of a traceback."""

import signal
import sys


class DevError(Exception):
    """One sentence that says what is wrong and what to do about it."""


def main_guard(main):
    """Run `main`, print a `DevError` as one line, and exit with the status `main` returned (None is 0).

    SIGTERM ends it as an exception does, so that children are stopped on the way out.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        status = main()
    except DevError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
