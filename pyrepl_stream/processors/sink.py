"""What is written somewhere is written once, however many readers an execution has."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from os import PathLike
from typing import IO

from ..errors import UsageError
from ..messages import GapMessage, Message, OutputMessage

__all__ = ("Sink", "FileSink")

_REMEMBERED = 1000  # executions


class Sink(ABC):
    """Takes messages, and lets all of them pass.

    Each reader feeds it through an object of its own. The first reader of an execution is the one that
    counts; when it stops, the next one goes on behind the last message that was taken.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards these two
        self._feeds: dict[str, _Feed] = {}  # by execution: whose messages count
        self._last: dict[str, int] = {}  # by execution: the newest sequence number taken

    @abstractmethod
    def take(self, message: Message) -> None:
        """Take one message. Called by one thread at a time."""

    def close(self) -> None:  # noqa: B027  # not every sink has something to do
        """Nothing comes for now; more may come later."""

    def for_reader(self) -> _Feed:
        return _Feed(self)

    def __call__(self, message: Message) -> Message:
        """As its only reader."""
        self.take(message)
        return message

    def _feed(self, feed: _Feed, message: Message) -> None:
        with self._lock:
            key = message.execution_id
            if self._feeds.setdefault(key, feed) is not feed:
                return
            if feed.after is None:
                feed.after = self._last.get(key, 0)
            if 0 < message.sequence <= feed.after:
                return
            self._last[key] = max(message.sequence, self._last.pop(key, 0))  # the newest key last
            if len(self._last) > _REMEMBERED:
                self._feeds.pop(oldest := next(iter(self._last)), None)
                del self._last[oldest]
            self.take(message)

    def _leave(self, feed: _Feed) -> None:
        with self._lock:
            for key in [key for key, other in self._feeds.items() if other is feed]:
                del self._feeds[key]
            if not self._feeds:
                self.close()


class _Feed:
    """What one reader gives to a sink."""

    def __init__(self, sink: Sink) -> None:
        self.after: int | None = None  # messages up to it were taken from an earlier reader
        self._sink = sink
        self.__qualname__ = type(sink).__qualname__  # for what there is to say of failures

    def __call__(self, message: Message) -> Message:
        self._sink._feed(self, message)
        return message

    def close(self) -> None:
        self._sink._leave(self)


class FileSink(Sink):
    """A sink that writes to a file, without a buffer: what was taken is there.

    The file is made, and emptied unless ``append``, at once. Raises :class:`UsageError` where it cannot be.
    """

    _file: IO[bytes] | None = None

    def __init__(self, path: str | PathLike[str], *, append: bool = False) -> None:
        super().__init__()
        self.path = path
        try:
            self._file = open(path, "ab" if append else "wb", buffering=0)
        except (OSError, ValueError) as exc:  # a NUL in the name is a ValueError
            why = exc.strerror if isinstance(exc, OSError) else str(exc)
            raise UsageError(f"{path} cannot be written: {why}") from exc

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    __del__ = close

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = open(self.path, "ab", buffering=0)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]


def text_of(message: Message) -> str | bytes:
    """What a file of output has for a message: its text, and a note where some of it is missing."""
    if isinstance(message, OutputMessage):
        return message.data
    if isinstance(message, GapMessage):
        size = "some" if message.bytes is None else f"{message.bytes:,}"
        return f"\n[{size} bytes of output are missing: {message.reason}]\n"
    return ""
