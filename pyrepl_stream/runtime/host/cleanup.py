"""Ends the processes and removes the files that earlier hosts of a session left behind."""

from __future__ import annotations

import contextlib
import os
import shutil

from ..errors import PyreplStreamError, UsageError
from ..journal.disk import Disk, hidden
from ..journal.spool.reader import is_closed, read_status
from .launch import locked
from .paths import SessionPaths
from .processes import MarkedProcesses

__all__ = ("end_left_over", "forget_session", "forget_start", "remove_session")

_START = 30.0  # maximum seconds to wait while another process starts the host
_LOOK = 0.5  # maximum seconds to wait while another process tests the host's lock


def end_left_over(directory: str) -> None:
    """Kill remaining processes of executions recorded in ``directory``. The caller holds the host's lock."""
    epochs = set()
    for path in (os.path.join(directory, name) for name in os.listdir(directory)):
        with contextlib.suppress(PyreplStreamError, OSError):  # not every entry of the directory is a spool
            if not is_closed(path):
                epochs.add(read_status(path).epoch.partition(".")[0])  # the mark is the epoch of the host
    for epoch in epochs:
        MarkedProcesses(epoch).kill_all()


def forget_session(paths: SessionPaths) -> None:
    """Remove the records of a session. The caller holds its host's lock. Raises OSError."""
    removed = hidden(paths.records, "old")
    shutil.rmtree(removed, ignore_errors=True)
    # One rename removes the records together with the lock: a process that starts the session again
    # at this moment creates new ones, which the removal of the old ones does not affect.
    with contextlib.suppress(FileNotFoundError):
        os.rename(paths.records, removed)
    shutil.rmtree(removed, ignore_errors=True)


def forget_start(paths: SessionPaths) -> None:
    """Remove the start lock of a session, unless a process holds it."""
    if not os.path.exists(paths.start_lock):
        return
    with locked(paths.start_lock) as held:
        if held:
            Disk().discard(paths.start_lock)


def remove_session(paths: SessionPaths) -> None:
    """Remove all files of a session without a host, and kill the processes that its last host left running.

    Raises:
        UsageError: The session has a host.
        OSError: The records cannot be removed.
    """
    with locked(paths.start_lock, _START), locked(paths.host_lock, _LOOK) as held:
        if not held:
            raise UsageError(
                f"a host of session {paths.name!r} has been started in the meantime; close it again"
            )
        end_left_over(paths.directory)
        forget_session(paths)
        Disk().discard(paths.socket)
    forget_start(paths)
