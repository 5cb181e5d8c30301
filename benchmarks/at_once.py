"""10, 100 and 1,000 executions that are started at once, beside as many plain threads.

The slope is that of the logarithm of the time over the logarithm of the number: 1.0 if the time is
proportional to the number, and more if each execution costs more when there are many. Bytes are counted.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO

from pyrepl_stream import RemoteSession, Session, connect

from .report import Table, middle
from .sessions import places

RUNS = 3
COUNTS = (10, 100, 1000)
REPEATED = 200  # executions, at least, of each number in a run, whose median counts
LINES = 20
CODE = f"for i in range({LINES}): print(i)"
TEXT = "".join(f"{i}\n" for i in range(LINES))
MORE = 0.1  # by which the slope may exceed that of plain threads


def run() -> Iterator[Table]:
    """Measure all."""
    table = Table(
        "Executions at once",
        ("in", *(f"{count:,}" for count in COUNTS), "slope", "all bytes arrived"),
        f"Each prints {LINES} lines. {RUNS} runs, taken in turn.",
    )
    with places(), connect("local:bench") as remote, Session() as session:
        remote.execute("1").wait()
        kinds: dict[str, Callable[[int], list[str]]] = {
            "plain threads, to a StringIO each": _threads,
            "a session of threads": lambda count: _executions(session, count),
            "local:, one after the other": lambda count: _executions(remote, count),
        }
        times: dict[str, list[list[float]]] = {name: [] for name in kinds}
        whole = dict.fromkeys(kinds, True)
        for _ in range(RUNS):
            for name, work in kinds.items():
                seconds: dict[int, list[float]] = {count: [] for count in COUNTS}
                for count in COUNTS:
                    for _ in range(max(1, REPEATED // count)):
                        started = time.perf_counter()
                        texts = work(count)
                        seconds[count].append(time.perf_counter() - started)
                        whole[name] = whole[name] and texts == [TEXT] * count
                times[name].append([statistics.median(values) for values in seconds.values()])
    slopes = {name: [_slope(run) for run in runs] for name, runs in times.items()}
    most = None
    for name, runs in times.items():
        table.row(
            name,
            *(middle(seconds, _ms) for seconds in zip(*runs, strict=True)),
            table.bounded(name, slopes[name], most=most, show="{:.2f}".format),
            table.holds(name, whole[name], "bytes are missing"),
        )
        most = most or statistics.median(slopes[name]) + MORE
    yield table


def _threads(count: int) -> list[str]:
    buffers = [StringIO() for _ in range(count)]
    threads = [threading.Thread(target=_print, args=(buffer,)) for buffer in buffers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [buffer.getvalue() for buffer in buffers]


def _print(buffer: StringIO) -> None:
    exec(compile(CODE, "cell", "exec"), {"print": lambda i: print(i, file=buffer)})


def _executions(session: Session | RemoteSession, count: int) -> list[str]:
    executions = [session.execute(CODE) for _ in range(count)]
    return [execution.wait(120).stdout for execution in executions]


def _slope(seconds: list[float]) -> float:
    return statistics.linear_regression(list(map(math.log, COUNTS)), list(map(math.log, seconds))).slope


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"
