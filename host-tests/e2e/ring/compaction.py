"""Pulsar's compaction of a partition, to its end."""

from ring.waiting import eventually

PATIENCE_S = 120


def compact(admin, topic, partition=0):
    """Compact, until readers get what is left: Pulsar says that it is done before the broker goes by the new ledger (pulsar#5448)."""
    before = ledger(admin, topic, partition)
    admin.compact(topic, partition)
    wait_compacted(admin, topic, partition)
    eventually(lambda: ledger(admin, topic, partition) != before, PATIENCE_S, f"the compacted ledger of {topic}/{partition}")


def wait_compacted(admin, topic, partition=0):
    """Wait for a compaction that was begun. One that fails is begun again: its own consumer may lose its connection when it seeks."""

    def done():
        status = admin.compaction_status(topic, partition)
        if status == "ERROR":
            admin.compact(topic, partition)
        return status == "SUCCESS"

    eventually(done, PATIENCE_S, f"compaction of {topic}/{partition}")


def ledger(admin, topic, partition=0):
    """The id of the ledger that the broker reads compacted records from, -1 where there is none."""
    return admin.internal_stats(topic, partition)["compactedLedger"]["ledgerId"]
