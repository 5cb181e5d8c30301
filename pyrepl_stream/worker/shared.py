"""A few bytes of memory that a host and its worker share, for what must not wait for a frame."""

from __future__ import annotations

import mmap
import os
import struct
import tempfile

__all__ = ("SharedState",)

_SIZE = mmap.PAGESIZE
_ORDINAL = struct.Struct("=Q")
_PENDING = 8  # where the flag is


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
        ordinal: int = _ORDINAL.unpack_from(self._memory, 0)[0]
        return ordinal

    @interrupted.setter
    def interrupted(self, ordinal: int) -> None:
        _ORDINAL.pack_into(self._memory, 0, ordinal)

    @property
    def pending(self) -> bool:
        """Whether Python code has written what is not in the channel yet; the worker writes it."""
        return self._memory[_PENDING] != 0

    @pending.setter
    def pending(self, pending: bool) -> None:
        self._memory[_PENDING] = pending

    def close(self) -> None:
        self._memory.close()
