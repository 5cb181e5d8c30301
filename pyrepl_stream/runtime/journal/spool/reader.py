"""Reads a spool: slices of its files, with a gap in place of messages that are missing.

The same reader serves a spool whose writer is in this process (:class:`writer.Spool`), and one whose writer
is in another process or gone (:class:`StoredSpool`). Both are a :class:`SpoolRecord`.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Optional

from ...errors import UnknownExecutionError
from ...messages import CompleteMessage, GapMessage
from ...validation import check_after
from ...wire import MAX_LINE, decode, numbered, unnumbered
from ..disk import check_directory, closing, open_own, read_own
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

STATUS, TRIM, KEPT, CLOSED = "status.json", "trimmed.json", "kept.ndjson", "closed"
_SLICE = 256 << 10
TRIMMED = "only the newest messages are kept on disk"
_MISSING = "this part of the record is missing"


class SpoolRecord(ABC):
    """The facts about a spool that its readers need."""

    def __init__(self, directory: str, execution_id: str) -> None:
        self.directory = directory
        self.execution_id = execution_id
        self.segments: list[Segment] = []
        self.trim: Optional[Trim] = None
        self.last = 0  # the highest sequence number assigned so far
        self.committed = 0  # the highest one that readers may see
        self.completion: Optional[CompleteMessage] = None  # set once readers may see it
        self.closed = False

    @property
    def completed(self) -> int:
        """The sequence number of `complete`; 0 before readers may see it."""
        return 0 if self.completion is None else self.completion.sequence

    def path(self, name: str) -> str:
        """Return the path of one of the spool's files."""
        return os.path.join(self.directory, name)

    def refresh(self) -> None:  # noqa: B027 - the writer itself has nothing to refresh
        """Reload the facts if another process writes them. Raises as :meth:`StoredSpool.refresh` does."""

    @abstractmethod
    def size_of(self, segment: Optional[Segment], descriptor: int) -> int:
        """Return how many bytes of an open segment (None: of the file of pinned messages) may be read."""

    def reader(self, after: int = 0, *, follow: bool = False) -> SpoolReader:
        """Return a reader of the messages after ``after``.

        Args:
            after: A sequence number, or 0 for all messages.
            follow: Continue after `complete` until the spool is closed.

        Raises:
            CursorError: ``after`` is not in the spool.
        """
        check_after(after, self.last)
        return SpoolReader(self, after, follow)

    def successor(self, sequence: int) -> Optional[Segment]:
        """Return the oldest segment that begins at ``sequence`` or later."""
        return next((segment for segment in self.segments if segment.first >= sequence), None)

    def holder(self, sequence: int) -> Optional[Segment]:
        """Return the segment that contains, or will contain, the message ``sequence``."""
        return next((segment for segment in reversed(self.segments) if segment.first <= sequence), None)


class SpoolReader:
    """A place in a spool. Reading never blocks, and does not prevent the removal of segments."""

    def __init__(self, record: SpoolRecord, after: int, follow: bool) -> None:
        self._record = record
        self._follow = follow
        self._next = after + 1  # number of the first message that was not fully returned
        # Bytes of output before that message; kept up to date only between segments.
        self._output: Optional[int] = 0 if after == 0 else None
        self._segment: Optional[Segment] = None
        self._descriptor = -1
        self._offset = 0
        self._read_out = 0  # the first message of the last segment that was read to its end
        self._kept_offset = 0
        self._kept_output: Optional[int] = None  # bytes of output before that offset
        self._closed = False

    @property
    def ended(self) -> bool:
        """True when `complete` was returned (with ``follow``: when a closed spool was read to its end)."""
        record = self._record
        if self._closed or (not self._follow and 0 < record.completed < self._next):
            return True
        return record.closed and self._next > record.committed

    def read(self, limit: int = _SLICE) -> bytes:
        """Return the next whole lines, or empty bytes if there is nothing new.

        A gap takes the place of messages that are missing.

        Args:
            limit: The approximate number of bytes to return. At least one line is returned.

        Raises:
            OSError: A file cannot be opened or read, for example for lack of descriptors. The call may be
                repeated.
        """
        if self.ended:
            return b""
        data = self._lines(limit)
        if not data:
            self._record.refresh()
            data = self._lines(limit)
        return self._cut(data) if data else b""

    def close(self) -> None:
        """Close the reader and its file. Idempotent."""
        self._closed = True
        self._leave()

    def _cut(self, data: bytes) -> bytes:
        """Advance to the end of ``data``; without ``follow``, cut it off after `complete`."""
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
            is_whole = self._has_successor()  # asked first: nothing is written to it after this slice
            if data := self._slice(limit):
                return data
            if not is_whole:
                return self._rest()
            self._leave_known()

    # -- inside a segment --------------------------------------------------------------------

    def _enter(self) -> bool:
        """Open the segment of the next message, at its offset. Return False when there is no such segment."""
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
        """Leave a segment that was read to its end. Count its output if no file name gives it."""
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
        """Return a gap up to the next segment, or the messages that were kept from that range."""
        trim = self._record.trim
        if trim is not None and trim.first <= self._next < trim.to:
            kept = self._kept(trim, limit)
            return kept or self._gap(trim.to, trim.to_output, TRIMMED, trim.time)
        held = self._record.successor(self._next + 1)
        if held is None:
            return self._rest()
        return self._gap(held.first, held.output)

    def _rest(self) -> bytes:
        """Return a gap for messages that no file contains, and `complete`, which the status contains."""
        record, complete = self._record, self._record.completion
        if self._next > record.committed:
            return b""
        if complete is None or complete.sequence < self._next:
            return self._gap(record.committed + 1)
        line = numbered(unnumbered(complete), record.execution_id, complete.sequence)
        return (self._gap(complete.sequence) if self._next < complete.sequence else b"") + line

    def _gap(
        self, to: int, to_output: Optional[int] = None, reason: str = _MISSING, timestamp: float = 0.0
    ) -> bytes:
        """Return a gap up to the message ``to``, before which there were ``to_output`` bytes, if known."""
        output = None
        if to_output is not None:
            output = None if self._output is None else to_output - self._output
            self._output = to_output
        execution_id, timestamp = self._record.execution_id, timestamp or time.time()
        return gap_line(execution_id, self._next, to - 1, output, reason, timestamp)

    def _kept(self, trim: Trim, limit: int) -> bytes:
        """Return the next messages kept from removed segments, with the gaps between them."""
        try:
            kept = open_own(self._record.path(KEPT))
        except FileNotFoundError:
            return b""
        with closing(kept) as descriptor:
            size, shown = self._record.size_of(None, descriptor), b""
            while not shown:
                data = _whole_lines(descriptor, self._kept_offset, size, limit)
                data = data[: _end_of(data, trim.to - 1)]
                if not data:
                    break
                self._kept_offset += len(data)
                shown = b"".join(self._kept_line(line + b"\n", trim) for line in data[:-1].split(b"\n"))
        return shown

    def _kept_line(self, line: bytes, trim: Trim) -> bytes:
        """Return the part of a line after this position: the line, a shorter gap, or empty bytes."""
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
    """Return whole lines of a file between ``offset`` and ``size``: at most ``limit`` bytes, or one line."""
    if offset >= size:
        return b""
    data = os.pread(descriptor, min(limit, size - offset), offset)
    end = data.rfind(b"\n") + 1
    if end == 0:
        data = os.pread(descriptor, min(MAX_LINE, size - offset), offset)
        end = data.find(b"\n") + 1
    return data if end == len(data) else data[:end]


def _end_of(data: bytes, sequence: int) -> int:
    """Return the offset in ``data`` at which the messages after ``sequence`` begin."""
    begin = 0
    while begin < len(data) and sequence_of(data, begin) <= sequence:
        begin = data.index(b"\n", begin) + 1
    return begin


class StoredSpool(SpoolRecord):
    """A spool on disk that this process does not write."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory, read_status(directory).execution_id)
        self.refresh()

    def refresh(self) -> None:
        """Reload everything that the writer may have changed.

        Raises:
            UnknownExecutionError: The spool was removed.
            ProtocolError: Its status is not valid.
            InsecurePathError: It no longer belongs to this user alone.
        """
        self.status = read_status(self.directory)
        with _known(self.directory):
            # Listed before the range is read: the writer stores a new range before it removes the segments.
            segments = [segment for name in os.listdir(self.directory) if (segment := parse_name(name))]
        self.trim = None
        with suppress(FileNotFoundError):
            self.trim = trim = Trim.load(read_own(self.path(TRIM)))
            segments = [held for held in segments if not trim.first <= held.first < trim.to]
        self.segments = sorted(segments, key=lambda segment: segment.first)
        self.closed, self.completion = self.status.closed, self.status.complete
        self.last = self.committed = max(self._last(), self.completed)

    def size_of(self, segment: Optional[Segment], descriptor: int) -> int:
        """Return the offset after the last whole message: the writer may be in the middle of one."""
        return whole_end(descriptor)

    def _last(self) -> int:
        if not self.segments:
            return 0
        newest = self.segments[-1]
        try:
            with closing(open_own(self.path(newest.name))) as descriptor:
                return last_of(descriptor, whole_end(descriptor)) or newest.first - 1
        except FileNotFoundError:
            return newest.first - 1  # the next refresh will find the segment after it


def open_spool(directory: str) -> StoredSpool:
    """Open the spool in ``directory`` for reading.

    Raises:
        UnknownExecutionError: It does not exist.
        ProtocolError: It is not a spool.
        InsecurePathError: It does not belong to this user alone.
    """
    return StoredSpool(directory)


def read_status(directory: str) -> SpoolStatus:
    """Return the status of the spool in ``directory``. Raises as :func:`open_spool` does.

    It reads one small file. It does not examine the messages.
    """
    with _known(directory):
        check_directory(directory)
        return load_status(read_own(os.path.join(directory, STATUS)), closed=is_closed(directory))


def is_closed(directory: str) -> bool:
    """Return True if nothing more can be appended to the spool in ``directory``. It reads no file."""
    return os.path.lexists(os.path.join(directory, CLOSED))


@contextmanager
def _known(directory: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise UnknownExecutionError(
            f"there is no record of an execution in {directory!r}, or it was removed"
        ) from exc
