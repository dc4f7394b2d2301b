"""What was measured, as tables."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

GB = 1e9

# By work and size of a value: what the filter is to reach of the native client's records/s, and Envoy's CPU seconds per GB.
RATIO_TARGETS = {("produce", 1024): 0.85, ("produce", 100): 0.95, ("consume", 1024): 0.95, ("consume", 100): 1.15}
ENVOY_TARGETS = {1024: 1.6, 100: 2.5}
LATENCY_TARGET_MS = 1.0
IDLE_TARGET_BYTES = 32 * 1024

# In the order of the tables.
CONTESTANTS = ("native", "native-5", "filter", "tcp_proxy")

# Cores that others may use meanwhile: above this the figures say more about them.
QUIET_CORES = 0.3


@dataclass
class Results:
    """Figures by (work, size, contestant), one for each round; bytes per idle connection."""

    deduplication: bool = False
    rounds: dict = field(default_factory=lambda: defaultdict(list))
    idle: dict = field(default_factory=dict)

    def add(self, work, size, contestant, figures):
        """What one run gave."""
        self.rounds[work, size, contestant].append(figures)

    def of(self, work, size, contestant, figure):
        """One figure over the rounds."""
        return [figure(run) for run in self.rounds[work, size, contestant]]


def rate(figures):
    """Records per second."""
    return figures["records"] / figures["seconds"]


def per_gb(process, size):
    """CPU seconds of a process per GB of values; None for a process that had no part."""
    return lambda figures: (
        figures["cpu"][process] / (figures["records"] * size / GB) if process in figures["cpu"] else None
    )


def others(figures):
    """Cores that nobody who takes part used."""
    return figures["cpu"]["others"] / figures["seconds"]


def line(work, size, contestant, figures):
    """One run, while it goes on."""
    start = f"{work:8} {size:5} B  {contestant:10}"
    if work == "latency":
        rest = f"{figures['read_p50_ms']:8.2f} ms p50 {figures['read_p99_ms']:8.2f} ms p99"
    else:
        envoy = per_gb("envoy", size)(figures)
        rest = f"{rate(figures):12,.0f} records/s" + (f" {envoy:6.2f} Envoy s/GB" if envoy is not None else "")
    return f"{start} {rest:40} others use {others(figures):.2f} cores"


def show(results, plan):
    """All tables."""
    duplicates = "on" if results.deduplication else "off"
    print(f"\n{plan.rounds} rounds; {plan.partitions} partitions; deduplication {duplicates} for every client; medians [least - most]")
    throughput(results, plan)
    ratios(results, plan)
    if plan.partitions == 1:
        latency(results, plan)
    memory(results, plan)
    noise = [others(figures) for runs in results.rounds.values() for figures in runs]
    print(f"\nothers used {median(noise):.2f} [{min(noise):.2f} - {max(noise):.2f}] cores meanwhile")
    if max(noise) > QUIET_CORES:
        print(f"More than {QUIET_CORES} cores at times: these figures are not to be quoted.")


def throughput(results, plan):
    """Records per second, and who used how much CPU for it."""
    print(f"\n{'':28}{'records/s':>34}   CPU s/GB: Envoy  client  broker")
    for work in ("produce", "consume"):
        for size in plan.sizes:
            for contestant in (name for name in CONTESTANTS if (work, size, name) in results.rounds):
                rates = results.of(work, size, contestant, rate)
                row = f"{work:8} {size:5} B  {contestant:10} {median(rates):12,.0f} [{min(rates):,.0f} - {max(rates):,.0f}]"
                used = (results.of(work, size, contestant, per_gb(who, size)) for who in ("envoy", "client", "broker"))
                cells = (f"{median(values):8.2f}" if None not in values else f"{'':8}" for values in used)
                print(f"{row:64} {''.join(cells)}")


def ratios(results, plan):
    """The filter over the native client, round by round, and the targets; for produce over one as bounded as Kafka's, too."""
    print("\nfilter / native, by round")
    for work in ("produce", "consume"):
        for size in plan.sizes:
            pairs = zip(*(results.of(work, size, one, rate) for one in ("filter", "native")), strict=True)
            values = [ours / theirs for ours, theirs in pairs]
            listed = " ".join(f"{value:.2f}" for value in values)
            print(f"{work:8} {size:5} B  median {verdict(median(values), RATIO_TARGETS.get((work, size)), 1)}  {listed}")
            if bounded := results.of(work, size, "native-5", rate):
                values = [ours / theirs for ours, theirs in zip(results.of(work, size, "filter", rate), bounded, strict=True)]
                listed = " ".join(f"{value:.2f}" for value in values)
                print(f"{'':18}of native-5 {median(values):.2f}  {listed}")
            envoy = median(results.of(work, size, "filter", per_gb("envoy", size)))
            print(f"{'':18}Envoy s/GB {verdict(envoy, ENVOY_TARGETS.get(size), -1)}")


def latency(results, plan):
    """End to end, and to the acknowledgement."""
    size = next(size for work, size, _ in results.rounds if work == "latency")
    print(f"\nlatency at 100 messages/s of {size} B, ms (p50 / p99)    to the consumer       to the acknowledgement")
    medians = {}
    for contestant in ("native", "filter", "tcp_proxy"):
        names = [f"{what}_p{percent}_ms" for what in ("read", "ack") for percent in (50, 99)]
        cells = [median(results.of("latency", size, contestant, lambda run, name=name: run[name])) for name in names]
        medians[contestant] = cells[0]
        print(f"{contestant:50}{cells[0]:10.2f} / {cells[1]:5.2f} {cells[2]:14.2f} / {cells[3]:5.2f}")
    added = medians["filter"] - medians["native"]
    print(f"added by the filter at p50, to the consumer: {verdict(added, LATENCY_TARGET_MS, -1)} ms")


def memory(results, plan):
    """Per idle connection, and at the end."""
    wasm, envoy = (results.idle[name] / 1024 for name in ("wasm", "envoy"))
    target = IDLE_TARGET_BYTES / 1024
    print(f"\nidle connection, of {plan.idle_connections}: {verdict(wasm, target, -1)} KiB in the VM, {envoy:.1f} KiB in all of Envoy")
    print("Envoy after the last run, MiB (all / Wasm VMs)")
    for contestant in ("filter", "tcp_proxy"):
        last = {work: runs[-1] for (work, _, name), runs in results.rounds.items() if name == contestant}
        for work, figures in last.items():
            all_of_it, vms = figures["resident_bytes"] / 2**20, figures["wasm_bytes"] / 2**20
            print(f"  {contestant:10} {work:8} {all_of_it:7.1f} / {vms:.1f}")


def verdict(value, target, sense):
    """A figure, its target and whether it is met; `sense` is 1 where more is better."""
    if target is None:
        return f"{value:.2f}"
    met = "met" if (value - target) * sense >= 0 else "MISSED"
    bound = ">=" if sense > 0 else "<="
    return f"{value:.2f} ({bound} {target:g}: {met})"
