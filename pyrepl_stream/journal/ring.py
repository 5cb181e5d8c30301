"""A journal in memory: one writer numbers and keeps messages, any number of cursors read them.

The writer is one thread (the engine's); cursors may be read from any. What is kept is bounded by
bytes. A cursor that still has to read what would have to go *holds* it: what then happens is the
overflow policy. A cursor that nobody reads yet, and messages with no cursor at all, hold nothing for
long: a job that nobody watches never stops for want of a reader.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Callable, NamedTuple, Optional

from ..errors import CursorError, UsageError
from ..messages import (
    CompleteMessage,
    ErrorMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    ResultMessage,
)
from .cost import cost_of, output_bytes

__all__ = ("Journal", "Cursor", "Overflow", "OVERFLOW_POLICIES", "NEVER_DROPPED")

Overflow = str
OVERFLOW_POLICIES: tuple[Overflow, ...] = ("block", "drop_oldest", "drop_newest", "fail")

# An input request too: the code would wait for ever for the answer to a question that nobody saw.
NEVER_DROPPED = (ResultMessage, ErrorMessage, CompleteMessage, InputRequestMessage)
_BATCH = 256 * 1024  # bytes that one read hands over at most, so that unread bytes stay countable


class _Record(NamedTuple):
    message: Message
    cost: int  # bytes of memory
    end: int  # sum of cost up to and with this record
    output_before: int  # bytes of output numbered before this record: a difference is a gap's bytes
    output: int  # and by it


_GONE = _Record(Message(), 0, 0, 0, 0)


class Journal:
    """Numbers the messages of one execution and keeps the newest ``limit`` bytes of them.

    ``limit=None`` keeps everything. ``on_room`` is called, from the reader's thread, when a cursor
    has made room after :meth:`has_room` said no.
    """

    def __init__(
        self,
        execution_id: str,
        *,
        limit: Optional[int] = 4 << 20,
        overflow: Overflow = "block",
        on_room: Callable[[], None] = lambda: None,
    ) -> None:
        if overflow not in OVERFLOW_POLICIES:
            raise UsageError(f"overflow is {overflow!r}, but must be one of {', '.join(OVERFLOW_POLICIES)}")
        if limit is not None and limit < 1:
            raise UsageError(f"buffer_bytes is {limit}, but must be at least 1")
        self.execution_id = execution_id
        self.limit = limit
        self.overflow = overflow
        self.overflowed = False
        self._on_room = on_room
        self._lock = threading.Lock()  # guards everything below
        self._ring: list[_Record] = []  # from _head on; what is before is _GONE
        self._head = 0
        self._pinned: list[_Record] = []  # never-dropped messages that the ring had no room for
        self._last = 0
        self._total = 0  # bytes of memory of all records ever made
        self._output = 0  # bytes of output of all messages ever numbered
        self._dropping: Optional[GapMessage] = None  # grows while drop_newest drops
        self._cursors: list[Cursor] = []
        self._due_wakers: list[Callable[[], None]] = []
        self._writer_waits = False
        self._complete = 0  # the sequence of `complete`
        self._asked = False  # for input
        self.completion: Optional[CompleteMessage] = None
        self._closed = False

    # -- the writer's side -------------------------------------------------------------------

    def append(self, message: Message, *, wake: bool = True) -> Message:
        """Number, stamp and keep ``message``; return it as it went in.

        Without ``wake`` readers learn of it by the next :meth:`wake`: one that is woken for each
        message of a flood costs more than the message.
        """
        with self._lock:
            numbered = self._number(message)
            cost = cost_of(numbered)
            if any(cursor._closed for cursor in self._cursors):  # abandoned
                self._cursors = [cursor for cursor in self._cursors if not cursor._closed]
            dropped = self._must_drop(numbered, cost)
            if not dropped:
                self._flush_dropping()  # before the next line counts what is not the gap's
            output = output_bytes(numbered)
            self._output += output
            if dropped:
                self._drop(numbered)
            else:
                self._push(numbered, cost, self._output - output, output)
        if wake:
            self.wake()
        return numbered

    def wake(self) -> None:
        """Wake the readers that wait for what was appended."""
        with self._lock:
            wakers = self._take_wakers()
        for waker in wakers:
            waker()

    def has_room(self) -> bool:
        """Whether a writer that blocks may go on. After a no, ``on_room`` tells when."""
        with self._lock:
            room = self.limit is None or self.overflow != "block" or self._held() < self.limit
            self._writer_waits = not room
            return room

    def close(self) -> None:
        """Nothing more will come: cursors that follow end."""
        with self._lock:
            self._flush_dropping()
            self._closed = True
            wakers = self._take_wakers()
        for wake in wakers:
            wake()

    def _number(self, message: Message) -> Message:
        self._last += 1
        # What `dataclasses.replace` does, at a quarter of its time: every message goes through here.
        numbered = object.__new__(type(message))
        numbered.__dict__.update(
            message.__dict__,
            execution_id=self.execution_id,
            sequence=self._last,
            timestamp=message.timestamp or time.time(),
        )
        if isinstance(numbered, CompleteMessage):
            self._complete = self._last
            self.completion = numbered
        elif isinstance(numbered, InputRequestMessage):
            self._asked = True
        if isinstance(numbered, GapMessage):
            numbered = replace(numbered, first=self._last)
        return numbered

    def _must_drop(self, message: Message, cost: int) -> bool:
        if self.limit is None or self.overflow not in ("drop_newest", "fail"):
            return False
        if isinstance(message, NEVER_DROPPED):
            return False
        return self._held() + cost > self.limit

    def _drop(self, message: Message) -> None:
        self.overflowed = True
        size = output_bytes(message)
        if self._dropping is None:
            reason = "the reader lagged and the newest was dropped"
            self._dropping = GapMessage(
                execution_id=self.execution_id,
                sequence=message.sequence,
                timestamp=message.timestamp,
                first=message.span_start,
                bytes=size,
                reason=reason,
            )
        else:
            self._dropping = replace(
                self._dropping, sequence=message.sequence, bytes=(self._dropping.bytes or 0) + size
            )

    def _flush_dropping(self) -> None:
        gap, self._dropping = self._dropping, None
        if gap is not None:
            self._push(gap, cost_of(gap), self._output - (gap.bytes or 0), gap.bytes or 0)

    def _push(self, message: Message, cost: int, output_before: int, output: int) -> None:
        self._total += cost
        self._ring.append(_Record(message, cost, self._total, output_before, output))
        if self.limit is not None:
            self._evict(self.limit)

    def _evict(self, limit: int) -> None:
        held_from = self._total if self.overflow == "drop_oldest" else self._slowest()
        while len(self._ring) - self._head > 1 and self._kept() > limit:
            record = self._ring[self._head]
            if record.end > held_from:
                break
            if isinstance(record.message, NEVER_DROPPED):
                self._pinned.append(record)
            self._ring[self._head] = _GONE
            self._head += 1
        if self._head > 64 and self._head * 2 > len(self._ring):
            del self._ring[: self._head]
            self._head = 0

    def _kept(self) -> int:
        if self._head == len(self._ring):
            return 0
        oldest = self._ring[self._head]
        return self._total - (oldest.end - oldest.cost)

    def _slowest(self) -> int:
        return min((cursor._read for cursor in self._cursors if cursor._holds), default=self._total)

    def _held(self) -> int:
        return self._total - self._slowest()

    # -- the readers' side -------------------------------------------------------------------

    @property
    def last(self) -> int:
        """The highest sequence number given so far; 0 when there is none."""
        return self._last

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def is_read(self) -> bool:
        """Whether a cursor is open that somebody has begun to read."""
        return any(cursor._started for cursor in self._cursors)

    @property
    def kept_bytes(self) -> int:
        """Bytes of memory that the messages kept now take."""
        return self._kept() + sum(record.cost for record in self._pinned)

    def cursor(self, after: int = 0, *, follow: bool = False) -> Cursor:
        """Read what comes after sequence number ``after``.

        Raises :class:`CursorError` for a negative ``after`` and for one beyond the last message.
        """
        if isinstance(after, bool) or not isinstance(after, int) or after < 0:
            raise CursorError(f"after is {after!r}, but must be a sequence number, 0 or more")
        with self._lock:
            if after > self._last:
                raise CursorError(f"after is {after}, beyond the end: the last message is {self._last}")
            cursor = Cursor(self, after, follow)
            index = self._index(after)
            if index < len(self._ring):
                record = self._ring[index]
                cursor._read = record.end - record.cost
                if record.message.span_start <= after + 1:
                    cursor._output = record.output_before
            else:
                cursor._read, cursor._output = self._total, self._output
            if after == 0:
                cursor._output = 0
            self._cursors.append(cursor)
            return cursor

    def when_due(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when there is something to do for a reader of batches.

        That is when `complete` has come, when nothing more comes, or when the code asks for input.
        """
        with self._lock:
            ready = self._is_due()
            if not ready:
                self._due_wakers.append(wake)
        if ready:
            wake()

    def _is_due(self) -> bool:
        return self._complete > 0 or self._closed or self._asked

    def snapshot(self) -> list[Message]:
        """All messages that are kept now, in order."""
        with self._lock:
            return [record.message for record in (*self._pinned, *self._ring[self._head :])]

    def release_unread(self) -> None:
        """Cursors that nobody has begun to read hold the writer no longer."""
        with self._lock:
            for cursor in self._cursors:
                if not cursor._started:
                    cursor._holds = False
            notify = self._made_room()
        if notify:
            self._on_room()

    def _index(self, after: int) -> int:
        """The place in the ring of the first record that ends after ``after``."""
        low, high = self._head, len(self._ring)
        while low < high:
            middle = (low + high) // 2
            if self._ring[middle].message.sequence <= after:
                low = middle + 1
            else:
                high = middle
        return low

    def _made_room(self) -> bool:
        if not self._writer_waits or (self.limit is not None and self._held() > self.limit // 2):
            return False
        self._writer_waits = False
        return True

    def _take_wakers(self) -> list[Callable[[], None]]:
        wakers = []
        for cursor in self._cursors:
            if cursor._waker is not None and (self._last > cursor._after or cursor._ended()):
                wakers.append(cursor._waker)
                cursor._waker = None
        if self._is_due():
            wakers += self._due_wakers
            self._due_wakers = []
        return wakers


class Cursor:
    """A place in a journal. Reading never waits; :meth:`when_ready` tells when to come back."""

    def __init__(self, journal: Journal, after: int, follow: bool) -> None:
        self._journal = journal
        self._follow = follow
        self._after = after
        self._read = 0  # bytes of memory of the records that were handed over
        self._output: Optional[int] = None  # bytes of output numbered up to this place, when known
        self._holds = True
        self._started = False
        self._closed = False
        self._waker: Optional[Callable[[], None]] = None

    @property
    def after(self) -> int:
        """The sequence number of the last message handed over."""
        return self._after

    @property
    def ended(self) -> bool:
        """Whether nothing can come any more."""
        with self._journal._lock:
            return self._ended()

    def _ended(self) -> bool:
        journal = self._journal
        if self._closed:
            return True
        if not self._follow and 0 < journal._complete <= self._after:
            return True
        return journal._closed and self._after >= journal._last

    def read(self) -> list[Message]:
        """Hand over the next messages, at most about 256 KiB; none when there is nothing new.

        What was lost before a message comes as a :class:`GapMessage` in its place.
        """
        journal = self._journal
        with journal._lock:
            self._started = True
            self._holds = not self._closed
            if self._ended():
                return []
            messages: list[Message] = []
            size = 0
            for record in self._upcoming():
                if size and size + record.cost > _BATCH:
                    break
                if record.message.span_start > self._after + 1:
                    messages.append(self._gap(record))
                messages.append(self._pass(record))
                size += record.cost
                if self._ended():
                    break
            if not messages and journal._dropping is not None:
                journal._flush_dropping()  # the reader has caught up: let it see the gap
                messages.append(self._pass(journal._ring[-1]))
            notify = journal._made_room()
        if notify:
            journal._on_room()
        return messages

    def when_ready(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when :meth:`read` has something or the end came."""
        journal = self._journal
        with journal._lock:
            ready = self._ended() or journal._last > self._after
            self._waker = None if ready else wake
        if ready:
            wake()

    def close(self) -> None:
        """Read no more, and hold nothing. Idempotent."""
        journal = self._journal
        with journal._lock:
            self._closed = True
            self._holds = False
            wake, self._waker = self._waker, None
            if self in journal._cursors:
                journal._cursors.remove(self)
            notify = journal._made_room()
        if wake is not None:
            wake()
        if notify:
            journal._on_room()

    def abandon(self) -> None:
        """As :meth:`close`, for a finalizer: it may run inside any method here, so it takes no lock."""
        self._closed = True
        self._holds = False
        self._journal._on_room()

    def _upcoming(self) -> list[_Record]:
        """The records after this place, a batch of them."""
        journal = self._journal
        records = [record for record in journal._pinned if record.message.sequence > self._after]
        size = 0
        for index in range(journal._index(self._after), len(journal._ring)):
            record = journal._ring[index]
            records.append(record)
            size += record.cost
            if size > _BATCH:
                break
        return records

    def _pass(self, record: _Record) -> Message:
        self._after = record.message.sequence
        self._read = max(self._read, record.end)
        self._output = record.output_before + record.output
        return record.message

    def _gap(self, record: _Record) -> GapMessage:
        """What stands for the messages between this place and ``record``."""
        return GapMessage(
            execution_id=record.message.execution_id,
            sequence=record.message.span_start - 1,
            timestamp=record.message.timestamp,
            first=self._after + 1,
            bytes=None if self._output is None else record.output_before - self._output,
            reason="only the newest messages are kept in memory",
        )
