"""The time from a write to its message, for a reader that is waiting.

The code prints the current time every 20 ms, and each number is compared with the clock when its
message arrives. Between the prints the code sleeps, or computes in pure Python: then every other thread
has to wait for the interpreter's lock first. Runs of a Session and of a stock ipykernel
(for comparison, fewer prints) take turns.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from functools import partial

from pyrepl_stream import OutputMessage, Session

from .kernel import kernel
from .report import Table

RUNS = 5
PRINTS = 200  # in each run of a Session
SLEEPS = "import time\nfor i in range({}):\n    print(time.time_ns())\n    time.sleep(0.02)"
BUSY = (
    "import time\nfor i in range({}):\n    print(time.time_ns())\n"
    "    end = time.monotonic() + 0.02\n    while time.monotonic() < end: pass"
)


def run() -> Iterator[Table]:
    """Measure a sleeping and a computing Session, and an ipykernel."""
    table = Table(
        "Latency from write to message",
        ("code", "median", "99th percentile", "arrived"),
        f"{RUNS} runs of {PRINTS} prints; the figures are those of each run.",
    )
    runs: dict[str, list[list[float]]] = {name: [] for name in ("sleeps", "computes", "ipykernel, sleeps")}
    with kernel() as other:
        for _ in range(RUNS):
            runs["sleeps"].append(asyncio.run(_session(SLEEPS.format(PRINTS))))
            runs["computes"].append(asyncio.run(_session(BUSY.format(PRINTS // 2))))
            delays: list[float] = []
            other.run(SLEEPS.format(PRINTS // 4), partial(_note, delays))
            runs["ipykernel, sleeps"].append(delays)
    for name, results in runs.items():
        bound = 0.001 if name == "sleeps" else None
        expected = {"sleeps": PRINTS, "computes": PRINTS // 2}.get(name, PRINTS // 4)
        table.row(
            name,
            table.bounded(name, [statistics.median(delays) for delays in results], most=bound, show=_ms),
            table.bounded(name, [statistics.quantiles(delays, n=100)[98] for delays in results], show=_ms),
            table.holds(name, all(len(delays) == expected for delays in results), "some are missing"),
        )
    yield table


async def _session(code: str) -> list[float]:
    delays: list[float] = []
    async with Session() as session:
        async for message in session.execute(code):
            if isinstance(message, OutputMessage):
                delays += _delays(message.text)
    return delays


def _note(delays: list[float], text: str) -> None:
    delays += _delays(text)


def _delays(text: str) -> list[float]:
    """Return the delays. A number is written by one call, so it is in one message, unlike its line end."""
    now = time.time_ns()
    return [(now - int(number)) / 1e9 for number in text.split()]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
