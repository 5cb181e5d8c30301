"""The files of a spool: what their names say, and where in them which message is.

``000...1-000...0.ndjson`` is a segment: its first sequence number, and the bytes of output before it, so
that what a missing one held is the difference of two names. A message lies in one segment, with all its
parts.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from typing import Optional

from ..errors import ProtocolError
from ..messages import GapMessage
from ..wire import MAX_LINE, Decoder, numbered, unnumbered
from .cost import output_bytes

__all__ = (
    "Segment",
    "Trim",
    "gap_line",
    "output_of",
    "parse_name",
    "sequence_of",
    "is_gap",
    "is_partial",
    "last_of",
    "offset_after",
    "whole_end",
)

_NAME = re.compile(r"(\d{20})-(\d{20})\.ndjson")
_TEXT = rb'"(?:[^"\\]|\\.)*"'
# What `wire.numbered` begins a line with.
_LINE = re.compile(rb'\{(?:"type":"part",)?"execution_id":' + _TEXT + rb',"sequence":(\d{1,19}),')
_PART = re.compile(
    rb'\{"type":"part","execution_id":' + _TEXT + rb',"sequence":\d+,"part":(\d+),"parts":(\d+),'
)
_CHUNK = 1 << 20
_NEAR = 64 << 10


@dataclass
class Segment:
    """A file of messages; ``size`` bytes of it are whole and to be seen."""

    first: int
    output: int  # bytes before it
    size: int = 0
    end_output: Optional[int] = None  # bytes before the next one, once there is one
    memory: bytes = b""  # in place of a file, where no disk took it

    @property
    def name(self) -> str:
        return f"{self.first:020}-{self.output:020}.ndjson"


def parse_name(name: str) -> Optional[Segment]:
    """The segment of a file name, ``None`` for other files."""
    match = _NAME.fullmatch(name)
    return Segment(int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True)
class Trim:
    """The segments that were removed: messages ``first`` to ``to - 1``."""

    first: int
    output: int  # bytes before `first`
    to: int
    to_output: int  # bytes before `to`
    time: float  # seconds since the epoch

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode("ascii") + b"\n"

    @classmethod
    def load(cls, data: bytes) -> Trim:
        """Raises :class:`ProtocolError`."""
        try:
            trim = cls(**json.loads(data))
            if not 1 <= trim.first <= trim.to or not 0 <= trim.output <= trim.to_output:
                raise ValueError(f"{trim}")
        except (ValueError, TypeError) as exc:
            raise ProtocolError(f"not a trimmed range: {exc}") from exc
        return trim


def gap_line(
    execution_id: str, first: int, sequence: int, output: Optional[int], reason: str, timestamp: float
) -> bytes:
    gap = GapMessage(timestamp=timestamp, first=first, bytes=output, reason=reason)
    return numbered(unnumbered(gap), execution_id, sequence)


def sequence_of(line: bytes, at: int = 0) -> int:
    """The number of the message that the line at ``at`` is (a part of). Raises :class:`ProtocolError`."""
    match = _LINE.match(line, at)
    if match is None:
        raise ProtocolError(f"not a line of a spool: {line[at : at + 80]!r}")
    return int(match[1])


def is_gap(line: bytes) -> bool:
    match = _LINE.match(line)
    return match is not None and line.startswith(b'"type":"gap",', match.end())


def is_partial(line: bytes, at: int = 0) -> bool:
    """Whether more parts of the same message follow the line at ``at``."""
    match = _PART.match(line, at)
    return match is not None and int(match[1]) < int(match[2])


def offset_after(descriptor: int, size: int, sequence: int) -> int:
    """Where in the first ``size`` bytes of a file the messages after ``sequence`` begin."""
    at, data, begin = _line_near(descriptor, size, sequence), b"", 0
    while True:
        end = data.find(b"\n", begin)
        if end < 0:
            at += begin
            data, begin = os.pread(descriptor, min(_CHUNK + MAX_LINE, size - at), at), 0
            if b"\n" not in data:
                return at
            continue
        if sequence_of(data, begin) > sequence:
            return at + begin
        begin = end + 1


def _line_near(descriptor: int, size: int, sequence: int) -> int:
    """Where a line of ``sequence`` or an earlier one begins, not long before its end: numbers only rise."""
    low, high = 0, size
    while high - low > _NEAR:
        middle = (low + high) // 2
        data = os.pread(descriptor, min(_NEAR, high - middle), middle)
        begin = data.find(b"\n") + 1
        if begin == 0 or b"\n" not in data[begin:]:
            break  # long lines: there are few of them
        if sequence_of(data, begin) > sequence:
            high = middle + begin
        else:
            low = middle + begin
    return low


def whole_end(descriptor: int) -> int:
    """Where the last whole message of a file ends: what is behind was cut."""
    end = _line_end(descriptor, os.fstat(descriptor).st_size)
    start = _line_end(descriptor, end - 1)
    if not is_partial(os.pread(descriptor, end - start, start)):
        return end
    return offset_after(descriptor, end, sequence_of(os.pread(descriptor, end - start, start)) - 1)


def last_of(descriptor: int, size: int) -> int:
    """The number of the last message within ``size`` bytes; 0 when there is none."""
    start = _line_end(descriptor, size - 1)
    return sequence_of(os.pread(descriptor, size - start, start)) if size else 0


def _line_end(descriptor: int, size: int) -> int:
    """The offset after the last line end within ``size`` bytes."""
    while size > 0:
        at = max(0, size - (64 << 10))
        found = os.pread(descriptor, size - at, at).rfind(b"\n")
        if found >= 0:
            return at + found + 1
        size = at
    return 0


def output_of(descriptor: int, size: int) -> int:
    """Bytes of output that the first ``size`` bytes of a file hold or account for."""
    decoder, total, at = Decoder(), 0, 0
    while at < size:
        data = os.pread(descriptor, min(_CHUNK, size - at), at)
        if not data:
            break
        at += len(data)
        total += sum(output_bytes(message) for message in decoder.feed(data))
    return total
