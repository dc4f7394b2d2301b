"""What the tests talk to: Apache Kafka, or Isthmus (Envoy with the filter, in front of Pulsar) in one of its offset modes."""

import os
from pathlib import Path

from ring.paths import ROOT
from ring.pulsar_admin import PulsarAdmin

from dev.errors import DevError
from dev.servers import Envoy, Kafka, Pulsar, free_ports

KAFKA, INDEX, MESSAGE_ID = "kafka", "index", "message-id"
NAMES = [KAFKA, INDEX, MESSAGE_ID]

# Where a release build leaves the module; ISTHMUS_WASM says otherwise.
WASM = ROOT / "target" / "wasm32-unknown-unknown" / "release" / "isthmus.wasm"
# Small ledgers, so that every longer test crosses several, and trimming has something to trim.
SMALL_LEDGERS = {"managedLedgerMinLedgerRolloverTimeMinutes": 0, "managedLedgerMaxEntriesPerLedger": 500}
# The cursor of deduplication's snapshots holds back trimming; by default it moves every 1000 entries or two minutes.
SNAPSHOTS_OFTEN = {
    "brokerDeduplicationEntriesInterval": 100,
    "brokerDeduplicationSnapshotIntervalSeconds": 1,
    "brokerDeduplicationSnapshotFrequencyInSeconds": 1,
}
INDEX_SETTINGS = {**SMALL_LEDGERS, **SNAPSHOTS_OFTEN}
FILTER_CONFIG = {INDEX: {"offsets": "index"}, MESSAGE_ID: {"offsets": "message-id"}}
ENVOY_WORKERS = 2
# Records keep timestamps of years ago, which Kafka would take as a reason to delete them.
KEEP_EVERYTHING = {"log.retention.ms": -1}


class ApacheKafka:
    name = KAFKA
    contiguous_offsets = True
    serves_groups = True
    pulsar = None

    def __init__(self, folder):
        self.kafka = Kafka(folder / "kafka", settings=KEEP_EVERYTHING)

    def start(self):
        self.kafka.start()

    def stop(self):
        self.kafka.kill()  # its data goes with the test's folder

    @property
    def bootstrap(self):
        return self.kafka.bootstrap

    @property
    def servers(self):
        """By the names that tests of crashes use."""
        return {"kafka": self.kafka}


class Isthmus:
    serves_groups = False

    def __init__(self, folder, mode):
        self.name = mode
        self.contiguous_offsets = mode == INDEX
        module = Path(os.environ.get("ISTHMUS_WASM", WASM))
        if not module.exists():
            raise DevError(f"{module} does not exist: build it with `make wasm`, or name another in ISTHMUS_WASM.")
        (kafka_port,) = free_ports(1)
        self.pulsar = Pulsar(
            folder / "pulsar", kafka_port=kafka_port, entry_index=mode == INDEX, settings=INDEX_SETTINGS if mode == INDEX else None
        )
        self.envoy = Envoy(
            folder / "envoy",
            self.pulsar,
            module,
            kafka_port=kafka_port,
            concurrency=ENVOY_WORKERS,
            filter_config=FILTER_CONFIG[mode],
        )

    def start(self):
        self.pulsar.start()
        self.admin = PulsarAdmin(self.pulsar.admin_url)
        if self.name == MESSAGE_ID:
            self.admin.suit_kafka()
        self.envoy.start()

    def stop(self):
        self.envoy.stop()
        self.pulsar.kill()

    @property
    def bootstrap(self):
        return self.envoy.bootstrap

    @property
    def servers(self):
        return {"envoy": self.envoy, "pulsar": self.pulsar}


def make(name, folder):
    return ApacheKafka(folder) if name == KAFKA else Isthmus(folder, name)
