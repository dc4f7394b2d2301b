"""The walk-throughs of docs/connect.md and docs/migration.md, on the target. Each looks at its own steps and ends with the first that fails."""

import os
import sys

import pytest
from ring.paths import ROOT

from dev import children

pytestmark = [pytest.mark.only_on("index"), pytest.mark.slow]

PATIENCE_S = 900
STOP_PATIENCE_S = 60


@pytest.mark.parametrize("walk", ["demo_connect", "demo_mirror"])
def test_a_walk_through_comes_to_its_end(target, tmp_path, walk):
    environment = {**os.environ, "KAFKA_PORT": target.bootstrap.rpartition(":")[2]}
    told = tmp_path / "told.txt"
    with told.open("wb") as output:
        walking = children.spawn([sys.executable, "-m", f"dev.{walk}"], cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            status = walking.wait(PATIENCE_S)
        finally:
            children.stop(walking, STOP_PATIENCE_S)
    assert status == 0, told.read_text()
    assert "Walking on what runs at" in told.read_text(), "it was the target that was walked on"
