"""The worker's end of the channel to its host. Only the engine's thread writes to it, never user code."""

from __future__ import annotations

import socket
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Callable, Optional

from ..clock import wall_time
from ..engine.loop import LoopThread
from ..engine.writer import Writer
from ..errors import ProtocolError
from ..journal.sizes import output_bytes
from ..messages import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    ResultMessage,
)
from ..protocol.frames import Frame, FrameDecoder, FrameType, pack
from ..protocol.shared_state import SharedState
from ..wire import unnumbered

__all__ = ("Channel", "ChannelSink")

_FULL = 1 << 20  # bytes of unsent frames at which writers must wait
_RECEIVE = 256 << 10  # maximum bytes to receive at once
_DESCRIPTORS = 16  # maximum number of file descriptors that arrive with one read
_BUFFERS = 64  # maximum number of frames that one call sends
_MOST_TEXT = 1 << 20  # maximum length of the text that replaces a display that cannot be sent
_FLUSH = 1.0  # maximum seconds that a thread waits until its text has been sent to the host


@dataclass(eq=False, repr=False)
class Channel:
    """Sends frames to the host and receives frames from it.

    All methods except :meth:`flush` must be called in the engine's thread.

    Attributes:
        connection: The socket that is connected to the host.
        engine: The engine.
        shared: The state that is shared with the host.
        on_frame: Called with each frame, and the received file descriptors that have not been used yet.
        on_lost: Called when the host has ended.
        writers: The writers that write to this channel. A flush includes all of them.
    """

    connection: socket.socket
    engine: LoopThread
    shared: SharedState
    on_frame: Callable[[Frame, deque[int]], object]
    on_lost: Callable[[], object]
    writers: list[Writer] = field(default_factory=list)
    _decoder: FrameDecoder = field(default_factory=FrameDecoder)
    _descriptors: deque[int] = field(default_factory=deque)
    _out: deque[memoryview] = field(default_factory=deque)
    _size: int = 0  # bytes in _out
    _pushed: int = 0  # total bytes put into _out so far
    _waiting: bool = False  # until the connection accepts more data
    _full: bool = False  # writers wait for room
    _flush_asked: int = 0  # FLUSH frames that are not answered yet
    # Flushes that threads wait for: the value of `_pushed` to reach (None if not known yet), and a callback.
    _flushes: list[tuple[Optional[int], Callable[[], None]]] = field(default_factory=list)

    def start(self) -> None:
        """Begin to receive frames."""
        self.connection.setblocking(False)
        self.engine.loop.add_reader(self.connection, self._receive)

    # -- to the host -------------------------------------------------------------------------

    def push(self, frame: Frame) -> None:
        """Queue a frame; :meth:`send` sends it."""
        data = pack(frame)
        self._out.append(memoryview(data))
        self._size += len(data)
        self._pushed += len(data)

    def send(self) -> None:
        """Send queued frames until the connection does not accept more."""
        try:
            while self._out:
                sent = self.connection.sendmsg([self._out[i] for i in range(min(_BUFFERS, len(self._out)))])
                self._size -= sent
                while sent:
                    if sent < len(self._out[0]):
                        self._out[0] = self._out[0][sent:]
                        break
                    sent -= len(self._out.popleft())
        except BlockingIOError:
            pass
        except OSError:
            self.on_lost()
            return
        self._watch(bool(self._out))
        if self._full and self._size <= _FULL // 2:
            self._full = False
            for writer in self.writers:
                self.engine.call(writer.tick)
        self._settle()

    def has_room(self) -> bool:
        """Return False if too many bytes are unsent; :meth:`Writer.tick` is called once there is room."""
        self._full = self._full or self._size >= _FULL
        return not self._full

    def _watch(self, waiting: bool) -> None:
        if waiting and not self._waiting:
            self.engine.loop.add_writer(self.connection, self.send)
        elif self._waiting and not waiting:
            self.engine.loop.remove_writer(self.connection)
        self._waiting = waiting

    # -- flushing ----------------------------------------------------------------------------

    def flush(self) -> bool:
        """Wait, at most 1 s, until everything written so far is sent. May be called from any thread.

        Returns:
            True if everything was sent. Always True in the engine's thread, which does not wait.
        """
        if not self.shared.pending or threading.get_ident() == self.engine.ident:
            return True
        # A lock, not an event: the methods of an event are Python code, so an interrupt in them can leave the
        # event's own lock held, and the engine would wait for that lock forever.
        waits = threading.Lock()
        waits.acquire()
        return self.engine.call(self._flush, waits.release) and waits.acquire(timeout=_FLUSH)

    def _flush(self, sent: Callable[[], None]) -> None:
        self._tick()
        self._flushes.append((None, sent))
        self.send()

    def _tick(self) -> None:
        """Make every writer look for text, so that a flush that is recorded afterwards includes it."""
        for writer in list(self.writers):
            writer.tick(asked=True)

    def _settle(self) -> None:
        """Answer flushes for which everything has been sent, and record whether text is pending."""
        written = self.shared.written
        if not self._out and all(writer.idle for writer in self.writers):
            self.shared.sent = written
        if not (self._flush_asked or self._flushes) or not all(writer.taken for writer in self.writers):
            return
        if self._flush_asked:
            asked, self._flush_asked = self._flush_asked, 0
            for _ in range(asked):  # answer each: the host may have seen new data in between
                self.push(Frame(FrameType.FLUSHED))
            self.send()
        done = self._pushed - self._size
        targets = [(self._pushed if at is None else at, sent) for at, sent in self._flushes]
        self._flushes = [(at, sent) for at, sent in targets if at > done]
        for at, sent in targets:
            if at <= done:
                sent()

    # -- from the host -----------------------------------------------------------------------

    def _receive(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self.connection, _RECEIVE, _DESCRIPTORS, getattr(socket, "MSG_CMSG_CLOEXEC", 0)
            )
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        self._descriptors.extend(descriptors)
        if not data:
            self.on_lost()
            return
        for frame in self._decoder.feed(data):
            if frame.type is FrameType.FLUSH:
                self._tick()
                self._flush_asked += 1
                self.send()
            else:
                self.on_frame(frame, self._descriptors)


@dataclass(eq=False, repr=False)
class ChannelSink:
    """Sends the messages of one execution to the host, which keeps the journal.

    Attributes:
        channel: The channel.
        ordinal: The host's number for the execution.
        on_close: Called when Python code can no longer write for the execution.
    """

    channel: Channel
    ordinal: int
    on_close: Callable[[], object] = lambda: None
    overflowed: bool = False  # never set: the channel blocks writers, and drops nothing
    _closed: bool = False

    def append(self, message: Message, *, wake: bool = True) -> Message:
        """Queue a message, and send it if ``wake`` is true. Returns the message with its timestamp."""
        stamped = object.__new__(type(message))
        stamped.__dict__.update(message.__dict__, timestamp=message.timestamp or wall_time())
        body = _encode(stamped)
        self.channel.push(Frame(_frame_type(stamped), self.ordinal, body, output_bytes(stamped)))
        if wake:
            self.channel.send()
        return stamped

    def wake(self) -> None:
        """Send the queued data."""
        self.channel.send()

    def has_room(self) -> bool:
        """See :meth:`Channel.has_room`."""
        return self.channel.has_room()

    def close(self) -> None:
        """Report that Python code can no longer write for the execution."""
        if not self._closed:
            self._closed = True
            self.channel.push(Frame(FrameType.CLOSED, self.ordinal))
            self.channel.send()
            self.on_close()


def _frame_type(message: Message) -> FrameType:
    if isinstance(message, CompleteMessage):
        return FrameType.COMPLETE
    if isinstance(message, InputRequestMessage):
        return FrameType.ASK
    return FrameType.KEPT if isinstance(message, (ResultMessage, ErrorMessage)) else FrameType.MESSAGE


def _encode(message: Message) -> bytes:
    try:
        return unnumbered(message)
    except (ProtocolError, TypeError, ValueError, RecursionError) as exc:
        return unnumbered(_replacement(message, exc))


def _replacement(message: Message, exc: Exception) -> Message:
    """Return the replacement for a message that is too long or cannot be represented in JSON."""
    about = f"{type(exc).__name__}: {exc}"
    if isinstance(message, (DisplayMessage, ResultMessage)) and isinstance(message.data, dict):
        plain = message.data.get("text/plain")
        text = plain[:_MOST_TEXT] + "\n" if isinstance(plain, str) else ""
        text += f"[its other forms could not be sent: {about}]"
        return replace(message, data={"text/plain": text}, metadata={})
    if isinstance(message, ErrorMessage):
        return ErrorMessage(timestamp=message.timestamp, name=message.name[:1000], value=about)
    if isinstance(message, CompleteMessage):
        return replace(message, value=None, error=message.error and message.error[:1000], extra={})
    text = f"a {type(message).__name__} could not be sent: {about}"
    return LogMessage(timestamp=message.timestamp, level="ERROR", logger="pyrepl_stream", text=text)
