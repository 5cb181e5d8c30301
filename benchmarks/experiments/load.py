"""The cost of streaming compared with batch: CPU, memory, and the delay of other tasks."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time

from pyrepl_stream import OutputMessage, run_process

from ..report import middle
from .findings import Findings, child, in_process, legend_below, ms, peak_memory, percentile

_CHATTY = """
import os, time
began = time.monotonic()
for number in range({lines}):
    os.write(1, b"%-79d\\n" % number)
    time.sleep(max(0, began + number * 0.001 - time.monotonic()))
"""
_BULK = "yes 'The quick brown fox jumps over the lazy dog, and again, and once more' | head -c {}"
WAYS = ("nothing", "streaming", "batch", "subprocess.run")

# Another process: it measures how late it wakes from sleeps of 1 ms, until its input ends.
_TICKER = """
import select, time
late = []
while not select.select([0], [], [], 0)[0]:
    due = time.monotonic() + 0.001
    time.sleep(0.001)
    late.append(time.monotonic() - due)
print(*late)
"""


def run(quick: bool) -> Findings:
    """Measure both commands in all ways."""
    rounds = 1 if quick else 5
    lines, size = (500, 40_000_000) if quick else (2000, 300_000_000)
    works = {f"chatty: {lines:,} lines, 1,000 a second": lines, f"bulk: {size // 10**6} MB at once": size}
    table = Findings(
        "Streaming against batch",
        ("command", "way", "time", "our CPU", "memory grows", "a thread here is late")
        + ("99th percentile", "another process is late", "99th percentile"),
        f"On a pipe, with a reader that only counts (batch and `subprocess.run` keep all); {rounds} rounds, "
        "in turn, each in a process of its own. Late is the delay with which a sleep of 1 ms returns: in "
        "another thread of the reader's process, and in another process. CPU is the user and system time of "
        "the reader's process, including its sleeping thread. `nothing` sleeps for a second instead.",
    )
    results: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for work, amount in works.items():
            for way in WAYS:
                results.setdefault((work, way), []).append(in_process(__name__, work[:4], way, amount))
    for (work, way), facts in results.items():
        table.row(
            work,
            way,
            middle([fact["seconds"] for fact in facts], ms),
            middle([fact["cpu"] for fact in facts], ms),
            middle([fact["growth"] for fact in facts], lambda size: f"{size / (1 << 20):.1f} MiB"),
            *(
                middle([fact[f"{who}_{what}"] for fact in facts], ms)
                for who in ("thread", "process")
                for what in ("median", "worst")
            ),
        )

    def draw(figure):  # type: ignore[no-untyped-def]
        panels = figure.subplots(1, 3)
        parts = (("cpu", 1000.0, "CPU (ms)"), ("growth", 2.0**-20, "Memory (MiB)"))
        for axes, (what, factor, title) in zip(
            panels, (*parts, ("thread_worst", 1000.0, "A thread is late, p99 (ms)")), strict=True
        ):
            for number, way in enumerate(WAYS[1:]):
                values = [
                    factor * statistics.median(fact[what] for fact in results[work, way]) for work in works
                ]
                axes.bar([place + (number - 1) * 0.27 for place in range(2)], values, 0.27, label=way)
            axes.set_xticks(range(2), [work.partition(":")[0] for work in works])
            axes.set_title(title)
        legend_below(panels[1])

    table.draw = draw
    return table


def _case(work: str, way: str, amount: int) -> dict[str, float]:
    chatty = work == "chat"
    command = child(_CHATTY.format(lines=amount)) if chatty else ["/bin/sh", "-c", _BULK.format(amount)]
    expected = amount * 80 if chatty else amount
    run_process(["true"], pty=False).wait()  # loads what is needed
    subprocess.run(["true"], capture_output=True, check=True)

    beside = subprocess.Popen(
        child(_TICKER), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    late: list[float] = []
    stop = threading.Event()

    def tick() -> None:
        while not stop.is_set():
            due = time.monotonic() + 0.001
            time.sleep(0.001)
            late.append(time.monotonic() - due)

    ticker = threading.Thread(target=tick)
    ticker.start()
    time.sleep(0.1)
    late.clear()
    memory, used, started = peak_memory(), resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    received = _do(way, command)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    growth = peak_memory() - memory
    stop.set()
    ticker.join()
    other = [float(word) for word in beside.communicate()[0].split()]
    assert way == "nothing" or received == expected, f"{received} bytes came of {expected}"
    return {
        "seconds": seconds,
        "cpu": after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime,
        "growth": growth,
        "thread_median": statistics.median(late),
        "thread_worst": percentile(late, 99),
        "process_median": statistics.median(other),
        "process_worst": percentile(other, 99),
    }


def _do(way: str, command: list[str]) -> int:
    if way == "nothing":
        time.sleep(1)
        return 0
    if way == "subprocess.run":
        return len(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    if way == "batch":
        return len(run_process(command, pty=False, streaming=False).wait().stdout)

    async def read() -> int:
        size = 0
        async for message in run_process(command, pty=False):
            if isinstance(message, OutputMessage):
                size += len(message.data)
        return size

    return asyncio.run(read())


if __name__ == "__main__":
    result = _case(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    sys.stdout.write(json.dumps(result))
    sys.stdout.flush()
    os._exit(0)
