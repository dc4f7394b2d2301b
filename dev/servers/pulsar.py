"""Apache Pulsar standalone: broker, bookie and metadata in one process."""

import re

from dev import install, tools
from dev.errors import DevError
from dev.servers.java import java
from dev.servers.ports import LOOPBACK, busy, free_ports, loopback_interface
from dev.servers.server import Server, http_status

# From Pulsar's own start script, for Java 17.
FLAGS = [
    *(
        f"--add-opens={module}=ALL-UNNAMED"
        for module in (
            "java.base/java.io",
            "java.base/java.nio",
            "java.base/java.util.zip",
            "java.base/jdk.internal.misc",
            "java.base/jdk.internal.platform",
            "java.management/sun.management",
            "jdk.management/com.sun.management.internal",
        )
    ),
    "--enable-native-access=ALL-UNNAMED",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Djava.net.preferIPv4Stack=true",
]

# One broker and one bookie on loopback, the bookie as in Pulsar's own standalone.conf; nothing here changes what a client
# sees, but that topics of deleted groups go sooner. The journal's buffer holds every entry whole: a bookie killed with half of one written reads zeros for the rest when
# it comes back, and without a second bookie that ledger never opens again.
STANDALONE = f"""\
metadataStoreUrl=
configurationMetadataStoreUrl=
clusterName=standalone
allowEphemeralPorts=true
bindAddress={LOOPBACK}
managedLedgerDefaultEnsembleSize=1
managedLedgerDefaultWriteQuorum=1
managedLedgerDefaultAckQuorum=1
ledgerStorageClass=org.apache.bookkeeper.bookie.storage.ldb.DbLedgerStorage
nettyMaxFrameSizeBytes=5253120
journalMaxGroupWaitMSec=1
brokerDeleteInactiveTopicsFrequencySeconds=5
journalSyncData=false
flushInterval=60000
journalWriteBufferSizeKB=8192
allowLoopback=true
listeningInterface={loopback_interface()}
diskUsageThreshold=0.99
diskUsageLwmThreshold=0.98
loadManagerClassName=org.apache.pulsar.broker.loadbalance.NoopLoadManager
loadBalancerOverrideBrokerNicSpeedGbps=1
"""

# Offsets from the broker's entry index, and topics that keep what Kafka clients expect kept. Inactive topics go after ten years,
# but for those of deleted groups, which have a policy of their own.
ENTRY_INDEX = """\
brokerEntryMetadataInterceptors=org.apache.pulsar.common.intercept.AppendIndexMetadataInterceptor
exposingBrokerEntryMetadataToClientEnabled=true
brokerDeduplicationEnabled=true
brokerDeleteInactiveTopicsMaxInactiveDurationSeconds=315360000
allowAutoTopicCreationType=partitioned
defaultNumPartitions=1
defaultRetentionTimeInMinutes=-1
defaultRetentionSizeInMB=-1
managedLedgerNewEntriesCheckDelayInMillis=0
"""

# They warn that loopback has no host name and no rack, over and over.
QUIET = [
    "org.apache.bookkeeper.net.DNS",
    "org.apache.bookkeeper.client.TopologyAwareEnsemblePlacementPolicy",
]


class Pulsar(Server):
    """Pulsar standalone of one of `install.PULSAR_VERSIONS`, without authentication.

    `entry_index` False leaves the broker's configuration as Pulsar ships it, for the filter's message-id mode.
    `kafka_port` becomes the advertised listener `kafka` (127.0.0.1:kafka_port); None leaves that listener out.
    `settings` are further lines of standalone.conf, as a mapping; they win.
    """

    name = "pulsar"
    start_patience_s = 240

    def __init__(
        self,
        data,
        port=None,
        web_port=None,
        kafka_port=None,
        version=install.PULSAR_VERSION,
        entry_index=True,
        settings=None,
        heap_mib=512,
        log_level="info",
        log_path=None,
    ):
        super().__init__(data, log_path)
        spare = free_ports(2)
        self.port = port or spare[0]
        self.web_port = web_port or spare[1]
        self.bookie_port = None
        self.kafka_port = kafka_port
        self.version = version
        self.entry_index = entry_index
        self.settings = settings or {}
        self.heap_mib = heap_mib
        self.log_level = log_level

    @property
    def address(self):
        """`host:port` of the binary protocol."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def admin_address(self):
        """`host:port` of the admin REST."""
        return f"{LOOPBACK}:{self.web_port}"

    @property
    def service_url(self):
        """What Pulsar clients take."""
        return f"pulsar://{self.address}"

    @property
    def admin_url(self):
        """The root of the admin REST."""
        return f"http://{self.admin_address}"

    def prepare(self):
        """Install the jars and write standalone.conf."""
        tools.require("java")
        self.jars = install.pulsar(self.version)
        self.bookie_port = self.bookie_port or self.remembered_bookie_port() or free_ports(1)[0]
        if busy(self.bookie_port):
            raise DevError(
                f"port {self.bookie_port}, which the data in {self.data} is bound to, is busy:"
                " stop what listens there, or wipe that data."
            )
        (self.data / "standalone.conf").write_text(self.configuration())

    def remembered_bookie_port(self):
        """The port that the data folder belongs to, from the bookie's cookie; None where there is no data yet."""
        cookie = self.data / "bookkeeper" / "current" / "VERSION"
        found = re.search(r'bookieHost: ".*:(\d+)"', cookie.read_text()) if cookie.exists() else None
        return int(found[1]) if found else None

    def configuration(self):
        """The text of standalone.conf."""
        listeners = {"internal": self.port, "kafka": self.kafka_port}
        advertised = ",".join(f"{name}:pulsar://{LOOPBACK}:{port}" for name, port in listeners.items() if port)
        lines = {
            "brokerServicePort": self.port,
            "webServicePort": self.web_port,
            "advertisedListeners": advertised,
            "internalListenerName": "internal",
            **self.settings,
        }
        fixed = STANDALONE + (ENTRY_INDEX if self.entry_index else "")
        return fixed + "".join(f"{key}={value}\n" for key, value in lines.items())

    def command(self):
        """Data is kept from start to start: nothing is wiped."""
        direct = f"-XX:MaxDirectMemorySize={self.heap_mib}m"
        return [
            *java(self.jars, self.data, self.heap_mib, self.log_level, direct, *FLAGS, quiet=QUIET),
            "org.apache.pulsar.PulsarStandaloneStarter",
            *("-c", self.data / "standalone.conf"),
            *("-nfw", "-nss"),
            *("--metadata-dir", self.data / "metadata"),
            *("--bookkeeper-dir", self.data / "bookkeeper"),
            *("--bookkeeper-port", self.bookie_port),
        ]

    def ready(self):
        """`brokers/ready` says yes before standalone has made its namespace, so ask for that."""
        return http_status(self.web_port, "/admin/v2/namespaces/public/default") == 200
