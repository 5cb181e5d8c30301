"""A terminal against pipes, for programs that buffer when they see no terminal."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

from pyrepl_stream import OutputMessage, run_process

from ..report import middle
from .findings import Findings, grouped_bars, legend_below, ms

_PYTHON = f"{sys.executable} -I -S"
_LINES = 60  # one every 5 ms
_PAIRS = 100  # of a line to stdout and one to stderr

# Each line is the time at which it was written to the pipe that the program reads, or printed.
_FEED = (
    f"{_PYTHON} -c 'import os, time\nfor i in range({_LINES}):\n"
    ' os.write(1, b"%d\\n" % time.monotonic_ns()); time.sleep(0.005)\''
)
_PRINTS = f"-c 'import time\nfor i in range({_LINES}):\n print(time.monotonic_ns()); time.sleep(0.005)'"
_BOTH = f'-c \'import sys\nfor i in range({_PAIRS}):\n print("o%d" % i); print("e%d" % i, file=sys.stderr)\''
_AWK_BOTH = f'BEGIN {{ for (i = 0; i < {_PAIRS}; i++) {{ print "o" i; print "e" i > "/dev/stderr" }} }}\''
_FLOOD = "seq 1 {} | "


class _Program:
    """One program: how to run it unchanged, and how to run it with line-buffered output."""

    def __init__(self, name: str, plain: str, by_line: str, *, feed: str, flood: str, both: str) -> None:
        self.name, self.plain, self.by_line = name, plain, by_line
        self.feed, self.flood, self.both = feed, flood, both

    def command(self, template: str, by_line: bool) -> str:
        return template.replace("PROGRAM", self.by_line if by_line else self.plain)


def _programs() -> list[_Program]:
    stdbuf = "stdbuf -oL " if shutil.which("stdbuf") else ""
    return [
        _Program(
            "python",
            _PYTHON,
            f"{_PYTHON} -u",
            feed=f"PROGRAM {_PRINTS}",
            flood="PROGRAM -c 'for i in range({}): print(i + 1)'",
            both=f"PROGRAM {_BOTH}",
        ),
        _Program(
            "grep",
            "grep .",
            f"{stdbuf}grep ." if stdbuf else "grep --line-buffered .",
            feed=f"{_FEED} | PROGRAM",
            flood=f"{_FLOOD}PROGRAM",
            both="",
        ),
        _Program(
            "awk",
            "awk",
            f"{stdbuf}awk",
            feed=f"{_FEED} | PROGRAM '{{ print }}'",
            flood=f"{_FLOOD}PROGRAM '{{ print }}'",
            both=f"PROGRAM '{_AWK_BOTH}",
        ),
    ]


WAYS: Mapping[str, Mapping[str, Any]] = {
    "terminal": {"pty": True},
    "terminal, stderr='pty'": {"pty": True, "stderr": "pty"},
    "pipe": {"pty": False},
    "pipe, by the line": {"pty": False},
    "pipe, by the line, stderr='pipe'": {"pty": False, "stderr": "pipe"},
}
_SIDE = ("terminal", "pipe", "pipe, by the line")  # those that differ in more than the order


def run(quick: bool) -> Findings:
    """Measure all programs in all ways."""
    rounds = 1 if quick else 5
    lines = 20_000 if quick else 300_000
    table = Findings(
        "A terminal against pipes",
        ("program", "output to", "first line after", "a line later", "flood", "stdout and stderr in order"),
        f"A program reads, or prints, {_LINES} lines, one every 5 ms: the time from the making of a line to "
        f"its message, for the first line and as the median of all; then {lines:,} numbers at once. Order is "
        f"the share of {_PAIRS} pairs, a line to stdout and then one to stderr, that arrived in that order "
        "with nothing between them. 'By the line' is `stdbuf -oL` where it exists (for Python, `python -u`, "
        f"which flushes each write). {rounds} rounds, in turn.{_about_awk()}",
    )
    programs = _programs()
    results: dict[tuple[str, str], dict[str, list[float]]] = {}
    for _ in range(rounds):
        for program in programs:
            for way, options in WAYS.items():
                facts = results.setdefault(
                    (program.name, way), {"first": [], "line": [], "rate": [], "order": []}
                )
                by_line = "by the line" in way
                if way in _SIDE:
                    delays = asyncio.run(_delays(program.command(program.feed, by_line), options))
                    facts["first"].append(delays[0])
                    facts["line"].append(statistics.median(delays))
                    command = program.command(program.flood.replace("{}", str(lines)), by_line)
                    facts["rate"].append(asyncio.run(_rate(command, options, lines)))
                if program.both:
                    command = program.command(program.both, by_line)
                    facts["order"].append(asyncio.run(_order(command, options)))
    for (name, way), facts in results.items():
        if any(facts.values()):
            table.row(
                name,
                way,
                *(middle(facts[what], ms) if facts[what] else "" for what in ("first", "line")),
                middle(facts["rate"], "{:.1f} MB/s".format) if facts["rate"] else "",
                middle(facts["order"], "{:.0%}".format) if facts["order"] else "",
            )

    def draw(figure):  # type: ignore[no-untyped-def]
        panels = figure.subplots(1, 3)
        names = [program.name for program in programs]
        for axes, what, factor, title in (
            (panels[0], "first", 1000.0, "First line after (ms)"),
            (panels[1], "rate", 1.0, "Flood (MB/s)"),
        ):
            series = {
                way: [factor * statistics.median(results[name, way][what]) for name in names] for way in _SIDE
            }
            grouped_bars(axes, names, series, log=True)
            axes.set_title(title)
        panels[1].get_legend().remove()
        ordered = [name for name in names if results[name, "terminal"]["order"]]
        for number, way in enumerate(WAYS):
            values = [100 * statistics.median(results[name, way]["order"]) for name in ordered]
            width = 0.8 / len(WAYS)
            places = [place + (number - 2) * width for place in range(len(ordered))]
            panels[2].bar(places, values, width, label=way)
        panels[2].set_xticks(range(len(ordered)), ordered)
        legend_below(panels[2])
        panels[2].set_title("stdout and stderr in order (%)")

    table.draw = draw
    return table


def _about_awk() -> str:
    path = os.path.realpath(shutil.which("awk") or "")
    if os.path.basename(path) != "mawk":
        return ""
    return " The awk here is mawk: it reads a whole block of its input before its first line."


async def _delays(command: str, options: Mapping[str, Any]) -> list[float]:
    delays: list[float] = []
    rest = ""
    async for message in run_process(command, **options):
        if isinstance(message, OutputMessage):
            now = time.monotonic_ns()
            *lines, rest = (rest + message.text).split("\n")
            delays += [(now - int(line)) / 1e9 for line in lines]
    assert len(delays) == _LINES, f"{len(delays)} lines came of {_LINES}"
    return delays


async def _rate(command: str, options: Mapping[str, Any], lines: int) -> float:
    expected = sum(len(str(number)) + 1 for number in range(1, lines + 1))
    received = 0
    started = time.perf_counter()
    async for message in run_process(command, **options):
        if isinstance(message, OutputMessage):
            received += len(message.data)
    assert received == expected, f"{received} bytes came of {expected}"
    return received / (time.perf_counter() - started) / 1e6


async def _order(command: str, options: Mapping[str, Any]) -> float:
    text = ""
    async for message in run_process(command, **options):
        if isinstance(message, OutputMessage):
            text += message.text
    lines = text.split()
    pairs = set(zip(lines, lines[1:], strict=False))
    return sum((f"o{number}", f"e{number}") in pairs for number in range(_PAIRS)) / _PAIRS
