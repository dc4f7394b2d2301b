"""Reading a partition by fetches, as a consumer does: from an offset up to the high watermark."""

from ring import batch, wire

# A broker may give less than there is, as long as it gives something.
FETCHES = 200


def read_all(connection, topic, start=None, partition=0):
    """All records of a partition from `start` (its beginning, where not given) up to the high watermark of the first answer."""
    if start is None:
        start = connection.list_offset(topic, wire.EARLIEST, partition)[2]
    offset, end, found = start, None, []
    for _ in range(FETCHES):
        row = connection.fetch([(topic, partition, offset)], max_wait_ms=5000)[topic, partition]
        assert row.error == wire.NONE, f"fetch at {offset}: error {row.error}"
        end = row.high_watermark if end is None else end
        batches = batch.read(row.records)
        found += [record for record in batch.records(row.records) if record.offset >= offset]
        offset = batches[-1].next_offset if batches else offset
        if offset >= end:
            return found
    raise AssertionError(f"{FETCHES} fetches came only to {offset} of {end}")
