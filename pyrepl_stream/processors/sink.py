"""Base classes of processors that write each message once, however many readers an execution has."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from os import PathLike
from typing import IO

from ..runtime.errors import UsageError
from ..runtime.messages import Message

__all__ = ("Sink", "FileSink")

_REMEMBERED = 1000  # executions whose place is remembered

_Place = tuple[int, int]
"""A sequence number, and a count, since all messages derived from one message have its sequence number."""
_NOWHERE = (0, 0)


class Sink(ABC):
    """Processor that takes each message once, and passes all messages.

    Each reader of an execution offers every message to the sink, which takes the message from the first
    reader that offers it. So readers may start, stop and overtake one another.
    """

    def __init__(self) -> None:
        self._taking = threading.Lock()  # guards _newest; held while a message is taken
        self._newest: dict[str, _Place] = {}  # by execution: the place of the last message taken

    @abstractmethod
    def take(self, message: Message) -> None:
        """Take one message. Called by one thread at a time."""

    def close(self) -> None:  # noqa: B027  # optional
        """Release resources. More messages may follow."""

    def for_reader(self) -> _Feed:
        """Return a processor that offers a reader's messages to this sink."""
        return _Feed(self)

    def __call__(self, message: Message) -> Message:
        """Take one message, for programs with a single reader."""
        with self._taking:
            self.take(message)
        return message

    def _offer(self, message: Message, place: _Place) -> None:
        with self._taking:
            if message.sequence and place <= self._newest.get(message.execution_id, _NOWHERE):
                return
            self._newest.pop(message.execution_id, None)
            self._newest[message.execution_id] = place  # keeps the newest execution last
            if len(self._newest) > _REMEMBERED:
                del self._newest[next(iter(self._newest))]
            self.take(message)


class _Feed:
    """Offers the messages of one reader to a sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._places: dict[str, _Place] = {}  # by execution: the place of the last message
        self.__qualname__ = type(sink).__qualname__  # names the sink in reports of failures
        if hasattr(sink, "stall_timeout"):
            self.stall_timeout = sink.stall_timeout

    def __call__(self, message: Message) -> Message:
        number, count = self._places.get(message.execution_id, _NOWHERE)
        place = (number, count + 1) if message.sequence == number else (message.sequence, 1)
        self._places[message.execution_id] = place
        self._sink._offer(message, place)
        return message

    def close(self) -> None:
        if self._sink._taking.acquire(blocking=False):  # otherwise another reader uses it, or its call hangs
            try:
                self._sink.close()
            finally:
                self._sink._taking.release()


class FileSink(Sink):
    """A sink that writes to a file without a buffer, so that the file contains every message taken.

    The file is opened immediately.

    Args:
        path: The file.
        append: Append to the file, rather than replace its contents.

    Raises:
        UsageError: The file cannot be written.
    """

    _file: IO[bytes] | None = None

    def __init__(self, path: str | PathLike[str], *, append: bool = False) -> None:
        super().__init__()
        self.path = path
        try:
            self._file = open(path, "ab" if append else "wb", buffering=0)
        except (OSError, ValueError) as exc:  # a NUL in the name raises ValueError
            why = exc.strerror if isinstance(exc, OSError) else str(exc)
            raise UsageError(f"{path} cannot be written: {why}") from exc

    def close(self) -> None:
        """Close the file. A later message opens it again."""
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
