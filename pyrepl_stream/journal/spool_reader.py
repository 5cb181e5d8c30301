"""Reading a spool: slices of its files, with a gap line where something is missing.

A reader is the same whether the writer lives in this process (:class:`spool.Spool`) or is gone, or
elsewhere (:class:`StoredSpool`). Both are a :class:`Record`.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from typing import Optional

from ..errors import CursorError, UnknownExecutionError
from ..messages import CompleteMessage, GapMessage
from ..wire import MAX_LINE, decode, numbered, unnumbered
from .disk import check_directory, open_own, read_own
from .segments import (
    Segment,
    Trim,
    gap_line,
    is_gap,
    is_partial,
    last_of,
    offset_after,
    output_of,
    parse_name,
    sequence_of,
    whole_end,
)
from .status import SpoolStatus, load_status

__all__ = (
    "Record",
    "SpoolReader",
    "StoredSpool",
    "open_spool",
    "STATUS",
    "TRIM",
    "KEPT",
    "CLOSED",
    "TRIMMED",
)

STATUS, TRIM, KEPT, CLOSED = "status.json", "trimmed.json", "kept.ndjson", "closed"
_SLICE = 256 << 10
TRIMMED = "only the newest messages are kept on disk"
_MISSING = "the record of it is not there any more"


class Record(ABC):
    """What is to be known of a spool to read it."""

    def __init__(self, directory: str, execution_id: str) -> None:
        self.directory = directory
        self.execution_id = execution_id
        self.segments: list[Segment] = []
        self.trim: Optional[Trim] = None
        self.committed = 0  # the last sequence number that readers may see
        self.completion: Optional[CompleteMessage] = None  # once they may see it
        self.closed = False

    @property
    def completed(self) -> int:
        """The sequence number of `complete`; 0 before."""
        return 0 if self.completion is None else self.completion.sequence

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def refresh(self) -> None:  # noqa: B027 - the writer itself has nothing to look at again
        """Look again at what another process writes. Raises as :meth:`StoredSpool.refresh` does."""

    def size_of(self, segment: Segment, descriptor: int) -> int:
        """Bytes of an open segment that may be read."""
        return segment.size

    @abstractmethod
    def kept_size(self, descriptor: int) -> int:
        """The same of the messages that are kept from segments that were removed."""

    def check_after(self, after: int, last: int) -> None:
        if isinstance(after, bool) or not isinstance(after, int) or after < 0:
            raise CursorError(f"after is {after!r}, but must be a sequence number, 0 or more")
        if after > last:
            raise CursorError(f"after is {after}, beyond the end: the last message is {last}")

    def successor(self, sequence: int) -> Optional[Segment]:
        """The oldest segment that begins at ``sequence`` or later."""
        return next((segment for segment in self.segments if segment.first >= sequence), None)

    def holder(self, sequence: int) -> Optional[Segment]:
        """The segment that ``sequence`` is in, or comes to be in."""
        held = None
        for segment in self.segments:
            if segment.first > sequence:
                break
            held = segment
        return held


class SpoolReader:
    """A place in a record. Reading never waits, and holds nothing back from being removed."""

    def __init__(self, record: Record, after: int, follow: bool) -> None:
        self._record = record
        self._follow = follow
        self._next = after + 1  # the number of the first message that was not handed over whole
        self._output: Optional[int] = 0 if after == 0 else None  # bytes before it; known between segments
        self._segment: Optional[Segment] = None
        self._descriptor = -1
        self._offset = 0
        self._read_out = 0  # the first message of the last segment that holds nothing more
        self._kept_offset = 0
        self._kept_output: Optional[int] = None  # bytes before what is there
        self._closed = False

    @property
    def ended(self) -> bool:
        """Whether `complete` was handed over (with ``follow``: all there is of a closed record)."""
        record = self._record
        if self._closed or (not self._follow and 0 < record.completed < self._next):
            return True
        return record.closed and self._next > record.committed

    def read(self, limit: int = _SLICE) -> bytes:
        """The next whole lines: about ``limit`` bytes of them, at least one; none when there is nothing new.

        What is missing before a line comes as a gap's line in its place. Raises :class:`OSError` when a
        file cannot be opened or read (no descriptors left), and may then be called again.
        """
        if self.ended:
            return b""
        data = self._lines(limit)
        if not data:
            self._record.refresh()
            data = self._lines(limit)
        return self._cut(data) if data else b""

    def close(self) -> None:
        """Idempotent."""
        self._closed = True
        self._leave()

    def _cut(self, data: bytes) -> bytes:
        """Note how far ``data`` goes; without ``follow`` it goes to `complete`."""
        line = data.rfind(b"\n", 0, len(data) - 1) + 1
        last, completed = sequence_of(data, line), self._record.completed
        if not self._follow and 0 < completed < last:
            data = data[: _end_of(data, completed)]
            line = data.rfind(b"\n", 0, len(data) - 1) + 1
            last = sequence_of(data, line)
        self._next = last if is_partial(data, line) else last + 1
        if self.ended:
            self._leave()
        return data

    def _lines(self, limit: int) -> bytes:
        while True:
            if self._segment is None and not self._enter():
                return self._missing(limit)
            data = self._slice(limit)
            if data:
                return data
            if not self._has_successor():
                return self._rest()
            data = self._slice(limit)  # what came before its successor did
            if data:
                return data
            self._leave_known()

    # -- inside a segment --------------------------------------------------------------------

    def _enter(self) -> bool:
        """Open the segment of the next message, at its place; ``False`` when there is none."""
        trim = self._record.trim
        if trim is not None and trim.first <= self._next < trim.to:
            return False
        segment = self._record.holder(self._next)
        if segment is None or segment.first <= self._read_out:
            return False
        try:
            descriptor = -1 if segment.memory else open_own(self._record.path(segment.name))
        except FileNotFoundError:
            before = trim
            self._record.refresh()
            return self._record.trim != before and self._enter()
        self._segment, self._descriptor, self._offset = segment, descriptor, 0
        if segment.first < self._next:
            self._offset = self._place(segment, descriptor)
        return True

    def _place(self, segment: Segment, descriptor: int) -> int:
        if segment.memory:
            return _end_of(segment.memory, self._next - 1)
        return offset_after(descriptor, self._record.size_of(segment, descriptor), self._next - 1)

    def _slice(self, limit: int) -> bytes:
        segment = self._segment
        assert segment is not None
        if segment.memory:
            data = segment.memory[self._offset :]
        else:
            size = self._record.size_of(segment, self._descriptor)
            data = _whole_lines(self._descriptor, self._offset, size, limit)
        self._offset += len(data)
        return data

    def _has_successor(self) -> bool:
        segment, segments = self._segment, self._record.segments
        return segment is not None and bool(segments) and segments[-1].first > segment.first

    def _leave_known(self) -> None:
        """Go on behind the segment; how much output it held is known, or counted if need be."""
        segment = self._segment
        assert segment is not None
        after = self._record.successor(segment.first + 1)
        trim = self._record.trim
        if segment.end_output is not None:
            self._output = segment.end_output
        elif after is not None and after.first == self._next:
            self._output = after.output
        elif trim is not None and trim.first == self._next:
            self._output = trim.output
        elif self._descriptor >= 0:
            self._output = segment.output + output_of(self._descriptor, self._offset)
        self._read_out = segment.first
        self._leave()

    def _leave(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._segment, self._descriptor = None, -1

    # -- where segments are missing ----------------------------------------------------------

    def _missing(self, limit: int) -> bytes:
        """A gap's line for what is between here and the next segment, or what was kept of it."""
        trim = self._record.trim
        if trim is not None and trim.first <= self._next < trim.to:
            kept = self._kept(trim, limit)
            return kept or self._gap(trim.to, trim.to_output, TRIMMED, trim.time)
        held = self._record.successor(self._next + 1)
        if held is None:
            return self._rest()
        return self._gap(held.first, held.output, _MISSING, time.time())

    def _rest(self) -> bytes:
        """What no file holds although it was there: a gap, and `complete`, which is known without them."""
        record, complete = self._record, self._record.completion
        if self._next > record.committed:
            return b""
        if complete is None or complete.sequence < self._next:
            return self._unknown_gap(record.committed + 1)
        line = numbered(unnumbered(complete), record.execution_id, complete.sequence)
        return (self._unknown_gap(complete.sequence) if self._next < complete.sequence else b"") + line

    def _unknown_gap(self, to: int) -> bytes:
        return gap_line(self._record.execution_id, self._next, to - 1, None, _MISSING, time.time())

    def _gap(self, to: int, to_output: int, reason: str, timestamp: float) -> bytes:
        output = None if self._output is None else to_output - self._output
        self._output = to_output
        return gap_line(self._record.execution_id, self._next, to - 1, output, reason, timestamp)

    def _kept(self, trim: Trim, limit: int) -> bytes:
        """What is kept of the removed segments, from here on, with the gaps between."""
        try:
            descriptor = open_own(self._record.path(KEPT))
        except FileNotFoundError:
            return b""
        try:
            return self._kept_lines(descriptor, trim, limit)
        finally:
            os.close(descriptor)

    def _kept_lines(self, descriptor: int, trim: Trim, limit: int) -> bytes:
        size, shown = self._record.kept_size(descriptor), b""
        while not shown:
            data = _whole_lines(descriptor, self._kept_offset, size, limit)
            data = data[: _end_of(data, trim.to - 1)]
            if not data:
                break
            self._kept_offset += len(data)
            shown = b"".join(self._kept_line(line + b"\n", trim) for line in data[:-1].split(b"\n"))
        return shown

    def _kept_line(self, line: bytes, trim: Trim) -> bytes:
        """The line as it is to be shown from here: not at all, or as a shorter gap."""
        before = trim.output if self._kept_output is None else self._kept_output
        self._kept_output = before
        if is_gap(line):
            gap = decode(line)
            assert isinstance(gap, GapMessage)
            self._kept_output = before + (gap.bytes or 0)
            if gap.sequence < self._next:
                return b""
            if gap.span_start < self._next:
                line = self._gap(gap.sequence + 1, self._kept_output, gap.reason, gap.timestamp)
        elif sequence_of(line) < self._next:
            return b""
        self._output = self._kept_output
        self._next = sequence_of(line) + (not is_partial(line))
        return line


def _whole_lines(descriptor: int, offset: int, size: int, limit: int) -> bytes:
    """Lines of a file from ``offset`` on, none behind ``size``: at most ``limit`` bytes, or one line."""
    if offset >= size:
        return b""
    data = os.pread(descriptor, min(limit, size - offset), offset)
    end = data.rfind(b"\n") + 1
    if end == 0:
        data = os.pread(descriptor, min(MAX_LINE, size - offset), offset)
        end = data.find(b"\n") + 1
    return data if end == len(data) else data[:end]


def _end_of(data: bytes, sequence: int) -> int:
    """Where in some lines the messages after ``sequence`` begin."""
    begin = 0
    while begin < len(data) and sequence_of(data, begin) <= sequence:
        begin = data.index(b"\n", begin) + 1
    return begin


class StoredSpool(Record):
    """A spool on disk, whoever writes it, if anybody does."""

    def __init__(self, directory: str) -> None:
        check_directory(directory)
        self.directory = directory
        super().__init__(directory, self._load_status().execution_id)
        self.refresh()

    @property
    def last(self) -> int:
        """The highest sequence number there is; 0 when there is none."""
        return self.committed

    def refresh(self) -> None:
        """Raises :class:`UnknownExecutionError` when the record was removed, and :class:`ProtocolError`."""
        try:
            self._load()
        except FileNotFoundError as exc:
            raise UnknownExecutionError(f"the record in {self.directory!r} was removed") from exc

    def _load(self) -> None:
        self.status = self._load_status()
        # In this order: a segment goes only after it was said that it does.
        segments = [segment for name in os.listdir(self.directory) if (segment := parse_name(name))]
        self.trim = self._load_trim()
        trim = self.trim
        if trim is not None:
            segments = [held for held in segments if not trim.first <= held.first < trim.to]
        self.segments = sorted(segments, key=lambda segment: segment.first)
        self.closed, self.completion = self.status.closed, self.status.complete
        self.committed = max(self._last(), self.completed)

    def size_of(self, segment: Segment, descriptor: int) -> int:
        return whole_end(descriptor)

    def kept_size(self, descriptor: int) -> int:
        return whole_end(descriptor)

    def reader(self, after: int = 0, *, follow: bool = False) -> SpoolReader:
        """Read what comes after ``after``. Raises :class:`CursorError` for what is no place in it."""
        self.check_after(after, self.last)
        return SpoolReader(self, after, follow)

    def _load_status(self) -> SpoolStatus:
        return load_status(read_own(self.path(STATUS)), closed=os.path.lexists(self.path(CLOSED)))

    def _load_trim(self) -> Optional[Trim]:
        try:
            return Trim.load(read_own(self.path(TRIM)))
        except FileNotFoundError:
            return None

    def _last(self) -> int:
        if not self.segments:
            return 0
        newest = self.segments[-1]
        try:
            descriptor = open_own(self.path(newest.name))
        except FileNotFoundError:
            return newest.first - 1  # what follows it will be there next time
        try:
            return last_of(descriptor, whole_end(descriptor)) or newest.first - 1
        finally:
            os.close(descriptor)


def open_spool(directory: str) -> StoredSpool:
    """The record of an execution on disk, to be read.

    Raises :class:`UnknownExecutionError` where there is none, :class:`ProtocolError` for what is none, and
    :class:`UnsafePathError` for what is not this user's alone.
    """
    try:
        return StoredSpool(directory)
    except FileNotFoundError as exc:
        raise UnknownExecutionError(f"there is no record of an execution in {directory!r}") from exc
