"""Streams of messages: live reading of an execution through processors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from .pipeline import Pipeline
from .runtime.errors import UsageError
from .runtime.messages import CompleteMessage, Message
from .waiting import wait_async, wait_sync

__all__ = ("MessageStream",)


class ReadCursor(Protocol):
    """A position in a journal. See :class:`Cursor`. One thread reads at a time; any thread may close it."""

    @property
    def after(self) -> int:
        """The sequence number of the last message that was returned."""

    @property
    def ended(self) -> bool:
        """True when no more messages can come."""

    def read(self) -> list[Message]:
        """Return the next messages, or an empty list. Never waits.

        Raises the error that prevents the reading of a remote execution.
        """

    def when_ready(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when there are messages or the end is reached."""

    def close(self) -> None:
        """Stop reading. Idempotent."""

    def abandon(self) -> None:
        """Stop reading, as :meth:`close` does. Called by finalizers."""


class ReadJournal(Protocol):
    """The journal of one execution. See :class:`Journal`."""

    @property
    def completion(self) -> CompleteMessage | None:
        """The `complete` message, if it is known here."""

    def cursor(self, after: int = 0, *, follow: bool = False) -> ReadCursor:
        """Return a cursor that reads after the sequence number ``after``.

        If the number is not valid, this call or the first read raises :class:`CursorError`.
        """

    def snapshot(self) -> list[Message]:
        """Return the messages that are still kept, in order."""

    def when_due(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when the code has ended or asks for input."""


class MessageStream:
    """The messages of an execution, in order. Iterate with ``async for`` (asyncio and trio) or ``for``.

    It ends after `complete`, or with ``follow=True`` when the session closes. Make one with
    :meth:`Execution.attach`. Two tasks cannot read the same stream. Close a stream that is not read to its
    end, since a reader that lags delays the code.
    """

    def __init__(self, journal: ReadJournal, cursor: ReadCursor, pipeline: Pipeline, batch: bool) -> None:
        self._journal = journal
        self._cursor = cursor
        self._pipeline = pipeline
        self._batch = batch
        self._waiting = False
        self._closed = False

    def __aiter__(self) -> MessageStream:
        return self

    async def __anext__(self) -> Message:
        while not self._pipeline.ready:
            if self._pipeline.busy:
                await self._pipeline.run_async()
                continue
            if self._batch:
                await wait_async(self._journal.when_due)
                self._batch = False
            messages = [] if self._closed else self._cursor.read()
            if messages:
                self._pipeline.add(messages)
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
        return self._pipeline.ready.popleft()

    def __iter__(self) -> Iterator[Message]:
        try:
            while (received := self.receive()) is not None:
                yield from received
        finally:
            self.close()

    def receive(self, timeout: float | None = None) -> list[Message] | None:
        """Return the next messages, without an event loop.

        Args:
            timeout: Seconds to wait for a message; None waits without a limit.

        Returns:
            The messages; an empty list after the timeout or if the processors dropped them; None at the end.

        Raises:
            UsageError: A processor is async.
        """
        if self._pipeline.is_async:
            raise UsageError("an async processor needs `async for`")
        if self._closed:
            return None
        if self._batch:
            if not wait_sync(self._journal.when_due, timeout):
                return []
            self._batch = False
        pipeline = self._pipeline
        if not pipeline.busy and not pipeline.ready:
            read = self._cursor.read()
            if not read and not self._cursor.ended and wait_sync(self._cursor.when_ready, timeout):
                read = self._cursor.read()
            if not read:
                return None if self._cursor.ended else []
            pipeline.add(read)
        pipeline.run()
        messages = list(pipeline.ready)
        pipeline.ready.clear()
        return messages

    @property
    def after(self) -> int:
        """The sequence number of the last message that was taken from the journal."""
        return self._cursor.after

    def leave(self) -> Pipeline:
        """Close the stream, but return its pipeline without closing it.

        A new stream can use the pipeline to continue after :attr:`after`.
        """
        pipeline, self._pipeline = self._pipeline, Pipeline(())
        self.close()
        return pipeline

    async def aclose(self) -> None:
        """Close the stream. See :meth:`close`."""
        self.close()

    def close(self) -> None:
        """Stop reading, and close the processors. Idempotent."""
        self._closed = True
        self._cursor.close()
        self._pipeline.close()

    def __del__(self) -> None:
        self._cursor.abandon()
