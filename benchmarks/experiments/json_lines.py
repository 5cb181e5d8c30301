"""The cost of turning lines of JSON into events, compared with that of the parser alone."""

from __future__ import annotations

import gc
import json
import statistics
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from pyrepl_stream import EventMessage, Message, OutputMessage
from pyrepl_stream.processors.json_lines import JsonLines

from ..report import middle
from .findings import Findings, grouped_bars

_OBJECT = {"event": "step", "step": 1234, "loss": 0.125, "tags": ["a", "b"], "text": "x" * 40}


class _Case(NamedTuple):
    name: str
    line: str
    lines: int
    chunk: int  # characters in a message; 0 is one line in each
    events: bool = True  # whether the lines are JSON


def run(quick: bool) -> Findings:
    """Measure all shapes of input."""
    rounds = 3 if quick else 7
    lines = 2_000 if quick else 20_000
    small = json.dumps(_OBJECT)
    # An object of a million bytes, of small parts as a real one has.
    count = 1_000_000 // (len(small) + 2)
    huge = json.dumps({"event": "big", "all": [_OBJECT] * (count - 1)})
    many = 3 if quick else 20
    cases = (
        _Case("whole lines, a message each", small, lines, 0),
        _Case("whole lines, 64 KiB in a message", small, lines, 64 * 1024),
        _Case("cut into 1,000 characters", small, lines, 1000),
        _Case("cut into 50 characters", small, lines, 50),
        _Case("lines of 1 MB, in 64 KiB", huge, many, 64 * 1024),
        _Case("lines of 1 MB, in 4 KiB", huge, many, 4096),
        _Case("malformed from the middle on", small[:60] + "!" + small[60:], lines, 64 * 1024, False),
        _Case("malformed at the last character", small[:-1] + "]", lines, 64 * 1024, False),
        _Case("plain text", f"INFO {'text and ' * 14}", lines, 64 * 1024, False),
    )
    table = Findings(
        "The cost of parsing lines of JSON",
        ("input", "`json.loads`", "`JsonLines`", "`json.loads`, lines", "`JsonLines`, lines")
        + ("`JsonLines` / `json.loads`", "difference per message", "events"),
        f"Rates in MB and lines per second; {rounds} rounds, in turn, with messages made in advance. "
        "`json.loads` gets single lines, and its errors are caught; `JsonLines` gets output messages as from "
        f"a command. A small line has {len(small)} characters. The ratio is that of the times.",
    )
    pictured: dict[str, list[float]] = {"json.loads": [], "JsonLines": []}
    for case in cases:
        text = f"{case.line}\n" * case.lines
        messages = list(_messages(case, text))
        plain, ours, events = [], [], 0
        for _ in range(rounds):
            plain.append(_loads(text))
            seconds, events = _json_lines(messages)
            ours.append(seconds)
        megabytes = len(text) / 1e6
        over = (statistics.median(ours) - statistics.median(plain)) / len(messages)
        table.row(
            case.name,
            *(middle([megabytes / seconds for seconds in times], "{:.0f}".format) for times in (plain, ours)),
            *(f"{case.lines / statistics.median(times):,.0f}" for times in (plain, ours)),
            middle([mine / other for mine, other in zip(ours, plain, strict=True)], "{:.2f}x".format),
            f"{over * 1e6:+.1f} µs",
            table.holds(case.name, events == case.lines * case.events, f"{events} events"),
        )
        pictured["json.loads"].append(megabytes / statistics.median(plain))
        pictured["JsonLines"].append(megabytes / statistics.median(ours))

    def draw(figure):  # type: ignore[no-untyped-def]
        axes = figure.subplots()
        names = ["\n".join(textwrap.wrap(case.name, 13)) for case in cases]
        grouped_bars(axes, names, pictured, log=True)
        axes.get_legend().set_bbox_to_anchor((0.5, -0.28))
        axes.tick_params(axis="x", labelsize=6.5)
        axes.set_ylabel("MB/s")
        axes.set_title("Lines of JSON")

    table.draw = draw
    return table


def _messages(case: _Case, text: str) -> Iterator[OutputMessage]:
    size = case.chunk or len(case.line) + 1
    for number, start in enumerate(range(0, len(text), size), 1):
        yield OutputMessage(execution_id="x", sequence=number, data=text[start : start + size])


def _loads(text: str) -> float:
    lines = text.split("\n")[:-1]
    gc.collect()
    started = time.perf_counter()
    parsed = []
    for line in lines:
        with suppress(ValueError):
            parsed.append(json.loads(line))
    return time.perf_counter() - started


def _json_lines(messages: list[OutputMessage]) -> tuple[float, int]:
    processor = JsonLines()
    received: list[Message] = []
    gc.collect()
    started = time.perf_counter()
    for message in messages:
        received += processor(message)
    seconds = time.perf_counter() - started
    return seconds, sum(isinstance(message, EventMessage) for message in received)
