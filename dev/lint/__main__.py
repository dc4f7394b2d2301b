"""`make lint`: format, warnings as errors, and every configuration."""

import ast

from dev import children, install, tools, wasm
from dev.errors import DevError, main_guard
from dev.paths import CACHE, ROOT

CARGO_CHECKS = {
    "rustfmt": ["fmt", "--all", "--check"],
    "clippy": ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"],
    "clippy for wasm": ["clippy", "--locked", "-p", "isthmus", "--target", wasm.TARGET, "--", "-D", "warnings"],
}


def main():
    """All checks, to the end even where one fails."""
    tools.require("rustup", "cargo", "cc", "java")
    failed = []
    for name, arguments in CARGO_CHECKS.items():
        print(f"lint: {name}", flush=True)
        if children.run(["cargo", *arguments], cwd=ROOT):
            failed.append(name)
    for name, check in {"Python syntax": python_syntax, "Envoy's configurations": envoy_configurations}.items():
        print(f"lint: {name}", flush=True)
        try:
            check()
        except DevError as error:
            print(f"  {error}", flush=True)
            failed.append(name)
    if failed:
        raise DevError(f"lint found faults: {', '.join(failed)}.")
    print("lint: nothing to complain about")


def python_syntax():
    """Every Python file of the project compiles."""
    wrong = []
    for folder in ("dev", "host-tests", "benches"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "node_modules" in path.parts:
                continue
            try:
                ast.parse(path.read_text(), str(path))
            except SyntaxError as error:
                wrong.append(f"{path.relative_to(ROOT)}:{error.lineno}: {error.msg}")
    if wrong:
        raise DevError("; ".join(wrong))


def envoy_configurations():
    """In a Python of its own, which can read YAML."""
    python = install.pip_environment(CACHE / "lint", ROOT / "dev" / "lint-requirements.txt", "installing the YAML reader")
    if children.run([python, "-m", "dev.lint.configurations", wasm.build()], cwd=ROOT):
        raise DevError("a configuration is wrong")


if __name__ == "__main__":
    main_guard(main)
