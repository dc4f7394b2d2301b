"""Real servers for `make run` and for the end-to-end tests, all on loopback.

    from dev.servers import Envoy, Kafka, Pulsar, free_ports

    kafka_port, = free_ports(1)
    with Pulsar(data=tmp / "pulsar", kafka_port=kafka_port) as pulsar:
        with Envoy(data=tmp / "envoy", pulsar=pulsar, kafka_port=kafka_port, wasm=module) as envoy:
            ...                       # Kafka clients: envoy.bootstrap; Pulsar clients: pulsar.service_url
            envoy.kill()              # SIGKILL
            envoy.start()             # same ports, same configuration

Every server has `start()` (returns when it serves), `launch()` and `wait_ready()` (the two halves of it), `stop()`,
`kill()`, `restart()`, `alive`, `pid` and `log_path`. Ports that are not given are free ones, kept over restarts.
What a server needs is installed first where it is missing. A server dies with the thread that launched it.
"""

from dev.servers.connect import Connect
from dev.servers.envoy import Envoy
from dev.servers.kafka import Kafka
from dev.servers.mirror_maker import MirrorMaker
from dev.servers.ports import busy, free_ports
from dev.servers.pulsar import Pulsar

__all__ = ["Connect", "Envoy", "Kafka", "MirrorMaker", "Pulsar", "busy", "free_ports"]
