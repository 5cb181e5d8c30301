"""Text files that send what is written to them as messages, to any object with ``send_message``."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from typing import Protocol

from ..runtime.engine.loop import runs_event_loop
from ..runtime.engine.write_buffer import Coalescer, WriteBuffer
from ..runtime.errors import UsageError
from ..runtime.messages import GapMessage, Message, OutputMessage, StreamType
from ..runtime.text import utf8_size

__all__ = ("MessageSink", "StreamWriter")


_LOOK = 0.1  # seconds between two checks that the sink's loop still runs


class MessageSink(Protocol):
    """The destination of a :class:`StreamWriter`: a transport, a queue, a test's recorder."""

    async def send_message(self, message: Message, /) -> object:
        """Send ``message``. Called on the sink's event loop, for one message at a time."""


class StreamWriter(io.TextIOBase):
    """A text file whose text, written by any thread, is sent as `output` messages on the sink's event loop.

    Text that is written while a message is being sent is joined into messages of up to 64 KiB of UTF-8.
    Sequence numbers start at 1. An error of the sink is raised by the next write, and by :meth:`drain`.

    Args:
        sink: The destination of the messages.
        execution_id: The execution id of the messages.
        stream: The stream of the messages.
        source: The label of the messages.
        loop: The event loop of the sink; None for the running event loop.
        buffer_bytes: Maximum number of unsent bytes. A write that would exceed it waits; in a thread that
            runs an event loop, it drops the text instead, and a `gap` message is sent.

    Raises:
        UsageError: No ``loop`` is given, and no event loop is running.
    """

    encoding = "utf-8"

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
        self._buffer = WriteBuffer()
        self._coalescer = Coalescer()
        self._room = threading.Condition()  # guards the next three attributes
        self._sending: Future[None] | None = None
        self._unsent = 0  # bytes
        self._error: BaseException | None = None
        self._sequence = 0  # used only by the loop's thread

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Queue ``text`` and return its length. An empty text sends nothing."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.closed:
            raise ValueError("write to a closed StreamWriter")
        if text:
            with self._room:
                self._raise_error()
                self._queue(text, utf8_size(text))
                self._raise_error()
                self._ensure_sending()
        return len(text)

    def flush(self) -> None:
        """Do nothing: text is sent as soon as it is written."""

    async def drain(self) -> None:
        """Wait until the sink has taken all text so far. Raises the error of the sink."""
        sending = self._sending
        if sending is not None:
            await asyncio.wrap_future(sending)
        self._raise_error()

    def _queue(self, text: str, size: int) -> None:
        """Queue ``text`` once there is room. If this thread cannot wait, queue a gap in place of the text."""
        while self._unsent and self._unsent + size > self._limit and self._error is None:
            if runs_event_loop():
                reason = "the sink lagged, and the writer could not wait"
                self._buffer.post(None, GapMessage(bytes=size, reason=reason))
                return
            self._room.wait(_LOOK)
            if self._loop.is_closed():
                raise RuntimeError("the sink's event loop was closed with text still unsent")
        self._buffer.post(self._stream, text, self._source)
        self._unsent += size

    def _ensure_sending(self) -> None:
        if self._sending is None:
            sending = self._send()
            try:
                self._sending = asyncio.run_coroutine_threadsafe(sending, self._loop)
            except RuntimeError:  # the loop is closed
                sending.close()
                raise

    async def _send(self) -> None:
        while True:
            for item in self._coalescer.messages(self._buffer.take()):
                await self._send_one(item)
            with self._room:
                if self._buffer.empty or self._error is not None:
                    self._sending = None
                    return

    async def _send_one(self, item: Message) -> None:
        self._sequence += 1
        size = 0
        if isinstance(item, GapMessage):
            item = replace(item, first=self._sequence)
        else:
            assert isinstance(item, OutputMessage)
            size = utf8_size(item.data)
        message = replace(
            item, execution_id=self._execution_id, sequence=self._sequence, timestamp=time.time()
        )
        try:
            if self._error is None:
                await self._sink.send_message(message)
        except BaseException as exc:
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
