"""Reading the record of an execution elsewhere as if it were here."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import CursorError, PyreplStreamError
from ..messages import CompleteMessage, Message
from ..waiting import wait_sync

if TYPE_CHECKING:
    from .remote_run import RemoteRun

__all__ = ()

_READ = 256 << 10  # bytes that one read hands over
_GIVEN_BACK = 128 << 10  # bytes that are read before the other side is told: each time costs a wake-up


class RemoteCursor:
    """A place in a record elsewhere, which is read ahead of its reader by a bounded number of bytes."""

    def __init__(self, run: RemoteRun, after: int, follow: bool) -> None:
        self.follow = follow
        self.number = 0  # of the attach; the engine's thread only
        self._run = run
        self._lock = threading.Lock()  # guards what follows
        self._after = after
        self._batches: deque[tuple[list[Message], int]] = deque()
        self._finished = False
        self._error: PyreplStreamError | None = None
        self._taken = 0  # bytes that were read and not given back yet
        self._closed = False
        self._waker: Callable[[], None] | None = None

    @property
    def after(self) -> int:
        return self._after

    @property
    def ended(self) -> bool:
        return self._closed or (self._finished and self._error is None and not self._batches)

    def read(self) -> list[Message]:
        with self._lock:
            if self._closed:
                return []
            if not self._batches and self._error is not None:
                raise self._error
            messages: list[Message] = []
            size = 0
            while self._batches and size < _READ:
                batch, cost = self._batches.popleft()
                messages += batch
                size += cost
            if messages:
                self._after = messages[-1].sequence
            self._taken += size
            taken = self._taken if self._taken >= _GIVEN_BACK else 0
            self._taken -= taken
        if taken:
            self._run.consumed(self, taken)
        return messages

    def when_ready(self, wake: Callable[[], None]) -> None:
        gone = self._run.gone
        if gone is not None and not self._finished:
            self.finished(gone)
        with self._lock:
            ready = bool(self._batches) or self._finished or self._closed
            self._waker = None if ready else wake
        if ready:
            wake()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._batches.clear()
            wake, self._waker = self._waker, None
        self._run.leave(self)
        if wake is not None:
            wake()

    def abandon(self) -> None:
        if not self._closed:  # no lock: this may run inside any method here
            self._closed = True
            self._run.leave(self)

    # -- the engine's thread -----------------------------------------------------------------

    def attached(self, record: Mapping[str, Any]) -> None:
        self._run.heard(record["status"])

    def delivered(self, messages: list[Message], size: int) -> None:
        self._run.heard_messages(messages)
        self._put(messages, size)

    def finished(self, error: PyreplStreamError | None) -> None:
        if error is None and not self.follow and self._run.completion is None and not self._run.ended:
            # An end that was not seen is never a success.
            why = "the record ended without saying how the execution did"
            self._put([self._run.lost(why, self._last())], 0)
        self._put([], 0, finished=True, error=error)

    def lose(self, complete: CompleteMessage) -> None:
        """There never was a record: ``complete`` is all there is."""
        self._put([complete] if self._last() < complete.sequence else [], 0, finished=True)

    def _last(self) -> int:
        with self._lock:
            return self._batches[-1][0][-1].sequence if self._batches else self._after

    def _put(
        self,
        messages: list[Message],
        size: int,
        *,
        finished: bool = False,
        error: PyreplStreamError | None = None,
    ) -> None:
        with self._lock:
            if messages and not self._closed:
                self._batches.append((messages, size))
            self._finished, self._error = finished, error
            wake, self._waker = self._waker, None
        if wake is not None:
            wake()


class RemoteJournal:
    """The record of one execution elsewhere."""

    def __init__(self, run: RemoteRun) -> None:
        self._run = run

    @property
    def completion(self) -> CompleteMessage | None:
        return self._run.completion

    def cursor(self, after: int = 0, *, follow: bool = False) -> RemoteCursor:
        """An ``after`` beyond the last message is known to be so when it is read."""
        if isinstance(after, bool) or not isinstance(after, int) or after < 0:
            raise CursorError(f"after is {after!r}, but must be a sequence number, 0 or more")
        cursor = RemoteCursor(self._run, after, follow)
        self._run.enter(cursor)
        return cursor

    def snapshot(self) -> list[Message]:
        """All that the record holds now, read anew. Raises what keeps it from being read."""
        if self._run.never_ran is not None:
            return [self._run.never_ran]
        last = self._run.peek().wait()["last"]
        messages: list[Message] = []
        if last == 0:
            return messages
        cursor = self.cursor(follow=True)
        try:
            while cursor.after < last and not cursor.ended:
                wait_sync(cursor.when_ready, None)
                messages += cursor.read()
        finally:
            cursor.close()
        return messages

    def when_due(self, wake: Callable[[], None]) -> None:
        self._run.when_due(wake)
