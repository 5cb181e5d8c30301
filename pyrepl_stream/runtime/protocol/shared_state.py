"""Memory that a host and its worker share, for state that must not wait for a frame."""

from __future__ import annotations

import mmap
import os

__all__ = ("SharedState",)

_SIZE = mmap.PAGESIZE


class _Number:
    """One of the numbers of a :class:`SharedState`."""

    def __init__(self, index: int) -> None:
        self._index = index

    def __get__(self, state: SharedState, owner: object = None) -> int:
        return state.numbers[self._index]

    def __set__(self, state: SharedState, number: int) -> None:
        state.numbers[self._index] = number


class SharedState:
    """The execution that is interrupted, and whether the worker holds text that it has not sent.

    Attributes:
        interrupted: The ordinal of the execution that the host interrupts. Set by the host before the signal.
        written: A number that changes with each write of Python code. Set by the worker's threads.
        sent: The value of ``written`` for which all text is in the channel. Set by the engine's thread.
    """

    interrupted, written, sent = _Number(0), _Number(1), _Number(2)

    def __init__(self, descriptor: int) -> None:
        """Map the memory of a file descriptor from :meth:`create`, which the caller still has to close."""
        # Native and aligned to 8 bytes, so that a number is read and written in one access.
        self.numbers = memoryview(mmap.mmap(descriptor, _SIZE)).cast("Q")

    @staticmethod
    def create() -> int:
        """Return a file descriptor of new memory, which is freed when no process uses it any more."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("pyrepl-stream")
        else:
            import tempfile

            descriptor, path = tempfile.mkstemp()
            os.unlink(path)
        os.ftruncate(descriptor, _SIZE)
        return descriptor

    @property
    def pending(self) -> bool:
        """True if Python code has written text that is not in the channel yet.

        Compares two numbers. A flag would hide text that is written just before the flag is cleared.
        """
        return self.written != self.sent

    def close(self) -> None:
        """Unmap the memory."""
        self.numbers.release()
