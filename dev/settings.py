"""The environment variables of `make run`, read and checked."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dev.errors import DevError
from dev.paths import ROOT
from dev.servers.ports import busy

LOG_LEVELS = ("trace", "debug", "info", "warn", "error")


@dataclass(frozen=True)
class Settings:
    """What `make run` starts. `pulsar` and `pulsar_admin` (`host:port`) are None where it starts Pulsar itself."""

    kafka_port: int
    pulsar_port: int
    pulsar_web_port: int
    envoy_admin_port: int
    envoy_concurrency: int
    data: Path
    pulsar_log: str
    filter_log: str
    pulsar: str | None
    pulsar_admin: str | None

    def ports(self):
        """The ports to be listened on, by the name of their variable."""
        ports = {"KAFKA_PORT": self.kafka_port, "ENVOY_ADMIN_PORT": self.envoy_admin_port}
        if self.pulsar is None:
            ports |= {"PULSAR_PORT": self.pulsar_port, "PULSAR_WEB_PORT": self.pulsar_web_port}
        return ports

    def check_ports(self):
        """Raise unless all ports are different and free."""
        seen = {}
        for variable, port in self.ports().items():
            if port in seen:
                raise DevError(f"{variable} and {seen[port]} are both {port}: give one of them another port.")
            if busy(port):
                raise DevError(f"port {port} is busy: stop what listens there, or choose another with {variable}=PORT.")
            seen[port] = variable


def from_environment(env=os.environ):
    """The settings as the variables tell them, or their defaults."""
    pulsar, admin = env.get("PULSAR") or None, env.get("PULSAR_ADMIN") or None
    if (pulsar is None) != (admin is None):
        raise DevError("PULSAR and PULSAR_ADMIN go together: PULSAR=host:port PULSAR_ADMIN=http://host:port.")
    return Settings(
        kafka_port=number(env, "KAFKA_PORT", 9092, 65535),
        pulsar_port=number(env, "PULSAR_PORT", 6650, 65535),
        pulsar_web_port=number(env, "PULSAR_WEB_PORT", 8080, 65535),
        envoy_admin_port=number(env, "ENVOY_ADMIN_PORT", 9901, 65535),
        envoy_concurrency=number(env, "ENVOY_CONCURRENCY", 2, 1024),
        data=(ROOT / (env.get("DATA_DIR") or "data")).resolve(),
        pulsar_log=level(env, "PULSAR_LOG", "warn"),
        filter_log=level(env, "FILTER_LOG", "info"),
        pulsar=pulsar and address("PULSAR", pulsar, "pulsar", 6650),
        pulsar_admin=admin and address("PULSAR_ADMIN", admin, "http", 80),
    )


def number(env, variable, default, most):
    """An integer of 1 to `most`."""
    text = env.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise DevError(f"{variable}={text} is no number from 1 to {most}.")
    return int(text)


def level(env, variable, default):
    """A log level."""
    text = env.get(variable) or default
    if text not in LOG_LEVELS:
        raise DevError(f"{variable}={text} is none of {', '.join(LOG_LEVELS)}.")
    return text


def address(variable, text, scheme, default_port):
    """`host:port` out of `[scheme://]host[:port]`."""
    url = urlsplit(text if "://" in text else f"{scheme}://{text}")
    try:
        host, port = url.hostname, url.port or default_port
    except ValueError:
        host = None
    if not host or url.scheme != scheme or url.path.strip("/"):
        raise DevError(f"{variable}={text} is no address: write {scheme}://host:port or host:port, without TLS.")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
