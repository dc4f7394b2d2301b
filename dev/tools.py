"""The tools a user has to have, and what to say when one is missing."""

import importlib.util
import re
import shutil
import subprocess

from dev import rust
from dev.errors import DevError

OLDEST_JAVA = 17

ADVICE = {
    "cargo": "install Rust with rustup (https://rustup.rs)",
    "rustup": "install Rust with rustup (https://rustup.rs); it also brings the wasm target that rust-toolchain.toml names",
    "cc": "install a C compiler (Debian: apt-get install gcc libc6-dev)",
    "java": f"install a JDK, {OLDEST_JAVA} or newer (Debian: apt-get install openjdk-17-jdk-headless)",
    "mvn": "install Maven (Debian: apt-get install maven)",
    "node": "install Node.js (Debian: apt-get install nodejs)",
    "npm": "install npm (Debian: apt-get install npm)",
    "go": "install Go, 1.26 or newer (https://go.dev/dl)",
}


def have(tool):
    """Whether `tool` is on the PATH."""
    return shutil.which(tool) is not None


def require(*tools):
    """Raise unless every one of `tools` is on the PATH; "java" must also be new enough, "venv" is Python's module,
    and with "cargo" comes the toolchain."""
    for tool in tools:
        if tool == "venv":
            require_venv()
        elif not have(tool):
            raise DevError(f"{tool} is not on the PATH: {ADVICE[tool]}.")
        elif tool == "cargo":
            rust.require_toolchain()
        elif tool == "java":
            require_java()


def require_venv():
    """Debian packs Python's venv and ensurepip apart from Python itself."""
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise DevError("this Python has no venv module: install it (Debian: apt-get install python3-venv).")


def require_java():
    """`java -version` says `version "17.0.15"`, or `version "1.8.0_402"` before Java 9."""
    told = subprocess.run(["java", "-version"], capture_output=True, text=True)
    version = re.search(r'version "(\d+)', told.stderr + told.stdout)
    if not version or int(version[1]) < OLDEST_JAVA:
        found = version[1] if version else "an unknown version"
        raise DevError(f"java {found} is too old: {ADVICE['java']}, and put it first on the PATH.")
