"""What the tests talk to: Apache Kafka, or Isthmus (Envoy with the filter, in front of a Pulsar) in one of its offset modes."""

import os
from pathlib import Path

from ring.paths import ROOT
from ring.pulsar_admin import PulsarAdmin

from dev import install
from dev.errors import DevError
from dev.servers import Envoy, Kafka, Pulsar, free_ports

KAFKA, INDEX, MESSAGE_ID = "kafka", "index", "message-id"
# Each mode in front of the default Pulsar; `MODE-VERSION` for it in front of another one.
NAMES = [KAFKA, INDEX, MESSAGE_ID, *(f"{mode}-{version}" for mode in (INDEX, MESSAGE_ID) for version in install.PULSAR_VERSIONS[1:])]

# Where a release build leaves the module; ISTHMUS_WASM says otherwise.
WASM = ROOT / "target" / "wasm32-unknown-unknown" / "release" / "isthmus.wasm"
# Small ledgers, so that every longer test crosses several, and trimming has something to trim.
SMALL_LEDGERS = {"managedLedgerMinLedgerRolloverTimeMinutes": 0, "managedLedgerMaxEntriesPerLedger": 500}
# The cursor of deduplication's snapshots holds back trimming; by default it moves every 1000 entries or two minutes, and no more than
# once a second, or else within a minute.
SNAPSHOTS_OFTEN = {
    "brokerDeduplicationEntriesInterval": 100,
    "brokerDeduplicationSnapshotIntervalSeconds": 1,
    "brokerDeduplicationSnapshotFrequencyInSeconds": 1,
    "managedLedgerDefaultMarkDeleteRateLimit": 1000,
    "managedLedgerCursorPositionFlushSeconds": 1,
}
# How often brokers look for topics that are to be compacted; a minute by default.
COMPACTION_SOON = {"brokerServiceCompactionMonitorIntervalInSeconds": 5}
INDEX_SETTINGS = {**SMALL_LEDGERS, **SNAPSHOTS_OFTEN, **COMPACTION_SOON}
# A group of a test need not wait for members that do not come.
NO_DELAY = {"group_initial_rebalance_delay_ms": 0}
FILTER_CONFIG = {INDEX: {"offsets": "index", **NO_DELAY}, MESSAGE_ID: {"offsets": "message-id", **NO_DELAY}}
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
    serves_groups = True

    def __init__(self, folder, mode, version):
        self.name = mode
        self.folder = folder
        self.contiguous_offsets = mode == INDEX
        self.module = Path(os.environ.get("ISTHMUS_WASM", WASM))
        if not self.module.exists():
            raise DevError(f"{self.module} does not exist: build it with `make wasm`, or name another in ISTHMUS_WASM.")
        (kafka_port,) = free_ports(1)
        self.pulsar = Pulsar(
            folder / "pulsar",
            kafka_port=kafka_port,
            version=version,
            entry_index=mode == INDEX,
            settings=INDEX_SETTINGS if mode == INDEX else None,
        )
        self.envoy = self.new_envoy("envoy", kafka_port)

    def new_envoy(self, name, kafka_port, pulsar_admin=None, **filter_config):
        """An Envoy in front of the Pulsar, not started; `filter_config` is what its filter is told beside the offset mode.

        `pulsar_admin` is the `host:port` that answers in the place of Pulsar's admin REST."""
        config = {**FILTER_CONFIG[self.name], **filter_config}
        return Envoy(
            self.folder / name,
            self.pulsar,
            self.module,
            pulsar_admin=pulsar_admin,
            kafka_port=kafka_port,
            concurrency=ENVOY_WORKERS,
            filter_config=config,
        )

    def envoy_beside(self, name, pulsar_admin=None, **filter_config):
        """A further Envoy, not started. Its clients stay with it: it does not ask the brokers for the Kafka address they advertise."""
        (port,) = free_ports(1)
        return self.new_envoy(name, port, pulsar_admin, advertised_listener="", **filter_config)

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


def mode_of(name):
    """The target's name without the version of Pulsar: "index" for "index-3.0.7"."""
    return next(mode for mode in (KAFKA, INDEX, MESSAGE_ID) if name == mode or name.startswith(f"{mode}-"))


def make(name, folder):
    if name == KAFKA:
        return ApacheKafka(folder)
    mode = mode_of(name)
    return Isthmus(folder, mode, version=name.removeprefix(mode).removeprefix("-") or install.PULSAR_VERSION)
