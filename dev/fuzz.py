"""`make fuzz`: every fuzz target for a while. Findings are written where cargo-fuzz puts them, and end with an error."""

import os
import subprocess

from dev import children, install, tools
from dev.errors import DevError, main_guard
from dev.paths import CACHE, ROOT

TOOLCHAIN = "nightly"
CARGO_FUZZ_VERSION = "0.13.2"
FUZZ = ROOT / "fuzz"


def main():
    """FUZZ_SECONDS of each target (60)."""
    tools.require("rustup", "cargo", "cc")
    if not FUZZ.exists():
        raise DevError("there are no fuzz targets in this checkout.")
    if TOOLCHAIN not in subprocess.run(["rustup", "toolchain", "list"], capture_output=True, text=True).stdout:
        raise DevError(f"fuzzing needs Rust's {TOOLCHAIN}: rustup toolchain install {TOOLCHAIN}.")
    seconds = int(os.environ.get("FUZZ_SECONDS") or 60)
    program = cargo_fuzz()
    listed = subprocess.run([program, "list"], cwd=ROOT, check=True, capture_output=True, text=True)
    failed = [target for target in listed.stdout.split() if not fuzz(program, target, seconds)]
    if failed:
        raise DevError(f"findings in {', '.join(failed)}: see fuzz/artifacts, and keep each as a regression test.")


def fuzz(program, target, seconds):
    """Whether `seconds` of the target found nothing."""
    print(f"== fuzz: {target}", flush=True)
    environment = {**os.environ, "RUSTUP_TOOLCHAIN": TOOLCHAIN}
    return children.run([program, "run", target, "--", f"-max_total_time={seconds}"], cwd=ROOT, env=environment) == 0


def cargo_fuzz():
    """The program, built first where it is not."""
    folder = CACHE / f"cargo-fuzz-{CARGO_FUZZ_VERSION}"

    def build():
        command = ["cargo", "install", "--locked", "--root", folder, "cargo-fuzz", "--version", CARGO_FUZZ_VERSION]
        if children.run(command):
            raise DevError("cargo-fuzz does not build: see cargo's messages above.")

    install.made_once(folder, [CARGO_FUZZ_VERSION.encode()], build)
    return folder / "bin" / "cargo-fuzz"


if __name__ == "__main__":
    main_guard(main)
