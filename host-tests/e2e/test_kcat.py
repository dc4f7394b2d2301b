"""kcat, as the README tries it: keys, headers and tombstones there and back."""

import shutil
import subprocess

import pytest
from ring import batch
from ring.waiting import eventually

pytestmark = pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")

PATIENCE_S = 60
# Offset, key, length of the value (-1 for null), value, headers.
FORMAT = "%o|%k|%S|%s|%h\n"


@pytest.fixture
def kcat(target):
    """`kcat(*arguments, given="")`: what kcat prints, line by line."""

    def run(*arguments, given=""):
        command = ["kcat", "-b", target.bootstrap, "-q", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    return run


@pytest.mark.smoke
def test_what_kcat_writes_it_reads_from_the_beginning_to_the_end(kcat, topic):
    kcat("-P", "-t", topic, "-K:", "-Z", "-H", "lang=en", "-H", "seen=2", given="k1:hello\nk2:\n:no key\n")

    rows = [line.split("|") for line in kcat("-C", "-t", topic, "-o", "beginning", "-e", "-f", FORMAT)]

    assert [row[1:] for row in rows] == [
        ["k1", "5", "hello", "lang=en,seen=2"],
        ["k2", "-1", "", "lang=en,seen=2"],
        ["", "6", "no key", "lang=en,seen=2"],
    ]
    offsets = [int(row[0]) for row in rows]
    assert offsets == sorted(set(offsets))


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_kcat_compresses(kcat, topic, codec):
    lines = [f"{number} {'again ' * 20}" for number in range(200)]
    kcat("-P", "-t", topic, "-z", codec, given="\n".join(lines))

    assert kcat("-C", "-t", topic, "-o", "beginning", "-e") == lines


def test_kcat_makes_the_topic_it_writes_to_and_lists_it(kcat, new_name):
    name = new_name()
    kcat("-P", "-t", name, given="x\n")

    assert eventually(lambda: [line for line in kcat("-L", "-t", name) if f'topic "{name}" with 1 partitions' in line])
    assert kcat("-C", "-t", name, "-o", "beginning", "-e") == ["x"]


def test_kcat_finds_offsets_of_times_and_begins_there(kcat, connection, topic):
    times = [batch.TIME + 1000 * step for step in range(5)]
    bases = [connection.produce(topic, batch.build([b"%d" % step], timestamps=[time])).base_offset for step, time in enumerate(times)]

    assert kcat("-Q", "-t", f"{topic}:0:{times[2]}") == [f"{topic} [0] offset {bases[2]}"]
    assert kcat("-C", "-t", topic, "-p", "0", "-o", f"s@{times[3]}", "-e") == ["3", "4"]
    assert kcat("-C", "-t", topic, "-p", "0", "-o", str(bases[4]), "-e") == ["4"]
