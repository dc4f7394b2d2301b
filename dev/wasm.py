"""The filter as a Wasm module."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from dev import children, tools
from dev.errors import DevError, main_guard
from dev.paths import DIST, ROOT

TARGET = "wasm32-unknown-unknown"


def build():
    """Build the module for release; cargo shows the progress. Returns its path."""
    tools.require("rustup", "cargo", "cc")
    command = ["cargo", "build", "--release", "--locked", "-p", "isthmus", "--target", TARGET]
    if children.run(command, cwd=ROOT):
        raise DevError("the filter does not build: see cargo's messages above.")
    return Path(metadata()["target_directory"]) / TARGET / "release" / "isthmus.wasm"


def metadata():
    """What cargo knows of the workspace."""
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)


def version():
    """The version of the filter's crate."""
    return next(package["version"] for package in metadata()["packages"] if package["name"] == "isthmus")


def main():
    """`make wasm`: dist/isthmus-VERSION.wasm, and its SHA-256 as `sha256sum -c` reads it."""
    built = build()
    DIST.mkdir(exist_ok=True)
    module = DIST / f"isthmus-{version()}.wasm"
    partial = module.with_suffix(f".{os.getpid()}")
    shutil.copyfile(built, partial)
    partial.replace(module)
    digest = hashlib.sha256(module.read_bytes()).hexdigest()
    Path(f"{module}.sha256").write_text(f"{digest}  {module.name}\n")
    print(f"{module.relative_to(ROOT)}: {module.stat().st_size} bytes, sha256 {digest}")


if __name__ == "__main__":
    main_guard(main)
