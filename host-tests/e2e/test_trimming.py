"""Pulsar drops old ledgers: the offsets of what stays, and of what comes, do not move."""

import pytest
from ring import batch, wire
from ring.reading import read_all
from ring.waiting import eventually

pytestmark = [pytest.mark.only_on("index"), pytest.mark.slow, pytest.mark.no_second_try]

LEDGER_ENTRIES = 500  # as the target's Pulsar is configured
ENTRIES = 3 * LEDGER_ENTRIES + 100


def fill(connection, topic, entries):
    """One-record entries, pipelined; returns the offset after the last."""
    for first in range(0, entries, 100):
        for number in range(first, first + 100):
            connection.send_produce(topic, batch.build([b"%d" % number]))
        rows = [connection.produced() for _ in range(100)]
        assert {row.error for row in rows} == {wire.NONE}
    return rows[-1].base_offset + 1


def trim(target, connection, topic):
    """Let Pulsar drop all full ledgers, and wait until it has: the log starts later, and stays so."""
    target.admin.keep_nothing(topic)

    def started_later():
        target.admin.trim(topic)
        # The cursor of deduplication lets go of one ledger after the other.
        only_the_open_one = len(target.admin.internal_stats(topic)["ledgers"]) == 1
        return only_the_open_one and connection.list_offset(topic, wire.EARLIEST)[2] > 0

    eventually(started_later, within_s=120, what="trimming")


def test_trimming_moves_the_beginning_and_nothing_else(target, connection, topic):
    end = fill(connection, topic, ENTRIES)
    trim(target, connection, topic)

    _, _, start = connection.list_offset(topic, wire.EARLIEST)
    fetched = connection.fetch([(topic, 0, start)])[topic, 0]
    records = batch.records(fetched.records)

    assert connection.list_offset(topic, wire.LATEST)[2] == fetched.high_watermark == end == ENTRIES
    assert fetched.log_start == start
    assert [record.offset for record in records] == list(range(start, start + len(records)))
    assert all(record.value == b"%d" % record.offset for record in records)


def test_an_offset_that_was_trimmed_is_out_of_range(target, connection, topic):
    fill(connection, topic, ENTRIES)
    trim(target, connection, topic)

    assert connection.fetch([(topic, 0, 0)])[topic, 0].error == wire.OFFSET_OUT_OF_RANGE


def test_a_partition_whose_data_was_all_trimmed_keeps_its_offsets(target, connection, topic):
    end = fill(connection, topic, 200)
    target.admin.keep_nothing(topic)

    def all_gone():
        # An unload closes the open ledger, so that it can be trimmed too.
        target.admin.unload(topic)
        target.admin.trim(topic)
        return connection.list_offset(topic, wire.EARLIEST)[2] == end

    eventually(all_gone, within_s=120, what="trimming of everything")

    assert connection.list_offset(topic, wire.LATEST)[2] == end
    assert eventually(lambda: (row := connection.produce(topic, batch.build([b"next"]))).error == wire.NONE and row).base_offset == end
    assert [record.offset for record in read_all(connection, topic, end)] == [end]


def test_offsets_go_on_over_an_unload(target, connection, topic):
    end = fill(connection, topic, 200)
    target.admin.unload(topic)

    row = eventually(lambda: (row := connection.produce(topic, batch.build([b"next"]))).error == wire.NONE and row)

    assert row.base_offset == end
    assert connection.list_offset(topic, wire.LATEST)[2] == end + 1
