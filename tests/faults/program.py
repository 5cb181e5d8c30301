"""The command line of the programs in this folder."""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable

__all__ = ("main",)


def main(
    name: str, about: str | None, run: Callable[[float, int], tuple[Counter[str], list[str]]], minutes: float
) -> int:
    """Call ``run`` with the seconds and the seed that the command line gives; return 1 for violations.

    Args:
        name: The module, for the help text.
        about: What it does, for the help text.
        run: Returns the number of what it did by kind, and the violations.
        minutes: How long it runs by default.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=about)
    parser.add_argument(
        "--minutes", type=float, default=minutes, help="how long to run (default: %(default)g)"
    )
    parser.add_argument("--seed", type=int, help="seed of what is random (default: a new one)")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    return 1 if run(options.minutes * 60, seed)[1] else 0
