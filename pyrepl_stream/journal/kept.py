"""The messages of a spool that are never dropped: they outlive their segments in a file of their own."""

from __future__ import annotations

import os
import time

from .disk import APPEND, Disk
from .segments import gap_line
from .spool_reader import TRIMMED

__all__ = ("KEPT_LIMIT", "KeptFile")

KEPT_LIMIT = 64 << 20
"""Bytes of messages that outlive their segment, or wait for room on the disk."""


class KeptFile:
    """Its writer. Up to ``limit`` bytes of messages; between them gaps for what is not there.

    ``size`` is that of the file, as far as readers see it; ``unsafe`` the first message that is not in it
    yet, 0 for none: its segment must not go.
    """

    def __init__(self, path: str, execution_id: str, disk: Disk, limit: int = KEPT_LIMIT) -> None:
        self.size = 0
        self.unsafe = 0
        self._path = path
        self._execution_id = execution_id
        self._disk = disk
        self._room = limit
        self._waiting: list[bytes] = []  # lines
        self._last = 0  # the message before the next gap
        self._output = 0  # bytes of output before that gap

    def begin(self, last: int, output: int) -> None:
        """What comes up to message ``last``, and byte ``output`` of the output, always stays where it is."""
        self._last, self._output = last, output

    def add(self, line: bytes, sequence: int, before: int) -> None:
        """The line of a message, behind ``before`` bytes of output; it waits for :meth:`store`."""
        if len(line) > self._room:
            return
        if sequence > self._last + 1:
            output = before - self._output
            self._waiting.append(
                gap_line(self._execution_id, self._last + 1, sequence - 1, output, TRIMMED, time.time())
            )
        self._waiting.append(line)
        self.unsafe = self.unsafe or sequence
        self._room -= len(line)
        self._last, self._output = sequence, before

    def store(self) -> None:
        """Write what waits; what the disk refuses goes on waiting."""
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        try:
            descriptor = self._disk.open(self._path, APPEND | os.O_CREAT)
            try:
                self._disk.truncate(descriptor, self.size)  # what failed the last time
                self._disk.write_all(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError:
            return
        self.size += len(data)
        self._waiting, self.unsafe = [], 0
