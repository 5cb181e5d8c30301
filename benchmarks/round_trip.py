"""From the request `1+1` to its result, in a session that is there, beside a stock ipykernel."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from pyrepl_stream import Session, connect

from .kernel import kernel
from .report import Table, middle
from .sessions import places

RUNS = 7
TRIPS = 40  # in each run
MOST = 1.5  # times the kernel's


def run() -> Iterator[Table]:
    """Measure all."""
    table = Table(
        "Round trip of 1+1",
        ("session", "time", "of the kernel's"),
        f"{RUNS} runs of {TRIPS} trips, taken in turn: the medians of the runs, and their ratios.",
    )
    with places(), connect("local:bench") as remote, Session() as threads, kernel() as other:
        kinds: dict[str, Callable[[], object]] = {
            "an ipykernel, read by jupyter_client": lambda: other.run("1+1", len),
            "local:": lambda: remote.execute("1+1").wait(),
            "threads of this process": lambda: threads.execute("1+1").wait(),
        }
        assert remote.execute("1+1").wait().result == threads.execute("1+1").wait().result == "2"
        times: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(RUNS):
            for name, trip in kinds.items():
                times[name].append(statistics.median(_seconds(trip) for _ in range(TRIPS)))
    base, *others = times.items()
    table.row(base[0], middle(base[1], _ms), "")
    for name, seconds in others:
        ratios = [ours / theirs for ours, theirs in zip(seconds, base[1], strict=True)]
        table.row(name, middle(seconds, _ms), table.bounded(name, ratios, most=MOST))
    yield table


def _seconds(trip: Callable[[], object]) -> float:
    started = time.perf_counter()
    trip()
    return time.perf_counter() - started


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
