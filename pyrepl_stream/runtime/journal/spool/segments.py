"""The files of a spool: their names, and the places of messages in them.

``000...1-000...0.ndjson`` is a segment. Its name contains its first sequence number and the bytes of
output before it, so that the names of two segments give the output of the missing ones between them. All
parts of a message are in the same segment.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Optional

from ...errors import ProtocolError
from ...fields import from_record
from ...messages import GapMessage, Message
from ...wire import MAX_LINE, Decoder, numbered, unnumbered
from ..sizes import output_bytes

_NAME = re.compile(r"(\d{20})-(\d{20})\.ndjson")
_TEXT = rb'"(?:[^"\\]|\\.)*"'
# The beginning of a line that `wire.numbered` returns.
_LINE = re.compile(rb'\{(?:"type":"part",)?"execution_id":' + _TEXT + rb',"sequence":(\d{1,19}),')
_PART = re.compile(
    rb'\{"type":"part","execution_id":' + _TEXT + rb',"sequence":\d+,"part":(\d+),"parts":(\d+),'
)
_CHUNK = 1 << 20
_NEAR = 64 << 10  # bytes within which lines are searched one by one


@dataclass
class Segment:
    """A file of messages."""

    first: int  # its first sequence number
    output: int  # bytes of output before it
    size: int = 0  # bytes of whole messages that readers may see
    end_output: Optional[int] = None  # bytes of output before the next segment, once there is one
    memory: bytes = b""  # its contents, if they could not be written to the disk

    @property
    def name(self) -> str:
        """The name of the file."""
        return f"{self.first:020}-{self.output:020}.ndjson"


def parse_name(name: str) -> Optional[Segment]:
    """Return the segment that a file name denotes, or None for other files."""
    match = _NAME.fullmatch(name)
    return Segment(int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True)
class Trim:
    """The range of removed segments: messages ``first`` to ``to - 1``."""

    first: int
    output: int  # bytes of output before `first`
    to: int
    to_output: int  # bytes of output before `to`
    time: float  # seconds since the epoch

    def dump(self) -> bytes:
        """Return the contents of its file."""
        return json.dumps(asdict(self)).encode("ascii") + b"\n"

    @classmethod
    def load(cls, data: bytes) -> Trim:
        """Return the range that a file holds. Raises ProtocolError for invalid contents."""
        try:
            trim = from_record(cls, json.loads(data))
            if not 1 <= trim.first <= trim.to or not 0 <= trim.output <= trim.to_output:
                raise ValueError(f"{trim}")
        except (ValueError, TypeError) as exc:
            raise ProtocolError(f"not a trimmed range: {exc}") from exc
        return trim


def gap_line(
    execution_id: str, first: int, sequence: int, output: Optional[int], reason: str, timestamp: float
) -> bytes:
    """Return the line of a gap.

    Args:
        execution_id: The execution.
        first: The first missing sequence number.
        sequence: The last missing sequence number.
        output: Bytes of output that are missing; None if unknown.
        reason: Why they are missing.
        timestamp: Seconds since the epoch.
    """
    gap = GapMessage(timestamp=timestamp, first=first, bytes=output, reason=reason)
    return numbered(unnumbered(gap), execution_id, sequence)


def sequence_of(line: bytes, at: int = 0) -> int:
    """Return the number of the message whose line, or part, begins at ``at``. Raises ProtocolError."""
    match = _LINE.match(line, at)
    if match is None:
        raise ProtocolError(f"not a line of a spool: {line[at : at + 80]!r}")
    return int(match[1])


def is_gap(line: bytes) -> bool:
    """Return True if ``line`` is the line of a gap."""
    match = _LINE.match(line)
    return match is not None and line.startswith(b'"type":"gap",', match.end())


def is_partial(line: bytes, at: int = 0) -> bool:
    """Return True if more parts of the same message follow the line at ``at``."""
    match = _PART.match(line, at)
    return match is not None and int(match[1]) < int(match[2])


def offset_after(descriptor: int, size: int, sequence: int) -> int:
    """Return the offset of the first message after ``sequence`` in the first ``size`` bytes of a file."""
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
    """Return the offset of a line at or shortly before ``sequence``, by bisection: numbers only rise."""
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
    """Return the offset after the last whole message of a file."""
    end = _line_end(descriptor, os.fstat(descriptor).st_size)
    start = _line_end(descriptor, end - 1)
    line = os.pread(descriptor, end - start, start)
    return offset_after(descriptor, end, sequence_of(line) - 1) if is_partial(line) else end


def last_of(descriptor: int, size: int) -> int:
    """Return the number of the last message within ``size`` bytes; 0 when ``size`` is 0."""
    start = _line_end(descriptor, size - 1)
    return sequence_of(os.pread(descriptor, size - start, start)) if size else 0


def _line_end(descriptor: int, size: int) -> int:
    """Return the offset after the last line end within ``size`` bytes."""
    while size > 0:
        at = max(0, size - (64 << 10))
        found = os.pread(descriptor, size - at, at).rfind(b"\n")
        if found >= 0:
            return at + found + 1
        size = at
    return 0


def output_of(descriptor: int, size: int) -> int:
    """Return the number of bytes of output in the first ``size`` bytes of a file, including lost ones."""
    return sum(output_bytes(message) for message in messages_of(descriptor, size))


def messages_of(descriptor: int, size: int) -> Iterator[Message]:
    """Yield the messages in the first ``size`` bytes of a file."""
    decoder, at = Decoder(), 0
    while at < size and (data := os.pread(descriptor, min(_CHUNK, size - at), at)):
        at += len(data)
        yield from decoder.feed(data)
