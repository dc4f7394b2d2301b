"""Envoy with the filter."""

import json
from pathlib import Path
from string import Template

from dev import install
from dev.paths import ENVOY_CONFIGS
from dev.servers.kafka_probe import serves
from dev.servers.ports import LOOPBACK, free_ports
from dev.servers.server import Server, http_status


class Envoy(Server):
    """Envoy with envoy/static.yaml: one listener, in front of the Pulsar at `pulsar` and `pulsar_admin`.

    `pulsar` is a `Pulsar`, or `host:port`; with the latter `pulsar_admin` is the `host:port` of its REST.
    `filter_config` is the filter's configuration, a mapping. `template` is another configuration file or its text,
    with the same names in it; `names` fills in further ones.
    """

    name = "envoy"
    start_patience_s = 120

    def __init__(
        self,
        data,
        pulsar,
        wasm,
        pulsar_admin=None,
        kafka_port=None,
        admin_port=None,
        filter_config=None,
        concurrency=2,
        template=ENVOY_CONFIGS / "static.yaml",
        names=None,
        log_level="info",
        log_path=None,
    ):
        super().__init__(data, log_path)
        spare = free_ports(2)
        self.kafka_port = kafka_port or spare[0]
        self.admin_port = admin_port or spare[1]
        self.pulsar = getattr(pulsar, "address", pulsar)
        self.pulsar_admin = pulsar_admin or pulsar.admin_address
        self.wasm = Path(wasm).resolve()
        self.filter_config = filter_config or {}
        self.concurrency = concurrency
        self.template = template
        self.names = names or {}
        self.log_level = log_level

    @property
    def bootstrap(self):
        """What Kafka clients take as bootstrap server."""
        return f"{LOOPBACK}:{self.kafka_port}"

    def prepare(self):
        """Install Envoy and write its configuration."""
        self.binary = install.envoy()
        self.config_path = self.data / "envoy.yaml"
        self.config_path.write_text(self.configuration())

    def configuration(self):
        """The text of the configuration."""
        template = self.template.read_text() if isinstance(self.template, Path) else self.template
        host, port = split_address(self.pulsar)
        admin_host, admin_port = split_address(self.pulsar_admin)
        return render(
            template,
            {
                "KAFKA_PORT": self.kafka_port,
                "ENVOY_ADMIN_PORT": self.admin_port,
                "PULSAR_HOST": host,
                "PULSAR_PORT": port,
                "PULSAR_ADMIN_HOST": admin_host,
                "PULSAR_ADMIN_PORT": admin_port,
                "WASM": self.wasm,
                "FILTER_CONFIGURATION": json.dumps(self.filter_config),
                **self.names,
            },
        )

    def command(self):
        """Hot restart is off: its shared memory would be one for all Envoys of the machine."""
        return [
            self.binary,
            *("-c", self.config_path),
            *("--concurrency", self.concurrency),
            *("-l", "warning"),
            *("--component-log-level", f"wasm:{self.log_level}"),
            *("--log-format", "%H:%M:%S.%e %l %n %v"),
            "--disable-hot-restart",
        ]

    def ready(self):
        """Its own word, then a Kafka round trip through the filter to Pulsar."""
        return http_status(self.admin_port, "/ready") == 200 and serves(LOOPBACK, self.kafka_port)


def render(template, names):
    """Fill `${NAMES}` in; the values may stand between single quotes in YAML."""
    return Template(template).substitute({key: str(value).replace("'", "''") for key, value in names.items()})


def split_address(address):
    """`host:port` as its two parts; an IPv6 address is in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
