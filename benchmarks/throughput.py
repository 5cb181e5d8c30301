"""The time from the start of printing until the reader has counted the last byte.

The same code runs in three ways, one after the other in each round: by ``exec`` with a ``StringIO`` as
``sys.stdout``, whose length is then taken (no reader and no thread, so this is the minimum); in a Session
whose messages are iterated and counted; in a stock ipykernel in its own process, read and counted through
jupyter_client. A ratio compares times of the same round. The kernel is much slower, so the other two run
three times in each of its rounds. A Session must deliver everything; losses of the kernel are only reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

from pyrepl_stream import OutputMessage, Session

from .kernel import Kernel, kernel
from .report import Table, middle

ROUNDS = 5
PAIRS = 3  # of StringIO and Session in each round


class Work(NamedTuple):
    name: str
    code: str
    most: float | None = None  # times StringIO
    least: float | None = None  # times faster than ipykernel


WORKS = (
    Work("200,000 `print(i)`", "for i in range(200_000): print(i)", 1.5, 10),
    Work(
        "1,000,000 characters, a saved `w`",
        'import sys\nw = sys.stdout.write\nfor i in range(1_000_000): w("x")',
        1.5,
        10,
    ),
    Work(
        '1,000,000 `sys.stdout.write("x")`',
        'import sys\nfor i in range(1_000_000): sys.stdout.write("x")',
        1.5,
        10,
    ),
    Work('1,000,000 `print("x", end="")`', 'for i in range(1_000_000): print("x", end="")', 1.5, 10),
    Work("10,000 lines of 110", 'line = "x" * 109\nfor i in range(10_000): print(line)', 3),
    Work("100 MB in one print", 'print("x" * 100_000_000)'),
    Work("20,000 `print(i, flush=True)`", "for i in range(20_000): print(i, flush=True)"),
)


def run() -> Iterator[Table]:
    """Measure all kinds of output."""
    table = Table(
        "Throughput",
        (
            "work",
            "StringIO",
            "Session",
            "ipykernel",
            "Session / StringIO",
            "ipykernel / Session",
            "complete",
            "kernel lost",
        ),
        f"{ROUNDS} rounds; StringIO and Session {PAIRS} times in each.",
    )
    with kernel() as other:
        for work in WORKS:
            asyncio.run(_measure(work, other, table))
    yield table


async def _measure(work: Work, other: Kernel, table: Table) -> None:
    base, ours, theirs, slower, faster = [], [], [], [], []
    complete, lost = True, 0
    async with Session() as session:
        for _ in range(ROUNDS):
            pairs = []
            for _ in range(PAIRS):
                seconds, written = _string_io(work.code)
                base.append(seconds)
                seconds, received = await _session(session, work.code)
                ours.append(seconds)
                pairs.append(seconds)
                slower.append(ours[-1] / base[-1])
                complete = complete and received == written
            seconds, received = _ipykernel(other, work.code)
            theirs.append(seconds)
            faster.append(seconds / statistics.median(pairs))
            lost += written - received
    table.row(
        work.name,
        middle(base, _ms),
        middle(ours, _ms),
        middle(theirs, _ms),
        table.bounded(work.name, slower, most=work.most),
        table.bounded(work.name, faster, least=work.least, show="{:.1f}x".format),
        table.holds(work.name, complete, "output is missing"),
        f"{lost:,} bytes" if lost else "nothing",
    )


def _string_io(code: str) -> tuple[float, int]:
    target = io.StringIO()
    started = time.perf_counter()
    with contextlib.redirect_stdout(target):
        exec(compile(code, "<benchmark>", "exec"), {"__name__": "__main__"})
    size = len(target.getvalue())
    return time.perf_counter() - started, size


async def _session(session: Session, code: str) -> tuple[float, int]:
    size = 0
    started = time.perf_counter()
    async for message in session.execute(code):
        if isinstance(message, OutputMessage):
            size += len(message.data)  # all of it is ASCII
    return time.perf_counter() - started, size


def _ipykernel(other: Kernel, code: str) -> tuple[float, int]:
    sizes: list[int] = []
    seconds = other.run(code, lambda text: sizes.append(len(text)))
    return seconds, sum(sizes)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
