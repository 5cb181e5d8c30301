"""The worker's end of the channel to its host. User threads never write to it: the engine's thread does."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Callable, Optional

from ..engine.loop import LoopThread
from ..engine.writer import Writer
from ..errors import ProtocolError
from ..journal import Journal
from ..journal.cost import output_bytes
from ..messages import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    ResultMessage,
)
from ..wire import unnumbered
from .frames import Frame, FrameDecoder, FrameType, pack
from .shared import SharedState

__all__ = ("Channel", "ChannelJournal")

_FULL = 1 << 20  # bytes that wait for the host before writers wait
_RECEIVE = 256 << 10
_DESCRIPTORS = 16  # most that come with one read
_BUFFERS = 64  # that one call sends
_MOST_TEXT = 1 << 20  # characters of a display of which nothing else can be sent
_FLUSH = 1.0  # seconds that a thread waits at most until the host has what was written

Hear = Callable[[Frame, "deque[int]"], object]


class Channel:
    """All methods are for the engine's thread, but for :meth:`flush` and :meth:`forget`.

    ``hear`` is called with each frame and the descriptors that have come and were not taken yet;
    ``lost`` when the host has gone.
    """

    def __init__(
        self,
        connection: socket.socket,
        engine: LoopThread,
        shared: SharedState,
        hear: Hear,
        lost: Callable[[], object],
    ) -> None:
        self._connection = connection
        self._engine = engine
        self._shared = shared
        self._hear = hear
        self._lost = lost
        self._decoder = FrameDecoder()
        self._descriptors: deque[int] = deque()
        self._out: deque[memoryview] = deque()
        self._size = 0  # bytes in _out
        self._pushed = 0  # bytes ever put there
        self._waiting = False  # for the connection to take more
        self._full = False  # writers were told that there is no room
        self._writers: list[Writer] = []
        self._flush_asked = 0  # times, by the host
        # At how many bytes, once known, and what to call then.
        self._flushes: list[tuple[Optional[int], Callable[[], None]]] = []

    def start(self) -> None:
        self._connection.setblocking(False)
        self._engine.loop.add_reader(self._connection, self._receive)

    def forget(self) -> None:
        """This is a forked child: the channel is its parent's."""
        self._connection.close()

    # -- to the host -------------------------------------------------------------------------

    def add(self, writer: Writer) -> None:
        """``writer`` sends through this channel: a flush is for it too."""
        self._writers.append(writer)

    def remove(self, writer: Writer) -> None:
        if writer in self._writers:
            self._writers.remove(writer)

    def push(self, frame: Frame) -> None:
        """Queue a frame; :meth:`send` sends it."""
        data = pack(frame)
        self._out.append(memoryview(data))
        self._size += len(data)
        self._pushed += len(data)

    def send(self) -> None:
        """Send what is queued, as far as the connection takes it."""
        try:
            while self._out:
                sent = self._connection.sendmsg([self._out[i] for i in range(min(_BUFFERS, len(self._out)))])
                self._size -= sent
                while sent:
                    if sent < len(self._out[0]):
                        self._out[0] = self._out[0][sent:]
                        break
                    sent -= len(self._out.popleft())
        except BlockingIOError:
            pass
        except OSError:
            self._lost()
            return
        self._watch(bool(self._out))
        if self._full and self._size <= _FULL // 2:
            self._full = False
            for writer in self._writers:
                self._engine.call(writer.tick)
        self._settle()

    def has_room(self) -> bool:
        self._full = self._full or self._size >= _FULL
        return not self._full

    def _watch(self, waiting: bool) -> None:
        if waiting and not self._waiting:
            self._engine.loop.add_writer(self._connection, self.send)
        elif self._waiting and not waiting:
            self._engine.loop.remove_writer(self._connection)
        self._waiting = waiting

    # -- flushing ----------------------------------------------------------------------------

    def flush(self) -> bool:
        """Wait until the host can read what was written; whether it can. Not for the engine's thread."""
        if not self._shared.pending or threading.get_ident() == self._engine.ident:
            return True
        # No event: its methods are Python code, which an interrupt can leave with the event's lock taken. The
        # engine would wait for that for ever.
        waits = threading.Lock()
        waits.acquire()
        return self._engine.call(self._flush, waits.release) and waits.acquire(timeout=_FLUSH)

    def _flush(self, sent: Callable[[], None]) -> None:
        self._tick()
        self._flushes.append((None, sent))
        self.send()

    def _tick(self) -> None:
        """Have every writer look for text. A flush that is noted after this is for what was there before."""
        for writer in list(self._writers):
            writer.tick(asked=True)

    def _settle(self) -> None:
        """See whether everything that was written has been sent, and answer those who asked for it."""
        written = self._shared.written
        if not self._out and all(writer.idle for writer in self._writers):
            self._shared.sent = written
        if not (self._flush_asked or self._flushes) or not all(writer.taken for writer in self._writers):
            return
        if self._flush_asked:
            asked, self._flush_asked = self._flush_asked, 0
            for _ in range(asked):  # each is answered: the host may have seen something new meanwhile
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
                self._connection, _RECEIVE, _DESCRIPTORS, getattr(socket, "MSG_CMSG_CLOEXEC", 0)
            )
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        self._descriptors.extend(descriptors)
        if not data:
            self._lost()
            return
        for frame in self._decoder.feed(data):
            if frame.type is FrameType.FLUSH:
                self._tick()
                self._flush_asked += 1
                self.send()
            else:
                self._hear(frame, self._descriptors)


class ChannelJournal(Journal):
    """The journal of an execution whose host keeps it: what is appended goes there, and is not kept here."""

    def __init__(self, channel: Channel, execution_id: str, ordinal: int) -> None:
        super().__init__(execution_id, limit=None)
        self._channel = channel
        self._ordinal = ordinal

    def append(self, message: Message, *, wake: bool = True) -> Message:
        stamped = object.__new__(type(message))
        stamped.__dict__.update(message.__dict__, timestamp=message.timestamp or time.time())
        body = _body(stamped)
        self._channel.push(Frame(_kind(stamped), self._ordinal, body, output_bytes(stamped)))
        if isinstance(stamped, CompleteMessage):
            self.completion = stamped
        if wake:
            self._channel.send()
        return stamped

    def wake(self) -> None:
        self._channel.send()

    def has_room(self) -> bool:
        return self._channel.has_room()

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._channel.push(Frame(FrameType.CLOSED, self._ordinal))
            self._channel.send()


def _kind(message: Message) -> FrameType:
    if isinstance(message, CompleteMessage):
        return FrameType.COMPLETE
    if isinstance(message, InputRequestMessage):
        return FrameType.ASK
    return FrameType.KEPT if isinstance(message, (ResultMessage, ErrorMessage)) else FrameType.MESSAGE


def _body(message: Message) -> bytes:
    try:
        return unnumbered(message)
    except (ProtocolError, TypeError, ValueError, RecursionError) as exc:
        return unnumbered(_sayable(message, exc))


def _sayable(message: Message, exc: Exception) -> Message:
    """What is said in place of a message that JSON cannot hold, or not in the size that it may have."""
    about = f"{type(exc).__name__}: {exc}"
    if isinstance(message, (DisplayMessage, ResultMessage)) and isinstance(message.data, dict):
        plain = message.data.get("text/plain")
        text = plain[:_MOST_TEXT] + "\n" if isinstance(plain, str) else ""
        text += f"[its other forms could not be sent: {about}]"
        return replace(message, data={"text/plain": text}, metadata={})
    if isinstance(message, ErrorMessage):
        return ErrorMessage(timestamp=message.timestamp, name=message.name[:1000], value=about)
    if isinstance(message, CompleteMessage):
        return CompleteMessage(
            timestamp=message.timestamp,
            success=message.success,
            status=message.status,
            exit_code=message.exit_code,
            error=message.error and message.error[:1000],
            duration=message.duration,
        )
    text = f"a {type(message).__name__} could not be sent: {about}"
    return LogMessage(timestamp=message.timestamp, level="ERROR", logger="pyrepl_stream", text=text)
