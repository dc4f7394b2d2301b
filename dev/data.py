"""The data folder of `make run`: what keeps two runs out of one, and `make wipe`."""

import contextlib
import fcntl
import shutil

from dev.errors import DevError, main_guard
from dev.settings import from_environment

# Only a folder with this file in it is ever removed.
MARK = "isthmus-data.lock"


@contextlib.contextmanager
def held(folder):
    """Make `folder` ours until the end, or raise when another run has it. The kernel lets go however we end."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / MARK).exists():
        raise DevError(f"{folder} holds other things: choose an empty folder with DATA_DIR=FOLDER.")
    with open(folder / MARK, "w") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DevError(f"{folder} is in use by another `make run`: stop it first.") from None
        yield


def main():
    """`make wipe`: remove the data folder."""
    folder = from_environment().data
    if not folder.exists():
        print(f"{folder}: nothing there")
        return
    with held(folder):
        shutil.rmtree(folder)
    print(f"{folder}: removed")


if __name__ == "__main__":
    main_guard(main)
