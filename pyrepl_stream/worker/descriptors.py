"""File descriptors of the worker: what user code shall not reach, and what is 1 and 2 of an execution."""

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

from .shared import SharedState

__all__ = ("Pipes", "high_numbers", "out_of_reach", "without_input")

_PATIENCE = 1.0  # seconds that a write waits for the host to read what others wrote before
_POLL = 0.00005  # seconds
_HIGH = 256  # programs that close what they did not open begin at 3 and end here, or earlier


def out_of_reach(descriptor: int) -> int:
    """The same file under a high number that no child inherits; ``descriptor`` is closed."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    lowest = max(16, min(limit, 2048) - 64)
    try:
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    except OSError:  # fewer are allowed
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return high


@contextlib.contextmanager
def high_numbers() -> Iterator[None]:
    """What is opened inside gets descriptors with high numbers, as far as the limit allows."""
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
    """Descriptor 0 is the null device: what reads from it has the end at once."""
    null = os.open(os.devnull, os.O_RDONLY)
    if null:
        os.dup2(null, 0)
        os.close(null)


class Pipes:
    """What descriptors 1 and 2 are while an execution runs: the host reads their other ends.

    Keeps what Python code writes in order with what others write there (see :class:`Order` of the writer).
    Text that is written waits until the host has read the pipes: `FIONREAD` (``ioctl_tty(2)``) tells.
    What is written to the pipes after text waits there until the host, which sees :attr:`pending`, has it.
    """

    def __init__(
        self, descriptors: tuple[int, int], shared: SharedState, engine: int, flush: Callable[[], bool]
    ) -> None:
        """The descriptors become this object's; ``engine`` is the thread that never waits."""
        self._ends = tuple(_End(out_of_reach(descriptor)) for descriptor in descriptors)
        self._shared = shared
        self._engine = engine
        self.flush = flush
        self._stalled = False  # the host did not read in time: nobody waits until it has read

    def use(self) -> None:
        """Make them what 1 and 2 are."""
        for number, end in enumerate(self._ends, 1):
            os.dup2(end.descriptor, number)

    def close(self) -> None:
        """Others are 1 and 2 from now on; threads of this execution may still write."""
        ends, self._ends = self._ends, ()
        for end in ends:
            with contextlib.suppress(OSError):
                os.close(end.descriptor)

    def unread(self) -> bool:
        for end in self._ends:  # for each write: no generator, no tuple
            if end.unread():
                return True
        return False

    def wait(self) -> bool:
        if not self.unread():
            self._stalled = False
            return False
        sizes = self._sizes()
        if threading.get_ident() == self._engine or self._stalled:
            return True
        deadline = time.monotonic() + _PATIENCE
        waiting = [size > 0 for size in sizes]
        while any(waiting):
            if time.monotonic() > deadline:
                self._stalled = True
                break
            time.sleep(_POLL)
            before, sizes = sizes, self._sizes()
            # What has become less was read, by one who takes all that a pipe holds.
            waiting = [
                waits and 0 < size >= last for waits, size, last in zip(waiting, sizes, before)
            ]
        return True

    def _sizes(self) -> tuple[int, ...]:
        """How many bytes each of them holds that have not been read."""
        return tuple(end.unread() for end in self._ends)

    def entered(self) -> None:
        # Every number is given once, so that no late thread sets one that was `sent` already.
        self._shared.written = _number()


_number = count(1).__next__


class _End:
    """The write end of a pipe, and what it holds that was not read."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        # A buffer of this size is handed to the system as it is, and the GIL kept: a thread that lets go
        # of it at each write waits for it at each write.
        self._buffer = bytearray(2048)
        self._size = memoryview(self._buffer).cast("i")

    def unread(self) -> int:
        """In bytes; 0 as well when user code has closed it."""
        try:
            fcntl.ioctl(self.descriptor, termios.FIONREAD, self._buffer)
        except OSError:
            return 0
        return self._size[0]
