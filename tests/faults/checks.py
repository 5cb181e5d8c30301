"""Checks of the messages of an execution, which must hold under all faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pyrepl_stream import CompleteMessage, GapMessage, Message, OutputMessage, StreamType

__all__ = ("Job", "violations")

ALLOWED = {  # the faults that may lead to each status
    "error": {"kill worker", "stop worker"},
    "interrupted": {"interrupt"},
    "killed": {"kill", "close", "kill worker"},
    "lost": {"kill host", "stop host"},
}
MISSING = "\0"
LONGEST = 3600.0  # seconds: every execution takes less, and every jump of the clock is longer


@dataclass
class Job:
    """One execution: the output that is expected, the faults that hit it, and what was observed.

    Attributes:
        id: Its execution id.
        writers: Its streams, and the names of their writers: each writes ``NAME 0``, ``NAME 1``, ... as lines.
        lines: The number of lines of each writer.
        runs: How often its code should run: once, and once more for each time that it was replaced.
        ledger: The words that its code appended to a file: `begin` at its start, `end` at its end.
        faults: The kinds of faults that hit it or its session while it was not known to have ended.
        record: Its messages from first to last, read after the faults.
        views: The messages that each client received, in the order of their arrival.
    """

    id: str
    writers: dict[StreamType, Sequence[str]]
    lines: int
    runs: int = 1
    ledger: list[str] = field(default_factory=list)
    faults: set[str] = field(default_factory=set)
    record: list[Message] = field(default_factory=list)
    views: list[list[Message]] = field(default_factory=list)

    def replace(self) -> None:
        """Record that the code runs again under the same id; earlier views belong to another run."""
        self.runs += 1
        self.views.clear()

    def add_view(self, view: list[Message], run: int) -> None:
        """Add the messages of a client that began to read during run number ``run``."""
        if run == self.runs:
            self.views.append(view)


def violations(job: Job) -> list[str]:
    """Return a sentence for each rule that an execution violates."""
    found = [*_numbers(job.record), *_end(job), *_text(job), *_ledger(job)]
    for view in job.views:
        found += _view(view, job.record)
    return [f"{job.id}: {text}" for text in found]


def _numbers(messages: Iterable[Message]) -> Iterable[str]:
    expected = 1
    for message in messages:
        if message.span_start != expected:
            yield f"number {message.span_start} where {expected} was expected"
        expected = message.sequence + 1


def _end(job: Job) -> Iterable[str]:
    ends = [message for message in job.record if isinstance(message, CompleteMessage)]
    if len(ends) != 1:
        yield f"{len(ends)} `complete` messages"
        return
    status = ends[0].status
    if ends[0].success != (status == "ok"):
        yield f"success is {ends[0].success} though the status is {status}"
    # The duration of a lost execution is known from the clock alone.
    if not 0 <= ends[0].duration <= (float("inf") if status == "lost" else LONGEST):
        yield f"took {ends[0].duration:g} s"
    if status == "ok" and job.ledger[-1:] != ["end"]:
        yield "reported as a success, but the code did not reach its end"
    if status != "ok" and not ALLOWED.get(status, set()) & job.faults:
        yield f"ended as {status} after {', '.join(sorted(job.faults)) or 'no fault'}"


def _text(job: Job) -> Iterable[str]:
    end = next((message for message in job.record if isinstance(message, CompleteMessage)), None)
    success = end is not None and end.success
    gaps = any(isinstance(message, GapMessage) for message in job.record)
    for stream, names in job.writers.items():
        *whole, rest = _text_of(job.record, stream).split("\n")
        if rest and MISSING not in rest and success:
            yield f"{stream.value} ends within a line"
        seen: dict[str, list[int]] = {name: [] for name in names}
        for line in whole:
            name, number, *_ = *line.split(" "), "", ""
            if MISSING in line:
                continue
            if name in seen and number.isdigit():
                seen[name].append(int(number))
            elif not gaps and not ("interrupt" in job.faults and stream is StreamType.STDERR):
                # An interrupt reaches the child process too, which prints its traceback.
                yield f"{stream.value} has the line {line!r}"
        for name, numbers in seen.items():
            if gaps:
                if any(a >= b for a, b in zip(numbers, numbers[1:], strict=False)):
                    yield f"lines of {name} are doubled or out of order"
            elif numbers != list(range(len(numbers))):
                yield f"lines of {name} are missing, doubled or out of order"
            elif success and len(numbers) != job.lines:
                yield f"{len(numbers)} of {job.lines} lines of {name}, without a gap"


def _text_of(record: Iterable[Message], stream: StreamType) -> str:
    """Return the text of a stream, with :data:`MISSING` in place of each gap."""
    return "".join(
        MISSING if isinstance(message, GapMessage) else message.text
        for message in record
        if isinstance(message, GapMessage)
        or (isinstance(message, OutputMessage) and message.stream is stream)
    )


def _ledger(job: Job) -> Iterable[str]:
    counts = Counter(job.ledger)
    if counts["begin"] > job.runs:
        yield f"the code began {counts['begin']} times, but should have run {job.runs} times"


def _view(view: Sequence[Message], record: Sequence[Message]) -> Iterable[str]:
    """Check that a client received the messages of the record: each once, in order, with none missing."""
    yield from _in_order(view)
    recorded = {message.sequence: message for message in record}
    for message in view:
        if isinstance(message, GapMessage):
            continue  # the client's gaps and those of the record may differ
        if message.sequence not in recorded:
            if not any(
                isinstance(gap, GapMessage) and gap.span_start <= message.sequence <= gap.sequence
                for gap in record
            ):
                yield f"a client received message {message.sequence}, which is not in the record"
        elif recorded[message.sequence] != message and not isinstance(recorded[message.sequence], GapMessage):
            yield f"a client received a message {message.sequence} that differs from the one in the record"


def _in_order(view: Sequence[Message]) -> Iterable[str]:
    for before, message in zip(view, view[1:], strict=False):
        if message.span_start != before.sequence + 1:
            yield f"a client received {message.span_start} after {before.sequence}"
