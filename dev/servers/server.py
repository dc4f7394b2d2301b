"""What all servers have in common: one child process, one log file, a way to see that it serves."""

import http.client
import subprocess
import time
from pathlib import Path

from dev import children
from dev.errors import DevError
from dev.servers.ports import LOOPBACK

POLL_INTERVAL_S = 0.1


class Server:
    """A server of a name, with its data and log under `data` (a folder, made where missing).

    Subclasses say how to `prepare` (install, write configuration files), which `command` to run and when it is `ready`.
    """

    name = "server"
    start_patience_s = 180
    stop_patience_s = 20
    # Further ones of `Popen`, as the user to run as.
    options = {}

    def __init__(self, data, log_path=None):
        self.data = Path(data).resolve()
        self.log_path = Path(log_path or self.data / f"{self.name}.log")
        self.child = None

    def prepare(self):
        """Do what must come before every start; called again on restart."""

    def command(self):
        """The argument list of the process."""
        raise NotImplementedError

    def ready(self):
        """Whether it serves now. May raise OSError or HTTPException, which mean no."""
        raise NotImplementedError

    @property
    def alive(self):
        """Whether its process runs."""
        return self.child is not None and self.child.poll() is None

    @property
    def pid(self):
        """The process id of the server itself."""
        return self.child.pid

    def launch(self):
        """Start the process without waiting for it to serve. Appends to the log."""
        if self.alive:
            raise DevError(f"{self.name} runs already")
        self.data.mkdir(parents=True, exist_ok=True)
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.prepare()
        with open(self.log_path, "ab") as log:
            self.child = children.spawn(self.command(), stdout=log, stderr=subprocess.STDOUT, cwd=self.data, **self.options)
        return self

    def wait_ready(self, patience_s=None):
        """Return when it serves; raise `DevError` when its process ends first or it takes too long."""
        patience_s = patience_s or self.start_patience_s
        deadline = time.monotonic() + patience_s
        while not self._ready_now():
            if not self.alive:
                raise DevError(f"{self.name} ended with status {self.child.returncode} while starting: {self.why()}")
            if time.monotonic() > deadline:
                raise DevError(f"{self.name} did not serve within {patience_s:.0f} s: {self.why()}")
            time.sleep(POLL_INTERVAL_S)
        return self

    def _ready_now(self):
        try:
            return self.alive and self.ready()
        except (OSError, http.client.HTTPException):
            return False

    def why(self):
        """Where to look when it did not come up."""
        return f"see {self.log_path}"

    def start(self):
        """Launch it and wait until it serves."""
        self.launch()
        try:
            return self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self):
        """SIGTERM, then SIGKILL after `stop_patience_s`. Nothing happens when it does not run."""
        if self.child is not None:
            children.stop(self.child, self.stop_patience_s)

    def kill(self):
        """SIGKILL, as a crash."""
        if self.child is not None:
            children.kill(self.child)

    def restart(self):
        """Stop in order and start again on the same ports and data. For a crash: `kill()` and `start()`."""
        self.stop()
        return self.start()

    def __enter__(self):
        return self if self.alive else self.start()

    def __exit__(self, *_):
        self.stop()


def http_status(port, path, host=LOOPBACK, timeout_s=5):
    """The status of `GET http://host:port/path`."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
