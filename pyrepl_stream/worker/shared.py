"""A few bytes of memory that a host and its worker share, for what must not wait for a frame."""

from __future__ import annotations

import mmap
import os
import struct
import tempfile

__all__ = ("SharedState",)

_SIZE = mmap.PAGESIZE
# Native, and at a multiple of 8: written and read at once, so that neither side sees half a number.
_NUMBER = struct.Struct("@Q")
_INTERRUPTED, _WRITTEN, _SENT = 0, 8, 16


class SharedState:
    """Which execution SIGINT is meant for, and whether the worker holds text that it has not sent."""

    def __init__(self, descriptor: int) -> None:
        """Of a descriptor that :meth:`create` made; it stays open, and the caller's."""
        self._memory = mmap.mmap(descriptor, _SIZE)

    @staticmethod
    def create() -> int:
        """A new descriptor of such memory, which is gone with its last user."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("pyrepl-stream")
        else:
            descriptor, path = tempfile.mkstemp()
            os.unlink(path)
        os.ftruncate(descriptor, _SIZE)
        return descriptor

    @property
    def interrupted(self) -> int:
        """The ordinal of the execution that SIGINT is meant for; the host writes it, then signals."""
        return self._get(_INTERRUPTED)

    @interrupted.setter
    def interrupted(self, ordinal: int) -> None:
        _NUMBER.pack_into(self._memory, _INTERRUPTED, ordinal)

    @property
    def pending(self) -> bool:
        """Whether Python code has written what is not in the channel yet.

        Two numbers, and no flag: one that is cleared in the moment in which something is written hides it.
        """
        return self._get(_WRITTEN) != self._get(_SENT)

    @property
    def written(self) -> int:
        """A new number after each write of Python code; the worker's threads set it."""
        return self._get(_WRITTEN)

    @written.setter
    def written(self, number: int) -> None:
        _NUMBER.pack_into(self._memory, _WRITTEN, number)

    @property
    def sent(self) -> int:
        """What ``written`` was before it was seen that everything is in the channel."""
        return self._get(_SENT)

    @sent.setter
    def sent(self, number: int) -> None:
        _NUMBER.pack_into(self._memory, _SENT, number)

    def _get(self, offset: int) -> int:
        number: int = _NUMBER.unpack_from(self._memory, offset)[0]
        return number

    def close(self) -> None:
        self._memory.close()
