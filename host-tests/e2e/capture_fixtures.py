"""Makes filter/tests/fixtures/batches: one record batch of every client and codec, as the client sent it to Apache Kafka.

    python3 host-tests/e2e/capture_fixtures.py
"""

import contextlib
import json
import tempfile
from pathlib import Path

from ring import capture, samples
from ring.clients import CODECS, NAMES, Client
from ring.paths import FIXTURES
from ring.produce_requests import batches
from ring.targets import KEEP_EVERYTHING

from dev.servers.kafka import Kafka
from dev.servers.ports import LOOPBACK, free_ports

LINGER_MS = 500  # long enough that all records of a command make one batch


@contextlib.contextmanager
def captured_kafka(folder):
    """Apache Kafka with a listener of its own for captured connections. Yields (bootstrap, captured bootstrap, proxy)."""
    behind, before = free_ports(2)
    kafka = Kafka(folder)
    own = kafka.properties()
    kafka.settings = {
        **KEEP_EVERYTHING,
        "listeners": f"{own['listeners']},CAPTURE://{LOOPBACK}:{behind}",
        "advertised.listeners": f"{own['advertised.listeners']},CAPTURE://{LOOPBACK}:{before}",
        "listener.security.protocol.map": f"{own['listener.security.protocol.map']},CAPTURE:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
    }
    with kafka:
        proxy = capture.CapturingProxy(before, (LOOPBACK, behind))
        yield kafka.bootstrap, f"{LOOPBACK}:{before}", proxy
        proxy.close()


def one(writer, codec, reader, kafka, captured, proxy):
    """Capture one batch; returns (bytes, what Kafka's own consumer read of it)."""
    topic = f"{writer.name}-{codec}"
    reader.admin(kafka, "create", topic, partitions=1)
    proxy.take()
    records = samples.varied_for(writer.name)
    writer.produce(captured, topic, records, codec=codec, linger_ms=LINGER_MS, batch_size=1 << 20)
    found = [batch for stream in proxy.take() for _, batch in batches(stream)]
    if len(found) != 1:
        raise SystemExit(f"{topic}: {len(found)} batches instead of one")
    read = [samples.content(record) for record in reader.consume(kafka, topic)]
    sent = [samples.content(record) for record in records]
    if read not in (sent, [samples.grouped_headers(record) for record in sent]):
        differing = [pair for pair in zip(sent, read) if pair[0] != pair[1]]
        raise SystemExit(f"{topic}: what was read is not what was sent: {differing[:1]}")
    return found[0], read


def main():
    target = FIXTURES / "batches"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        writers = {name: Client(name, folder) for name in [*NAMES, "java-2.8"]}
        for client in writers.values():
            stack.callback(client.close)
        kafka, captured, proxy = stack.enter_context(captured_kafka(folder / "kafka"))
        for name, writer in writers.items():
            for codec in CODECS:
                batch, records = one(writer, codec, writers["java"], kafka, captured, proxy)
                (target / f"{name}-{codec}.bin").write_bytes(batch)
                (target / f"{name}-{codec}.json").write_text(json.dumps(records, indent=1) + "\n")
                print(f"{name}-{codec}: {len(batch)} bytes", flush=True)


if __name__ == "__main__":
    main()
