"""File descriptors of the worker: its own, out of reach of user code, and 1 and 2, used by executions."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import termios
import threading
import time
from collections.abc import Iterator
from itertools import count
from typing import Callable

from ..clock import monotonic
from ..protocol.shared_state import SharedState

__all__ = ("Pipes", "high_numbers", "out_of_reach", "without_input")

_PATIENCE = 1.0  # maximum seconds that a write waits for the host to read what other code wrote earlier
_POLL = 0.00005  # seconds between two checks of the pipes
_HIGH = 256  # programs that close descriptors they did not open go from 3 up to this at most


def out_of_reach(descriptor: int) -> int:
    """Move a file descriptor to a high number that no child inherits, and return that number."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    lowest = max(16, min(limit, 2048) - 64)
    try:
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    except OSError:  # the limit is lower
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return high


@contextlib.contextmanager
def high_numbers() -> Iterator[None]:
    """Give files that are opened inside the context high descriptor numbers, if the limit allows."""
    taken: list[int] = []
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        with contextlib.suppress(OSError):
            taken.append(os.open(os.devnull, os.O_RDONLY))
            while taken[-1] < min(_HIGH, limit // 2):
                taken.append(os.dup(taken[0]))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)


def without_input() -> None:
    """Make descriptor 0 the null device, so that a read returns the end of the file at once."""
    null = os.open(os.devnull, os.O_RDONLY)
    if null:
        os.dup2(null, 0)
        os.close(null)


class Pipes:
    """The pipes that are file descriptors 1 and 2 while an execution runs. The host reads their other ends.

    Keeps the text of Python code in order with what other code writes there (see :class:`DescriptorOrder`).
    Text is held back until the host has read the pipes, as reported by ``FIONREAD`` (``ioctl_tty(2)``).
    Data that are written to the pipes after the text stay there until the host, which checks
    :attr:`SharedState.pending`, has received the text.
    """

    def __init__(
        self, descriptors: tuple[int, int], shared: SharedState, engine: int, flush: Callable[[], bool]
    ) -> None:
        """Take ownership of the descriptors.

        Args:
            descriptors: The write ends for descriptors 1 and 2.
            shared: The state that is shared with the host.
            engine: The identifier of the engine's thread, which never waits.
            flush: Sends everything that Python code has written. Returns True if it was sent.
        """
        self._ends = tuple(_End(out_of_reach(descriptor)) for descriptor in descriptors)
        self._shared = shared
        self._engine = engine
        self.flush = flush
        self._stalled = False  # the host did not read in time; until it has, writes do not wait

    def use(self) -> None:
        """Make the pipes file descriptors 1 and 2 of this process."""
        for number, end in enumerate(self._ends, 1):
            os.dup2(end.descriptor, number)

    def close(self) -> None:
        """Close the pipes. Threads of this execution may still write text."""
        ends, self._ends = self._ends, ()
        for end in ends:
            with contextlib.suppress(OSError):
                os.close(end.descriptor)

    def unread(self) -> bool:
        """Return True if a pipe holds data that the host has not read."""
        for end in self._ends:  # called for each write, so no generator and no tuple
            if end.unread():
                return True
        return False

    def wait(self) -> bool:
        """Wait, at most 1 s, until the host has read the pipes. Returns False if they were empty."""
        if not self.unread():
            self._stalled = False
            return False
        sizes = self._sizes()
        if threading.get_ident() == self._engine or self._stalled:
            return True
        deadline = monotonic() + _PATIENCE
        waiting = [size > 0 for size in sizes]
        while any(waiting):
            if monotonic() > deadline:
                self._stalled = True
                break
            time.sleep(_POLL)
            before, sizes = sizes, self._sizes()
            # A pipe that holds less than before has been read, and the host reads everything that it holds.
            waiting = [waits and 0 < size >= last for waits, size, last in zip(waiting, sizes, before)]
        return True

    def _sizes(self) -> tuple[int, ...]:
        """Return the number of unread bytes in each pipe."""
        return tuple(end.unread() for end in self._ends)

    def entered(self) -> None:
        """Record that Python code has written text."""
        # Each number is used once, so that a slow thread cannot restore one whose text has been sent.
        self._shared.written = _number()


_number = count(1).__next__


class _End:
    """The write end of a pipe."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        # With a buffer of this size, `ioctl` copies nothing and keeps the GIL. Otherwise, each write
        # would release the GIL, and would have to wait until it gets it back.
        self._buffer = bytearray(2048)
        self._size = memoryview(self._buffer).cast("i")

    def unread(self) -> int:
        """Return the number of unread bytes; 0 if user code has closed the descriptor."""
        try:
            fcntl.ioctl(self.descriptor, termios.FIONREAD, self._buffer)
        except OSError:
            return 0
        return self._size[0]
