"""A worker of Kafka Connect: standalone, or one of a group."""

import http.client
import json
import time
import urllib.error
import urllib.request

from dev import install, tools
from dev.servers.java import java
from dev.servers.ports import LOOPBACK, free_ports
from dev.servers.server import Server, http_status

# Kafka keeps these out of the class path, as plug-ins that `plugin.path` names.
FILE_CONNECTORS = f"connect-file-{install.KAFKA_VERSION}.jar"
STANDALONE = "org.apache.kafka.connect.cli.ConnectStandalone"
DISTRIBUTED = "org.apache.kafka.connect.cli.ConnectDistributed"
JSON = "org.apache.kafka.connect.json.JsonConverter"

# A worker itself gives up after 90 seconds.
REST_PATIENCE_S = 95
# A rebalance, a leader that is gone, a worker that starts: what is asked then may be asked again.
NOT_YET = (409, 500, 503)
REPEAT_S = 0.1


class Connect(Server):
    """A Connect worker of `install.KAFKA_VERSION`, on the cluster at `bootstrap`.

    With `group` it is distributed: its three topics are `GROUP-configs`, `-offsets` and `-status`. Without, it is
    standalone and runs `connectors`, {name: {property: value}}. `settings` are further properties of the worker, and
    win; `plugins` are paths beside Kafka's file connectors. It serves as soon as it has read its topics to their ends.
    """

    name = "connect"
    start_patience_s = 120
    # It ends its connectors first, and leaves its group.
    stop_patience_s = 60

    def __init__(
        self,
        data,
        bootstrap,
        group=None,
        connectors=None,
        rest_port=None,
        settings=None,
        plugins=(),
        heap_mib=256,
        log_level="info",
        log_path=None,
    ):
        super().__init__(data, log_path)
        self.bootstrap = bootstrap
        self.group = group
        self.connectors = connectors or {}
        self.rest_port = rest_port or free_ports(1)[0]
        self.settings = settings or {}
        self.plugins = plugins
        self.heap_mib = heap_mib
        self.log_level = log_level

    @property
    def worker_id(self):
        """The name other workers and the statuses know it by."""
        return f"{LOOPBACK}:{self.rest_port}"

    @property
    def url(self):
        """The root of its REST."""
        return f"http://{self.worker_id}"

    def properties(self):
        """The worker's properties."""
        return {
            "bootstrap.servers": self.bootstrap,
            "listeners": self.url,
            "plugin.path": ",".join(map(str, [self.jars / FILE_CONNECTORS, *self.plugins])),
            "key.converter": JSON,
            "value.converter": JSON,
            **(self.storage_topics() if self.group else {"offset.storage.file.filename": self.data / "connect.offsets"}),
            **self.settings,
        }

    def storage_topics(self):
        """What a distributed worker has beside: it keeps everything in topics."""
        storages = {"config": "configs", "offset": "offsets", "status": "status"}
        topics = {f"{kind}.storage.topic": f"{self.group}-{name}" for kind, name in storages.items()}
        replicas = {f"{kind}.storage.replication.factor": 1 for kind in storages}
        return {"group.id": self.group, **topics, **replicas}

    def prepare(self):
        """Install the jars; write the properties of the worker and of its connectors."""
        tools.require("java")
        self.jars = install.connect()
        write_properties(self.data / "worker.properties", self.properties())
        for name, connector in self.connectors.items():
            write_properties(self.data / f"{name}.properties", {"name": name, **connector})

    def command(self):
        """The worker."""
        main = [DISTRIBUTED] if self.group else [STANDALONE]
        files = ["worker", *self.connectors]
        return [
            *java(self.jars, self.data, self.heap_mib, self.log_level, "-XX:TieredStopAtLevel=1", without=[FILE_CONNECTORS]),
            *main,
            *(self.data / f"{name}.properties" for name in files),
        ]

    def ready(self):
        """Its own word (KIP-1017)."""
        return http_status(self.rest_port, "/health") == 200

    def ask(self, method, path, body=None):
        """(status, JSON) of a question to its REST; (0, None) where nobody answers, breaks off, or sends a page for people."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            status, text = answered(request)
            return status, json.loads(text) if text else None
        except (OSError, http.client.HTTPException, ValueError):
            return 0, None


def ask_settled(worker, method, path, body=None):
    """(status, JSON) of a question to the worker that `worker()` is, asked again while the group does not know yet."""
    deadline = time.monotonic() + REST_PATIENCE_S
    while True:
        status, answer = worker().ask(method, path, body)
        if status not in (0, *NOT_YET) or time.monotonic() > deadline:
            return status, answer
        time.sleep(REPEAT_S)


def answered(request):
    """(status, body) of an HTTP answer, be it a good one or not."""
    try:
        answer = urllib.request.urlopen(request, timeout=REST_PATIENCE_S)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.read()


def write_properties(path, values):
    """A Java properties file; a backslash begins an escape there."""
    lines = (f"{key}={value}\n".replace("\\", "\\\\") for key, value in values.items())
    path.write_text("".join(lines))
