"""The protocol between a host and its worker: frames with a short binary header.

A host starts its own worker, so both ends have the same version and the protocol can change freely.
Messages of an execution are JSON without a sequence number (see ``wire.unnumbered``). The host, which is
the only writer of the journal, checks each message and inserts the number into its text. User code can
write into the channel too: an invalid message ends the worker, but a valid one is accepted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from ..errors import ProtocolError

__all__ = ("FrameType", "Frame", "FrameDecoder", "pack")


class FrameType(IntEnum):
    """The type of a frame. The comments describe the payload."""

    # -- from the host to the worker --

    # A `Request` as JSON. Python code is sent together with two file descriptors, which become 1 and 2.
    EXECUTE = 1
    # Interrupt the command; with the payload `force`, kill it. For Python code: SIGINT was sent.
    STOP = 2
    # JSON: `request` (the `extra["request"]` of the question) and `text` (null for end of input).
    INPUT = 3
    # JSON: `request`, and `do`: `write` (`base64`), `close_stdin`, `signal` (`number`),
    # `resize` (`rows`, `columns`).
    CONTROL = 4
    # Send everything that Python code has written so far, then FLUSHED.
    FLUSH = 5
    # Exit.
    END = 6

    # -- from the worker to the host --

    # JSON: `pid`, `python` (version), `executable`, `ipython` (version or null).
    READY = 16
    # A message without a sequence number. The header has its size in bytes of output.
    MESSAGE = 17
    # A message that is never dropped (result, error).
    KEPT = 18
    # An `input_request` message.
    ASK = 19
    # A `complete` message. The host adds the duration, and the reason if the execution was asked to end.
    COMPLETE = 20
    # Python code can no longer write for the execution; other processes may still write to its pipes.
    CLOSED = 21
    # The answer to FLUSH.
    FLUSHED = 22
    # The answer to CONTROL. JSON: `request`, `error` (text or null) and `pid` (or null).
    REPLY = 23


class Frame(NamedTuple):
    """A frame.

    Attributes:
        type: The type.
        ordinal: The host's number for the execution, from 1; 0 if the frame is not about an execution.
        payload: The payload.
        output: The number of bytes of output in a message.
    """

    type: FrameType
    ordinal: int = 0
    payload: bytes = b""
    output: int = 0


_MAX_PAYLOAD = 65 << 20  # bytes: more than the longest request (MAX_OP) and the longest message
_HEAD = struct.Struct("!BIII")  # type, ordinal, bytes of output, length of the payload


def pack(frame: Frame) -> bytes:
    """Return a frame as bytes."""
    head = _HEAD.pack(frame.type, frame.ordinal, frame.output, len(frame.payload))
    return head + frame.payload


class FrameDecoder:
    """Decodes a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that ``data`` completes. Raises :class:`ProtocolError` for an invalid frame.

        A frame is yielded once, even if the caller stops at it because of an exception.
        """
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            head, ordinal, output, length = _HEAD.unpack_from(self._buffer)
            try:
                kind = FrameType(head)
            except ValueError as exc:
                raise ProtocolError(f"unknown type of frame: {head}") from exc
            if length > _MAX_PAYLOAD:
                raise ProtocolError(f"a frame of {length} bytes exceeds the limit of {_MAX_PAYLOAD} bytes")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                break
            payload = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]  # moves nothing: a bytearray only advances its start
            yield Frame(kind, ordinal, payload, output)
