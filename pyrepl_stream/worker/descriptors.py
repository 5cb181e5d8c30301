"""File descriptors of the worker: what user code shall not reach, and what is 1 and 2 of an execution."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import termios
import threading
import time
from itertools import count

from .shared import SharedState

__all__ = ("Pipes", "out_of_reach", "without_input")

_PATIENCE = 0.05  # seconds that a write waits for the host to read what others wrote before
_IMPATIENT = 1.0  # seconds after that in which no write waits: something writes without a pause
_POLL = 0.00005  # seconds
_NOTHING = bytes(4)


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

    def __init__(self, descriptors: tuple[int, int], shared: SharedState, engine: int) -> None:
        """The descriptors become this object's; ``engine`` is the thread that never waits."""
        self._descriptors = tuple(map(out_of_reach, descriptors))
        self._shared = shared
        self._engine = engine
        self._impatient_until = 0.0

    def use(self) -> None:
        """Make them what 1 and 2 are."""
        for number, descriptor in enumerate(self._descriptors, 1):
            os.dup2(descriptor, number)

    def close(self) -> None:
        """Others are 1 and 2 from now on; threads of this execution may still write."""
        descriptors, self._descriptors = self._descriptors, ()
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def unread(self) -> bool:
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):  # user code has closed it
                if fcntl.ioctl(descriptor, termios.FIONREAD, _NOTHING) != _NOTHING:
                    return True
        return False

    def wait(self) -> bool:
        if not self.unread():
            return False
        start = time.monotonic()
        if threading.get_ident() == self._engine or start < self._impatient_until:
            return True
        while self.unread():
            if time.monotonic() > start + _PATIENCE:
                self._impatient_until = time.monotonic() + _IMPATIENT
                break
            time.sleep(_POLL)
        return True

    def entered(self) -> None:
        # Every number is given once, so that no late thread sets one that was `sent` already.
        self._shared.written = _number()


_number = count(1).__next__
