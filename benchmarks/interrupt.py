"""The time from ``execution.interrupt()`` until its reply, which comes when the execution has ended.

Each kind of code runs for 0.1 s first. Afterwards the session's next execution must find the
namespace as the code left it. The kinds take turns.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from pyrepl_stream import CompleteMessage, Execution, Session

from .report import Table

RUNS = 7
KINDS = {
    "a pure Python loop": "n = 0\nwhile True: n += 1",
    "a loop that prints": "n = 0\nwhile True:\n    n += 1\n    print(n)",
    "code that awaits": "import asyncio\nn = 0\nwhile True:\n    n += 1\n    await asyncio.sleep(0.01)",
}


def run() -> Iterator[Table]:
    """Measure all kinds of code."""
    table = Table("Interrupt", ("code", "until it has ended", "status", "namespace usable"), f"{RUNS} runs.")
    times: dict[str, list[float]] = {name: [] for name in KINDS}
    states: dict[str, set[str]] = {name: set() for name in KINDS}
    usable = dict.fromkeys(KINDS, True)
    for _ in range(RUNS):
        for name, code in KINDS.items():
            seconds, status, ok = asyncio.run(_interrupt(code))
            times[name].append(seconds)
            states[name].add(status)
            usable[name] = usable[name] and ok
    for name in KINDS:
        table.row(
            name,
            table.bounded(name, times[name], most=0.2, show=lambda seconds: f"{seconds * 1000:.1f} ms"),
            table.holds(name, states[name] == {"interrupted"}, ", ".join(sorted(states[name]))),
            table.holds(name, usable[name]),
        )
    yield table


async def _interrupt(code: str) -> tuple[float, str, bool]:
    async with Session() as session:
        execution = session.execute(code)
        reader = asyncio.ensure_future(_result(execution))
        await asyncio.sleep(0.1)
        started = time.perf_counter()
        await execution.interrupt()
        seconds = time.perf_counter() - started
        status = await reader
        after = await session.execute("n > 0 and n")
        return seconds, status, after.success and after.result == str(session.namespace["n"])


async def _result(execution: Execution) -> str:
    status = ""
    async for message in execution:
        if isinstance(message, CompleteMessage):
            status = message.status
    return status
