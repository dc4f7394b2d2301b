"""`make fuzz`: fuzz/run with the cargo-fuzz it needs."""

import os
import subprocess

from dev import children, install, tools
from dev.errors import DevError, main_guard
from dev.paths import CACHE, ROOT

TOOLCHAIN = "nightly"
CARGO_FUZZ_VERSION = "0.13.2"
FUZZ = ROOT / "fuzz" / "run"


def main():
    """FUZZ_SECONDS of each target (60). Returns the status of the run."""
    tools.require("rustup", "cargo", "cc")
    toolchains = subprocess.run(["rustup", "toolchain", "list"], capture_output=True, text=True).stdout
    if TOOLCHAIN not in toolchains:
        raise DevError(f"fuzzing needs Rust's {TOOLCHAIN}: rustup toolchain install {TOOLCHAIN}.")
    path = os.pathsep.join([str(cargo_fuzz().parent), os.environ["PATH"]])
    return children.run([FUZZ, os.environ.get("FUZZ_SECONDS") or "60"], cwd=ROOT, env={**os.environ, "PATH": path})


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
