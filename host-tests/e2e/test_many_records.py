"""A great many records, with Envoy killed in the middle: all of them come out, once, in order, at the offsets their producer was told."""

import pytest

pytestmark = [pytest.mark.only_on("index", "message-id"), pytest.mark.slow, pytest.mark.no_second_try]

SIZE = 1024
PATIENCE_MS = 600_000
COUNTS = [pytest.param(200_000, id="200k"), pytest.param(1_000_000, id="million", marks=pytest.mark.soak)]


def produce_and_disturb(target, java, topic, count, disturb):
    """Produce `count` numbered records, call `disturb` once half of them are acknowledged. Returns the runs."""
    runs, acked = [], 0
    rule = {"count": count, "size": SIZE}
    options = {"idempotent": True, "acks": "all", "batch_size": 131072, "timeout_ms": PATIENCE_MS, "runs": True}
    for line in java.stream("produce", bootstrap=target.bootstrap, topic=topic, generate=rule, **options):
        assert "run" in line, line
        runs.append(line["run"])
        was_before, acked = acked < count // 2, acked + line["run"]["count"]
        if was_before and acked >= count // 2:
            # In this thread: a server lives as long as the thread that started it. The client goes on by itself meanwhile.
            disturb()
    return runs


def read(target, java, topic):
    lines = java.run(
        "consume",
        bootstrap=target.bootstrap,
        assign=[{"topic": topic, "partition": 0, "offset": "earliest"}],
        timeout_ms=PATIENCE_MS,
        runs=True,
    )
    return [line["run"] for line in lines]


def offsets_by_number(runs):
    """Offset of each number; a number that comes twice is a failure."""
    found = {}
    for run in runs:
        for place in range(run["count"]):
            number = run["number"] + place
            assert number not in found, f"{number} came twice"
            found[number] = run["offset"] + place if run["offset"] >= 0 else None
    return found


@pytest.mark.parametrize("count", COUNTS)
def test_many_records_survive_an_envoy_that_is_killed_while_they_come(target, java, connection, topic, count):
    def crash():
        target.envoy.kill()
        target.envoy.start()

    acked = offsets_by_number(produce_and_disturb(target, java, topic, count, crash))
    runs = read(target, java, topic)
    stored = offsets_by_number(runs)

    assert len(acked) == count, "every record was acknowledged"
    assert list(stored) == list(range(count)), "all are there, once, in order"
    assert {run["size"] for run in runs} == {SIZE}
    offsets = list(stored.values())
    assert all(before < after for before, after in zip(offsets, offsets[1:])), "offsets grow"
    # A duplicate whose first offset is no longer known is acknowledged without one.
    moved = [number for number, offset in acked.items() if offset not in (None, stored[number])]
    assert not moved, "acknowledged offsets are those the records have"
    if target.contiguous_offsets:
        assert offsets == list(range(count))
