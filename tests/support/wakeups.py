"""Counts how often threads wake up."""

from __future__ import annotations

import time
from collections.abc import Callable
from glob import glob
from pathlib import Path

from support.host import wait_until

__all__ = ("settles", "wakeups")

MOST = 2  # wake-ups in a second; a timer of 0.1 s makes 10


def wakeups(*patterns: str) -> int:
    """Return how many times threads, given by the paths of their status, have waited for something so far."""
    return sum(
        int(line.split()[1])
        for pattern in patterns
        for path in glob(pattern)
        for line in Path(path).read_text().splitlines()
        if line.startswith("voluntary_ctxt_switches")
    )


def settles(count: Callable[[], int]) -> None:
    """Wait for a second in which ``count`` rises very little."""

    def is_quiet() -> bool:
        before = count()
        time.sleep(1.0)
        return count() - before <= MOST

    wait_until(is_quiet)
