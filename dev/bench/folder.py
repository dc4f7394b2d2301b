"""Where a benchmark keeps its servers' data and logs."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from dev.errors import DevError
from dev.paths import CACHE


@contextlib.contextmanager
def scratch_folder(keep=False):
    """A new folder; it stays where it is to be kept, and where a server or a client failed, for its logs."""
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=CACHE))
    try:
        yield folder
    except DevError:
        keep = True
        raise
    finally:
        if not keep:
            shutil.rmtree(folder)
