"""The cost of colour: coloured lines through StripAnsi and Colour, with one line or many in a message."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from pyrepl_stream.processors.colour import Colour
from pyrepl_stream.processors.colour_policy import ColourPolicy
from pyrepl_stream.processors.strip_ansi import StripAnsi
from pyrepl_stream.runtime.messages import Message, OutputMessage

from .report import Table, middle

ROUNDS = 7
LINES = 6_000
LINES_A_MESSAGE = 500  # about 64 KiB
BOUND = 20e-6  # seconds a line

Processor = Callable[[Message], Iterable[Message]]


def run() -> Iterator[Table]:
    """Measure each processor with the lines that it is meant for."""
    table = Table(
        "Colour",
        ("processor", "lines", "us a line", "MB/s", "us a line, one line a message"),
        f"{ROUNDS} rounds of {LINES} lines with 80 characters shown and 4 sequences; MB/s counts both.",
    )
    coloured = [_coloured(38, 2, number % 6 * 51, 100, 50) for number in range(LINES)]
    gradient = [_coloured(38, 2, number % 256, number // 256, 50) for number in range(LINES)]
    plain = [f"{'word ' * 16}\n"] * LINES
    bars = [f"\r\x1b[K{line.rstrip()}" for line in coloured]
    file, terminal = ColourPolicy(0, cursor=False), ColourPolicy(256, cursor=True)
    for name, kind, make, lines in (
        ("StripAnsi", "coloured", StripAnsi, coloured),
        ("StripAnsi", "plain", StripAnsi, plain),
        ("Colour, all colours", "coloured", lambda: Colour(ColourPolicy.page()), coloured),
        ("Colour, 256", "coloured", lambda: Colour(terminal), coloured),
        ("Colour, 256", "each another colour", lambda: Colour(terminal), gradient),
        ("Colour, 256", "plain", lambda: Colour(terminal), plain),
        ("Colour, 16", "coloured", lambda: Colour(ColourPolicy(16, cursor=True)), coloured),
        ("Colour, a file", "coloured", lambda: Colour(file), coloured),
        ("Colour, a file", "plain", lambda: Colour(file), plain),
        ("Colour, a file", "redrawn", lambda: Colour(file), bars),
        ("Colour, 256, painting", "coloured", lambda: Colour(terminal, colour_streams=True), coloured),
        ("Colour, 256, painting", "plain", lambda: Colour(terminal, colour_streams=True), plain),
    ):
        table.row(name, kind, *_measured(table, f"{name}, {kind}", make, lines))
    yield table


def _coloured(*parameters: int) -> str:
    colour = ";".join(map(str, parameters))
    return f"2026-01-01 12:00:00 \x1b[1mserver\x1b[0m: \x1b[{colour}m{'request ' * 6}\x1b[0m12 ms\n"


def _measured(table: Table, name: str, make: Callable[[], Processor], lines: Sequence[str]) -> Iterator[str]:
    starts = range(0, len(lines), LINES_A_MESSAGE)
    many = ["".join(lines[start : start + LINES_A_MESSAGE]) for start in starts]
    size = sum(map(len, many))
    joined = [_seconds(make(), many) for _ in range(ROUNDS)]
    single = [_seconds(make(), lines) for _ in range(ROUNDS)]
    yield table.bounded(name, [took / len(lines) for took in joined], most=BOUND, show=_us)
    yield middle([size / took / 1e6 for took in joined], _rate)
    yield table.bounded(
        f"{name}, one a message", [took / len(lines) for took in single], most=BOUND, show=_us
    )


def _seconds(processor: Processor, chunks: Iterable[str]) -> float:
    messages = [OutputMessage("job", number, data=chunk) for number, chunk in enumerate(chunks, 1)]
    started = time.perf_counter()
    for message in messages:
        for _ in processor(message):
            pass
    return time.perf_counter() - started


def _rate(megabytes: float) -> str:
    return f"{megabytes:.0f}" if megabytes < 10_000 else "over 10000"  # where messages pass unread


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.2f}"
