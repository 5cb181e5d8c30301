"""A journal in memory: one writer numbers and keeps messages, any number of cursors read them.

The writer is one thread (the engine's); cursors may be read from any thread. Memory is limited in
bytes. A cursor *holds* the messages that it has not read; the overflow policy decides what happens when
one of them would have to be removed. A cursor that was never read holds messages only for some seconds, and
without a cursor no messages are held, so an execution is never blocked because it has no reader.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from typing import Callable, Literal, NamedTuple, Optional, get_args

from ..clock import wall_time
from ..messages import CompleteMessage, ErrorMessage, GapMessage, InputRequestMessage, Message, ResultMessage
from ..validation import check_after, check_at_least_one, check_choice
from .sizes import cost_of, output_bytes

Overflow = Literal[
    "block",  # the writer waits for the slowest reader
    "drop_oldest",  # a slow reader loses the oldest messages
    "drop_newest",  # new messages are dropped until the readers have made room
    "fail",  # like "drop_newest"; after that, a write raises BufferOverflowError
]
"""What happens when a reader lags by more than the limit."""

OVERFLOW_POLICIES: tuple[Overflow, ...] = get_args(Overflow)

# Includes input requests: code would wait forever for the answer to a request that was dropped.
NEVER_DROPPED = (ResultMessage, ErrorMessage, CompleteMessage, InputRequestMessage)
_BATCH = 256 * 1024  # maximum bytes of memory of the messages that one read returns


class _Record(NamedTuple):
    sequence: int  # of the message; it is the first field because records are searched by it
    message: Message
    cost: int  # bytes of memory that the message takes
    end: int  # sum of the costs of all records up to and including this one
    output_before: int  # bytes of output in all earlier messages; two such values give the size of a gap
    output: int  # bytes of output in it


_GONE = _Record(0, Message(), 0, 0, 0, 0)


class Journal:
    """Numbers the messages of one execution, and keeps the newest of them."""

    def __init__(
        self,
        execution_id: str,
        *,
        limit: Optional[int] = 4 << 20,
        overflow: Overflow = "block",
        on_room: Callable[[], None] = lambda: None,
    ) -> None:
        """Make an empty journal.

        Args:
            execution_id: The execution whose messages the journal keeps.
            limit: Bytes of memory that the messages may take; None for no limit.
            overflow: What happens when a reader lags by more than ``limit``.
            on_room: Called in a reader's thread when it has made room after :meth:`has_room` returned False.

        Raises:
            UsageError: ``limit`` or ``overflow`` is not valid.
        """
        check_choice("overflow policy", overflow, OVERFLOW_POLICIES)
        check_at_least_one(buffer_bytes=1 if limit is None else limit)
        self.execution_id = execution_id
        self._limit = math.inf if limit is None else limit
        self.overflow = overflow
        self.overflowed = False
        self._on_room = on_room
        self._lock = threading.Lock()  # guards everything below
        self._ring: list[_Record] = []  # from _head on; the records before it are _GONE
        self._head = 0
        self._pinned: list[_Record] = []  # messages that are never dropped, removed from the ring
        self.last = 0  # the highest sequence number so far
        self._total = 0  # bytes of memory of all records ever made
        self._output = 0  # bytes of output of all messages ever numbered
        self._dropping: Optional[GapMessage] = None  # grows while drop_newest drops
        self._cursors: list[Cursor] = []
        self._due_wakers: list[Callable[[], None]] = []
        self._writer_waits = False
        self._asked = False  # the code has asked for input
        self.completion: Optional[CompleteMessage] = None
        self._closed = False

    # -- the writer's side -------------------------------------------------------------------

    def append(self, message: Message, *, wake: bool = True) -> Message:
        """Number, stamp and keep a message.

        Args:
            message: The message, without a sequence number.
            wake: Wake the readers now, rather than at the next :meth:`wake`. In a flood of messages, waking
                them for each message costs more than the messages themselves.

        Returns:
            The message with its number and timestamp.
        """
        with self._lock:
            numbered = self._number(message)
            cost = cost_of(numbered)
            if any(cursor._closed for cursor in self._cursors):  # remove abandoned cursors
                self._cursors = [cursor for cursor in self._cursors if not cursor._closed]
            output = output_bytes(numbered)
            if self._must_drop(numbered, cost):
                self._output += output
                self._drop(numbered, output)
            else:
                self._flush_dropping()  # before `_output` counts output that is not part of the gap
                self._output += output
                self._push(numbered, cost, output)
        if wake:
            self.wake()
        return numbered

    def wake(self) -> None:
        """Wake the readers that wait for messages."""
        with self._lock:
            wakers = self._take_wakers()
        for waker in wakers:
            waker()

    def has_room(self) -> bool:
        """Return False when a writer should wait until ``on_room`` is called."""
        with self._lock:
            room = self.overflow != "block" or self._held() < self._limit
            self._writer_waits = not room
            return room

    def close(self) -> None:
        """End the journal: nothing is appended any more, and cursors that follow it end."""
        with self._lock:
            self._flush_dropping()
            self._closed = True
        self.wake()

    def _number(self, message: Message) -> Message:
        self.last += 1
        # Does what `dataclasses.replace` does, four times as fast: every message passes through here.
        numbered = object.__new__(type(message))
        numbered.__dict__.update(
            message.__dict__,
            execution_id=self.execution_id,
            sequence=self.last,
            timestamp=message.timestamp or wall_time(),
        )
        if isinstance(numbered, CompleteMessage):
            self.completion = numbered
        elif isinstance(numbered, InputRequestMessage):
            self._asked = True
        elif isinstance(numbered, GapMessage):
            numbered = replace(numbered, first=self.last)
        return numbered

    def _must_drop(self, message: Message, cost: int) -> bool:
        if self.overflow not in ("drop_newest", "fail") or isinstance(message, NEVER_DROPPED):
            return False
        return self._held() + cost > self._limit

    def _drop(self, message: Message, output: int) -> None:
        self.overflowed = True
        gap = self._dropping or GapMessage(
            execution_id=self.execution_id,
            timestamp=message.timestamp,
            first=message.span_start,
            reason="the reader lagged, and the newest output was dropped",
        )
        self._dropping = replace(gap, sequence=message.sequence, bytes=output_bytes(gap) + output)

    def _flush_dropping(self) -> None:
        gap, self._dropping = self._dropping, None
        if gap is not None:
            self._push(gap, cost_of(gap), output_bytes(gap))

    def _push(self, message: Message, cost: int, output: int) -> None:
        """Add a message. Its ``output`` must already be included in ``_output``."""
        self._total += cost
        self._ring.append(
            _Record(message.sequence, message, cost, self._total, self._output - output, output)
        )
        if self._kept() > self._limit:
            self._evict()

    def _evict(self) -> None:
        held_from = self._total if self.overflow == "drop_oldest" else self._slowest()
        while len(self._ring) - self._head > 1 and self._kept() > self._limit:
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
    def is_read(self) -> bool:
        """True while at least one of the open cursors has been read."""
        return any(cursor._started for cursor in self._cursors)

    @property
    def kept_bytes(self) -> int:
        """The number of bytes of memory that the messages take up now."""
        return self._kept() + sum(record.cost for record in self._pinned)

    def cursor(self, after: int = 0, *, follow: bool = False) -> Cursor:
        """Return a cursor on the messages after ``after``.

        Args:
            after: A sequence number, or 0 for all messages.
            follow: Continue after `complete` until the journal is closed.

        Raises:
            CursorError: ``after`` is negative, or beyond the last message.
        """
        with self._lock:
            check_after(after, self.last)
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
        """Call ``wake`` once, from any thread, when a reader of the whole result has something to do.

        That is when `complete` has been appended, the journal has been closed, or the code asks for input.
        """
        with self._lock:
            ready = self._is_due()
            if not ready:
                self._due_wakers.append(wake)
        if ready:
            wake()

    def _is_due(self) -> bool:
        return self.completion is not None or self._closed or self._asked

    def snapshot(self) -> list[Message]:
        """Return all messages that are kept now, in order."""
        with self._lock:
            return [record.message for record in (*self._pinned, *self._ring[self._head :])]

    def release_unread(self) -> None:
        """Release the messages held by cursors that were never read."""
        with self._lock:
            for cursor in self._cursors:
                if not cursor._started:
                    cursor._holds = False
            notify = self._made_room()
        if notify:
            self._on_room()

    def _index(self, after: int) -> int:
        """Return the index in the ring of the first record after the sequence number ``after``."""
        return bisect_left(self._ring, (after + 1,), self._head)

    def _made_room(self) -> bool:
        if not self._writer_waits or self._held() > self._limit / 2:
            return False
        self._writer_waits = False
        return True

    def _take_wakers(self) -> list[Callable[[], None]]:
        wakers = []
        for cursor in self._cursors:
            if cursor._waker is not None and (self.last > cursor.after or cursor._ended()):
                wakers.append(cursor._waker)
                cursor._waker = None
        if self._is_due():
            wakers += self._due_wakers
            self._due_wakers = []
        return wakers


class Cursor:
    """A place in a journal. Reading never blocks; :meth:`when_ready` announces new messages."""

    def __init__(self, journal: Journal, after: int, follow: bool) -> None:
        self._journal = journal
        self._follow = follow
        self.after = after  # the sequence number of the last message that was returned
        self._read = 0  # `end` of the last record that was returned
        self._output: Optional[int] = None  # bytes of output up to this place; None if unknown
        self._holds = True
        self._started = False
        self._closed = False
        self._waker: Optional[Callable[[], None]] = None

    @property
    def ended(self) -> bool:
        """True when no message can follow."""
        with self._journal._lock:
            return self._ended()

    def _ended(self) -> bool:
        journal = self._journal
        if self._closed:
            return True
        complete = journal.completion
        if complete is not None and complete.sequence <= self.after and not self._follow:
            return True
        return journal._closed and self.after >= journal.last

    def read(self) -> list[Message]:
        """Return the next messages, at most about 256 KiB, or an empty list if nothing is new.

        A :class:`GapMessage` takes the place of messages that were lost.
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
                if record.message.span_start > self.after + 1:
                    messages.append(self._gap(record))
                messages.append(self._pass(record))
                size += record.cost
                if self._ended():
                    break
            if not messages and journal._dropping is not None:
                journal._flush_dropping()  # the reader has caught up: return the gap
                messages.append(self._pass(journal._ring[-1]))
            notify = journal._made_room()
        if notify:
            journal._on_room()
        return messages

    def when_ready(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when :meth:`read` has messages, or no message can follow."""
        journal = self._journal
        with journal._lock:
            ready = self._ended() or journal.last > self.after
            self._waker = None if ready else wake
        if ready:
            wake()

    def close(self) -> None:
        """Close the cursor, and release the messages that it holds. Idempotent."""
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
        """Close the cursor without the lock: called in a finalizer, which may run inside any method here."""
        self._closed = True
        self._holds = False
        self._journal._on_room()

    def _upcoming(self) -> Iterator[_Record]:
        """Yield the records after this cursor, which the caller may advance while iterating."""
        journal = self._journal
        yield from [record for record in journal._pinned if record.sequence > self.after]
        for index in range(journal._index(self.after), len(journal._ring)):
            yield journal._ring[index]

    def _pass(self, record: _Record) -> Message:
        self.after = record.sequence
        self._read = max(self._read, record.end)
        self._output = record.output_before + record.output
        return record.message

    def _gap(self, record: _Record) -> GapMessage:
        """Return the gap that replaces the messages between this cursor and ``record``."""
        return GapMessage(
            execution_id=record.message.execution_id,
            sequence=record.message.span_start - 1,
            timestamp=record.message.timestamp,
            first=self.after + 1,
            bytes=None if self._output is None else record.output_before - self._output,
            reason="only the newest messages are kept in memory",
        )
