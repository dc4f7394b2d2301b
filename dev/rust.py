"""The toolchain that rust-toolchain.toml names. rustup brings it by itself, unless RUSTUP_AUTO_INSTALL forbids that."""

import re
import subprocess

from dev import children
from dev.errors import DevError
from dev.paths import ROOT


def require_toolchain():
    """Install the toolchain with its components and targets, where something of it is missing."""
    wanted = (ROOT / "rust-toolchain.toml").read_text()
    targets, components = quoted(wanted, "targets"), quoted(wanted, "components")
    if set(targets) <= installed("target") and all(any(one.startswith(name) for one in installed("component")) for name in components):
        return
    (channel,) = quoted(wanted, "channel")
    options = [option for name in components for option in ("--component", name)]
    options += [option for name in targets for option in ("--target", name)]
    if children.run(["rustup", "toolchain", "install", channel, "--profile", "minimal", "--no-self-update", *options], cwd=ROOT):
        raise DevError(f"rustup could not install Rust {channel} with {', '.join(targets + components)}: see its messages above.")


def quoted(toml, key):
    """The strings that stand behind `key`; Python 3.10 has no reader of TOML."""
    return re.findall(r'"([^"]+)"', re.search(rf"^{key} = (.*)$", toml, re.MULTILINE)[1])


def installed(kind):
    """What the active toolchain has of a kind; nothing where there is no such toolchain."""
    told = subprocess.run(["rustup", kind, "list", "--installed"], cwd=ROOT, capture_output=True, text=True)
    return set(told.stdout.split())
