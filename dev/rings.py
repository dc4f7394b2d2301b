"""`make test` and `make test-all`: the rings of tests, from the quickest to the whole thing."""

import os
import sys
import time

from dev import children, install, tools, wasm
from dev.errors import DevError, main_guard
from dev.paths import CACHE, ROOT

E2E = ROOT / "host-tests" / "e2e" / "run"
RUNNER = ROOT / "dev" / "wasm-test-runner"

# What the end-to-end ring runs against, and with which further options of pytest.
OLDER_PULSARS = ["--target", "index-4.0.7", "--target", "index-3.0.7"]
E2E_RUNS = [["--target", "kafka", "--target", "index"], ["--target", "message-id", *OLDER_PULSARS, "-m", "smoke"]]
E2E_RUNS_ALL = [["--target", "kafka", "--target", "index", "--target", "message-id"], [*OLDER_PULSARS, "-m", "smoke"]]

# Without these a ring or a client is left out; with CI set that is a failure.
OPTIONAL_TOOLS = {"node": "the codec tests as Wasm, and the kafkajs client", "go": "the franz-go client"}
# Without these a test is left out, and that is all.
SPARE_TOOLS = {"kcat": "the tests with kcat"}


def main():
    """Every ring, to the end even where one fails."""
    everything = "--all" in sys.argv
    tools.require("rustup", "cargo", "cc", "java")
    left_out = without(OPTIONAL_TOOLS)
    if left_out and os.environ.get("CI"):
        raise DevError(f"with CI set all tools must be there: {'; '.join(left_out)}.")
    left_out += without(SPARE_TOOLS)
    module = wasm.build()
    rings = {"native": native, "wasm": in_wasm, "end to end": end_to_end}
    if not tools.have("node"):
        del rings["wasm"]
    environment = {**os.environ, "ISTHMUS_WASM": str(module), "ISTHMUS_TEST_ALL": "1" if everything else ""}
    failed = [name for name, ring in rings.items() if not timed(name, ring, everything, environment)]
    for line in left_out:
        print(f"left out: {line}", flush=True)
    if failed:
        raise DevError(f"these rings failed: {', '.join(failed)}.")
    print("every ring passed")


def without(wanted):
    """What the tools of `wanted` that are not here leave out, a sentence for each."""
    return [f"{tool} is not on the PATH, which leaves out {what}" for tool, what in wanted.items() if not tools.have(tool)]


def timed(name, ring, everything, environment):
    """Run one ring and tell how long it took. Returns whether it passed."""
    print(f"== ring: {name}", flush=True)
    started = time.monotonic()
    passed = ring(everything, environment)
    print(f"== ring: {name} {'passed' if passed else 'FAILED'} after {time.monotonic() - started:.0f} s", flush=True)
    return passed


def native(everything, environment):
    """Units, properties, the session on its scripted broker, and the real module in its own host."""
    ignored = ["--", "--include-ignored"] if everything else []
    return children.run(["cargo", "test", "--locked", "--workspace", *ignored], cwd=ROOT, env=environment) == 0


def in_wasm(_everything, environment):
    """The codec tests again, compiled to what Envoy will run."""
    variable = f"CARGO_TARGET_{wasm.TARGET.upper().replace('-', '_')}_RUNNER"
    command = ["cargo", "test", "--locked", "-p", "isthmus", "--no-default-features", "--target", wasm.TARGET]
    environment = {**environment, variable: str(runner())}
    return children.run([*command, "--lib", "--tests"], cwd=ROOT, env=environment) == 0


def runner():
    """The program that runs Wasm tests in Node, built first where it is not."""
    folder, sources = CACHE / "wasm-test-runner", [RUNNER / "Cargo.toml", RUNNER / "Cargo.lock", RUNNER / "src" / "main.rs"]

    def build():
        print("building the runner of Wasm tests (some minutes, once) ...", flush=True)
        command = ["cargo", "build", "--quiet", "--locked", "--target-dir", folder / "target"]
        if children.run(command, cwd=RUNNER):
            raise DevError("the runner of Wasm tests does not build: see cargo's messages above.")

    install.made_once(folder, [path.read_bytes() for path in sources], build)
    return folder / "target" / "debug" / "wasm-test-runner"


def end_to_end(everything, environment):
    """Real clients through real Envoy to real Pulsar, and the same against Apache Kafka."""
    if not E2E.exists():
        print("there is no end-to-end ring in this checkout")
        return True
    runs = E2E_RUNS_ALL if everything else E2E_RUNS
    return all([children.run([E2E, *options], cwd=ROOT, env=environment) == 0 for options in runs])


if __name__ == "__main__":
    main_guard(main)
