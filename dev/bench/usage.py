"""What a process has used, as Linux tells it under /proc."""

import os
import re
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

# V8 reserves more than this behind every Wasm memory, so that an address of 32 bits cannot leave it.
GUARD_BYTES = 2 << 30


def cpu_seconds(pid):
    """User and system time of all threads since the start, in steps of 10 ms."""
    # The second field, the name, may hold spaces and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def busy_seconds():
    """What all processes and the kernel together have used of all cores."""
    user, nice, system, _idle, _waiting, irq, soft_irq = Path("/proc/stat").read_text().split()[1:8]
    return sum(map(int, (user, nice, system, irq, soft_irq))) / TICKS_PER_SECOND


def resident_bytes(pid):
    """Memory that is there now."""
    kib = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)[1]
    return int(kib) * 1024


def wasm_bytes(pid):
    """Size of every Wasm VM's memory together: what is mapped right before a guard region."""
    total, previous = 0, (0, 0)
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, flags = line.split()[:2]
        start, end = (int(address, 16) for address in span.split("-"))
        if flags.startswith("---") and end - start > GUARD_BYTES and previous[1] == start:
            total += previous[1] - previous[0]
        previous = (start, end) if flags.startswith("rw") else (0, 0)
    return total
