"""A file-like writer over anything that can send messages asynchronously."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from typing import Protocol

from .engine.loop import runs_event_loop
from .engine.outbox import Coalescer, Lost, Outbox
from .errors import UsageError
from .messages import GapMessage, Message, StreamType

__all__ = ("MessageSink", "StreamWriter")


_LOOK = 0.1  # seconds between two looks at whether the sink's loop is still there


class MessageSink(Protocol):
    """What a :class:`StreamWriter` sends to: a transport, a queue, a test's recorder."""

    async def send_message(self, message: Message, /) -> object: ...


class StreamWriter(io.TextIOBase):
    """Text written from any thread becomes ``output`` messages, sent on the sink's event loop.

    At most one ``run_coroutine_threadsafe`` is under way: what is written meanwhile is joined, up to
    64 KiB of UTF-8 a message. Sequence numbers start at 1. Beyond ``buffer_bytes`` that the sink has
    not taken, a write waits; on a thread that runs an event loop it never waits, and what does not fit
    is sent as a ``gap``. ``loop`` is the sink's; by default the running one.

    Raises what ``send_message`` raised at the next write or at :meth:`drain`; :class:`UsageError` when
    there is neither a ``loop`` nor a running one; :class:`ValueError` for a write after :meth:`close`.
    """

    def __init__(
        self,
        sink: MessageSink,
        execution_id: str,
        stream: StreamType = StreamType.STDOUT,
        *,
        source: str = "",
        loop: asyncio.AbstractEventLoop | None = None,
        buffer_bytes: int = 4 << 20,
    ) -> None:
        if loop is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                raise UsageError("StreamWriter needs the sink's event loop: pass loop=...") from None
        self._sink = sink
        self._execution_id = execution_id
        self._stream = StreamType(stream)
        self._source = source
        self._loop = loop
        self._limit = buffer_bytes
        self._outbox = Outbox()
        self._coalescer = Coalescer()
        self._lock = threading.Lock()  # guards the four below
        self._sending: Future[None] | None = None
        self._unsent = 0
        self._room = threading.Condition(self._lock)
        self._error: BaseException | None = None
        self._sequence = 0  # the loop's thread only

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read-only, as in a TextIOWrapper
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Queue ``text`` and return its length; the empty text sends nothing."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.closed:
            raise ValueError("write to a closed StreamWriter")
        if text:
            size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
            self._queue(text, size)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back: what was written is already on its way."""

    async def drain(self) -> None:
        """Wait until the sink has taken all that was written so far. Raises what it raised."""
        sending = self._sending
        if sending is not None:
            await asyncio.wrap_future(sending)
        self._raise_error()

    def _queue(self, text: str, size: int) -> None:
        may_wait = not runs_event_loop()
        with self._room:
            self._raise_error()
            while may_wait and self._unsent and self._unsent + size > self._limit and not self._error:
                self._room.wait(_LOOK)
                if self._loop.is_closed():
                    raise RuntimeError("the sink's event loop was closed with text still unsent")
            self._raise_error()
            if not may_wait and self._unsent and self._unsent + size > self._limit:
                self._outbox.lose(text, "the sink lagged, and the writer could not wait")
            else:
                self._outbox.post(self._stream, text, self._source)
                self._unsent += size
            if self._sending is None:
                sending = self._send()
                try:
                    self._sending = asyncio.run_coroutine_threadsafe(sending, self._loop)
                except RuntimeError:  # the loop is closed
                    sending.close()
                    raise

    async def _send(self) -> None:
        while True:
            for message in self._coalescer.messages(self._outbox.take()):
                await self._send_one(message)
            with self._room:
                if self._outbox.empty or self._error is not None:
                    self._sending = None
                    return

    async def _send_one(self, message: Message | Lost) -> None:
        if isinstance(message, Lost):
            message = GapMessage(bytes=message.bytes, reason=message.reason, first=self._sequence + 1)
        self._sequence += 1
        size = 0 if isinstance(message, GapMessage) else _size(message)
        numbered = replace(
            message, execution_id=self._execution_id, sequence=self._sequence, timestamp=time.time()
        )
        try:
            if self._error is None:
                await self._sink.send_message(numbered)
        except BaseException as exc:
            with self._room:
                self._error = exc
            if not isinstance(exc, Exception):
                raise
        finally:
            with self._room:
                self._unsent -= size
                self._room.notify_all()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error


def _size(message: Message) -> int:
    data = getattr(message, "data", "")
    return len(data.encode("utf-8", "surrogatepass"))
