"""The cost of processors: one at a time, filters by their number, several together, and in a whole run.

The cases of the last table run in separate processes, one after the other, because memory and CPU time are
measured for a process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pyrepl_stream import CompleteMessage, Message, OutputMessage, run_process
from pyrepl_stream.pipeline import Pipeline
from pyrepl_stream.processors import (
    AnyProcessor,
    Branch,
    JsonLines,
    LineFilter,
    Lines,
    PatternMatcher,
    Prefix,
    Progress,
    Recorder,
    StripAnsi,
    Tee,
    ToLogging,
    YamlStream,
)

from .report import Table, middle

ROUNDS = 5
CHUNK = 64 * 1024  # characters of a message
_LINE = "2026-01-01 12:00:00 INFO the target was built by worker 3 of 7 in 12 ms, the next one has begun\n"
_BAR = "\r{percent:3d}%|{blocks:<10}| {percent}/100 [00:{seconds:02d}<00:05, 19.8it/s]"
_BARS = "".join(_BAR.format(percent=n, blocks="█" * (n // 10), seconds=n // 20) for n in range(101)) + "\n"
_WHOLE_RUN = 50_000_000  # bytes
_NULL = os.devnull


def run() -> Iterator[Table]:
    """Yield all tables."""
    yield _each()
    yield _filters()
    yield _whole_run()


def _each() -> Table:
    table = Table(
        "Processors, each by itself",
        ("processor", "lines of a log, MB/s", "redrawn bars, MB/s"),
        f"{ROUNDS} rounds of 10 MB in messages of {CHUNK // 1024} Ki characters. A chain without processors "
        "only hands messages on.",
    )
    log, bars = _messages(_LINE, 10_000_000), _messages(_BARS, 10_000_000)
    cases: list[tuple[str, Callable[[], list[AnyProcessor]]]] = [
        ("none", list),
        ("a function, in a thread", lambda: [lambda message: message]),
        ("`Lines`, a function of a line", lambda: [Lines(str)]),
        ("`JsonLines`", lambda: [JsonLines()]),
        ("`YamlStream`", lambda: [YamlStream()]),
        ("`Progress`", lambda: [Progress()]),
        ("`LineFilter`", lambda: [LineFilter("INFO")]),
        ("`PatternMatcher`", lambda: [PatternMatcher(r"worker (?P<worker>\d+)")]),
        ("`Prefix`", lambda: [Prefix()]),
        ("`StripAnsi`", lambda: [StripAnsi()]),
        ("`Tee`", lambda: [Tee(_NULL)]),
        ("`Recorder`", lambda: [Recorder(_NULL)]),
        ("`ToLogging`, without a handler", lambda: [ToLogging()]),
        ("`Branch` of nothing", lambda: [Branch()]),
        ("`Progress`, `JsonLines`, `LineFilter`, `Prefix`", _four),
        ("the same four, in a `Branch` each", lambda: [Branch(each) for each in _four()]),
    ]
    for name, make in cases:
        rates = [[_rate(make(), messages) for _ in range(ROUNDS)] for messages in (log, bars)]
        table.row(name, *(middle(each, "{:.0f}".format) for each in rates))
    return table


def _four() -> list[AnyProcessor]:
    return [Progress(), JsonLines(), LineFilter("INFO"), Prefix()]


def _filters() -> Table:
    table = Table(
        "Lines and filters",
        ("expressions", "us a line, none matches", "us a line, the last one matches"),
        f"{ROUNDS} rounds of 20,000 lines of {len(_LINE)} characters.",
    )
    messages = _messages(_LINE, len(_LINE) * 20_000)
    for number in (1, 4, 16):
        cells = []
        for last in ("absent", "begun"):
            patterns = [f"word{n} \\d+" for n in range(number - 1)] + [last]
            seconds = [_seconds([LineFilter(patterns)], messages) for _ in range(ROUNDS)]
            cells.append(middle([each / 20_000 * 1e6 for each in seconds], "{:.1f}".format))
        table.row(str(number), *cells)
    return table


def _whole_run() -> Table:
    table = Table(
        "A command that prints 50 MB of lines, through a pipe",
        ("read as", "seconds", "CPU seconds of ours", "peak memory over the start, MB"),
        f"{ROUNDS} rounds, in turn. Batch is one result at the end, which holds all of it.",
    )
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in _WAYS}
    for _ in range(ROUNDS):
        for name, results in measured.items():
            words = [sys.executable, "-m", __spec__.name, name]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            results.append(json.loads(done.stdout))
    for name, results in measured.items():
        cells = ([each[key] for each in results] for key in ("seconds", "cpu", "growth"))
        seconds, cpu, growth = cells
        table.row(
            name,
            middle(seconds, "{:.2f}".format),
            middle(cpu, "{:.2f}".format),
            middle([each / 1e6 for each in growth], "{:.0f}".format),
        )
    return table


_WAYS: dict[str, Callable[[], dict[str, Any]]] = {
    "stream": dict,
    "stream, `Progress`": lambda: {"processors": [Progress()]},
    "stream, `JsonLines`, `LineFilter`": lambda: {"processors": [JsonLines(), LineFilter("INFO")]},
    "stream, a branch that records": lambda: {
        "processors": [Branch(Recorder(Path(tempfile.gettempdir()) / f"bench-{os.getpid()}.cast"))]
    },
    "batch": lambda: {"streaming": False},
    "batch, `JsonLines`, `LineFilter`": lambda: {
        "streaming": False,
        "processors": [JsonLines(), LineFilter("INFO")],
    },
}


def _case(name: str) -> dict[str, float]:
    command = ["/bin/sh", "-c", f"yes '{_LINE.strip()}' | head -c {_WHOLE_RUN}"]
    run_process(["true"], pty=False).wait()  # loads what is needed
    options = _WAYS[name]()
    memory, used, started = _peak(), resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    execution = run_process(command, pty=False, **options)
    if options.get("streaming", True):
        size = sum(len(message.data) for message in execution if isinstance(message, OutputMessage))
    else:
        size = len(execution.wait().stdout)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    assert size == _WHOLE_RUN, f"{size} bytes came of {_WHOLE_RUN}"
    Path(tempfile.gettempdir(), f"bench-{os.getpid()}.cast").unlink(missing_ok=True)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return {"seconds": seconds, "cpu": cpu, "growth": _peak() - memory}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _messages(piece: str, size: int) -> list[Message]:
    text = piece * (size // len(piece))
    starts = range(0, len(text), CHUNK)
    messages: list[Message] = [
        OutputMessage("bench", number, 0.01 * number, data=text[start : start + CHUNK])
        for number, start in enumerate(starts, 1)
    ]
    return [*messages, CompleteMessage("bench", len(messages) + 1, success=True)]


def _rate(processors: Iterable[AnyProcessor], messages: list[Message]) -> float:
    size = sum(len(message.data) for message in messages if isinstance(message, OutputMessage))
    return size / _seconds(processors, messages) / 1e6


def _seconds(processors: Iterable[AnyProcessor], messages: list[Message]) -> float:
    chain = Pipeline(processors)
    started = time.perf_counter()
    chain.add(messages)
    chain.run()
    seconds = time.perf_counter() - started
    chain.close()
    return seconds


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_case(sys.argv[1])))
    sys.stdout.flush()
    os._exit(0)
