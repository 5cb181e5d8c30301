"""The effect of the size of a child's output buffer on the first output, the rate and the memory."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time

from pyrepl_stream import OutputMessage, run_process

from ..report import middle
from .findings import Findings, child, grouped_bars, in_process, ms, peak_memory

SIZES = ("0", "1024", "4096", "8192", "default")
PLACES = ("pipe", "terminal")
_LINES = 150  # of 64 characters, one every 2 ms: what fills 8192 bytes in a quarter of a second
_FLOOD = 200_000  # lines of 64 characters, as fast as it can

# It writes slowly, when it began, and how much memory it had at most, to a file: the output is measured.
_CHILD = """
import io, sys, time, os
size, lines, pause, notes = {size!r}, {lines}, {pause}, {notes!r}
if size == "default":
    out = sys.stdout
else:
    out = io.TextIOWrapper(open(1, "wb", buffering=int(size), closefd=False), write_through=True)
began = time.monotonic_ns()
for number in range(lines):
    out.write("%-63d\\n" % number)
    if pause:
        time.sleep(pause)
out.flush()
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
with open(notes, "w") as file:
    file.write("%d %d" % (began, peak * 1024))
"""


def run(quick: bool) -> Findings:
    """Measure all sizes on a pipe and on a terminal."""
    rounds = 2 if quick else 5
    flood = _FLOOD // 10 if quick else _FLOOD
    table = Findings(
        "The size of a child's output buffer",
        ("output to", "buffer", "first output after", "messages", "flood", "child's memory", "ours grows by"),
        f"A Python child writes lines of 64 bytes through a buffer of that size (`open(1, 'wb', "
        f"buffering=N)`; the default is an unchanged `sys.stdout`): {_LINES} lines, one every 2 ms, with the "
        f"time from its first write to our first message; then {flood:,} lines at once. {rounds} rounds, in "
        "turn, each in a process of its own. Memory is the peak of resident memory, for us the growth.",
    )
    results: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for place in PLACES:
            for size in SIZES:
                facts = in_process(__name__, place, size, flood)
                results.setdefault((place, size), []).append(facts)
    for (place, size), facts in results.items():
        table.row(
            place,
            size,
            middle([fact["first"] for fact in facts], ms),
            middle([fact["messages"] for fact in facts], "{:.0f}".format),
            middle([fact["rate"] for fact in facts], "{:.1f} MB/s".format),
            middle([fact["child"] for fact in facts], _mib),
            middle([fact["growth"] for fact in facts], _mib),
        )

    def draw(figure):  # type: ignore[no-untyped-def]
        left, right = figure.subplots(1, 2)
        for axes, what, factor in ((left, "first", 1000.0), (right, "rate", 1.0)):
            series = {
                place: [
                    factor * statistics.median(fact[what] for fact in results[place, size]) for size in SIZES
                ]
                for place in PLACES
            }
            grouped_bars(axes, SIZES, series, log=True)
            axes.set_xlabel("buffer (bytes)")
        left.set_title("Until the first output (ms)")
        right.set_title("Rate of a flood (MB/s)")

    table.draw = draw
    return table


async def _case(place: str, size: str, flood: int) -> dict[str, float]:
    terminal = place == "terminal"
    with tempfile.TemporaryDirectory() as folder:
        notes = os.path.join(folder, "notes")
        await run_process(["true"], pty=terminal)  # loads what is needed

        slow = run_process(
            child(_CHILD.format(size=size, lines=_LINES, pause=0.002, notes=notes)), pty=terminal
        )
        first, messages = 0, 0
        async for message in slow:
            if isinstance(message, OutputMessage):
                first = first or time.monotonic_ns()
                messages += 1
        began = int(_notes(notes)[0])

        before = peak_memory()
        started = time.perf_counter()
        received = 0
        command = child(_CHILD.format(size=size, lines=flood, pause=0, notes=notes))
        async for message in run_process(command, pty=terminal):
            if isinstance(message, OutputMessage):
                received += len(message.data)
        seconds = time.perf_counter() - started
        assert received == flood * 64, f"{received} bytes came of {flood * 64}"
        return {
            "first": (first - began) / 1e9,
            "messages": messages,
            "rate": received / seconds / 1e6,
            "child": float(_notes(notes)[1]),
            "growth": peak_memory() - before,
        }


def _notes(path: str) -> list[str]:
    with open(path) as file:
        return file.read().split()


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.1f} MiB"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_case(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
