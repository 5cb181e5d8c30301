"""The read end of what is descriptor 1 or 2 of an execution, and of all that it starts."""

from __future__ import annotations

import codecs
import os
import time
from collections.abc import Iterator
from typing import Optional

from ..messages import OutputMessage, StreamType
from ..wire import unnumbered

__all__ = ("OutputPipe", "READ_BYTES")

READ_BYTES = 256 << 10
"""Most that is read at once."""

_MESSAGE = 64 << 10  # most bytes of output of one message
_SET_PIPE_SIZE = 1031  # fcntl(2)


class OutputPipe:
    """Makes messages of what is written. Raises OSError when there is no descriptor to be had."""

    def __init__(self, stream: StreamType) -> None:
        self._stream = stream
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        _enlarge(self.reader)
        self._tail = b""  # the beginning of a character

    @property
    def has_tail(self) -> bool:
        return bool(self._tail)

    def read(self) -> Optional[bytes]:
        """What is there now, at most ``READ_BYTES``; empty when nothing is, None at the end."""
        try:
            return os.read(self.reader, READ_BYTES) or None
        except BlockingIOError:
            return b""

    def messages(self, data: bytes) -> Iterator[tuple[bytes, int]]:
        """``data`` as messages without a number, each with its bytes of output."""
        data = self._tail + data
        self._tail = b""
        for start in range(0, len(data), _MESSAGE):
            chunk = self._tail + data[start : start + _MESSAGE]
            try:
                text, end = codecs.utf_8_decode(chunk, "strict", False)
            except UnicodeDecodeError:
                self._tail = b""
                yield self._message(chunk), len(chunk)
                continue
            self._tail = chunk[end:]
            if text:
                yield self._message(text), end

    def end_text(self) -> Iterator[tuple[bytes, int]]:
        """What began as a character and did not go on."""
        tail, self._tail = self._tail, b""
        if tail:
            yield self._message(tail), len(tail)

    def give_writer(self) -> int:
        """The end to write to, which is the caller's now."""
        writer, self.writer = self.writer, -1
        return writer

    def close(self) -> None:
        for descriptor in (self.reader, self.writer):
            if descriptor >= 0:
                os.close(descriptor)
        self.reader = self.writer = -1

    def _message(self, data: object) -> bytes:
        return unnumbered(OutputMessage(timestamp=time.time(), stream=self._stream, data=data))  # type: ignore[arg-type]


def _enlarge(descriptor: int) -> None:
    """So that one read takes much. Best effort: a user's share of large pipes may be used up."""
    import fcntl

    try:
        fcntl.fcntl(descriptor, _SET_PIPE_SIZE, READ_BYTES)
    except OSError:
        pass
