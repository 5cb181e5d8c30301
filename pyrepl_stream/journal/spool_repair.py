"""What is done to the records of executions whose host is gone."""

from __future__ import annotations

import os
import shutil
from typing import Optional

from ..messages import CompleteMessage
from ..wire import Decoder
from .disk import Disk, check_directory, hidden, open_own
from .spool_reader import STATUS, Record, open_spool
from .spool_writer import Spool

__all__ = ("mark_lost", "remove_leftovers", "remove_spool", "spool_size")

_CHUNK = 1 << 20


def mark_lost(directory: str, reason: str, *, disk: Optional[Disk] = None) -> None:
    """Close the record of an execution whose host is gone: its `complete` says ``lost``. Idempotent.

    The caller holds the session's host lock: nobody else writes. A message that was cut is cut off.
    ``reason`` goes in ``error``. Raises as :func:`open_spool` does, and :class:`OSError`.
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


def _last_written(record: Record) -> float:
    """When the record grew last, in seconds since the epoch."""
    newest = record.segments[-1].name if record.segments else STATUS
    return os.lstat(record.path(newest)).st_mtime


def _find_complete(record: Record) -> Optional[CompleteMessage]:
    """`complete` in the newest segment: the host ended before it could put it in the status."""
    if not record.segments:
        return None
    newest = record.segments[-1]
    descriptor = open_own(record.path(newest.name))
    try:
        decoder, at = Decoder(), 0
        while at < newest.size:
            data = os.pread(descriptor, min(_CHUNK, newest.size - at), at)
            at += len(data)
            for message in decoder.feed(data):
                if isinstance(message, CompleteMessage):
                    return message
    finally:
        os.close(descriptor)
    return None


def remove_spool(directory: str) -> None:
    """Forget an execution; where there is none, nothing happens.

    Raises :class:`UnsafePathError` and :class:`OSError`.
    """
    gone = hidden(directory, "old")
    shutil.rmtree(gone, ignore_errors=True)
    try:
        check_directory(directory)
        os.rename(directory, gone)  # for readers it is gone at once, and whole until then
    except FileNotFoundError:
        return
    shutil.rmtree(gone)


def remove_leftovers(directory: str) -> None:
    """What a host that was killed left half made or half removed beside the records in ``directory``."""
    for name in os.listdir(directory):
        if name.startswith((".new-", ".old-")):
            shutil.rmtree(os.path.join(directory, name), ignore_errors=True)


def spool_size(directory: str) -> int:
    """Bytes that a record takes on the disk; 0 where there is none."""
    try:
        with os.scandir(directory) as entries:
            return sum(entry.stat(follow_symlinks=False).st_blocks * 512 for entry in entries)
    except FileNotFoundError:
        return 0
