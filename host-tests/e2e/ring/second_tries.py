"""Which failures are looked at twice.

On Apache Kafka a test shows that it is right itself; what fails there once is a race of Kafka's or of a client's. On Isthmus only what came
too late is tried again, as a busy machine and clients that lose a wake-up do that, and never where something is lost or crashed on purpose:
there a thing that does not come is the very defect that the test is for. pytest's summary names every test that needed its second try."""

import pytest

from ring import targets

TRIES = 1
TOO_LATE = ["did not come true within", "not within", "TimeoutExpired", "TimeoutError"]


def allow(item, mode):
    """Mark what is allowed a second try."""
    if mode == targets.KAFKA:
        item.add_marker(pytest.mark.flaky(reruns=TRIES))
    elif item.get_closest_marker("no_second_try") is None:
        item.add_marker(pytest.mark.flaky(reruns=TRIES, only_rerun=TOO_LATE))
