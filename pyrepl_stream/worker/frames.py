"""What a host and its worker say to each other: frames with a short binary head.

Both ends are of one version, started together, so nothing here has to be understood by others. What
the worker says of an execution comes as JSON without a number (see ``wire.unnumbered``): the host, the
one writer of the journal, puts the number in without decoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

__all__ = ("FrameType", "Frame", "FrameDecoder", "pack")


class FrameType(IntEnum):
    """``ordinal`` is the number of the execution in its worker, from 1 on; 0 where it is about none."""

    # From the host to the worker.
    EXECUTE = 1
    """JSON as ``requests.py`` has it; two descriptors come along: what 1 and 2 are to be meanwhile."""
    STOP = 2
    """``force`` or nothing: end the command that runs. (Python code is interrupted by SIGINT.)"""
    INPUT = 3
    """JSON: ``request`` (the ``extra["request"]`` of the question) and ``text`` (null: end of input)."""
    CONTROL = 4
    """JSON: ``request``, and ``do``: ``write`` (``base64``), ``close_stdin``, ``signal`` (``number``),
    ``resize`` (``rows``, ``columns``)."""
    FLUSH = 5
    """Send what Python code has written so far, then FLUSHED."""
    END = 6
    """Leave."""

    # From the worker to the host.
    READY = 16
    """JSON: ``pid``, ``python`` (version), ``executable``, ``ipython`` (version or null)."""
    MESSAGE = 17
    """A message without a number. The head says how many bytes of output it is."""
    KEPT = 18
    """The same, of a message that is never dropped (result, error)."""
    ASK = 19
    """The same, of an ``input_request``."""
    COMPLETE = 20
    """The same, of the ``complete``: the host says the time it took, and why it was asked to end."""
    CLOSED = 21
    """Python code of the execution writes no more: what still comes is of its descriptors."""
    FLUSHED = 22
    REPLY = 23
    """To a CONTROL: JSON, ``request`` and ``error`` (null or text); also ``pid`` of a command (null)."""


class Frame(NamedTuple):
    type: FrameType
    ordinal: int = 0
    payload: bytes = b""
    output: int = 0  # bytes of output that a message is


_HEAD = struct.Struct("!BIII")  # type, ordinal, bytes of output, length of what follows


def pack(frame: Frame) -> bytes:
    head = _HEAD.pack(frame.type, frame.ordinal, frame.output, len(frame.payload))
    return head + frame.payload


class FrameDecoder:
    """Bytes in, frames out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Raises :class:`ValueError` for what is no frame."""
        self._buffer += data
        begin = 0
        while len(self._buffer) - begin >= _HEAD.size:
            head, ordinal, output, length = _HEAD.unpack_from(self._buffer, begin)
            kind = FrameType(head)
            end = begin + _HEAD.size + length
            if len(self._buffer) < end:
                break
            yield Frame(kind, ordinal, bytes(self._buffer[begin + _HEAD.size : end]), output)
            begin = end
        del self._buffer[:begin]
