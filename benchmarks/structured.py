"""The cost of finding JSON and YAML in output, compared with that of the parsers alone."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml

from pyrepl_stream import CompleteMessage, EventMessage, Message, OutputMessage
from pyrepl_stream.processors.json_lines import JsonLines
from pyrepl_stream.processors.yaml_stream import YamlStream

from .report import Table, middle

ROUNDS = 5
_END = CompleteMessage(execution_id="x", sequence=1 << 30)
CHUNK = 64 * 1024  # characters in a message
_SMALL = {"event": "step", "step": 1234, "loss": 0.125, "tags": ["a", "b"], "text": "x" * 22}
_LARGE = {"event": "all", "steps": [_SMALL] * 5000}
_POD = {
    "kind": "Pod",
    "metadata": {"name": "x", "labels": {"app": "x"}},
    "spec": {"ports": [80, 443], "on": True},
}
_WORDS = (
    "2026-01-01 12:00:00 the target was built by worker 3 of 7 in 12 ms, and the next one has begun now\n"
)
_BRACKETS = (
    "2026-01-01 12:00:00 [INFO] worker[3/7] built {target} for f() {} in [12 ms] of {} and went on then\n"
)


class _Case(NamedTuple):
    name: str
    piece: str
    times: int
    events: int  # that have to come


def run() -> Iterator[Table]:
    """Measure JSON, then YAML."""
    small, pretty = json.dumps(_SMALL), json.dumps(_SMALL, indent=2)
    yield _measured(
        "JSON in output",
        "`json.loads`, a line",
        JsonLines,
        _loads_lines,
        (
            _Case(f"objects of {len(small)} characters", f"{small}\n", 20_000, 20_000),
            _Case("arrays of 200 floats", json.dumps([n * 1.37 for n in range(200)]) + "\n", 500, 500),
            _Case("objects of 500 KB", json.dumps(_LARGE) + "\n", 3, 3),
            _Case("objects over 10 lines", f"{pretty}\n", 10_000, 10_000),
            _Case("an object over 45,000 lines", json.dumps(_LARGE, indent=1) + "\n", 2, 2),
            _Case("objects beside text", f"INFO {small} done\n", 20_000, 20_000),
            _Case("plain text", _WORDS, 20_000, 0),
            _Case("text with brackets", _BRACKETS, 20_000, 0),
            _Case("text that begins with `[INFO]`", f"[INFO] {_WORDS}", 20_000, 0),
            _Case("open braces only", "{" * 1000, 1000, 0),
            _Case('`{"{"` only', '{"' * 500, 1000, 0),
        ),
    )
    yield _measured(
        "YAML in output",
        "`yaml.load`, a document",
        YamlStream,
        _load_documents,
        (
            _Case("small documents", "---\n" + yaml.safe_dump(_POD), 1_000, 1_000),
            _Case(
                "documents of 200 KB", "---\n" + yaml.safe_dump(json.loads(json.dumps([_POD] * 2_500))), 2, 2
            ),
            _Case("plain text", _WORDS, 20_000, 0),
            _Case("a bomb of aliases", _bomb(), 20, 0),
            _Case("200,000 items, which is too many", "---\n" + "- a\n" * 200_000, 1, 0),
            _Case("99,000 items in flow style", "--- [" + "a," * 99_000 + "]\n", 1, 1),
        ),
    )


def _measured(
    title: str,
    other: str,
    processor: Callable[[], JsonLines | YamlStream],
    parse: Callable[[str], object],
    cases: tuple[_Case, ...],
) -> Table:
    table = Table(
        title,
        ("output", other, "the processor", "time, to that", "events"),
        f"MB/s; {ROUNDS} rounds, in turn. The processor reads messages of {CHUNK // 1024} Ki characters; "
        "the parser gets each piece ready cut, where it can read it at all, and makes no messages.",
    )
    for case in cases:
        text = case.piece * case.times
        messages = list(_messages(text))
        size = len(text.encode()) / 1e6
        plain: list[float] = []
        ours: list[float] = []
        events = 0
        for _ in range(ROUNDS):
            if case.events:
                plain.append(_timed(lambda text=text: parse(text))[0])  # type: ignore[misc]
            seconds, received = _timed(lambda messages=messages: _read(processor(), messages))  # type: ignore[misc]
            ours.append(seconds)
            events = sum(isinstance(message, EventMessage) for message in received)
        ratios = [mine / its for mine, its in zip(ours, plain, strict=False)]
        table.row(
            case.name,
            middle([size / seconds for seconds in plain], "{:.1f}".format) if plain else "",
            middle([size / seconds for seconds in ours], "{:.1f}".format),
            middle(ratios, "{:.2f}x".format) if ratios else "",
            table.holds(case.name, events == case.events, f"{events} events"),
        )
    return table


def _messages(text: str) -> Iterator[OutputMessage]:
    for number, start in enumerate(range(0, len(text), CHUNK), 1):
        yield OutputMessage(execution_id="x", sequence=number, data=text[start : start + CHUNK])


def _read(processor: JsonLines | YamlStream, messages: list[OutputMessage]) -> list[Message]:
    received: list[Message] = []
    for message in messages:
        received += processor(message)
    received += processor(_END)
    return received


def _loads_lines(text: str) -> list[Any]:
    """Decode values over several lines, joined by a reader that knows their end: a line with only `}`."""
    if "\n}\n" in text:
        return [json.loads(value + "\n}") for value in text.split("\n}\n")[:-1]]
    return [
        json.loads(line[line.find("{") :].removesuffix(" done") if line[0] != "[" else line)
        for line in text.splitlines()
    ]


def _load_documents(text: str) -> list[Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [yaml.load(document, loader) for document in text.split("---")[1:]]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    started = time.perf_counter()
    done = work()
    return time.perf_counter() - started, done


def _bomb() -> str:
    lines = (f"a{n}: &a{n} [{f'*a{n - 1}, ' * 10}]\n" for n in range(1, 30))
    return "---\na0: &a0 x\n" + "".join(lines)
