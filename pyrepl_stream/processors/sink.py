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

_Place = tuple[int, int]
"""A sequence number, and how many messages have had it: what processors derive shares that of its origin."""
_NOWHERE = (0, 0)


class Sink(ABC):
    """Takes messages, and lets all of them pass.

    Each reader offers it what it reads. A message is taken from the reader that comes with it first, so
    readers may come and go and overtake one another.
    """

    def __init__(self) -> None:
        self._taking = threading.Lock()  # guards _newest, and is held while a message is taken
        self._newest: dict[str, _Place] = {}  # by execution: the last message that was taken

    @abstractmethod
    def take(self, message: Message) -> None:
        """Take one message. Called by one thread at a time."""

    def close(self) -> None:  # noqa: B027  # not every sink has something to do
        """Nothing comes for now; more may come later."""

    def for_reader(self) -> _Feed:
        return _Feed(self)

    def __call__(self, message: Message) -> Message:
        """As its only reader."""
        with self._taking:
            self.take(message)
        return message

    def _offer(self, message: Message, place: _Place) -> None:
        with self._taking:
            if message.sequence and place <= self._newest.get(message.execution_id, _NOWHERE):
                return
            self._newest.pop(message.execution_id, None)
            self._newest[message.execution_id] = place  # the newest execution last
            if len(self._newest) > _REMEMBERED:
                del self._newest[next(iter(self._newest))]
            self.take(message)

    def _leave(self) -> None:
        if self._taking.acquire(blocking=False):  # else somebody else goes on, or never returns
            try:
                self.close()
            finally:
                self._taking.release()


class _Feed:
    """What one reader offers to a sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._places: dict[str, _Place] = {}  # by execution: the message that came last
        self.__qualname__ = type(sink).__qualname__  # for what there is to say of failures
        if hasattr(sink, "stall_timeout"):
            self.stall_timeout = sink.stall_timeout

    def __call__(self, message: Message) -> Message:
        number, count = self._places.get(message.execution_id, _NOWHERE)
        place = (number, count + 1) if message.sequence == number else (message.sequence, 1)
        self._places[message.execution_id] = place
        self._sink._offer(message, place)
        return message

    def close(self) -> None:
        self._sink._leave()


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
