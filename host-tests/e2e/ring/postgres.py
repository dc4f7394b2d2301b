"""PostgreSQL: a server from its own programs, in a folder of its own, with the log of changes that Debezium reads."""

import os
import subprocess
import tarfile
import zipfile

from ring import programs
from ring.paths import E2E

from dev import children
from dev.errors import DevError
from dev.servers import free_ports
from dev.servers.ports import LOOPBACK
from dev.servers.server import Server

ARCHIVE = "postgres-linux-x86_64.txz"
# It refuses to run as root. This user owns nothing else.
NOBODY = 65534
STOP_PATIENCE_S = 20


class Postgres(Server):
    """PostgreSQL with one database, `postgres`, and everybody trusted. `data` must be reachable for other users, if root runs it."""

    name = "postgres"
    start_patience_s = 60
    user = "postgres"

    def __init__(self, data, log_path=None):
        super().__init__(data, log_path)
        (self.port,) = free_ports(1)
        self.options = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        self.client = None

    @property
    def url(self):
        return f"jdbc:postgresql://{LOOPBACK}:{self.port}/postgres?user={self.user}"

    def prepare(self):
        """Unpack the programs and make the database, where there is none."""
        if (self.data / "db").exists():
            return
        with zipfile.ZipFile(programs.postgres()) as jar, jar.open(ARCHIVE) as archive, tarfile.open(fileobj=archive, mode="r:xz") as tar:
            tar.extractall(self.data / "programs")
        if self.options:
            os.chown(self.data, NOBODY, NOBODY)
            # The archive does not name all of its folders, and those are made as root's umask has it.
            for folder in (self.data / "programs").iterdir():
                folder.chmod(0o755)
            (self.data / "programs").chmod(0o755)
        made = [self.program("initdb"), "-D", self.data / "db", "-U", self.user, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(made, capture_output=True, text=True, cwd=self.data, **self.options)
        if done.returncode:
            raise DevError(f"no database could be made: {done.stderr.strip()}")

    def program(self, name):
        return self.data / "programs" / "bin" / name

    def command(self):
        settings = {"listen_addresses": LOOPBACK, "unix_socket_directories": "", "wal_level": "logical", "fsync": "off"}
        return [
            *(self.program("postgres"), "-D", self.data / "db", "-p", self.port),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ]

    def ready(self):
        """What it writes beside its process id."""
        return "ready" in (self.data / "db" / "postmaster.pid").read_text().split()

    def run(self, *statements):
        """Run SQL, each statement in a transaction of its own."""
        if self.client is None:
            jars = f"{programs.debezium() / 'lib'}/*"
            command = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", jars, E2E / "tools" / "Sql.java", self.url]
            self.client = children.spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for statement in statements:
            self.client.stdin.write(f"{statement}\n")
            self.client.stdin.flush()
            outcome = self.client.stdout.readline().strip()
            assert outcome == "ok", f"{statement}: {outcome or 'the client ended'}"

    def stop(self):
        """Its processes end by themselves when the first of them does."""
        if self.client is not None:
            children.kill(self.client)
        super().kill()
