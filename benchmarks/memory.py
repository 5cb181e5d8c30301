"""Memory while 1 GB is printed and the reader has stopped, and a count of every byte.

Each case runs in a process of its own. The reader takes one message and stops. With ``block``, the code must
then stop too: the number of bytes that it has written, a name in the session's namespace, no longer changes.
With the other policies, the code must end. Until then, resident memory may grow by at most ``buffer_bytes``
plus 64 MiB. Then the reader continues to the end, and output and gaps together must account for every byte
that was written. Each case runs once, because these figures do not vary as times do.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyrepl_stream import ErrorMessage, Execution, GapMessage, Message, OutputMessage, Session

from .report import Table

BUFFER = 4 << 20
MOST = BUFFER + (64 << 20)
_LOOP = """
import sys
text, written = "x" * 999 + "\\n", 0
"""
FORMS = {
    "sys.stdout.write": _LOOP + "while written < 10**9: written += sys.stdout.write(text)",
    "saved write": _LOOP + "w = sys.stdout.write\nwhile written < 10**9: written += w(text)",
    "print": _LOOP + "while written < 10**9:\n    print(text, end='')\n    written += len(text)",
    "awaiting code": _LOOP
    + "import asyncio\nwhile written < 10**9:\n"
    + "    written += sys.stdout.write(text)\n    if not written % 100_000: await asyncio.sleep(0)",
    "saved in mid-flow": _LOOP
    + "while written < 10**6: written += sys.stdout.write('x')\n"
    + "w = sys.stdout.write\nwhile written < 10**9: written += w(text)",
}
CASES = (
    *((policy, "sys.stdout.write") for policy in ("block", "drop_oldest", "drop_newest", "fail")),
    ("block", "print"),
    ("drop_oldest", "print"),
    *((policy, "saved write") for policy in ("block", "drop_oldest", "drop_newest", "fail")),
    *((policy, "awaiting code") for policy in ("block", "drop_oldest", "drop_newest")),
    ("block", "saved in mid-flow"),
)
_MID_FLOW = "saved in mid-flow"
_CANNOT_WAIT = ("awaiting code", _MID_FLOW)  # `block` has to drop their output instead


def run() -> Iterator[Table]:
    """Run all cases."""
    table = Table(
        "Memory with a stopped reader, 1 GB printed",
        (
            "overflow",
            "written by",
            "while the reader stopped",
            "peak over the start",
            "to the end",
            "all bytes accounted for",
            "output",
            "gaps",
        ),
        f"`buffer_bytes` is {BUFFER >> 20} MiB. Code that runs on an event loop, and a `write` that was "
        "saved while short writes flowed, cannot wait: with `block` their output beyond a bound becomes "
        "a gap. The latter is C code that writes 50 MB before another thread gets its turn: no bound here.",
    )
    for policy, form in CASES:
        name = f"{policy}, {form}"
        facts = _in_process(policy, form)
        waits = policy == "block" and form not in _CANNOT_WAIT
        # Code that cannot wait has ended too, but its `complete` comes after all unread output.
        expected = "stood still" if policy == "block" else "error" if policy == "fail" else "ok"
        held = facts["output"] + facts["gaps"] == facts["written"]
        if policy != "fail":
            held = held and facts["written"] == 10**9
        if waits:
            held = held and facts["gaps"] == 0 and facts["written_stopped"] < facts["written"]
        table.row(
            policy,
            form,
            f"{facts['while_stopped']} after {facts['written_stopped'] / 1e6:.0f} MB: "
            + table.holds(name, facts["while_stopped"] == expected, f"expected {expected}"),
            table.bounded(name, [facts["growth"]], most=None if form == _MID_FLOW else MOST, show=_mib),
            _mib(facts["growth_to_end"]),
            table.holds(name, held, f"{facts['written']:,} were written"),
            f"{facts['output']:,}",
            f"{facts['gaps']:,}",
        )
    yield table


def _in_process(policy: str, form: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", __name__, policy, form],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        check=True,
    )
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


async def _case(policy: str, form: str) -> dict[str, object]:
    async with Session(overflow=policy, buffer_bytes=BUFFER) as session:
        await session.execute("print('warm')")
        before = _resident("VmRSS:")
        execution = session.execute(FORMS[form])
        messages = aiter(execution)
        counted = {OutputMessage: 0, GapMessage: 0}
        _count(await anext(messages), counted)
        while_stopped = await _settled(session, execution)
        growth = _resident("VmHWM:") - before
        written_stopped = session.namespace["written"]
        error = ""
        async for message in messages:
            _count(message, counted)
            if isinstance(message, ErrorMessage):
                error = message.name
        if policy == "fail" and error != "BufferOverflowError":
            while_stopped = error or "no BufferOverflowError"
        return {
            "while_stopped": while_stopped,
            "written_stopped": written_stopped,
            "growth": growth,
            "growth_to_end": _resident("VmHWM:") - before,
            "written": session.namespace["written"],
            "output": counted[OutputMessage],
            "gaps": counted[GapMessage],
        }


async def _settled(session: Session, execution: Execution) -> str:
    """Return the status at the end of the execution, or the fact that it has not written for a second."""
    last, since = -1, time.monotonic()
    while True:
        await asyncio.sleep(0.05)
        if execution.status != "running":
            return execution.status
        if session.namespace.get("written", 0) != last:
            last, since = session.namespace.get("written", 0), time.monotonic()
        elif time.monotonic() - since > 1:
            return "stood still"


def _count(message: Message, counted: dict[type, int]) -> None:
    if isinstance(message, OutputMessage):
        counted[OutputMessage] += len(message.data)  # all of it is ASCII
    elif isinstance(message, GapMessage):
        counted[GapMessage] += message.bytes or 0


def _resident(name: str) -> int:
    """Return the bytes of resident memory: now (``VmRSS:``) or the peak so far (``VmHWM:``)."""
    if not os.path.exists("/proc/self/status"):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.1f} MiB"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_case(*sys.argv[1:]))))
