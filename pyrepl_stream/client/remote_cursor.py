"""Cursors that read the record of an execution in a remote session."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..runtime.errors import PyreplStreamError
from ..runtime.messages import CompleteMessage, Message
from .events import Attached, Delivered, Finished

if TYPE_CHECKING:
    from .connection import Connection
    from .remote_run import RemoteRun

__all__ = ()

_READ = 256 << 10  # bytes after which a read takes no further batch
_CREDIT = 128 << 10  # bytes to read before the host gets credit for them, which wakes the engine's thread


class RemoteCursor:
    """A position in a remote journal. The host sends a bounded number of bytes ahead of the reader."""

    def __init__(self, run: RemoteRun, connection: Connection, after: int, follow: bool) -> None:
        self.follow = follow
        self.number = 0  # the number of the subscription; used only in the engine's thread
        self._run = run
        self._connection = connection
        self._lock = threading.Lock()  # guards the attributes below
        self.after = after
        self._batches: deque[tuple[list[Message], int]] = deque()
        self._finished = False
        self._error: PyreplStreamError | None = None
        self._taken = 0  # bytes that were read, and for which the host has no credit yet
        self.closed = False
        self._waker: Callable[[], None] | None = None

    @property
    def ended(self) -> bool:
        return self.closed or (self._finished and self._error is None and not self._batches)

    def read(self) -> list[Message]:
        with self._lock:
            if self.closed:
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
                self.after = messages[-1].sequence
            self._taken += size
            taken = self._taken if self._taken >= _CREDIT else 0
            self._taken -= taken
        if taken:
            self._connection.call(self._connection.consumed, self.number, taken)
        return messages

    def when_ready(self, wake: Callable[[], None]) -> None:
        gone = self._connection.gone
        if gone is not None and not self._finished:
            self.finished(gone)
        with self._lock:
            ready = bool(self._batches) or self._finished or self.closed
            self._waker = None if ready else wake
        if ready:
            wake()

    def close(self) -> None:
        with self._lock:
            self.closed = True
            self._batches.clear()
        self._leave()
        self._wake()

    def abandon(self) -> None:
        if not self.closed:  # without the lock: a finalizer may run within any method of this class
            self.closed = True
            self._leave()

    def _leave(self) -> None:
        self._connection.call(lambda: self._connection.detach(self.number))

    # -- called in the engine's thread -------------------------------------------------------

    def handle(self, event: Attached | Delivered | Finished) -> None:
        """Handle an event of the subscription."""
        if isinstance(event, Delivered):
            self._run.on_messages(event.messages)
            self._put(event.messages, event.size)
        elif isinstance(event, Attached):
            self._run.on_status(event.record["status"])
        else:
            self.finished(event.error)

    def finished(self, error: PyreplStreamError | None) -> None:
        if error is None and not self.follow and self._run.completion is None and not self._run.ended:
            # An end that was not seen is never reported as a success.
            why = "the record ended without the end of the execution"
            with self._lock:
                last = self._batches[-1][0][-1].sequence if self._batches else self.after
            self._put([self._run.lost(why, last)], 0)
        with self._lock:
            self._finished, self._error = True, error
        self._wake()

    def lose(self, complete: CompleteMessage) -> None:
        """End with ``complete``, because there is no record."""
        if self.after < complete.sequence:
            self._put([complete], 0)
        self.finished(None)

    def _put(self, messages: list[Message], size: int) -> None:
        with self._lock:
            if not self.closed:
                self._batches.append((messages, size))
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            wake, self._waker = self._waker, None
        if wake is not None:
            wake()
