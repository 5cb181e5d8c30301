"""How well output, files and processes tell a stalled command from one that works."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import tempfile
import time
from dataclasses import dataclass

from pyrepl_stream import CompleteMessage, run_process

from .findings import Findings, child, grouped_bars, legend_below, ms, percentile

IDLE = 0.3  # seconds: what is called idle
LOOK = 0.05  # seconds between two looks at files and processes
LANES = 3
KINDS = ("prints", "writes files", "computes")
SETTINGS = {
    "output": ("output",),
    "files": ("files",),
    "process": ("process",),
    "all three": ("output", "files", "process"),
}
_MATCHING = {"prints": "output", "writes files": "files", "computes": "process"}
RIGHT = 0.95

# It works for so long, and then does nothing (stalled), or ends. When that was goes to a file that is not
# watched. It dies of SIGINT at once, so that the time of the detection is not that of Python's farewell.
_TASK = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
kind, stalls, notes, folder, until = {kind!r}, {stalls}, {notes!r}, {folder!r}, {seconds} + time.monotonic()
number = 0
while time.monotonic() < until:
    number += 1
    if kind == "prints":
        print(number, flush=True)
        time.sleep(0.02)
    elif kind == "writes files":
        with open(folder + "/log", "a") as file:
            file.write("%d\\n" % number)
        time.sleep(0.02)
    else:
        sum(range(20_000))
with open(notes, "w") as file:
    file.write(str(time.monotonic_ns()))
if stalls:
    time.sleep({after})
"""


@dataclass(frozen=True)
class _Run:
    kind: str
    setting: str
    stalls: bool
    called: bool  # idle
    latency: float  # seconds from the stall to `complete`; 0 without a stall, or if it was missed


def run(quick: bool) -> Findings:
    """Run all kinds of tasks under all settings; half of the tasks stall."""
    each = 2 if quick else 12
    chosen = random.Random(20)
    todo = [
        (kind, setting, stalls, chosen.uniform(0.1, 0.4) if stalls else 0.5)
        for _ in range(each)
        for kind in KINDS
        for setting in SETTINGS
        for stalls in (False, True)
    ]
    chosen.shuffle(todo)
    runs = asyncio.run(_lanes(todo))
    table = Findings(
        "Telling a stalled command from one that works",
        (
            "`activity`",
            "task",
            "works: not ended",
            "works: ended",
            "stalls: found",
            "stalls: ended before",
            "stalls: missed",
            "right",
            "from stall to end, median",
            "95th percentile",
        ),
        f"{len(runs)} labelled runs in {LANES} lanes. A task prints, or appends to a file, every 20 ms, "
        "or computes silently; it works for 0.5 s and ends, or stops at a random moment (0.1 to 0.4 s) "
        f"and does nothing for another {3 * IDLE:g} s. `idle_timeout` is {IDLE:g} s, `watch_interval` "
        f"{LOOK:g} s. A run is right if the command is not ended while it works, and is ended after it has "
        "stalled. The settings that detect what the task does, and all three together, must be right in over "
        "95 %.",
    )
    rights: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
    for setting in SETTINGS:
        for kind in KINDS:
            mine = [one for one in runs if (one.kind, one.setting) == (kind, setting)]
            right = _share(mine)
            rights[setting].append(100 * right)
            must = setting in (_MATCHING[kind], "all three")
            table.row(*_row(table, setting, kind, mine, least=RIGHT if must else None))
        if setting == "all three":
            mine = [one for one in runs if one.setting == setting]
            table.row(*_row(table, setting, "any", mine, least=RIGHT))
    matching = [one for one in runs if one.setting == _MATCHING[one.kind]]
    table.row(*_row(table, "the one that matches", "any", matching, least=RIGHT))
    combined = [one for one in runs if one.setting == "all three"]

    def draw(figure):  # type: ignore[no-untyped-def]
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        grouped_bars(left, KINDS, {kind: rights[kind] for kind in SETTINGS})
        left.set_title("Right (%), by what counts as activity")
        left.axhline(100 * RIGHT, color="#444444", linewidth=0.8, linestyle=":")
        for name, chosen_runs in (("matching", matching), ("all three", combined)):
            waits = sorted(1000 * one.latency for one in chosen_runs if one.latency > 0)
            right.step(waits, [(place + 1) / len(waits) for place in range(len(waits))], label=name)
        right.axvline(1000 * IDLE, color="#444444", linewidth=0.8, linestyle=":")
        right.set_xlim(left=0)
        right.set_xlabel("ms after the stall (dotted: idle_timeout)")
        right.set_title("Share found by then")
        legend_below(right)

    table.draw = draw
    return table


def _row(
    table: Findings, setting: str, kind: str, runs: list[_Run], *, least: float | None
) -> tuple[str, ...]:
    alive = [one for one in runs if not one.stalls]
    stalled = [one for one in runs if one.stalls]
    waits = [one.latency for one in stalled if one.latency > 0]
    return (
        setting,
        kind,
        str(sum(not one.called for one in alive)),
        str(sum(one.called for one in alive)),
        str(len(waits)),
        str(sum(one.called for one in stalled) - len(waits)),
        str(sum(not one.called for one in stalled)),
        table.bounded(f"{setting}, {kind}", [_share(runs)], least=least, show="{:.1%}".format),
        ms(statistics.median(waits)) if waits else "",
        ms(percentile(waits, 95)) if waits else "",
    )


def _share(runs: list[_Run]) -> float:
    """Return the share of correct runs. A command that is ended before it stalls counts as wrong."""
    right = sum(one.latency > 0 if one.stalls else not one.called for one in runs)
    return right / len(runs)


async def _lanes(todo: list[tuple[str, str, bool, float]]) -> list[_Run]:
    done: list[_Run] = []

    async def lane(number: int) -> None:
        for kind, setting, stalls, seconds in todo[number::LANES]:
            done.append(await _one(kind, setting, stalls, seconds))

    await asyncio.gather(*(lane(number) for number in range(LANES)))
    return done


async def _one(kind: str, setting: str, stalls: bool, seconds: float) -> _Run:
    with tempfile.TemporaryDirectory() as watched, tempfile.TemporaryDirectory() as other:
        notes = os.path.join(other, "notes")
        code = _TASK.format(
            kind=kind, stalls=stalls, notes=notes, folder=watched, seconds=seconds, after=3 * IDLE
        )
        activity = SETTINGS[setting]
        execution = run_process(
            child(code),
            idle_timeout=IDLE,
            watch_interval=LOOK,
            activity=activity,
            watch=[watched] if "files" in activity else (),
        )
        status, ended = "", 0
        async for message in execution:
            if isinstance(message, CompleteMessage):
                status, ended = message.status, time.monotonic_ns()
        called = status == "timeout"
        latency = (ended - _stalled_at(notes, ended)) / 1e9 if called and stalls else 0.0
        return _Run(kind, setting, stalls, called, latency)


def _stalled_at(notes: str, otherwise: int) -> int:
    """Return the time of the stall, or ``otherwise`` if the task was ended before it."""
    try:
        with open(notes) as file:
            return int(file.read() or otherwise)
    except FileNotFoundError:
        return otherwise
