"""`make bench`: the layers of benchmarks, from a record to the whole way.

Options come from the command line (`python3 -m dev.bench --quick`) or from BENCH_OPTIONS (`make bench BENCH_OPTIONS=--quick`).
"""

import argparse
import dataclasses
import os
import shlex
import sys

from dev import children, tools
from dev.bench import end_to_end, groups, metadata
from dev.errors import DevError, main_guard
from dev.paths import ROOT

LAYERS = ("criterion", "instructions", "end-to-end", "groups", "metadata")

# The first counts allocations too, and says what is left out where valgrind is missing; the second needs it.
SESSION = ROOT / "benches" / "instructions" / "session"
RECORDS = ROOT / "benches" / "instructions" / "run"


def main():
    """The layers that are asked for, each to its end."""
    options = parse(shlex.split(os.environ.get("BENCH_OPTIONS", "")) + sys.argv[1:])
    tools.require("rustup", "cargo", "cc", "java")
    layers = {
        "criterion": criterion,
        "instructions": instructions,
        "end-to-end": comparison,
        "groups": consumer_groups,
        "metadata": topics,
    }
    failed = [name for name in LAYERS if name in (options.only or LAYERS) and not attempt(layers[name], options)]
    if failed:
        raise DevError(f"these benchmarks failed: {', '.join(failed)}.")


def parse(arguments):
    """The options."""
    plan = end_to_end.Plan()
    parser = argparse.ArgumentParser(prog="python3 -m dev.bench", description="Benchmarks; all layers unless told otherwise.")
    parser.add_argument("--only", action="append", choices=LAYERS, help="this layer; may be given again")
    parser.add_argument("--quick", action="store_true", help="little of everything, to see that it works")
    parser.add_argument("--rounds", type=int, default=plan.rounds, help="of the comparison (%(default)s)")
    parser.add_argument("--records", type=int, help="of each size, instead of 1 GB and 0.4 GB")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(plan.sizes), help="of a value, in bytes (%(default)s)")
    parser.add_argument("--partitions", type=int, default=plan.partitions, help="of each topic (%(default)s); with more, without latency")
    parser.add_argument("--concurrency", type=int, default=plan.concurrency, help="Envoy's workers (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the servers' logs and data where they are")
    return parser.parse_args(arguments)


def attempt(layer, options):
    """Run it; whether nothing went wrong. The layers after it run all the same."""
    try:
        return layer(options)
    except DevError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return False


def criterion(options):
    """Nanoseconds."""
    quick = ["--", "--quick"] if options.quick else []
    return children.run(["cargo", "bench", "--locked", "-p", "isthmus-benches", *quick], cwd=ROOT) == 0


def instructions(_options):
    """And allocations: the same on a busy machine as on a quiet one."""
    programs = [SESSION, RECORDS] if tools.have("valgrind") else [SESSION]
    return all([children.run([program], cwd=ROOT) == 0 for program in programs])


def comparison(options):
    """With real servers and clients."""
    default = end_to_end.Plan().sizes
    sizes = {size: options.records or default.get(size, 1_000_000) for size in options.sizes}
    plan = dataclasses.replace(
        end_to_end.Plan(), rounds=options.rounds, sizes=sizes, concurrency=options.concurrency, partitions=options.partitions
    )
    end_to_end.main(plan.quick() if options.quick else plan, options.keep)
    return True


def consumer_groups(options):
    """Beside Apache Kafka and bare sends to Pulsar."""
    plan = dataclasses.replace(groups.Plan(), rounds=options.rounds)
    groups.main(plan.quick() if options.quick else plan, options.keep)
    return True


def topics(options):
    """Metadata and what admin clients ask, beside Apache Kafka."""
    plan = dataclasses.replace(metadata.Plan(), rounds=options.rounds)
    metadata.main(plan.quick() if options.quick else plan, options.keep)
    return True


if __name__ == "__main__":
    main_guard(main)
