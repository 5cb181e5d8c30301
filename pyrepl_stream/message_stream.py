"""Reading the messages of an execution, live, through processors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable, Optional, Protocol

from .chain import Chain
from .errors import UsageError
from .messages import CompleteMessage, Message
from .waiting import wait_async, wait_sync

__all__ = ("MessageStream",)


class ReadCursor(Protocol):
    """A place in a journal, wherever that is: see :class:`Cursor`. Used by one reader, closed by any."""

    @property
    def after(self) -> int:
        """The sequence number of the last message handed over."""

    @property
    def ended(self) -> bool:
        """Whether nothing can come any more."""

    def read(self) -> list[Message]:
        """Hand over the next messages; none when there is nothing new. Never waits.

        Raises what keeps an execution elsewhere from being read.
        """

    def when_ready(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when :meth:`read` has something or the end came."""

    def close(self) -> None:
        """Read no more. Idempotent."""

    def abandon(self) -> None:
        """As :meth:`close`, for a finalizer."""


class ReadJournal(Protocol):
    """The record of one execution, wherever that is: see :class:`Journal`."""

    @property
    def completion(self) -> Optional[CompleteMessage]:
        """`complete`, when it is known here."""

    def cursor(self, after: int = 0, *, follow: bool = False) -> ReadCursor:
        """Read what comes after ``after``. Raises :class:`CursorError`, or has the cursor raise it."""

    def snapshot(self) -> list[Message]:
        """All messages that are kept now, in order."""

    def when_due(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when there is something to do for a reader of batches."""


class ReadRun(Protocol):
    @property
    def journal(self) -> ReadJournal: ...


class MessageStream:
    """Messages in order, for ``async for`` (asyncio or trio) and for a plain ``for``.

    It ends at `complete`, or with ``follow=True`` when the session closes. Whoever leaves it early
    holds the execution no longer.
    """

    def __init__(self, run: ReadRun, cursor: ReadCursor, chain: Chain, batch: bool) -> None:
        self._run = run
        self._cursor = cursor
        self._chain = chain
        self._batch = batch
        self._waiting = False
        self._closed = False

    def __aiter__(self) -> MessageStream:
        return self

    async def __anext__(self) -> Message:
        while not self._chain.ready:
            if self._chain.busy:
                await self._chain.run_async()
                continue
            if self._batch:
                await wait_async(self._run.journal.when_due)
                self._batch = False
            messages = [] if self._closed else self._cursor.read()
            if messages:
                self._chain.add(messages)
                continue
            if self._closed or self._cursor.ended:
                self.close()
                raise StopAsyncIteration
            if self._waiting:
                raise UsageError("two tasks read one stream of messages: give each its own attach()")
            self._waiting = True
            try:
                await wait_async(self._cursor.when_ready)
            finally:
                self._waiting = False
        return self._chain.ready.popleft()

    def __iter__(self) -> Iterator[Message]:
        try:
            while (received := self.receive()) is not None:
                yield from received
        finally:
            self.close()

    def receive(self, timeout: float | None = None) -> list[Message] | None:
        """Without an event loop: what has come, empty after ``timeout`` seconds; None at the end."""
        if self._chain.is_async:
            raise UsageError("an async processor needs `async for`")
        if self._closed:
            return None
        if self._batch:
            if not wait_sync(self._run.journal.when_due, timeout):
                return []
            self._batch = False
        chain = self._chain
        if not chain.busy and not chain.ready:
            read = self._cursor.read()
            if not read and not self._cursor.ended and wait_sync(self._cursor.when_ready, timeout):
                read = self._cursor.read()
            if not read:
                return None if self._cursor.ended else []
            chain.add(read)
        chain.run()
        messages = list(chain.ready)
        chain.ready.clear()
        return messages

    @property
    def after(self) -> int:
        """The sequence number up to which messages were taken from the journal."""
        return self._cursor.after

    def leave(self) -> Chain:
        """Hold the execution no longer; whoever goes on :attr:`after` this needs the chain."""
        chain, self._chain = self._chain, Chain(())
        self.close()
        return chain

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """Read no more. Idempotent."""
        self._closed = True
        self._cursor.close()
        self._chain.close()

    def __del__(self) -> None:
        self._cursor.abandon()

