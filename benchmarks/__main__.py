"""Runs all benchmarks or the named ones and prints Markdown; exits with 1 when a bound is missed."""

from __future__ import annotations

import sys
import time
from importlib import import_module

from .report import environment

NAMES = (
    "area",
    "at_once",
    "colour",
    "commands",
    "idle",
    "imports",
    "interrupt",
    "latency",
    "memory",
    "processors",
    "records",
    "round_trip",
    "screen",
    "sessions",
    "structured",
    "throughput",
)


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    print("# Benchmarks\n")
    for line in environment():
        print(f"- {line}")
    print("\nEach figure is a median, with the smallest and the largest in brackets.\n", flush=True)
    missed = []
    started = time.monotonic()
    for name in names or NAMES:
        for table in import_module(f"{__package__}.{name}").run():
            print(table, flush=True)
            missed += table.missed
    print(f"Took {time.monotonic() - started:.0f} s.\n")
    for miss in missed:
        print(f"- MISSED: {miss}")
    if not missed:
        print("All bounds are kept.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
