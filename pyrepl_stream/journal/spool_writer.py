"""Writing a spool: with each commit what waits in memory goes to the disk.

What the disk refuses becomes a gap.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Optional

from ..messages import CompleteMessage
from ..wire import numbered, unnumbered
from .disk import APPEND, CREATE, Disk, hidden
from .kept import KEPT_LIMIT, KeptFile
from .segments import Segment, Trim, gap_line, last_of, output_of, whole_end
from .spool_reader import CLOSED, KEPT, STATUS, TRIM, Record, SpoolReader, StoredSpool
from .status import STATUS_SIZE, SpoolStatus, dump_status

__all__ = ("Spool",)

_SEGMENT = 8 << 20
_BATCH = 1 << 20  # bytes that wait for a commit at most
_END_SIZE = 64 << 10  # bytes reserved for the messages at the end
_TRIM_SIZE = 4 << 10
_END, _OPEN, _REQUEST = "end.reserve", "open", "request.json"
_GAP_SIZE = 600  # bytes that the line of a gap takes at most, its reason included
_ERROR = 4000  # characters of an error that fit in the reserve


class _Entry(NamedTuple):
    """A message that waits to be written, or (no line) a range of lost ones."""

    line: bytes
    first: int
    last: int
    output: int
    kept: bool


class Spool(Record):
    """The one writer. Made by :meth:`create`.

    Messages that are never dropped outlive their segment up to 64 MiB of them in all; those beyond go
    with it, as output does. The same bound holds for those that wait while the disk is full.
    """

    def __init__(
        self,
        directory: str,
        status: SpoolStatus,
        *,
        limit: int,
        free_bytes: int,
        free_share: float,
        disk: Disk,
        segment: int,
    ) -> None:
        super().__init__(directory, status.execution_id)
        self.status = status
        self.last = 0  # the highest sequence number given
        self.output = 0  # bytes of output given a number
        self._limit = limit
        self._free_bytes = free_bytes
        self._free_share = free_share
        self._disk = disk
        self._segment_size = segment
        self._descriptor = -1  # of the newest segment, opened when there is something to write
        self._turn_due = False  # the file may not grow any more
        self._torn = False  # behind what readers see lies what could not be cut off yet
        self._written_output = 0  # bytes before the first that waits
        self._waiting: list[_Entry] = []
        self._waiting_bytes = 0
        self._reason = ""  # why something was lost last
        self._kept = KeptFile(self.path(KEPT), self.execution_id, disk)
        self._news = False
        self._status_due = False  # the status of the end could not be written

    @classmethod
    def create(
        cls,
        directory: str,
        status: SpoolStatus,
        *,
        request: Mapping[str, Any],
        limit: int = 4 << 30,
        free_bytes: int = 1 << 30,
        free_share: float = 0.05,
        disk: Optional[Disk] = None,
        segment: int = _SEGMENT,
    ) -> Spool:
        """A new record in ``directory``, which must not be there yet.

        ``limit`` (bytes) is what it may take; ``free_bytes`` and ``free_share`` of the disk are to stay free.
        Of what it holds, all but the first and the newest ``segment`` (bytes) may go for that. Raises
        :class:`OSError`, :class:`FileExistsError` among them, and leaves nothing behind then.
        """
        disk = disk or Disk()
        # Made under another name: a record is there whole or not at all.
        made = hidden(directory, "new")
        shutil.rmtree(made, ignore_errors=True)
        os.mkdir(made, 0o700)
        try:
            disk.make_file(os.path.join(made, STATUS), dump_status(status))
            disk.make_file(os.path.join(made, _REQUEST), json.dumps(dict(request)).encode("ascii"))
            disk.make_file(os.path.join(made, _OPEN), b"")
            disk.reserve_file(os.path.join(made, _END), _END_SIZE)
            disk.reserve_file(os.path.join(made, STATUS + ".reserve"), STATUS_SIZE)
            disk.reserve_file(os.path.join(made, TRIM + ".reserve"), _TRIM_SIZE)
            if os.path.lexists(directory):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), directory)
            disk.rename(made, directory)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        return cls(
            directory,
            status,
            limit=limit,
            free_bytes=free_bytes,
            free_share=free_share,
            disk=disk,
            segment=segment,
        )

    @classmethod
    def resume(cls, stored: StoredSpool, disk: Disk) -> Spool:
        """What writes the last words of a spool whose writer is gone: nothing of it is removed any more.

        A message that was cut is cut off. Raises :class:`OSError`.
        """
        unbounded = 1 << 62
        directory, status = stored.directory, stored.status
        spool = cls(
            directory, status, limit=unbounded, free_bytes=0, free_share=0.0, disk=disk, segment=unbounded
        )
        spool.trim = stored.trim
        spool._kept = KeptFile(spool.path(KEPT), spool.execution_id, disk, limit=0)
        for segment in stored.segments:
            spool._take(segment, newest=segment is stored.segments[-1])
        return spool

    def _take(self, segment: Segment, *, newest: bool) -> None:
        descriptor = self._disk.open(self.path(segment.name), os.O_RDWR)
        try:
            segment.size = whole_end(descriptor)
            if newest:
                self._disk.truncate(descriptor, segment.size)
                self.output = self._written_output = segment.output + output_of(descriptor, segment.size)
                self.last = self.committed = last_of(descriptor, segment.size) or segment.first - 1
        finally:
            os.close(descriptor)
        if segment.size:
            self.segments.append(segment)
        else:
            self._disk.discard(self.path(segment.name))

    # -- writing -----------------------------------------------------------------------------

    def append(self, body: bytes, output: int = 0, *, kept: bool = False) -> int:
        """Number what ``wire.unnumbered`` made of a message; it waits for :meth:`commit`.

        ``output``: the bytes of output that it is. ``kept``: it is never dropped (and no output).
        """
        self.last += 1
        line = numbered(body, self.execution_id, self.last)
        self.output += output
        self._waiting.append(_Entry(line, self.last, self.last, output, kept))
        self._waiting_bytes += len(line)
        if self._waiting_bytes >= _BATCH:
            self._write()
        return self.last

    def commit(self) -> bool:
        """Write what waits. Returns whether readers have news since the last time."""
        if self._waiting:
            self._write()
        if self._status_due:
            self._save_status()
        news, self._news = self._news, False
        return news

    def begin(self) -> None:
        """The execution runs. Where the disk is full, its status goes on to say that it is queued."""
        self.status = replace(self.status, status="running")
        path = self.path(STATUS)
        try:
            self._disk.replace_file(path, path + ".new", dump_status(self.status))
        except OSError:
            self._disk.discard(path + ".new")

    def complete(self, message: CompleteMessage) -> CompleteMessage:
        """The end, which is written whatever happens; returns it with its number.

        Raises :class:`TypeError` and :class:`ProtocolError` for a value that cannot be sent.
        """
        message = replace(
            message,
            execution_id=self.execution_id,
            sequence=self.last + 1,
            timestamp=message.timestamp or time.time(),
        )
        self.append(unnumbered(message), kept=True)
        if self._waiting:
            self._write()
        if self._waiting:
            message = self._end_in_reserve(message)
        self.has_ended(message)
        return message

    def has_ended(self, message: CompleteMessage) -> None:
        """`complete` is in the record: the status says so too."""
        self.completion = message
        self.status = replace(
            self.status, status=message.status, last=message.sequence, output=self.output, complete=message
        )
        self._save_status()

    def close(self) -> None:
        """Nothing more comes. Idempotent."""
        if self.closed:
            return
        if self._waiting:
            self._write()
        if self._waiting:
            self._write_reserve(self._squashed(_END_SIZE))
        if self._status_due:
            self._save_status()
        self._close_segment()
        for name in (_END, STATUS + ".reserve", TRIM + ".reserve"):
            self._disk.discard(self.path(name))
        try:
            # Renamed, not made: that takes no room in the directory.
            self._disk.rename(self.path(_OPEN), self.path(CLOSED))
        except OSError:
            pass  # readers elsewhere see the end of the host instead
        self.status = replace(self.status, closed=True)
        self.closed = self._news = True

    def reader(self, after: int = 0, *, follow: bool = False) -> SpoolReader:
        """Read what comes after ``after``. Raises :class:`CursorError` for what is no place in it."""
        self.check_after(after, self.last)
        if self._waiting:
            self._write()
        return SpoolReader(self, after, follow)

    def kept_size(self, descriptor: int) -> int:
        return self._kept.size

    # -- what waits goes to the disk ---------------------------------------------------------

    def _write(self) -> None:
        """What the disk does not take stays, in short: as gaps, and messages that are never dropped."""
        try:
            self._store()
        except OSError as exc:
            if self._made_room(exc):
                try:
                    self._store()
                except OSError as again:
                    exc = again
            if self._waiting:
                self._reason = f"the record could not be written: {exc.strerror}"
                self._waiting = self._squashed(KEPT_LIMIT)
        self._waiting_bytes = 0
        self._kept.store()

    def _store(self) -> None:
        """Raises :class:`OSError` when not all was written; whole messages that were, are."""
        segment = self._open_segment()
        lines = [entry.line for entry in self._waiting]
        data = memoryview(b"".join(lines) if len(lines) > 1 else lines[0])
        done = 0
        try:
            while done < len(data):
                written = self._disk.write(self._descriptor, data[done:])
                if written == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                done += written
        except OSError:
            self._torn = done > self._written(segment, done)
            self._repair(segment)
            raise
        turned = segment.size == 0
        self._written(segment, done)
        if turned:
            self._trim(self._excess())

    def _written(self, segment: Segment, size: int) -> int:
        """``size`` bytes of what waits were written; returns how many of them are whole messages."""
        count = whole = output = 0
        for entry in self._waiting:
            if whole + len(entry.line) > size:
                break
            whole += len(entry.line)
            count += 1
        if count == 0:
            return 0
        if segment.size == 0:
            self._add(segment)
        written, self._waiting = self._waiting[:count], self._waiting[count:]
        for entry in written:
            if entry.kept and len(self.segments) > 1:
                self._kept.add(entry.line, entry.first, self._written_output + output)
            output += entry.output
        segment.size += whole
        self._written_output += output
        self.committed = written[-1].last
        self._news = True
        return whole

    def _add(self, segment: Segment) -> None:
        if self.segments:
            self.segments[-1].end_output = segment.output
        self.segments.append(segment)
        if len(self.segments) == 2 and self.trim is None:
            self._kept.begin(segment.first - 1, segment.output)

    def _repair(self, segment: Segment) -> None:
        """Cut off what a failed write left behind what readers see; until then nothing is written."""
        if segment.size == 0:
            self._close_segment()
            self._disk.discard(self.path(segment.name))
        elif self._torn:
            try:
                self._disk.truncate(self._descriptor, segment.size)
                self._torn = False
            except OSError:
                pass

    def _open_segment(self) -> Segment:
        """The segment to write to, open; a new one when it is time. Raises :class:`OSError`."""
        newest = self.segments[-1] if self.segments else None
        if newest is not None and self._torn:
            self._disk.truncate(self._descriptor, newest.size)
            self._torn = False
        if newest is None or newest.memory or self._turn_due or newest.size >= self._segment_size:
            segment = Segment(self._waiting[0].first, self._written_output)
            try:
                descriptor = self._disk.open(self.path(segment.name), CREATE)
            except OSError:
                if newest is None or newest.memory:
                    raise
            else:
                self._close_segment()
                self._descriptor, self._turn_due = descriptor, False
                return segment
        assert newest is not None
        if self._descriptor < 0:
            self._descriptor = self._disk.open(self.path(newest.name), APPEND)
        return newest

    def _close_segment(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._torn = -1, False

    def _made_room(self, error: OSError) -> bool:
        """Whether it is worth a second attempt."""
        if error.errno == errno.EFBIG and self.segments:
            self._turn_due = True
            return True
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            waiting = sum(len(entry.line) for entry in self._waiting)
            return self._trim(max(waiting, self._segment_size))
        return False

    def _squashed(self, room: int) -> list[_Entry]:
        """What waits, in few lines: of what is never dropped the newest ``room`` bytes, and gaps."""
        entries: list[_Entry] = []  # newest first
        for entry in reversed(self._waiting):
            size = len(entry.line) + _GAP_SIZE
            if entry.kept and size <= room:
                room -= size
                entries.append(entry)
            elif entries and not entries[-1].kept:
                gap = entries[-1]
                entries[-1] = _Entry(b"", entry.first, gap.last, entry.output + gap.output, False)
            else:
                entries.append(_Entry(b"", entry.first, entry.last, entry.output, False))
        return [entry if entry.kept else self._gap(entry) for entry in reversed(entries)]

    def _gap(self, entry: _Entry) -> _Entry:
        line = gap_line(self.execution_id, entry.first, entry.last, entry.output, self._reason, time.time())
        return entry._replace(line=line)

    # -- the end, on a full disk -------------------------------------------------------------

    def _end_in_reserve(self, message: CompleteMessage) -> CompleteMessage:
        """`complete` as it could be written: what is long in it does not fit."""
        end = self._waiting[-1]
        if len(end.line) > _END_SIZE // 2:
            error = message.error and message.error[:_ERROR]
            message = replace(message, value=None, error=error, extra={})
            line = numbered(unnumbered(message), self.execution_id, message.sequence)
            self._waiting[-1] = end._replace(line=line)
        self._write_reserve(self._squashed(_END_SIZE))
        return message

    def _write_reserve(self, entries: list[_Entry]) -> None:
        """Write into reserved blocks, which become a segment; if that fails, memory stands in for it."""
        self._close_segment()
        self._waiting = entries
        segment = Segment(entries[0].first, self._written_output)
        data = b"".join(entry.line for entry in entries)
        try:
            self._disk.replace_file(self.path(segment.name), self.path(_END), data)
        except OSError:
            segment.memory = data
        self._written(segment, len(data))

    def _save_status(self) -> None:
        path = self.path(STATUS)
        for last_try in (False, True):
            try:
                self._disk.replace_file(path, path + ".reserve", dump_status(self.status))
                self._status_due = False
                return
            except OSError:
                if last_try:
                    self._status_due = True  # until then the segments tell it
                    return
                self._close_segment()  # a descriptor that may be what is missing

    # -- retention ---------------------------------------------------------------------------

    def _excess(self) -> int:
        """Bytes that are too many: for the limit, or for what is to stay free on the disk."""
        excess = sum(segment.size for segment in self.segments) + self._kept.size - self._limit
        try:
            free, total = self._disk.free(self.directory)
        except OSError:
            return excess
        return max(excess, self._free_bytes - free, int(self._free_share * total) - free)

    def _trim(self, excess: int) -> bool:
        """Remove the oldest segments but the first, as many as it takes; whether any went."""
        self._kept.store()
        count = freed = 0
        for segment, behind in zip(self.segments[1:], self.segments[2:]):
            if freed >= excess or 0 < self._kept.unsafe < behind.first:
                break
            freed += segment.size
            count += 1
        if count == 0:
            return False
        gone, stays = self.segments[1 : 1 + count], self.segments[1 + count]
        begin = self.trim or Trim(gone[0].first, gone[0].output, 0, 0, 0.0)
        trim = replace(begin, to=stays.first, to_output=stays.output, time=time.time())
        path = self.path(TRIM)
        try:
            # Said before it is done: a reader elsewhere has to know what is missing.
            self._disk.replace_file(path, path + ".reserve", trim.dump())
        except OSError:
            return False
        self.trim = trim
        self.segments = [self.segments[0], *self.segments[1 + count :]]
        for segment in gone:
            self._disk.discard(self.path(segment.name))
        self._kept.store()
        try:
            self._disk.reserve_file(path + ".reserve", _TRIM_SIZE)
        except OSError:
            pass  # then the next time needs room of its own
        return True
