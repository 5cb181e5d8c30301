"""Writes a spool: each commit moves the messages that wait in memory to the disk.

Messages that cannot be written are replaced by a gap.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Callable, NamedTuple, Optional

from ...errors import InsecurePathError
from ...messages import CompleteMessage
from ...wire import numbered, unnumbered
from ..disk import Disk, closing, hidden, open_own
from .pinned import KEPT_LIMIT, PinnedMessages
from .reader import CLOSED, KEPT, STATUS, TRIM, SpoolReader, SpoolRecord, StoredSpool
from .segment_file import SegmentFile
from .segments import Segment, Trim, gap_line, last_of, output_of, whole_end
from .status import STATUS_SIZE, SpoolStatus, dump_status

_SEGMENT = 8 << 20
_BATCH = 1 << 20  # maximum bytes that wait for a commit
_END_SIZE = 64 << 10  # bytes reserved for the messages at the end
_TRIM_SIZE = 4 << 10
_END, _OPEN, _REQUEST = "end.reserve", "open", "request.json"
_GAP_SIZE = 600  # maximum bytes of the line of a gap, including its reason
_ERROR = 4000  # characters of an error that fit in the reserve
_UNBOUNDED = 1 << 62


class _Retention(NamedTuple):
    limit: int  # maximum bytes of the spool
    free_bytes: int  # bytes that must stay free on the disk
    free_share: float  # share of the disk that must stay free, from 0 to 1
    segment: int  # the size in bytes at which a new segment begins; only whole segments are removed


class _Entry(NamedTuple):
    """A message that waits to be written, or (without a line) a range of lost ones."""

    line: bytes
    first: int
    last: int
    output: int
    kept: bool


class Spool(SpoolRecord):
    """The only writer of a spool. Use :meth:`create` to make one.

    Up to 64 MiB of messages that are never dropped are kept when their segments are removed; any beyond that
    are removed like output. The same limit applies to such messages that wait while the disk is full.
    """

    def __init__(self, directory: str, status: SpoolStatus, *, retention: _Retention, disk: Disk) -> None:
        super().__init__(directory, status.execution_id)
        self.status = status
        self.output = 0  # bytes of output in all numbered messages
        self._retention = retention
        self._disk = disk
        self._file = SegmentFile(disk)
        self._written_output = 0  # bytes of output before the first message that waits
        self._waiting: list[_Entry] = []
        self._waiting_bytes = 0
        self._reason = ""  # why messages were last lost
        self._kept = PinnedMessages(self.path(KEPT), self.execution_id, disk)
        self._news = False  # something was written since the last commit
        self._status_due = False  # the final status could not be written yet

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
        make_way: Optional[Callable[[], object]] = None,
    ) -> Spool:
        """Make a new spool.

        Args:
            directory: The directory of the spool. It must not exist yet.
            status: The initial status.
            request: What was requested, for other readers of the directory.
            limit: Maximum bytes of the spool. Beyond that, old segments are removed, but never the first or
                the newest one.
            free_bytes: Bytes that stay free on the disk.
            free_share: The share of the disk that stays free, from 0 to 1.
            disk: The disk to write to; the real one by default.
            segment: The size in bytes at which a new segment begins.
            make_way: Called to remove what has the name ``directory``, once all else is written.

        Raises:
            FileExistsError: ``directory`` exists.
            OSError: The spool could not be written. Nothing is left in ``directory``.
        """
        disk = disk or Disk()
        # Made under another name, so that a spool exists completely or not at all.
        made = hidden(directory, "new")
        shutil.rmtree(made, ignore_errors=True)
        os.mkdir(made, 0o700)
        try:
            disk.make_file(os.path.join(made, STATUS), dump_status(status))
            disk.make_file(os.path.join(made, _REQUEST), json.dumps(dict(request)).encode("ascii"))
            disk.make_file(os.path.join(made, _OPEN), b"")
            disk.reserve_file(os.path.join(made, _END), _END_SIZE)
            disk.reserve_file(os.path.join(made, STATUS + ".reserve"), STATUS_SIZE)
            if make_way is not None:
                make_way()
            if os.path.lexists(directory):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), directory)
            disk.rename(made, directory)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        return cls(directory, status, retention=_Retention(limit, free_bytes, free_share, segment), disk=disk)

    @classmethod
    def resume(cls, stored: StoredSpool, disk: Disk) -> Spool:
        """Return a writer that ends a spool whose own writer is gone. It removes no segments.

        A message of which only a part was written is cut off.

        Raises:
            OSError: The spool could not be repaired.
        """
        retention = _Retention(limit=_UNBOUNDED, free_bytes=0, free_share=0.0, segment=_UNBOUNDED)
        spool = cls(stored.directory, stored.status, retention=retention, disk=disk)
        spool.trim = stored.trim
        spool._kept = PinnedMessages(spool.path(KEPT), spool.execution_id, disk, limit=0)
        for segment in stored.segments:
            spool._take(segment, newest=segment is stored.segments[-1])
        return spool

    def _take(self, segment: Segment, *, newest: bool) -> None:
        with closing(self._disk.open(self.path(segment.name), os.O_RDWR)) as descriptor:
            segment.size = whole_end(descriptor)
            if newest:
                self._disk.truncate(descriptor, segment.size)
                self.output = self._written_output = segment.output + output_of(descriptor, segment.size)
                self.last = self.committed = last_of(descriptor, segment.size) or segment.first - 1
        if segment.size:
            self.segments.append(segment)
        else:
            self._disk.discard(self.path(segment.name))

    # -- writing -----------------------------------------------------------------------------

    def append(self, body: bytes, output: int = 0, *, kept: bool = False) -> int:
        """Number a message. It waits in memory for :meth:`commit`.

        Args:
            body: The message, as ``wire.unnumbered`` returns it.
            output: Bytes of output in the message.
            kept: The message is never dropped. (Such a message has no output.)

        Returns:
            Its sequence number.
        """
        number = self.last + 1
        try:
            entry = _Entry(numbered(body, self.execution_id, number), number, number, output, kept)
        except MemoryError:
            self._reason = "the host had too little memory"
            entry = self._gap(_Entry(b"", number, number, output, False))
        self._waiting.append(entry)
        self.last = number  # only now: no number is given to what was not appended
        self.output += output
        self._waiting_bytes += len(entry.line)
        if self._waiting_bytes >= _BATCH:
            self._write()
        return self.last

    @property
    def waits_for_room(self) -> bool:
        """True if the last commit could not write everything that is never dropped."""
        return not self.closed and (bool(self._waiting) or self._status_due)

    def commit(self) -> bool:
        """Write the waiting messages. Return True if readers have something new since the last commit."""
        self._write()
        if self._status_due:
            self._save_status()
        news, self._news = self._news, False
        return news

    def begin(self) -> None:
        """Set the status to "running". On a full disk the stored status stays "queued"."""
        self.status = replace(self.status, status="running")
        path = self.path(STATUS)
        try:
            self._disk.replace_file(path, path + ".new", dump_status(self.status))
        except OSError:
            self._disk.discard(path + ".new")

    def complete(self, message: CompleteMessage) -> CompleteMessage:
        """Append `complete` and write it, even on a full disk.

        Returns:
            The message with its sequence number, and without the parts that did not fit on a full disk.

        Raises:
            TypeError, ProtocolError: Its value has no JSON form, or is too long.
        """
        message = replace(
            message,
            execution_id=self.execution_id,
            sequence=self.last + 1,
            timestamp=message.timestamp or time.time(),
        )
        self.append(unnumbered(message), kept=True)
        self._write()
        if self._waiting:
            message = self._end_in_reserve(message)
        self.has_ended(message)
        return message

    def has_ended(self, message: CompleteMessage) -> None:
        """Record in the status that the execution ended with ``message``, which is in the spool."""
        self.completion = message
        self.status = replace(
            self.status, status=message.status, last=message.sequence, output=self.output, complete=message
        )
        self._save_status()

    def close(self, *, sync: bool = True) -> None:
        """Write the waiting messages and mark the spool as closed to further messages. Idempotent.

        Args:
            sync: Flush the final status to the disk; else the caller calls :func:`sync_status` later.
        """
        if self.closed:
            return
        self._write()
        if self._waiting:
            self._write_reserve(self._squashed(_END_SIZE))
        if self._status_due:
            self._save_status()
        self._file.close()
        if sync:
            sync_status(self.directory, self._disk)
        self._disk.release_file(self.path(_END), _END_SIZE)
        self._disk.release_file(self.path(STATUS + ".reserve"), STATUS_SIZE)
        if len(self.segments) > 1 or self.trim is not None:
            self._disk.discard(self.path(TRIM + ".reserve"))
        with suppress(OSError):  # readers in other processes notice that the host has ended
            # Renamed rather than made, because that takes no room in the directory.
            self._disk.rename(self.path(_OPEN), self.path(CLOSED))
        self.status = replace(self.status, closed=True)
        self.closed = self._news = True

    def reader(self, after: int = 0, *, follow: bool = False) -> SpoolReader:
        """Write the waiting messages, and return a reader as :meth:`SpoolRecord.reader` does."""
        self._write()
        return super().reader(after, follow=follow)

    def size_of(self, segment: Optional[Segment], descriptor: int) -> int:
        """Return how many bytes of a segment, or of the file of pinned messages, may be read."""
        return self._kept.size if segment is None else segment.size

    # -- from memory to the disk -------------------------------------------------------------

    def _write(self) -> None:
        """Write the waiting messages. If the disk is full, gaps replace messages that may be dropped."""
        if not self._waiting:
            return
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
        """Write as many whole waiting messages as possible. Raises OSError when some are left."""
        segment = self._open_segment()
        data = memoryview(b"".join([entry.line for entry in self._waiting]))  # one line is not copied
        done = 0
        try:
            while done < len(data):
                done += self._file.write(data[done:])
        except OSError:
            self._file.is_torn = done > self._written(segment, done)
            self._repair(segment)
            raise
        is_first = segment.size == 0
        self._written(segment, done)
        if is_first:
            self._trim(self._excess())

    def _written(self, segment: Segment, size: int) -> int:
        """Record that ``size`` waiting bytes were written. Return how many of them are whole messages."""
        count = whole = 0
        for entry in self._waiting:
            if whole + len(entry.line) > size:
                break
            if segment.size == whole == 0:
                self._add(segment)
            if entry.kept and len(self.segments) > 1:
                self._kept.add(entry.line, entry.first, self._written_output)
            whole += len(entry.line)
            count += 1
            self._written_output += entry.output
            self.committed = entry.last
            self._news = True
        del self._waiting[:count]
        segment.size += whole
        return whole

    def _add(self, segment: Segment) -> None:
        if self.segments:
            self.segments[-1].end_output = segment.output
        self.segments.append(segment)
        if len(self.segments) == 2 and self.trim is None:
            self._kept.begin(segment.first - 1, segment.output)
            self._reserve_trim()

    def _repair(self, segment: Segment) -> None:
        """Cut off the remains of a failed write, which readers do not see. Nothing else is appended first."""
        if segment.size == 0:
            self._file.close()
            self._disk.discard(self.path(segment.name))
            return
        with suppress(OSError):
            self._file.repair(segment.size)

    def _open_segment(self) -> Segment:
        """Return the segment to write to, a new one if it is time, with its file open. Raises OSError."""
        newest = self.segments[-1] if self.segments else None
        if newest is not None:
            self._file.repair(newest.size)
        too_long = newest is not None and newest.size >= self._retention.segment
        if newest is None or newest.memory or self._file.is_full or too_long:
            segment = Segment(self._waiting[0].first, self._written_output)
            try:
                self._file.create(self.path(segment.name))
            except OSError:
                if newest is None or newest.memory:
                    raise
            else:
                return segment
        assert newest is not None
        self._file.reopen(self.path(newest.name))
        return newest

    def _made_room(self, error: OSError) -> bool:
        """Make room after a failed write. Return True if a second attempt may succeed."""
        if error.errno == errno.EFBIG and self.segments:
            self._file.is_full = True
            return True
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            waiting = sum(len(entry.line) for entry in self._waiting)
            return self._trim(max(waiting, self._retention.segment))
        return False

    def _squashed(self, room: int) -> list[_Entry]:
        """Reduce the waiting messages to gaps and the newest ``room`` bytes of undroppable ones."""
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
        """Write `complete` into the reserve. Return it without the parts that did not fit."""
        end = self._waiting[-1]
        if len(end.line) > _END_SIZE // 2:
            error = message.error and message.error[:_ERROR]
            message = replace(message, value=None, error=error, extra={})
            line = numbered(unnumbered(message), self.execution_id, message.sequence)
            self._waiting[-1] = end._replace(line=line)
        self._write_reserve(self._squashed(_END_SIZE))
        return message

    def _write_reserve(self, entries: list[_Entry]) -> None:
        """Write into reserved blocks, which become a segment. If that fails, keep the segment in memory."""
        self._file.close()
        self._waiting = entries
        segment = Segment(entries[0].first, self._written_output)
        data = b"".join(entry.line for entry in entries)
        try:
            self._disk.replace_file(self.path(segment.name), self.path(_END), data)
        except OSError:
            segment.memory = data
        self._written(segment, len(data))

    def _save_status(self) -> None:
        path, data = self.path(STATUS), dump_status(self.status)
        self._status_due = True  # until it is stored, readers find the end in the segments
        # A new file if there is room, because cutting the reserve to size can take milliseconds. It is not
        # synced here, because readers wait for it.
        for name in (".new", ".reserve"):
            with suppress(OSError):
                self._disk.replace_file(path, path + name, data, sync=False)
                self._status_due = False
                return
            self._disk.discard(path + ".new")
            self._file.close()  # frees a descriptor, in case no other is left

    # -- retention ---------------------------------------------------------------------------

    def _excess(self) -> int:
        """Return how many bytes to remove; 0 or less if all may stay."""
        limits = self._retention
        excess = sum(segment.size for segment in self.segments) + self._kept.size - limits.limit
        try:
            free, total = self._disk.free(self.directory)
        except OSError:
            return excess
        return max(excess, limits.free_bytes - free, int(limits.free_share * total) - free)

    def _trim(self, excess: int) -> bool:
        """Remove at least ``excess`` bytes, oldest segments first, but never the first. True if any were."""
        self._kept.store()
        count = freed = 0
        for segment, following in zip(self.segments[1:], self.segments[2:]):
            if freed >= excess or 0 < self._kept.unsafe < following.first:
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
            # Written before the files are removed: a reader in another process must know what is missing.
            self._disk.replace_file(path, path + ".reserve", trim.dump())
        except OSError:
            return False
        self.trim = trim
        self.segments = [self.segments[0], *self.segments[1 + count :]]
        for segment in gone:
            self._disk.discard(self.path(segment.name))
        self._kept.store()
        self._reserve_trim()
        return True

    def _reserve_trim(self) -> None:
        with suppress(OSError):  # without the reserve, the next trim needs free space
            self._disk.reserve_file(self.path(TRIM) + ".reserve", _TRIM_SIZE)


def sync_status(directory: str, disk: Disk) -> None:
    """Flush the status of a spool to the disk, if it is still there."""
    with (
        suppress(OSError, InsecurePathError),
        closing(open_own(os.path.join(directory, STATUS))) as descriptor,
    ):
        disk.sync(descriptor)
