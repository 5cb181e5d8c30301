"""What earlier hosts of a session have left: it is ended, and removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal

from ..errors import PyreplStreamError, UsageError
from ..journal.disk import Disk, hidden
from ..journal.spool import open_spool
from .family import Family
from .launch import host_lock, start_lock
from .places import SessionPlace

__all__ = ("end_left_over", "end_marked", "forget_session", "forget_start", "remove_session")

_START = 30.0  # seconds that one who starts the host has
_LOOK = 0.5  # seconds that looks of others at a lock are waited for


def end_marked(mark: str) -> None:
    """SIGKILL to the worker with that mark, and to all that it started."""
    Family(mark).signal(signal.SIGKILL, 0, worker=None, since=0)


def end_left_over(directory: str) -> None:
    """End what may still run of the executions recorded in ``directory``. For who holds the host's lock."""
    epochs = set()
    for name in os.listdir(directory):
        with contextlib.suppress(PyreplStreamError, OSError):  # others lie there too
            status = open_spool(os.path.join(directory, name)).status
            if not status.closed:
                epochs.add(status.epoch)
    for epoch in epochs:
        end_marked(epoch)


def forget_session(place: SessionPlace) -> None:
    """Remove the directory of a session that ends. The caller holds its host's lock. Raises OSError."""
    gone = hidden(place.records, "old")
    shutil.rmtree(gone, ignore_errors=True)
    # At once, and the lock with it: who comes now starts it anew, and is not in the way of this.
    with contextlib.suppress(FileNotFoundError):
        os.rename(place.records, gone)
    shutil.rmtree(gone, ignore_errors=True)


def forget_start(place: SessionPlace) -> None:
    """Remove the lock file of who starts the session's host, unless somebody does just now."""
    if not os.path.exists(place.start_lock):
        return
    with start_lock(place) as held:
        if held:
            Disk().discard(place.start_lock)


def remove_session(place: SessionPlace) -> None:
    """Remove all that there is of a session without a host, and end what its last host left running.

    Raises :class:`UsageError` when it has a host, and OSError.
    """
    with start_lock(place, _START), host_lock(place, _LOOK) as held:
        if not held:
            raise UsageError(f"session {place.name!r} has got a host meanwhile: close it again")
        end_left_over(place.directory)
        forget_session(place)
        Disk().discard(place.socket)
    forget_start(place)
