"""The record of one execution on disk: one writer, any number of readers.

In the execution's directory lie segments of messages (``segments.py``), ``status.json``, ``request.json``
(what was asked for), ``closed`` once nothing comes any more, and, after segments were removed,
``trimmed.json`` (which) and ``kept.ndjson`` (what of them is never dropped, with gaps between).
``*.reserve`` hold blocks, so that the end of an execution can be told when the disk is full.

The writer is one thread. What is appended waits in memory until :meth:`Spool.commit` writes it; readers
see it after its write has returned. What the disk refuses becomes a gap.
"""

from __future__ import annotations

from .disk import Disk
from .spool_reader import SpoolReader, StoredSpool, open_spool
from .spool_repair import mark_lost, remove_leftovers, remove_spool, spool_size
from .spool_writer import Spool
from .status import SpoolStatus, unreadable_status

__all__ = (
    "Disk",
    "Spool",
    "SpoolReader",
    "SpoolStatus",
    "StoredSpool",
    "mark_lost",
    "open_spool",
    "remove_leftovers",
    "remove_spool",
    "spool_size",
    "unreadable_status",
)
