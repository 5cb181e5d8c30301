"""Reading the messages of an execution, live, through processors."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Awaitable, Iterable, Iterator
from typing import Callable, Optional, Union

from .engine.run import Run
from .errors import UsageError
from .journal import Cursor
from .messages import Message
from .waiting import wait_async, wait_sync

__all__ = ("AnyProcessor", "MessageStream", "Processor")

Processed = Optional[Union[Message, Iterable[Message]]]
Processor = Callable[[Message], Union[Processed, Awaitable[Processed]]]
"""From a message to a message, to several, or to None, which drops it; plain or ``async``."""
AnyProcessor = Union[Processor, type]
"""A processor, or a class of processors: where one has state, each reader makes its own."""


class MessageStream:
    """Messages in order, for ``async for`` (asyncio or trio) and for a plain ``for``.

    It ends at `complete`, or with ``follow=True`` when the session closes. Whoever leaves it early
    holds the execution no longer.
    """

    def __init__(self, run: Run, cursor: Cursor, processors: Iterable[AnyProcessor], batch: bool) -> None:
        self._run = run
        self._cursor = cursor
        self._processors: tuple[Processor, ...] = tuple(
            each() if isinstance(each, type) else each for each in processors
        )
        self._batch = batch
        self._read: deque[Message] = deque()  # not yet processed
        self._messages: deque[Message] = deque()  # not yet handed over
        self._waiting = False
        self._closed = False

    def __aiter__(self) -> MessageStream:
        return self

    async def __anext__(self) -> Message:
        while not self._messages:
            if self._read:
                await self._process_next()
                continue
            if self._batch:
                await wait_async(self._run.journal.when_due)
                self._batch = False
            if not self._closed:
                self._read.extend(self._cursor.read())
            if self._read:
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
        return self._messages.popleft()

    def __iter__(self) -> Iterator[Message]:
        try:
            while (received := self.receive()) is not None:
                yield from received
        finally:
            self.close()

    def receive(self, timeout: float | None = None) -> list[Message] | None:
        """Without an event loop: what has come, empty after ``timeout`` seconds; None at the end."""
        if any(inspect.iscoroutinefunction(processor) for processor in self._processors):
            raise UsageError("an async processor needs `async for`")
        if self._closed:
            return None
        if self._batch:
            if not wait_sync(self._run.journal.when_due, timeout):
                return []
            self._batch = False
        if not self._read:
            self._read.extend(self._cursor.read())
        if not self._read and not self._cursor.ended and wait_sync(self._cursor.when_ready, timeout):
            self._read.extend(self._cursor.read())
        if not self._read:
            return None if self._cursor.ended else []
        while self._read:
            self._messages.extend(_run_chain(self._read.popleft(), self._processors))
        messages = list(self._messages)
        self._messages.clear()
        return messages

    @property
    def after(self) -> int:
        """The sequence number up to which messages were taken from the journal."""
        return self._cursor.after

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """Read no more. Idempotent."""
        self._closed = True
        self._cursor.close()

    def __del__(self) -> None:
        self._cursor.abandon()

    async def _process_next(self) -> None:
        """Process one message. It stays unread when this is cancelled; one that fails is passed over."""
        messages = [self._read[0]]
        try:
            for processor in self._processors:
                processed: list[Message] = []
                for one in messages:
                    returned = processor(one)
                    processed.extend(_listed(await returned if inspect.isawaitable(returned) else returned))
                messages = processed
        except Exception:
            self._read.popleft()
            raise
        self._read.popleft()
        self._messages.extend(messages)


def _run_chain(message: Message, processors: tuple[Processor, ...]) -> list[Message]:
    messages = [message]
    for processor in processors:
        messages = [out for one in messages for out in _listed(processor(one))]  # type: ignore[arg-type]  # no async processor gets here
    return messages


def _listed(processed: Processed) -> list[Message]:
    if processed is None:
        return []
    return [processed] if isinstance(processed, Message) else list(processed)
