"""Repairs and removes spools whose host is gone."""

from __future__ import annotations

import os
import shutil
from typing import Optional

from ...messages import CompleteMessage
from ..disk import Disk, check_directory, closing, hidden, open_own
from .reader import STATUS, SpoolRecord, open_spool
from .segments import messages_of
from .writer import Spool


def mark_lost(directory: str, reason: str, *, disk: Optional[Disk] = None) -> None:
    """End the spool of an execution whose host is gone, with the status "lost". Idempotent.

    The caller holds the session's host lock, so there is no other writer. A message of which only a
    part was written is cut off.

    Args:
        directory: The directory of the spool.
        reason: The error text of its `complete` message.
        disk: The disk to write to; the real one by default.

    Raises:
        UnknownExecutionError, ProtocolError, InsecurePathError: See :func:`open_spool`.
        OSError: The spool cannot be written.
    """
    stored = open_spool(directory)
    if stored.closed and stored.status.complete is not None:
        return
    spool = Spool.resume(stored, disk or Disk())
    if stored.status.complete is None:
        complete = _find_complete(spool)
        if complete is not None:
            spool.has_ended(complete)
        else:
            duration = max(0.0, _last_written(spool) - stored.status.started)
            spool.complete(CompleteMessage(success=False, status="lost", error=reason, duration=duration))
    spool.close()


def _last_written(record: SpoolRecord) -> float:
    """Return the time of the last write, in seconds since the epoch."""
    newest = record.segments[-1].name if record.segments else STATUS
    return os.lstat(record.path(newest)).st_mtime


def _find_complete(record: SpoolRecord) -> Optional[CompleteMessage]:
    """Return the `complete` of the newest segment, if the host was killed before it updated the status."""
    if not record.segments:
        return None
    newest = record.segments[-1]
    with closing(open_own(record.path(newest.name))) as descriptor:
        messages = messages_of(descriptor, newest.size)
        return next((message for message in messages if isinstance(message, CompleteMessage)), None)


def remove_spool(directory: str) -> None:
    """Remove a spool, if it exists.

    Raises:
        InsecurePathError: The directory belongs to another user, or is open to others.
        OSError: It cannot be removed.
    """
    gone = hidden(directory, "old")
    shutil.rmtree(gone, ignore_errors=True)
    try:
        check_directory(directory)
        os.rename(directory, gone)  # for readers, it disappears as a whole
    except FileNotFoundError:
        return
    shutil.rmtree(gone)


def remove_leftovers(directory: str) -> None:
    """Remove reserves and spools in ``directory`` that a killed host left, half made or half removed."""
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if name.startswith((".new-", ".old-")):
            shutil.rmtree(path, ignore_errors=True)
        elif name.startswith(".reserve-"):
            Disk().discard(path)
