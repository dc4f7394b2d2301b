"""`make bench`: the layers of benchmarks, from a record to the whole way.

A layer is an executable or a cargo benchmark under benches/; what is not in this checkout is named and left out.
"""

from dev import children, tools
from dev.errors import DevError, main_guard
from dev.paths import ROOT

INSTRUCTIONS = ROOT / "benches" / "instructions" / "run"
END_TO_END = ROOT / "benches" / "e2e" / "run"


def main():
    """Criterion, then instructions where valgrind is, then the end-to-end harness."""
    tools.require("rustup", "cargo", "cc", "java")
    failed = []
    if children.run(["cargo", "bench", "--locked", "-p", "isthmus-benches"], cwd=ROOT):
        failed.append("criterion")
    if not tools.have("valgrind"):
        print("left out: valgrind is not on the PATH, which leaves out the counting of instructions")
    elif not layer(INSTRUCTIONS):
        failed.append("instructions")
    if not layer(END_TO_END):
        failed.append("end to end")
    if failed:
        raise DevError(f"these benchmarks failed: {', '.join(failed)}.")


def layer(program):
    """Run it where it exists; whether nothing went wrong."""
    if not program.exists():
        print(f"left out: there is no {program.relative_to(ROOT)}")
        return True
    return children.run([program], cwd=ROOT) == 0


if __name__ == "__main__":
    main_guard(main)
