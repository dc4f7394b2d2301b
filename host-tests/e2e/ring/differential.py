"""Compares what two targets showed, step by step, with the differences that known_differences.toml lists."""

import tomllib

from ring.paths import E2E

KNOWN = tomllib.loads((E2E / "known_differences.toml").read_text())["difference"]


def known(scenario, step, target):
    for entry in KNOWN:
        fits = entry["step"] == step or (entry["step"].endswith("*") and step.startswith(entry["step"][:-1]))
        if entry["scenario"] == scenario and fits and target in entry["on"]:
            return entry
    return None


def assert_same(scenario, on_kafka, on_target, target):
    """Both are {step: what was seen}. A difference that is not listed fails, and so does one that is listed and is none."""
    differing = [step for step, value in on_kafka.items() if on_target[step] != value]
    table = {step: known(scenario, step, target) for step in on_kafka}
    new = {step: (on_kafka[step], on_target[step]) for step in differing if table[step] is None}
    assert not new, "\n".join(f"{step}: {kafka!r} on Kafka, {seen!r} here" for step, (kafka, seen) in new.items())
    listed = [entry for entry in KNOWN if entry["scenario"] == scenario and target in entry["on"]]
    stale = [entry["step"] for entry in listed if not any(table[step] is entry for step in differing)]
    assert not stale, f"listed, but they do not differ: {stale}"
